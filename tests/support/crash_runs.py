"""Starts the programs that kill bundle commands, and those that let them race."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

HERE = Path(__file__).resolve().parent
MEMORY = Path("/dev/shm")
ENOUGH = 256 * 1024 * 1024


@contextmanager
def fast_folder(otherwise: Path) -> Iterator[Path]:
    """Give a folder in memory where there is one: hundreds of fsyncs are waited for elsewhere."""
    if not os.access(MEMORY, os.W_OK) or shutil.disk_usage(MEMORY).free < ENOUGH:
        yield otherwise
        return
    with tempfile.TemporaryDirectory(dir=MEMORY) as folder:
        yield Path(folder)


def run_program(
    program: str, otherwise: Path, *arguments: str | int | None, timeout: float = 280
) -> dict[str, int]:
    """Run one of the programs in a folder of its own; return what it prints."""
    given = [str(item) for item in arguments if item is not None]
    with fast_folder(otherwise) as folder:
        done = subprocess.run(
            [sys.executable, str(HERE / f"{program}.py"), str(folder), *given],
            capture_output=True, text=True, check=False, timeout=timeout,
        )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, int] = json.loads(done.stdout)
    return answer
