"""`mops bundle target-set delete`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen


@dataclass(frozen=True, slots=True)
class Deleted:
    """The set that is gone. Its targets stay registered."""

    name: str


def render(answer: Deleted, screen: Screen) -> Iterator[str]:
    yield f"Deleted target set {answer.name}"


@command(answer=Deleted, render=render)
@click.argument("name")
def delete(call: Call, name: str) -> Deleted:
    """Delete a named set of targets; its targets stay registered."""
    from modelops_bundle.project.project import find_project
    from modelops_bundle.registering import delete_target_set

    delete_target_set(find_project(call.start), name)
    return Deleted(name)
