"""`mops bundle cache gc`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, plural, size
from modelops.cli.bundle.cache.info import TreeRow, tree_row

GIB = 1024**3
DAY = 86400.0


@dataclass(frozen=True, slots=True)
class CacheCleaned:
    """The bundles that left the cache, or would with `dry_run`."""

    removed: list[TreeRow]
    bytes: int
    dry_run: bool


def render(answer: CacheCleaned, screen: Screen) -> Iterator[str]:
    verb = "Would remove" if answer.dry_run else "Removed"
    yield f"{verb} {plural(len(answer.removed), 'bundle')}, {size(answer.bytes)}"
    yield from (f"  {row.digest}" for row in answer.removed)


@command(answer=CacheCleaned, render=render)
@click.option(
    "--max-size",
    type=click.FloatRange(min=0),
    default=20.0,
    show_default=True,
    metavar="GIB",
    help="How much may stay, in GiB; 0 removes all that nobody uses.",
)
@click.option(
    "--older-than", type=click.FloatRange(min=0), default=30.0, show_default=True, metavar="DAYS",
    help="Also remove what was not used for so many days.",
)  # fmt: skip
@click.option("--dry-run", is_flag=True, help="Say what would be removed, and do nothing.")
def gc(call: Call, max_size: float, older_than: float, dry_run: bool) -> CacheCleaned:
    """Remove bundles from the cache that were not used for longest; they can be fetched again.

    A bundle that is in use stays.
    """
    from modelops_bundle.cache.bundle_cache import BundleCache

    cache = BundleCache(call.config.paths.bundle_cache)
    removed = cache.collect(
        max_bytes=int(max_size * GIB), older_than=older_than * DAY, dry_run=dry_run
    )
    rows = [tree_row(tree) for tree in removed]
    return CacheCleaned(rows, sum(row.bytes for row in rows), dry_run)
