"""Bundles that would fill memory or disk are refused with little of either."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "support" / "bombs.py"


def run(folder: Path, *arguments: str) -> str:
    done = subprocess.run(
        [sys.executable, PROGRAM, folder, *arguments],
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    return done.stdout


@pytest.mark.parametrize(
    ("name", "stored"), [("small lie", 100), ("big lie", 100), ("million", 200_000)]
)
def test_a_bomb_is_refused_in_bounded_memory(tmp_path: Path, name: str, stored: int) -> None:
    run(tmp_path, name, "make")
    size = sum(path.stat().st_size for path in (tmp_path / "store").rglob("*") if path.is_file())
    assert size < stored * 1024
    found: dict[str, Any] = json.loads(run(tmp_path, name))
    assert found["left"] == []
    assert found["peak_kilobytes"] < 250 * 1024
    assert list((tmp_path / "project/.modelops-bundle/staging").glob("*")) == []
