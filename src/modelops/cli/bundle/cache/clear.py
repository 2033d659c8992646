"""`mops bundle cache clear`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size
from modelops.cli.bundle.cache.info import TreeRow, tree_row


@dataclass(frozen=True, slots=True)
class CacheCleared:
    """What left the cache, or would with `dry_run`; `files` are documents and parts of layers."""

    removed: list[TreeRow]
    files: int
    bytes: int
    kept: list[TreeRow]
    dry_run: bool


def render(answer: CacheCleared, screen: Screen) -> Iterator[str]:
    verb = "Would remove" if answer.dry_run else "Removed"
    bundles, files = plural(len(answer.removed), "bundle"), plural(answer.files, "file")
    yield f"{verb} {bundles} and {files} beside them, {size(answer.bytes)}"
    if answer.kept and not answer.dry_run:
        yield f"{plural(len(answer.kept), 'bundle')} in use stayed"


@command(answer=CacheCleared, render=render)
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and do nothing.")
def clear(call: Call, dry_run: bool) -> CacheCleared:
    """Remove everything from the cache of bundles that is not in use; it can be fetched again."""
    from modelops_bundle.cache.bundle_cache import BundleCache
    from modelops_bundle.cache.clearing import clear_cache

    cache = BundleCache(call.config.paths.bundle_cache)
    done = clear_cache(cache, dry_run=dry_run)
    kept = [] if dry_run else [tree_row(tree) for tree in cache.trees()]
    return CacheCleared(
        [tree_row(tree) for tree in done.trees], done.files, done.size, kept, dry_run
    )
