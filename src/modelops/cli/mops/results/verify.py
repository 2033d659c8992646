"""`mops results verify`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size


@dataclass(frozen=True, slots=True)
class FaultRow:
    """A file of the store that is not as its index says."""

    path: str
    message: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what is wrong."""

    files: int
    bytes: int
    faults: list[FaultRow]


def render(answer: Verified, screen: Screen) -> Iterator[str]:
    for fault in answer.faults:
        yield f"{fault.path}: {fault.message}"
    yield (
        f"{plural(answer.files, 'file')}, {size(answer.bytes)}: "
        f"{plural(len(answer.faults), 'fault')}"
    )


@command(answer=Verified, render=render)
def verify(call: Call) -> Done:
    """Compare every stored simulation with its checksum and row counts. A fault is exit code 1."""
    from modelops import wiring

    store = wiring.open_results(call.config, call.project_root)
    used = store.usage()
    faults = [FaultRow(fault.path, fault.message) for fault in store.verify()]
    return Done(Verified(used.files, used.bytes, faults), 1 if faults else 0)
