"""A report as an A4 PDF: the same blocks as the HTML, set page by page."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from functools import singledispatch
from io import BytesIO
from typing import TYPE_CHECKING, Any

from modelops_calabaria.diagnostics.blocks import (
    Banner,
    Block,
    Canvas,
    Chart,
    Report,
    Table,
    Text,
    Tiles,
)
from modelops_calabaria.diagnostics.lettering import fitted, wrap

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["render_pdf"]

PAGE = (8.27, 11.69)
LEFT, RIGHT, TOP, BOTTOM = 0.75, 0.75, 0.75, 0.8
WIDTH = PAGE[0] - LEFT - RIGHT

INK, QUIET, LINE, ACCENT, SOFT = "#1f2933", "#616e7c", "#d9dee3", "#2f6fab", "#f5f7fa"
_SEVERITY = {"PASS": "#1f7a4d", "WARN": "#a35a00", "FAIL": "#b42318"}


@dataclass(frozen=True, slots=True)
class _Item:
    """Something of a known height that can be drawn on a canvas of that height."""

    height: float
    draw: Callable[[Canvas], None]
    keep_with_next: bool = False


def render_pdf(report: Report) -> bytes:
    """The report as PDF bytes, the same for the same numbers."""
    from matplotlib.backends.backend_pdf import PdfPages

    buffer = BytesIO()
    metadata = {"Title": report.title, "Subject": report.subtitle, "CreationDate": None}
    with PdfPages(buffer, metadata=metadata) as document:
        pages = list(_paginate(list(_items(report))))
        for number, page in enumerate(pages, 1):
            document.savefig(_page_figure(page, report.footer, f"{number} / {len(pages)}"))
    return buffer.getvalue()


def _paginate(items: Sequence[_Item]) -> Iterator[list[_Item]]:
    page: list[_Item] = []
    room = PAGE[1] - TOP - BOTTOM
    left = room
    for i, item in enumerate(items):
        needed = item.height + (items[i + 1].height if item.keep_with_next else 0.0)
        if page and min(needed, room) > left:
            yield page
            page, left = [], room
        page.append(item)
        left -= item.height
    if page:
        yield page


def _page_figure(page: Sequence[_Item], footer: str, number: str) -> Figure:
    from matplotlib.figure import Figure

    figure = Figure(figsize=PAGE, dpi=150)
    y = PAGE[1] - TOP
    for item in page:
        y -= item.height
        item.draw(Canvas(figure, LEFT, y, WIDTH, item.height))
    base = Canvas(figure, LEFT, 0.4, WIDTH, 0.3)
    _rule(base, 0.25, LINE, 0.6)
    _text(base, 0.0, 0.18, footer, size=7, color=QUIET)
    _text(base, WIDTH, 0.18, number, size=7, color=QUIET, ha="right")
    return figure


# ---------------------------------------------------------------- items


def _items(report: Report) -> Iterator[_Item]:
    yield _title_item(report)
    for section in report.sections:
        yield _heading(section.title)
        for block in section.blocks:
            yield from _set(block)


def _title_item(report: Report) -> _Item:
    title = wrap(report.title, WIDTH, 18)
    lines = wrap(report.subtitle, WIDTH, 9)
    height = 0.32 * len(title) + 0.17 * len(lines) + 0.2

    def draw(canvas: Canvas) -> None:
        y = canvas.height
        for line in title:
            _text(canvas, 0, y, line, size=18, weight="bold")
            y -= 0.32
        for line in lines:
            _text(canvas, 0, y, line, size=9, color=QUIET)
            y -= 0.17
        _rule(canvas, y - 0.04, ACCENT, 2.0)

    return _Item(height, draw, keep_with_next=True)


def _heading(title: str) -> _Item:
    def draw(canvas: Canvas) -> None:
        _text(canvas, 0, canvas.height - 0.26, title, size=13, weight="bold")

    return _Item(0.58, draw, keep_with_next=True)


@singledispatch
def _set(block: Block) -> Iterator[_Item]:
    """The items of one block, in order."""
    raise AssertionError(f"no setting for {type(block).__name__}")


@_set.register
def _set_text(block: Text) -> Iterator[_Item]:
    yield _paragraph(block.text, color=QUIET if block.quiet else INK)


def _paragraph(text: str, *, color: str = INK, size: float = 8.5) -> _Item:
    lines = wrap(text, WIDTH, size)
    step = size * 1.45 / 72

    def draw(canvas: Canvas) -> None:
        for i, line in enumerate(lines):
            _text(canvas, 0, canvas.height - 0.02 - i * step, line, size=size, color=color)

    return _Item(step * len(lines) + 0.12, draw)


@_set.register
def _set_banner(block: Banner) -> Iterator[_Item]:
    lines = wrap(block.text, WIDTH - 1.35, 9.5)
    height = max(0.5, 0.2 * len(lines) + 0.26)
    color = _SEVERITY.get(block.verdict, QUIET)

    def draw(canvas: Canvas) -> None:
        _box(canvas, (0, 0.0, WIDTH, height), SOFT)
        _box(canvas, (0, 0.0, 0.07, height), color)
        middle = height / 2
        _text(canvas, 0.22, middle, block.verdict, size=14, weight="bold", color=color, va="center")
        for i, line in enumerate(lines):
            y = middle + 0.1 * (len(lines) - 1) - 0.2 * i
            _text(canvas, 1.2, y, line, size=9.5, va="center")

    yield _Item(height, draw)
    yield _space(0.12)


@_set.register
def _set_tiles(block: Tiles) -> Iterator[_Item]:
    for start in range(0, len(block.tiles), 3):
        yield _tile_row(block, start)
    yield _space(0.08)


def _tile_row(block: Tiles, start: int) -> _Item:
    width, gap = (WIDTH - 0.24) / 3, 0.12
    tiles = block.tiles[start : start + 3]
    notes = [wrap(tile.note, width - 0.24, 7) for tile in tiles]
    height = 0.62 + 0.12 * max(len(lines) for lines in notes)

    def draw(canvas: Canvas) -> None:
        top = height + 0.08
        for place, (tile, lines) in enumerate(zip(tiles, notes, strict=True)):
            x = place * (width + gap)
            _box(canvas, (x, 0.08, width, height), "white", edge=LINE)
            _text(canvas, x + 0.12, top - 0.08, tile.label, size=7.5, color=QUIET)
            _text(canvas, x + 0.12, top - 0.245, tile.value, size=12.5, weight="bold")
            for i, line in enumerate(lines):
                _text(canvas, x + 0.12, top - 0.51 - 0.12 * i, line, size=7, color=QUIET)

    return _Item(height + 0.12, draw)


@_set.register
def _set_chart(block: Chart) -> Iterator[_Item]:
    caption = _paragraph(block.caption, color=QUIET, size=7.5) if block.caption else _space(0.05)
    yield _Item(block.height, block.draw, keep_with_next=True)
    yield replace(caption, height=caption.height + 0.08)


def _space(height: float) -> _Item:
    return _Item(height, lambda _canvas: None)


# ---------------------------------------------------------------- tables

_CELL_SIZE = 7.8
_CELL_STEP = 0.145
_GAP = 0.12
_HEADER_LINES = 6


@_set.register
def _set_table(block: Table) -> Iterator[_Item]:
    total = sum(block.widths)
    widths = [WIDTH * w / total for w in block.widths]
    yield _header_row(block, widths)
    for row in block.rows:
        yield _table_row(block, widths, row)
    if block.caption:
        yield _space(0.06)
        yield _paragraph(block.caption, color=QUIET, size=7.5)
    yield _space(0.1)


def _header_row(block: Table, widths: Sequence[float]) -> _Item:
    names = [
        fitted(name, width, _CELL_SIZE, lines=_HEADER_LINES).split("\n")
        for name, width in zip(block.columns, widths, strict=True)
    ]
    extra = _CELL_STEP * (max(map(len, names)) - 1)

    def draw(canvas: Canvas) -> None:
        for i, (x, lines) in enumerate(zip(_starts(widths), names, strict=True)):
            for j, line in enumerate(reversed(lines)):
                _cell(canvas, x, widths[i], 0.07 + j * _CELL_STEP, line,
                      numeric=i in block.numeric, color=QUIET, weight="bold",
                      va="bottom")  # fmt: skip
        _rule(canvas, 0.02, INK, 1.0)

    return _Item(0.28 + extra, draw, keep_with_next=True)


def _table_row(block: Table, widths: Sequence[float], row: Sequence[str]) -> _Item:
    cells = [wrap(cell, w - _GAP, _CELL_SIZE) for cell, w in zip(row, widths, strict=True)]
    height = _CELL_STEP * max(len(lines) for lines in cells) + 0.1

    def draw(canvas: Canvas) -> None:
        for i, (x, lines) in enumerate(zip(_starts(widths), cells, strict=True)):
            for j, line in enumerate(lines):
                y = height - 0.05 - j * _CELL_STEP
                if line in _SEVERITY:
                    _badge(canvas, x, y, line)
                else:
                    _cell(canvas, x, widths[i], y, line, numeric=i in block.numeric)
        _rule(canvas, 0.0, LINE, 0.5)

    return _Item(height, draw)


def _starts(widths: Sequence[float]) -> list[float]:
    return [sum(widths[:i]) for i in range(len(widths))]


def _cell(
    canvas: Canvas, x: float, width: float, y: float, text: str, *, numeric: bool, **style: Any
) -> None:
    place, align = (x + width - _GAP, "right") if numeric else (x, "left")
    _text(canvas, place, y, text, **{"size": _CELL_SIZE, "ha": align, **style})


def _badge(canvas: Canvas, x: float, y: float, word: str) -> None:
    _box(canvas, (x, y - 0.135, 0.46, 0.15), _SEVERITY[word])
    _text(canvas, x + 0.23, y - 0.062, word, size=6.5, weight="bold", color="white", ha="center",
          va="center")  # fmt: skip


# ---------------------------------------------------------------- marks on a canvas


def _text(canvas: Canvas, x: float, y: float, text: str, **style: Any) -> None:
    width, height = canvas.figure.get_size_inches()
    options = {"size": 8.5, "color": INK, "va": "top", "ha": "left", "parse_math": False, **style}
    canvas.figure.text((canvas.x + x) / width, (canvas.y + y) / height, text, **options)


def _rule(canvas: Canvas, y: float, color: str, weight: float) -> None:
    from matplotlib.lines import Line2D

    width, height = canvas.figure.get_size_inches()
    ends = [canvas.x / width, (canvas.x + canvas.width) / width]
    at = (canvas.y + y) / height
    canvas.figure.add_artist(Line2D(ends, [at, at], color=color, linewidth=weight))


def _box(
    canvas: Canvas, place: tuple[float, float, float, float], color: str, *, edge: str | None = None
) -> None:
    from matplotlib.patches import Rectangle

    x, y, w, h = place
    width, height = canvas.figure.get_size_inches()
    canvas.figure.add_artist(
        Rectangle(
            ((canvas.x + x) / width, (canvas.y + y) / height),
            w / width,
            h / height,
            facecolor=color,
            edgecolor=edge or "none",
            linewidth=0.7 if edge else 0.0,
            zorder=0,
        )
    )
