"""Words in a given width: names of authors are as long as they like."""

from __future__ import annotations

import re
import textwrap

__all__ = ["fitted", "wrap"]

#: Width of an average character of running text in units of its size, and of a name, which may be
#: bold and has fewer narrow letters and spaces.
_TEXT, _NAME = 0.53, 0.6
#: Where a name may be broken: after these.
_JOINTS = re.compile(r"(?<=[\s_\-./])")


def wrap(text: str, width: float, size: float) -> list[str]:
    """Lines that fit ``width`` inches at ``size`` points, estimated by the average character."""
    n = _per_line(width, size, _TEXT)
    lines = [line for part in text.split("\n") for line in textwrap.wrap(part, n) or [""]]
    return lines or [""]


def fitted(text: str, width: float, size: float, *, lines: int = 2) -> str:
    """A name on at most ``lines`` lines of ``width`` inches, broken at its joints where it can be.

    What is still too long loses its middle: names that share a beginning often differ at the end.
    """
    n = _per_line(width, size, _NAME)
    broken = _broken(text, n)
    if len(broken) > lines:
        room = n * lines - 1
        short = f"{text[: room // 2]}…{text[len(text) - (room - room // 2) :]}"
        broken = [short[i : i + n] for i in range(0, len(short), n)]
    return "\n".join(line.strip() for line in broken)


def _per_line(width: float, size: float, aspect: float) -> int:
    return max(4, int(width / (size / 72 * aspect)))


def _broken(text: str, n: int) -> list[str]:
    """Greedy lines of at most ``n`` characters."""
    lines = [""]
    for piece in _JOINTS.split(text):
        if len(lines[-1]) + len(piece.rstrip()) > n:
            lines.append("")
        lines[-1] += piece
        while len(lines[-1].rstrip()) > n:
            lines[-1:] = [lines[-1][:n], lines[-1][n:]]
    return [line for line in lines if line]
