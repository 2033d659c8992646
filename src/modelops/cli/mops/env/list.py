"""`mops env list`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, table


@dataclass(frozen=True, slots=True)
class EnvironmentRow:
    """One environment. `problem` says why it cannot be used here."""

    name: str
    current: bool
    kind: str | None
    artifacts: str | None
    results: str | None
    origin: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class Environments:
    """All environments that are known here."""

    environments: list[EnvironmentRow]


def render(answer: Environments, screen: Screen) -> Iterator[str]:
    rows = [
        (
            f"{item.name} *" if item.current else item.name,
            item.kind,
            item.artifacts,
            item.results or ("in the project" if item.problem is None else None),
            item.problem or item.origin,
        )
        for item in answer.environments
    ]
    yield from table(("NAME", "KIND", "BUNDLES", "RESULTS", "ORIGIN"), rows, screen)


@command(answer=Environments, render=render)
def list_(call: Call) -> Environments:
    """List the environments that are known here; the current one is marked."""
    from modelops.config.environments import list_environments

    config = call.config
    names = list_environments(config.paths)
    return Environments([describe(call, name, name == config.environment) for name in names])


def describe(call: Call, name: str, current: bool) -> EnvironmentRow:
    from modelops.config.environments import load_environment
    from modelops_contracts.errors import ModelOpsError

    try:
        found = load_environment(name, call.config.paths)
    except ModelOpsError as error:
        return EnvironmentRow(name, current, None, None, None, None, str(error))
    results = None if found.results is None else str(found.results)
    return EnvironmentRow(name, current, found.kind, found.bundles, results, found.origin, None)
