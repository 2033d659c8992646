"""Commands of earlier releases, and what to type now. Read only after a command was not found."""

from __future__ import annotations

from itertools import pairwise

# Longest match first; the new form must stand in the table of commands (a test holds it to that).
MOVED: dict[str, str] = {
    "mops status": "mops doctor",
    "mops job": "mops jobs submit",
    "mops adaptive": "mops jobs submit",
    "mops jobs submit-calibration": "mops jobs submit",
    "mops jobs sync": "mops jobs status",
    "mops jobs validate": "mops jobs status",
    "mops results stats": "mops results list",
    "mops results clear": "mops results gc",
    "mops registry": "mops env list",
    "mops storage": "mops env show",
    "mops config list": "mops config show",
    "mops dev diagnose-auth": "mops doctor",
    "mops dev test-connection": "mops doctor",
    "mops dev validate-bundle": "mops bundle status",
}

# Options that had another meaning: (command, option) -> what to type now.
MOVED_OPTIONS: dict[tuple[str, str], str] = {("mops jobs list", "-h"): "--hours"}


def moved_option(path: str, words: list[str]) -> str | None:
    """`["-h", "24"]` of `mops jobs list` -> `mops jobs list --hours 24`; `-h` alone is help."""
    for word, value in pairwise(words):
        new = MOVED_OPTIONS.get((path, word))
        if new is not None and value.isdigit():
            return f"{path} {new} {value}"
    return None


def moved_to(words: list[str]) -> str | None:
    """Return the new form of the longest known beginning of `words` (`["mops", "job", "run"]`)."""
    for length in range(len(words), 1, -1):
        new = MOVED.get(" ".join(words[:length]))
        if new is not None:
            return new
    return None
