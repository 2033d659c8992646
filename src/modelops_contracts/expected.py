"""What a tag must point to before it is moved."""

from __future__ import annotations

from enum import Enum

__all__ = ["ANYTHING", "Expected"]


class Expected(Enum):
    """Marks that a tag may be moved whatever it points to."""

    ANYTHING = "anything"


ANYTHING = Expected.ANYTHING
