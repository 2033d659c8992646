"""`make bench` runs what is in benchmarks/, and fails when one of them does."""

from __future__ import annotations

import shutil
import subprocess
import sys
from pathlib import Path

RUN_ALL = Path(__file__).resolve().parents[2] / "benchmarks" / "run_all.py"


def run_all(folder: Path, *names: str) -> subprocess.CompletedProcess[str]:
    shutil.copy(RUN_ALL, folder / "run_all.py")
    (folder / "good.py").write_text("print('a table')\n")
    (folder / "above.py").write_text("print('another')\nraise SystemExit(1)\n")
    (folder / "_shared.py").write_text("raise SystemExit('no benchmark')\n")
    return subprocess.run(
        [sys.executable, folder / "run_all.py", *names], capture_output=True, text=True, check=False
    )


def test_all_are_run_and_one_that_fails_fails_the_whole(tmp_path: Path) -> None:
    done = run_all(tmp_path)
    assert done.returncode == 1
    assert "== above\nanother" in done.stdout
    assert "== good\na table" in done.stdout
    assert done.stdout.endswith("1 of 2 benchmarks reached their goals; not: above\n")


def test_one_may_be_chosen(tmp_path: Path) -> None:
    done = run_all(tmp_path, "good")
    assert (done.returncode, "another" in done.stdout) == (0, False)
    assert run_all(tmp_path, "nothing").returncode == 2
