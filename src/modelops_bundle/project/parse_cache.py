"""What was parsed before, by the sha256 of the bytes it was parsed from.

Deleting the file costs time and nothing else.
"""

from __future__ import annotations

import contextlib
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from modelops_contracts.atomic import write_atomically

_FORMAT = 1
_MOST_ENTRIES = 4096


class ParseCache:
    """A small persistent mapping; unreadable or foreign content counts as empty."""

    def __init__(self, path: Path | None) -> None:
        self._path = path
        self._values = _load(path)
        self._used: dict[str, Any] = {}
        self._changed = False

    def get(self, section: str, key: str, compute: Callable[[], Any]) -> Any:
        """Return the value for a key, computing it when it is not there."""
        full = f"{section}:{key}"
        if full in self._used:
            return self._used[full]
        if full in self._values:
            value = self._values[full]
        else:
            value = compute()
            self._changed = True
        self._used[full] = value
        return value

    def peek(self, section: str, key: str) -> Any | None:
        """Return the value for a key, or None."""
        full = f"{section}:{key}"
        found = self._used.get(full, self._values.get(full))
        if found is not None:
            self._used[full] = found
        return found

    def put(self, section: str, key: str, value: Any) -> None:
        """Remember a value."""
        full = f"{section}:{key}"
        if self.peek(section, key) != value:
            self._used[full] = value
            self._changed = True

    def save(self) -> None:
        """Write what changed; a place that cannot be written to is no error."""
        if self._path is None or not self._changed:
            return
        older = [key for key in self._values if key not in self._used]
        room = max(0, _MOST_ENTRIES - len(self._used))
        kept = {key: self._values[key] for key in older[-room:]} if room else {}
        text = json.dumps(
            {"format": _FORMAT, "values": kept | self._used}, separators=(",", ":"), default=str
        )
        with contextlib.suppress(OSError):
            write_atomically(self._path, text)
        self._changed = False


def _load(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
        values = data["values"] if data["format"] == _FORMAT else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
    return values if isinstance(values, dict) else {}
