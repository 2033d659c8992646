"""`mops bundle list`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, table
from modelops.cli.bundle._registry import read_labels
from modelops.cli.bundle._status import EntryRow, SetRow, entry_row, read_project, set_row


@dataclass(frozen=True, slots=True)
class Registered:
    """What is registered in this project."""

    models: list[EntryRow]
    target_sets: list[SetRow]
    targets: list[EntryRow]


def render(answer: Registered, screen: Screen) -> Iterator[str]:
    if not (answer.models or answer.target_sets or answer.targets):
        yield "Nothing is registered here (mops bundle register-model FILE)"
    header = ("ID", "ENTRY POINT", "OUTPUTS", "LABELS", "STATE")
    rows = [
        (item.id, item.entrypoint, ", ".join(item.outputs) or "-", labels(item), item.state)
        for item in answer.models
    ]
    yield from section("Models", header, rows, screen)
    sets = [
        (item.name, ", ".join(item.targets) or "-", weights(item.weights))
        for item in answer.target_sets
    ]
    yield from section("Target sets", ("NAME", "TARGETS", "WEIGHTS"), sets, screen)
    columns = ("ID", "ENTRY POINT", "OUTPUT", "LABELS", "WEIGHT", "STATE")
    targets = [
        (
            item.id,
            item.entrypoint,
            ", ".join(item.outputs),
            labels(item),
            f"{item.weight:g}" if item.weight is not None else None,
            item.state,
        )
        for item in answer.targets
    ]
    yield from section("Targets", columns, targets, screen)


def section(
    title: str, header: Sequence[str], rows: Sequence[Sequence[object]], screen: Screen
) -> Iterator[str]:
    """A table with its title; nothing at all where it would have no rows."""
    if rows:
        yield title
        yield from table(header, rows, screen, indent=2)


def labels(item: EntryRow) -> str:
    return ", ".join(f"{key}={value}" for key, value in item.labels.items()) or "-"


def weights(values: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in values.items()) or "-"


@command(answer=Registered, render=render)
@click.option("--model-label", multiple=True, metavar="K=V", help="Only models with this label.")
@click.option("--target-label", multiple=True, metavar="K=V", help="Only targets with this label.")
def list_(call: Call, model_label: Sequence[str], target_label: Sequence[str]) -> Registered:
    """List the models, target sets and targets of this project."""
    found = read_project(call)
    for finding in found.findings:
        if finding.code == "pull_interrupted":
            call.console.warn(str(finding))
    return Registered(
        models=select([entry_row(item) for item in found.models], read_labels(model_label)),
        target_sets=[set_row(item) for item in found.sets],
        targets=select([entry_row(item) for item in found.targets], read_labels(target_label)),
    )


def select(entries: list[EntryRow], wanted: Mapping[str, str]) -> list[EntryRow]:
    return [entry for entry in entries if wanted.items() <= dict(entry.labels).items()]
