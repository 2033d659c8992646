"""`mops bundle cache info`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size, table

if TYPE_CHECKING:
    from modelops_bundle.cache.bundle_cache import CachedTree


@dataclass(frozen=True, slots=True)
class TreeRow:
    """The files of one bundle; `used_at` is when somebody last asked for them."""

    digest: str
    bytes: int
    used_at: str


@dataclass(frozen=True, slots=True)
class CacheInfo:
    """What the cache of bundles holds, used last first."""

    folder: str
    trees: list[TreeRow]
    bytes: int


def render(answer: CacheInfo, screen: Screen) -> Iterator[str]:
    yield f"{answer.folder}: {plural(len(answer.trees), 'bundle')}, {size(answer.bytes)}"
    rows = [(row.digest, size(row.bytes), screen.when(row.used_at)) for row in answer.trees]
    if rows:
        yield from table(("DIGEST", "SIZE", "USED"), rows, screen)


@command(answer=CacheInfo, render=render)
def info(call: Call) -> CacheInfo:
    """Say what the cache of bundles holds."""
    from modelops_bundle.cache.bundle_cache import BundleCache

    cache = BundleCache(call.config.paths.bundle_cache)
    rows = [tree_row(tree) for tree in cache.trees()]
    return CacheInfo(str(cache.path), rows, sum(row.bytes for row in rows))


def tree_row(tree: CachedTree) -> TreeRow:
    moment = datetime.fromtimestamp(tree.used_at, UTC).isoformat(timespec="seconds")
    return TreeRow(tree.digest, tree.size, moment)
