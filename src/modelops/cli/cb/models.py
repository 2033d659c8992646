"""`cb models`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen
from modelops.cli.cb._listing import joined, listing
from modelops.cli.cb._project import find_place


@dataclass(frozen=True, slots=True)
class ModelRow:
    """A registered model, as the registry describes it."""

    id: str
    entrypoint: str
    parameters: list[str]
    scenarios: list[str]
    outputs: list[str]


@dataclass(frozen=True, slots=True)
class Models:
    """The models that are registered in this project."""

    project: str
    models: list[ModelRow]


def render(answer: Models, screen: Screen) -> Iterator[str]:
    header = ("ID", "ENTRY POINT", "PARAMETERS", "SCENARIOS", "OUTPUTS")
    rows = [
        (
            item.id,
            item.entrypoint,
            joined(item.parameters),
            joined(item.scenarios),
            joined(item.outputs),
        )
        for item in answer.models
    ]
    yield from listing("model", answer.project, header, rows, screen)


@command(answer=Models, render=render)
def models(call: Call) -> Models:
    """List the models that are registered here."""
    place = find_place(call, cwd_import=False)
    registry = place.known()
    rows = [
        ModelRow(
            name,
            entry.entrypoint,
            list(entry.parameters),
            list(entry.scenarios),
            list(entry.outputs),
        )
        for name, entry in sorted(registry.models.items())
    ]
    return Models(str(place.root), rows)
