"""`mops bundle env`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, pairs


@dataclass(frozen=True, slots=True)
class BundleEnvironment:
    """The environment in force here: where its bundles are kept, and what decided for it."""

    name: str
    bundles: str
    file: str
    chosen_by: str
    pinned: bool


def render(answer: BundleEnvironment, screen: Screen) -> Iterator[str]:
    yield answer.name
    yield from pairs([
        ("Bundles", answer.bundles),
        ("Described in", answer.file),
        ("Chosen by", answer.chosen_by),
    ])  # fmt: skip


@command(answer=BundleEnvironment, render=render)
@click.argument("name", required=False)
def env(call: Call, name: str | None) -> BundleEnvironment:
    """Show where bundles of this project are kept, or pin an environment to it.

    With NAME everybody who works in this project uses that environment from now on.
    """
    if name is not None:
        pin(call, name)
    return describe(call)


def pin(call: Call, name: str) -> None:
    """Write the project's pin; an unknown name changes nothing."""
    from modelops.cli.mops.env.use import pin_project
    from modelops.config.environments import load_environment

    load_environment(name, call.config.paths)
    pin_project(call, name)


def describe(call: Call) -> BundleEnvironment:
    """The environment in force, and where the choice comes from."""
    from modelops import wiring

    config = call.config
    found = wiring.open_environment(config)
    origin = config.origins["environment"]
    chosen_by = "default" if origin.kind == "default" else f"{origin.kind} {origin.where}".strip()
    return BundleEnvironment(
        found.name, found.bundles, found.origin, chosen_by, pinned=origin.kind == "project"
    )
