"""The version of this installation as constants: asking for it must not read package metadata."""

from __future__ import annotations

VERSION = "0.3.0"
COMMIT = ""  # 40 hex digits, written when a release is built; empty in a checkout
DIRTY = False


def version_line(console: str) -> str:
    return f"{console} {VERSION} ({COMMIT[:7]})" if COMMIT else f"{console} {VERSION}"
