"""`mops bundle log`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, table
from modelops.cli.bundle._stores import open_store, own_push


@dataclass(frozen=True, slots=True)
class PushRow:
    """One push. `dirty`: files of the bundle differed from the commit; `previous` is what the tag
    pointed to before. What git says is null where there was none. `recorded` is false for a push
    that only this project remembers: none are kept there, or somebody moved the tag over it."""

    digest: str
    time: str
    user: str | None
    commit: str | None
    dirty: bool | None
    diff: str | None
    source: str | None
    tool: str | None
    previous: str | None
    recorded: bool


@dataclass(frozen=True, slots=True)
class Log:
    """The pushes that led to a bundle, the newest first.

    `complete` is false where the registry keeps no records of pushes.
    """

    reference: str
    pushes: list[PushRow]
    complete: bool


def render(answer: Log, screen: Screen) -> Iterator[str]:
    if not answer.pushes:
        yield f"No push of {answer.reference} is recorded"
        return
    rows = [
        (screen.when(row.time), row.digest[:19], commit_text(row), who_text(row))
        for row in answer.pushes
    ]
    yield from table(("TIME", "DIGEST", "COMMIT", "WHO"), rows, screen)


def who_text(row: PushRow) -> str | None:
    return row.user if row.recorded else f"{row.user or ''} (not in the store's records)".strip()


def commit_text(row: PushRow) -> str | None:
    return row.commit and row.commit[:12] + (" + changes" if row.dirty else "")


@command(answer=Log, render=render)
@click.argument("reference", metavar="[REF]", required=False)
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=20, show_default=True,
    help="How many pushes to show.",
)  # fmt: skip
def log(call: Call, reference: str | None, limit: int) -> Log:
    """List the pushes that led to a bundle: when, by whom, from which commit.

    REF as in `clone`; default: the tag of this project.
    """
    from modelops_bundle.artifact.push_records import add_own_push, read_log

    store, wanted = open_store(call, reference)
    shown = f"{store.location}{'@' if ':' in wanted else ':'}{wanted}"
    found = read_log(store, wanted, limit=limit)
    found = add_own_push(found, own_push(call, shown), limit=limit)
    if not found.complete:
        call.console.warn(f"{store.location}: this registry keeps no records of pushes")
    rows = [as_row(item) for item in found.records]
    return Log(shown, rows, found.complete)


def as_row(item: Any) -> PushRow:
    return PushRow(
        digest=item.manifest,
        time=item.created,
        user=item.user,
        commit=item.commit,
        dirty=item.dirty,
        diff=item.diff,
        source=item.source,
        tool=item.tool,
        previous=item.previous,
        recorded=item.recorded,
    )
