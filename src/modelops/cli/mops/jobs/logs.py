"""`mops jobs logs`."""

from __future__ import annotations

import re
from collections import deque
from collections.abc import Iterable, Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen
from modelops.cli.mops.jobs._jobs import find_job, open_backend


@dataclass(frozen=True, slots=True)
class Logs:
    """Lines of a job's log, oldest first. Empty when they were followed: then they are events."""

    job: str
    lines: list[str]


def render(answer: Logs, screen: Screen) -> Iterator[str]:
    yield from answer.lines


@command(answer=Logs, render=render, stream=True)
@click.argument("job", default="last")
@click.option("-f", "--follow", is_flag=True, help="Go on until the job has ended.")
@click.option(
    "--tail",
    type=click.IntRange(min=0),
    default=100,
    show_default=True,
    help="Lines to show at most; 0 for all.",
)
@click.option("--search", metavar="RE", help="Only lines that match this regular expression.")
def logs(call: Call, job: str, follow: bool, tail: int, search: str | None) -> Logs:
    """Print what a job's driver wrote down."""
    pattern = compile_pattern(search)
    backend = open_backend(call)
    found = find_job(backend, job).job_id
    if not follow:
        return Logs(found, last_lines(matching(backend.logs(found), pattern), tail))
    for line in matching(backend.logs(found, follow=True), pattern):
        if call.console.json:
            call.event("line", job=found, text=line)
        else:
            call.console.print([line])
    return Logs(found, [])


def compile_pattern(search: str | None) -> re.Pattern[str]:
    try:
        return re.compile(search or "")
    except re.error as error:
        raise click.BadParameter(
            f"{search!r} is no regular expression: {error}", param_hint="--search"
        ) from None


def matching(lines: Iterable[str], pattern: re.Pattern[str]) -> Iterator[str]:
    return (line for line in lines if pattern.search(line))


def last_lines(lines: Iterable[str], count: int) -> list[str]:
    return list(deque(lines, maxlen=count or None))
