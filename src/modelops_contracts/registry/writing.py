"""Turning registry values into plain data for the file."""

from __future__ import annotations

from dataclasses import fields
from pathlib import Path
from typing import Any


def plain(value: Any) -> Any:
    if isinstance(value, Path):
        return value.as_posix()
    if hasattr(value, "to_dict"):
        return value.to_dict()
    if isinstance(value, list):
        return [plain(item) for item in value]
    if isinstance(value, dict):
        return {key: plain(item) for key, item in value.items()}
    return value


def without_defaults(value: Any, default: Any) -> dict[str, Any]:
    return {
        item.name: plain(getattr(value, item.name))
        for item in fields(value)
        if getattr(value, item.name) != getattr(default, item.name)
    }
