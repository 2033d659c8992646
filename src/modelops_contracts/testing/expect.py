"""Expecting an error without a test library."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

__all__ = ["expect"]


@contextmanager
def expect(kind: type[BaseException], *fragments: str) -> Iterator[None]:
    """Pass when the block raises ``kind`` with every fragment in its text; fail otherwise."""
    caught: BaseException | None = None
    try:
        yield
    except kind as error:
        caught = error
    assert caught is not None, f"nothing raised {kind.__name__}"
    missing = [fragment for fragment in fragments if fragment not in str(caught)]
    assert not missing, f"{caught!r} does not say {missing}"
