"""Reading a sampling design as an endless list, block by block."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

__all__ = ["DesignRows"]

_FIRST_BLOCK = 64


class ExtendableDesign(Protocol):
    def sample(self, n: int, start: int = 0) -> list[dict[str, Any]]: ...


class DesignRows:
    """Row ``i`` of an extendable design. Blocks double, so a Sobol' sequence stays balanced."""

    def __init__(self, design: ExtendableDesign) -> None:
        self._design = design
        self._rows: list[Mapping[str, Any]] = []

    def __getitem__(self, index: int) -> dict[str, Any]:
        while index >= len(self._rows):
            block = len(self._rows) or _FIRST_BLOCK
            self._rows.extend(self._design.sample(block, start=len(self._rows)))
        return dict(self._rows[index])
