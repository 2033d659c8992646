"""`mops bundle verify`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call, Done
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size
from modelops.cli.bundle._stores import open_store

FAILED = 1


@dataclass(frozen=True, slots=True)
class ProblemRow:
    """A blob that is not what the bundle says."""

    digest: str
    text: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was looked at, and what is wrong with it; nothing is when `problems` is empty."""

    reference: str
    digest: str
    content: str
    blobs: int
    bytes: int
    deep: bool
    problems: list[ProblemRow]


def render(answer: Verified, screen: Screen) -> Iterator[str]:
    how = "read and compared" if answer.deep else "there, with the right size"
    whole = f"{plural(answer.blobs, 'blob')}, {size(answer.bytes)}"
    if not answer.problems:
        yield f"{answer.reference} is whole: {whole}, all {how}"
    else:
        yield f"{answer.reference} is damaged: {len(answer.problems)} of {whole}"
        yield from (f"  {row.digest} {row.text}" for row in answer.problems)
    yield f"Digest: {answer.digest}"


@command(answer=Verified, render=render)
@click.argument("reference", metavar="[REF]", required=False)
@click.option("--deep", is_flag=True, help="Read every byte and compare the digests.")
def verify(call: Call, reference: str | None, deep: bool) -> Verified | Done:
    """Check that everything a bundle is made of is where it is kept (exit code 1 if not).

    REF as in `clone`; default: the tag of this project.
    """
    from modelops_bundle.transfer.verify import verify as verify_bundle

    store, wanted = open_store(call, reference)
    reporter = call.reporter()
    try:
        found = verify_bundle(store, wanted, deep=deep, reporter=reporter)
    finally:
        reporter.close()
    answer = Verified(
        found.reference, found.manifest, found.content, found.blobs, found.size, deep,
        [ProblemRow(item.digest, item.text) for item in found.problems],
    )  # fmt: skip
    if not found.problems:
        return answer
    call.console.complain(f"{found.reference} is damaged")
    call.console.hint("mops bundle push sends what is missing")
    return Done(answer, FAILED)
