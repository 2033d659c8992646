"""`mops bundle manifest`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size, table
from modelops.cli.bundle._stores import open_store, own_push


@dataclass(frozen=True, slots=True)
class TagRow:
    """One tag; `bytes` is the size of all files of its bundle. `problem`: why it is no bundle."""

    tag: str
    digest: str | None
    content: str | None
    files: int | None
    bytes: int | None
    pushed_at: str | None
    problem: str | None


@dataclass(frozen=True, slots=True)
class FileRow:
    """One file of a bundle; `mode` is 0644, 0755 or link."""

    path: str
    bytes: int
    sha256: str
    mode: str


@dataclass(frozen=True, slots=True)
class Manifest:
    """The tags of a repository, or the files of one bundle (then `digest` is that of the bundle).

    `shown` of `total` tags or files are listed.
    """

    reference: str
    digest: str | None = None
    content: str | None = None
    bytes: int | None = None
    tags: list[TagRow] = field(default_factory=list)
    files: list[FileRow] = field(default_factory=list)
    shown: int = 0
    total: int = 0
    full: bool = False


def render(answer: Manifest, screen: Screen) -> Iterator[str]:
    yield from file_lines(answer, screen) if answer.digest else tag_lines(answer, screen)
    if answer.shown < answer.total:
        yield f"{answer.shown} of {answer.total} shown (--limit {answer.total} shows all)"


def tag_lines(answer: Manifest, screen: Screen) -> Iterator[str]:
    if not answer.tags:
        yield f"{answer.reference} has no tags yet (mops bundle push)"
    elif answer.tags[0].digest is None:
        yield from (row.tag for row in answer.tags)
    else:
        rows = [tag_cells(row, screen, full=answer.full) for row in answer.tags]
        yield from table(("TAG", "DIGEST", "CONTENT", "FILES", "SIZE", "PUSHED"), rows, screen)


def tag_cells(row: TagRow, screen: Screen, *, full: bool) -> tuple[object, ...]:
    content = row.problem if row.content is None else digest_text(row.content, full=full)
    amount = None if row.bytes is None else size(row.bytes)
    pushed = None if row.pushed_at is None else screen.when(row.pushed_at)
    return row.tag, digest_text(row.digest or "", full=full), content, row.files, amount, pushed


def file_lines(answer: Manifest, screen: Screen) -> Iterator[str]:
    yield f"{answer.reference}: {plural(answer.total, 'file')}, {size(answer.bytes or 0)}"
    yield f"Digest: {answer.digest}"
    yield f"Content: {answer.content}"
    rows = [
        (row.path, size(row.bytes), row.mode, row.sha256 if answer.full else row.sha256[:12])
        for row in answer.files
    ]
    yield from table(("PATH", "SIZE", "MODE", "SHA256"), rows, screen)


def digest_text(digest: str, *, full: bool) -> str:
    return digest if full else digest[:19]


@command(answer=Manifest, render=render)
@click.argument("reference", metavar="[REF]", required=False)
@click.option("--tags-only", is_flag=True, help="The names of the tags alone; nothing is read.")
@click.option("--full", is_flag=True, help="Digests in full.")
@click.option(
    "-n", "--limit", type=click.IntRange(min=1), default=10, show_default=True,
    help="How many tags to show, or files.",
)  # fmt: skip
def manifest(
    call: Call, reference: str | None, tags_only: bool, full: bool, limit: int
) -> Manifest:
    """List the tags of this project's bundles, or the files of one bundle.

    Without REF: the tags, the one pushed last first. REF as in `clone`: the files of that bundle.
    """
    if tags_only and full:
        raise click.UsageError("--tags-only shows no digests; --full shows them in full")
    store, wanted = open_store(call, reference)
    if tags_only:
        return list_names(store, limit)
    if reference is not None:
        return list_files(store, wanted, full, limit)
    return list_tags(call, store, full, limit)


def list_names(store: Any, limit: int) -> Manifest:
    names = store.tag_names()
    rows = [TagRow(name, None, None, None, None, None, None) for name in names[:limit]]
    return Manifest(store.location, tags=rows, shown=len(rows), total=len(names))


def list_tags(call: Call, store: Any, full: bool, limit: int) -> Manifest:
    from modelops_bundle.listing import summarise_tags

    found = summarise_tags(store)
    rows = [
        TagRow(
            item.tag, item.manifest, item.content, item.files, item.size,
            item.pushed_at or own_moment(call, f"{store.location}:{item.tag}", item.manifest),
            item.problem,
        )
        for item in found[:limit]
    ]  # fmt: skip
    return Manifest(store.location, tags=rows, shown=len(rows), total=len(found), full=full)


def own_moment(call: Call, reference: str, digest: str) -> str | None:
    """When this project pushed what a tag is at, where the registry keeps no record of it."""
    push = own_push(call, reference)
    return push.get("pushed_at") if push.get("manifest") == digest else None


def list_files(store: Any, wanted: str, full: bool, limit: int) -> Manifest:
    from modelops_bundle.cache.bundle_cache import fetch_index

    digest = store.resolve(wanted)
    index = fetch_index(store, digest)
    rows = [FileRow(row.path, row.size, row.sha256, row.mode) for row in index.files[:limit]]
    return Manifest(
        reference=f"{store.location}{'@' if ':' in wanted else ':'}{wanted}",
        digest=digest,
        content=index.content,
        bytes=sum(row.size for row in index.files),
        files=rows,
        shown=len(rows),
        total=len(index.files),
        full=full,
    )
