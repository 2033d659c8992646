"""What a repository holds: its tags, and what is in the bundle behind each."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from modelops_bundle.artifact.push_records import records_of
from modelops_bundle.cache.bundle_cache import fetch_index
from modelops_bundle.oci.parallel import run_parallel
from modelops_contracts.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from modelops_bundle.oci.store import BundleStore


@dataclass(frozen=True, slots=True)
class TagSummary:
    """One tag. `size` is that of all files, in bytes; `pushed_at` is None without a record.

    `problem` says why a tag cannot be read as a bundle.
    """

    tag: str
    manifest: str
    content: str | None = None
    files: int | None = None
    size: int | None = None
    pushed_at: str | None = None
    problem: str | None = None


def summarise_tags(store: BundleStore, *, limit: int | None = None) -> list[TagSummary]:
    """Return the tags of a repository, the one pushed last first; those without a record by name.

    At most `limit` are returned; all of them are read, because only the records say which are new.
    """
    tags: Mapping[str, str] = store.tags()
    client = getattr(store, "http", None)
    found = run_parallel(
        [partial(_summarise, store, tag, digest) for tag, digest in tags.items()],
        int(getattr(store, "parallel", 1)),
        stopped=getattr(client, "stopped", None),
    )
    by_name = sorted(found, key=lambda item: item.tag)
    ordered = sorted(by_name, key=lambda item: item.pushed_at or "", reverse=True)
    return ordered if limit is None else ordered[:limit]


def _summarise(store: BundleStore, tag: str, digest: str) -> TagSummary:
    try:
        index = fetch_index(store, digest)
    except (InvalidInput, NotFound) as error:
        return TagSummary(tag, digest, problem=error.message)
    records = records_of(store, digest)
    return TagSummary(
        tag, digest, index.content, len(index.files), sum(row.size for row in index.files),
        records[0].created if records else None,
    )  # fmt: skip
