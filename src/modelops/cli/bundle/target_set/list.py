"""`mops bundle target-set list`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, table


@dataclass(frozen=True, slots=True)
class TargetSetRow:
    """A named set of targets; `weights` override those of the targets."""

    name: str
    targets: list[str]
    weights: Mapping[str, float]


@dataclass(frozen=True, slots=True)
class TargetSets:
    """The target sets of this project."""

    target_sets: list[TargetSetRow]


def as_row(name: str, targets: list[str], weights: Mapping[str, float]) -> TargetSetRow:
    return TargetSetRow(name, list(targets), dict(weights))


def render(answer: TargetSets, screen: Screen) -> Iterator[str]:
    rows = [
        (item.name, ", ".join(item.targets) or "-", weights_text(item.weights))
        for item in answer.target_sets
    ]
    yield from table(("SET", "TARGETS", "WEIGHTS"), rows, screen)


def weights_text(weights: Mapping[str, float]) -> str:
    return ", ".join(f"{name}={value:g}" for name, value in weights.items()) or "-"


@command(answer=TargetSets, render=render)
def list_(call: Call) -> TargetSets:
    """List the named sets of targets."""
    from modelops_bundle.registry import load_registry

    registry = load_registry(call.project_root)
    return TargetSets(
        [
            as_row(name, group.targets, group.weights)
            for name, group in sorted(registry.target_sets.items())
        ]
    )
