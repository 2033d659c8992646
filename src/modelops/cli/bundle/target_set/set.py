"""`mops bundle target-set set`."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen
from modelops.cli.bundle.target_set.list import TargetSetRow, as_row, weights_text


def render(answer: TargetSetRow, screen: Screen) -> Iterator[str]:
    yield f"Target set {answer.name}: {', '.join(answer.targets)}"
    if answer.weights:
        yield f"  weights {weights_text(answer.weights)}"


@command(answer=TargetSetRow, render=render)
@click.argument("name")
@click.option("-t", "--target", "targets", multiple=True, metavar="ID", help="Member (repeatable).")
@click.option(
    "-w", "--weight", "weights", multiple=True, metavar="ID=VALUE", help="Weight (repeatable)."
)
def set_(call: Call, name: str, targets: Sequence[str], weights: Sequence[str]) -> TargetSetRow:
    """Make or replace a named set of targets; without --target it holds all of them."""
    from modelops_bundle.project.project import find_project
    from modelops_bundle.registering import set_target_set

    project = find_project(call.start)
    chosen = set_target_set(project, name, targets, read_weights(weights))
    return as_row(name, chosen.targets, chosen.weights)


def read_weights(items: Sequence[str]) -> dict[str, float]:
    weights = {}
    for item in items:
        target, equals, text = item.rpartition("=")
        try:
            weights[target] = float(text)
        except ValueError:
            equals = ""
        if not equals or not target:
            raise click.BadParameter(f"{item!r} is not ID=VALUE", param_hint="--weight")
    return weights
