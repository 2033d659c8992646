"""A finding: one thing a reader of the result has to know, with what to do about it."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any

__all__ = ["FAIL", "PASS", "WARN", "Finding", "worst_severity"]

PASS, WARN, FAIL = "PASS", "WARN", "FAIL"
_ORDER = (PASS, WARN, FAIL)


@dataclass(frozen=True, slots=True)
class Finding:
    """``subject`` is what it is about (a parameter, a target, the run); ``value`` crossed
    ``threshold`` (NaN where there is no number); ``action`` is the next step."""

    code: str
    severity: str
    message: str
    subject: str = ""
    value: float = math.nan
    threshold: float = math.nan
    action: str = ""

    def to_json(self) -> dict[str, Any]:
        return {
            "code": self.code,
            "severity": self.severity,
            "message": self.message,
            "subject": self.subject,
            "value": _number(self.value),
            "threshold": _number(self.threshold),
            "action": self.action,
        }

    @classmethod
    def from_json(cls, data: Mapping[str, Any]) -> Finding:
        numbers = {key: _parsed(data[key]) for key in ("value", "threshold")}
        return cls(**{**data, **numbers})


def worst_severity(findings: Iterable[Finding]) -> str:
    """PASS when there is none."""
    return max((f.severity for f in findings), key=_ORDER.index, default=PASS)


def _number(value: float) -> float | str | None:
    if math.isnan(value):
        return None
    return value if math.isfinite(value) else str(value)


def _parsed(value: float | str | None) -> float:
    return math.nan if value is None else float(value)
