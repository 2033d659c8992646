"""Where a new entry stands among those that are there."""

from __future__ import annotations

from typing import TypeVar

T = TypeVar("T")


def put_in_order(section: dict[str, T], key: str, value: T) -> None:
    """Set a key; a new one goes before the first that sorts after it, and no other moves.

    In a section that was never ordered by hand, the order of arrival therefore leaves no trace.
    """
    following = next((item for item in section if item > key), None)
    if key in section or following is None:
        section[key] = value
        return
    items = list(section.items())
    section.clear()
    for name, item in items:
        if name == following:
            section[key] = value
        section[name] = item


def rename_in_order(section: dict[str, T], old: str, new: str, value: T) -> None:
    """Give an entry another key: its sorted place, or the place it had where a hand ordered."""
    if list(section) == sorted(section):
        del section[old]
        put_in_order(section, new, value)
        return
    items = list(section.items())
    section.clear()
    section.update({new if key == old else key: item for key, item in items})
    section[new] = value
