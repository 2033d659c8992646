"""The real servers and throw-away systems of the tests: where they are, how they are started."""

from __future__ import annotations

import fcntl
import os
import subprocess
from pathlib import Path
from pwd import getpwuid
from typing import NoReturn

import pytest

ROOT = Path(__file__).resolve().parents[2]
# Read when the module is: the tests run without the variables of the shell.
TESTBED = Path(os.environ.get("MODELOPS_TESTBED") or ROOT.parent / "shared" / "testbed")
SERVICES_REQUIRED = os.environ.get("MODELOPS_REQUIRE_SERVICES") == "1"


def skip_or_fail(reason: str) -> NoReturn:
    """What is missing may be skipped on a desk, never where all services are promised."""
    if SERVICES_REQUIRED:
        pytest.fail(f"{reason} (MODELOPS_REQUIRE_SERVICES=1)")
    pytest.skip(reason)


def find_testbed() -> Path:
    """Return the folder of the testbed, or skip with the reason."""
    if not (TESTBED / "testbed").exists():
        skip_or_fail(f"there is no testbed in {TESTBED}")
    return TESTBED


def data_folder() -> Path:
    """Return where the testbed keeps its data: below the real home, not that of a test."""
    given = os.environ.get("MOPS_TESTBED")
    return Path(given) if given else Path(getpwuid(os.getuid()).pw_dir) / ".cache" / "mops-testbed"


def start_part(part: str, *words: str, timeout: float) -> str:
    """Start a part of the testbed and return what it prints; skip with the reason when it fails.

    The first start unpacks the part, so tests that run side by side take turns.
    """
    script, data = find_testbed() / "testbed", data_folder()
    data.mkdir(parents=True, exist_ok=True)
    with (data / f"{part}.tests-lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        done = subprocess.run(
            [script, part, *words], capture_output=True, text=True, timeout=timeout, check=False,
            env={**os.environ, "MOPS_TESTBED": str(data)},
        )  # fmt: skip
    if done.returncode != 0:
        skip_or_fail(f"testbed {part} {' '.join(words)} failed: {done.stderr.strip()[-300:]}")
    return done.stdout
