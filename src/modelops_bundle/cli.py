"""The door of `python -m modelops_bundle.cli`: finds the console `modelops-bundle` by its name.

Packaging knows no console; which one is installed is looked up when the door is opened.
"""

from __future__ import annotations

import sys
from importlib.metadata import entry_points

CONSOLE = "modelops-bundle"


def main() -> int:
    """Start the console. Returns its exit code; 1 when none is installed."""
    for found in entry_points(group="console_scripts", name=CONSOLE):
        return int(found.load()() or 0)
    sys.stderr.write(f"error: the console {CONSOLE} is not installed\n")
    return 1


if __name__ == "__main__":
    sys.exit(main())
