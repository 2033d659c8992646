"""Numbers and counts as a report prints them."""

from __future__ import annotations

import math
from typing import Any

from modelops_calabaria.outcome.record import CalibrationRecord, Candidate

__all__ = ["best_of", "count", "rounded", "sentence", "show", "with_se"]


def best_of(record: CalibrationRecord) -> Candidate | None:
    return record.candidates[0] if record.candidates else None


def count(n: int, noun: str) -> str:
    return f"{n} {noun}" if n == 1 else f"{n} {noun}s"


def sentence(text: str) -> str:
    return text if len(text) <= 400 else f"{text[:397]}…"


def show(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, int):
        return f"{value}"
    number = float(value)
    if not math.isfinite(number):
        return {math.inf: "∞", -math.inf: "−∞"}.get(number, "")
    return f"{number:.5g}".replace("-", "−")


#: Standard errors below this are rounding, not noise.
_NO_ERROR = 1e-9


def with_se(value: float, se: float) -> str:
    """A value with as many decimals as its standard error deserves."""
    if not math.isfinite(value) or math.isnan(se) or se < _NO_ERROR:
        return rounded(value, se)
    return f"{rounded(value, se)} ± {se:.{_decimals(se)}f}"


def rounded(value: float, se: float) -> str:
    if not math.isfinite(value):
        return show(value)
    if math.isnan(se) or se < _NO_ERROR:
        return f"{value:.6g}".replace("-", "−")
    return f"{value:.{_decimals(se)}f}".replace("-", "−")


def _decimals(se: float) -> int:
    return min(6, max(0, 1 - math.floor(math.log10(se))))
