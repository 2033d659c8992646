"""Columns of stacked tables that several targets of one evaluation read: stacked once.

A scope belongs to one evaluation in one thread, and nothing outlives it.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar

import polars as pl

__all__ = ["share_columns", "stacked_once"]

#: (tables, column) -> its parts; the tables are kept, so that no other can take their identity.
_Known = dict[tuple[tuple[int, ...], str], tuple[list[pl.DataFrame], list[pl.Series]]]
_known: ContextVar[_Known | None] = ContextVar("_known", default=None)


@contextmanager
def share_columns() -> Iterator[None]:
    """Within this block, a column of the same tables is stacked once."""
    token = _known.set({})
    try:
        yield
    finally:
        _known.reset(token)


def stacked_once(
    frames: Sequence[pl.DataFrame], name: str, make: Callable[[], list[pl.Series]]
) -> list[pl.Series]:
    """What ``make`` gives for column ``name`` of these tables, in one piece if of one type."""
    known = _known.get()
    if known is None:
        return _in_one_piece(make())
    key = (tuple(map(id, frames)), name)
    if key not in known:
        known[key] = (list(frames), _in_one_piece(make()))
    return known[key][1]


def _in_one_piece(parts: list[pl.Series]) -> list[pl.Series]:
    if len({part.dtype for part in parts}) != 1:
        return parts
    return [pl.concat(parts, rechunk=True)]
