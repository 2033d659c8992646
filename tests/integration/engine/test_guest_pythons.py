"""The guest's archive runs under every interpreter found here, the oldest included."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from modelops.engine.environments.archive import build_archive, ensure_archive
from modelops.engine.service import open_engine
from support.engine_projects import Collector, make_project, request, stub_environment

VERSIONS = ("3.9", "3.10", "3.11", "3.12", "3.13", "3.14")


def interpreter(version: str) -> Path | None:
    """One on the path, or one that stands beside the interpreter we run in."""
    places = [shutil.which(f"python{version}")]
    beside = Path(sys.base_prefix).parent.glob(f"*{version}.*/bin/python")
    places += [str(path) for path in beside]
    for place in filter(None, places):
        asked = [place, "-c", "import sys; print('%d.%d' % sys.version_info[:2])"]
        done = subprocess.run(asked, capture_output=True, text=True, check=False)
        if done.stdout.strip() == version:
            return Path(place)
    return None


@pytest.mark.parametrize("version", VERSIONS)
def test_it_runs(tmp_path: Path, version: str) -> None:
    python = interpreter(version)
    if python is None:
        pytest.skip(f"no Python {version} here")
    project = make_project(tmp_path / "project")
    seen = Collector()
    with open_engine(
        root=project,
        environment=stub_environment(python),
        log_dir=tmp_path / "log",
        base_env=dict(os.environ),
    ) as engine:
        requests = [request("fails", seed=i, bad="x" if i == 2 else "") for i in range(5)]
        engine.run(requests, on_outcomes=seen)
        engine.run([request("leaves", how="hard")], on_outcomes=seen)
        assert engine.describe("model", "models.m:echo")["name"] == "echo"
    statuses = sorted(outcome.status for outcome in seen.outcomes)
    assert statuses == ["crashed", "failed", "ok", "ok", "ok", "ok"]


def test_the_archive_is_the_same_every_time(tmp_path: Path) -> None:
    assert build_archive() == build_archive()
    first = ensure_archive(tmp_path)
    assert ensure_archive(tmp_path) == first
    assert [path.name for path in tmp_path.iterdir()] == [first.name]
