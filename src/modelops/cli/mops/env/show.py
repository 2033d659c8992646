"""`mops env show`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import environments
from modelops.cli._console import Screen, pairs


@dataclass(frozen=True, slots=True)
class EnvironmentAnswer:
    """One environment as it is used."""

    name: str
    kind: str
    artifacts: str
    results: str | None
    origin: str


def render(answer: EnvironmentAnswer, screen: Screen) -> Iterator[str]:
    yield answer.name
    yield from pairs(
        [
            ("Kind", answer.kind),
            ("Bundles", answer.artifacts),
            ("Results", answer.results or "in each project: .modelops/results"),
            ("Origin", answer.origin),
        ]
    )


@command(answer=EnvironmentAnswer, render=render)
@click.argument("name", required=False, shell_complete=environments)
def show(call: Call, name: str | None) -> EnvironmentAnswer:
    """Show an environment as it is used: where bundles and results are kept."""
    from modelops.config.environments import load_environment

    config = call.config
    found = load_environment(name or config.environment, config.paths)
    return EnvironmentAnswer(
        name=found.name,
        kind=found.kind,
        artifacts=found.bundles,
        results=None if found.results is None else str(found.results),
        origin=found.origin,
    )
