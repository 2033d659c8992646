"""Log files of commands that failed unexpectedly: `<home>/logs/<command>-<UTC>.log`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from pathlib import Path

KEPT = 50


def write_log(console: str, arguments: Sequence[str], text: str) -> Path | None:
    """Write `text` to a new log file, keep the newest 50; None where the home cannot be written."""
    from modelops.config.paths import Paths
    from modelops.config.sources import read_environ, resolve_home

    folder = Paths(resolve_home(read_environ())).logs
    words = [word for word in arguments if word.isidentifier()][:3]
    stamp = datetime.now(UTC).strftime("%Y%m%dT%H%M%S%f")
    path = folder / f"{'-'.join([console, *words])}-{stamp}.log"
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(handle, "w", encoding="utf-8", errors="backslashreplace") as file:
            file.write(text)
        remove_oldest(folder)
    except OSError:
        return None
    return path


def remove_oldest(folder: Path) -> None:
    logs = sorted(folder.glob("*.log"), key=lambda path: path.name.rpartition("-")[2])
    for path in logs[:-KEPT]:
        path.unlink(missing_ok=True)
