"""Bundle commands killed in the middle, and many of them at once: nothing is lost."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

PROGRAM = Path(__file__).resolve().parents[2] / "support" / "crashing.py"


def crash(folder: Path, name: str, times: int) -> dict[str, int]:
    done = subprocess.run(
        [sys.executable, str(PROGRAM), str(folder), name, str(times), "20"],
        capture_output=True, text=True, check=False, timeout=280,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr[-3000:]
    answer: dict[str, int] = json.loads(done.stdout)
    return answer


@pytest.mark.parametrize(("name", "times"), [("register", 30), ("refresh", 35), ("push", 35)])
def test_killed_at_a_random_write(tmp_path: Path, name: str, times: int) -> None:
    assert crash(tmp_path, name, times)["writes"] > 10


def test_many_at_once_are_all_kept(tmp_path: Path) -> None:
    assert crash(tmp_path, "together", 8) == {"together": 8}
