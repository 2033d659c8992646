"""What a report is made of, whatever it is printed on: sections of texts, tables and charts."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

__all__ = [
    "Banner",
    "Block",
    "Canvas",
    "Chart",
    "Report",
    "Section",
    "Table",
    "Text",
    "Tile",
    "Tiles",
]


@dataclass(frozen=True, slots=True)
class Text:
    """A paragraph; ``quiet`` ones are remarks."""

    text: str
    quiet: bool = False


@dataclass(frozen=True, slots=True)
class Banner:
    """The verdict (PASS, WARN, FAIL, or another short word) and one sentence."""

    verdict: str
    text: str


@dataclass(frozen=True, slots=True)
class Tile:
    label: str
    value: str
    note: str = ""


@dataclass(frozen=True, slots=True)
class Tiles:
    """Key numbers side by side."""

    tiles: tuple[Tile, ...]


@dataclass(frozen=True, slots=True)
class Table:
    """``widths`` are relative; ``numeric`` columns are set flush right; the words PASS, WARN and
    FAIL are set as badges."""

    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    widths: tuple[float, ...]
    numeric: frozenset[int] = frozenset()
    caption: str = ""


@dataclass(frozen=True, slots=True)
class Canvas:
    """A rectangle of a figure, in inches from its lower left corner."""

    figure: Figure
    x: float
    y: float
    width: float
    height: float

    def axes(self, left: float, bottom: float, width: float, height: float) -> Axes:
        """New axes at a place in inches, relative to this canvas."""
        total_width, total_height = self.figure.get_size_inches()
        return self.figure.add_axes(
            (
                (self.x + left) / total_width,
                (self.y + bottom) / total_height,
                width / total_width,
                height / total_height,
            )
        )


@dataclass(frozen=True, slots=True)
class Chart:
    """``draw`` fills a canvas of the block's width and ``height`` (inches)."""

    draw: Callable[[Canvas], None]
    height: float
    alt: str
    caption: str = ""


Block: TypeAlias = Text | Banner | Tiles | Table | Chart


@dataclass(frozen=True, slots=True)
class Section:
    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True, slots=True)
class Report:
    """``subtitle`` is one line; ``footer`` stands under every page."""

    title: str
    subtitle: str
    sections: tuple[Section, ...]
    footer: str = ""
