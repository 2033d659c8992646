"""`mops doctor`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, table
from modelops.cli.mops._check import Check
from modelops.cli.mops._checks import find_checks, run_checks


@dataclass(frozen=True, slots=True)
class Diagnosis:
    """All checks, and whether any found a fault."""

    healthy: bool
    checks: list[Check]


def render(answer: Diagnosis, screen: Screen) -> Iterator[str]:
    rows = [(check.name, check.status, check.detail) for check in answer.checks]
    lines = table(("CHECK", "STATUS", "DETAIL"), rows, screen)
    yield lines[0]
    for check, line in zip(answer.checks, lines[1:], strict=True):
        yield line
        if check.status != "ok" and check.hint:
            yield f"  hint: {check.hint}"
    faults = sum(check.status == "fault" for check in answer.checks)
    yield f"{plural(faults, 'fault')} found" if faults else "No fault found"


@command(answer=Diagnosis, render=render)
@click.option("--install", is_flag=True, help="Check the installation only.")
@click.option(
    "--timeout",
    type=click.FloatRange(min=0, min_open=True),
    default=5.0,
    show_default=True,
    help="Seconds a check may take before it counts as a fault.",
)
def doctor(call: Call, install: bool, timeout: float) -> Done:
    """Check the installation, the configuration and this machine."""
    checks = run_checks(find_checks(call, install_only=install), timeout)
    healthy = all(check.status != "fault" for check in checks)
    return Done(Diagnosis(healthy, checks), 0 if healthy else 1)
