"""How `cb models` and `cb targets` show what a project has registered."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from modelops.cli._console import Screen, table

__all__ = ["joined", "listing"]


def listing(
    kind: str, project: str, header: Sequence[str], rows: Sequence[Sequence[str]], screen: Screen
) -> Iterator[str]:
    """A table, or how to register the first of this kind."""
    if not rows:
        yield f"No {kind} is registered in {project}"
        yield f"Next: mops bundle register-{kind} FILE"
        return
    yield from table(header, rows, screen)


def joined(names: Sequence[str]) -> str:
    return ", ".join(names) or "-"
