"""One thing that `mops doctor` looked at."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Status = Literal["ok", "warn", "fault", "skipped"]


@dataclass(frozen=True, slots=True)
class Check:
    """What was found. `hint` says what to do when it is not ok."""

    name: str
    status: Status
    detail: str
    hint: str | None = None
