"""`cb targets`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, figure
from modelops.cli.cb._listing import joined, listing
from modelops.cli.cb._project import find_place


@dataclass(frozen=True, slots=True)
class TargetRow:
    """A registered target, as the registry describes it."""

    id: str
    entrypoint: str
    output: str
    data: list[str]
    weight: float
    sets: list[str]


@dataclass(frozen=True, slots=True)
class Targets:
    """The targets that are registered in this project."""

    project: str
    targets: list[TargetRow]


def render(answer: Targets, screen: Screen) -> Iterator[str]:
    header = ("ID", "ENTRY POINT", "OUTPUT", "WEIGHT", "SETS", "DATA")
    rows = [
        (
            item.id,
            item.entrypoint,
            item.output,
            figure(item.weight),
            joined(item.sets),
            joined(item.data),
        )
        for item in answer.targets
    ]
    yield from listing("target", answer.project, header, rows, screen)


@command(answer=Targets, render=render)
def targets(call: Call) -> Targets:
    """List the targets that are registered here."""
    place = find_place(call, cwd_import=False)
    registry = place.known()
    rows = [
        TargetRow(
            name,
            entry.entrypoint,
            entry.model_output,
            [Path(path).as_posix() for path in entry.data],
            entry.weight,
            sorted(key for key, group in registry.target_sets.items() if name in group.targets),
        )
        for name, entry in sorted(registry.targets.items())
    ]
    return Targets(str(place.root), rows)
