"""What counts as the same installed code, where a version alone does not say."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from importlib.metadata import Distribution, PathDistribution
from pathlib import Path
from typing import Any

import pytest

from modelops.engine.environments import installed
from modelops.engine.environments.installed import version_of


def install(folder: Path, origin: object = None, record: str = "") -> Distribution:
    info = folder / "walk-1.0.dist-info"
    info.mkdir(parents=True, exist_ok=True)
    (info / "METADATA").write_text("Metadata-Version: 2.1\nName: walk\nVersion: 1.0\n")
    (info / "RECORD").write_text(record)
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin))
    return PathDistribution(info)


def editable(folder: Path) -> dict[str, Any]:
    return {"url": folder.as_uri(), "dir_info": {"editable": True}}


def test_the_version_names_what_an_index_vouches_for(tmp_path: Path) -> None:
    assert version_of(install(tmp_path, record="walk/a.py,sha256=x,1")) == "1.0"


def test_two_commits_of_one_version_differ(tmp_path: Path) -> None:
    def at(commit: str) -> Distribution:
        origin = {"url": "https://host/walk", "vcs_info": {"vcs": "git", "commit_id": commit}}
        return install(tmp_path / commit, origin)

    assert version_of(at("abc")) == "1.0 (abc)"
    assert version_of(at("def")) == "1.0 (def)"


def test_a_folder_installed_again_differs_by_its_content_only(tmp_path: Path) -> None:
    origin = {"url": "file:///some/folder", "dir_info": {}}
    own = "../../bin/walk,sha256=q,1\nwalk-1.0.dist-info/METADATA,sha256=r,1\nwalk/a.pyc,,\n"
    first = version_of(install(tmp_path / "1", origin, "walk/a.py,sha256=x,1\n"))
    assert first != "1.0"
    assert version_of(install(tmp_path / "2", origin, own + "walk/a.py,sha256=x,1\n")) == first
    assert version_of(install(tmp_path / "3", origin, "walk/a.py,sha256=y,1\n")) != first


@pytest.mark.parametrize("layout", ["src/walk", "walk"])
def test_an_editable_folder_is_what_is_in_it_now(tmp_path: Path, layout: str) -> None:
    folder = tmp_path / "with blanks"
    package = folder / layout
    package.mkdir(parents=True)
    (package / "a.py").write_text("x = 1")
    (package / "table.csv").write_text("1")
    distribution = install(tmp_path / "site", editable(folder))
    seen = [version_of(distribution)]
    for part, change in (("a.py", "x = 2"), ("table.csv", "2"), ("b.py", "")):
        (package / part).write_text(change)
        seen.append(version_of(distribution))
    assert len(set(seen)) == 4
    for noise in ("__pycache__/a.pyc", ".git/HEAD", "walk.egg-info/PKG-INFO"):
        (folder / noise).parent.mkdir(exist_ok=True)
        (folder / noise).write_text("noise")
    assert version_of(distribution) == seen[-1]


def test_a_large_file_counts_without_being_read(tmp_path: Path) -> None:
    (tmp_path / "p").mkdir()
    with (tmp_path / "p" / "data.bin").open("wb") as stream:
        stream.truncate(1 << 32)
    distribution = install(tmp_path / "site", editable(tmp_path / "p"))
    before = version_of(distribution)
    os.utime(tmp_path / "p" / "data.bin", (1, 1))
    assert version_of(distribution) != before


@pytest.mark.parametrize(
    "origin", [[], "text", {"url": 3, "dir_info": {"editable": True}}, {"x": 1}]
)
def test_an_odd_origin_is_no_error(tmp_path: Path, origin: object) -> None:
    assert version_of(install(tmp_path, origin)).startswith("1.0")


def test_another_interpreter_says_the_same() -> None:
    source = Path(installed.__file__).read_text()
    said = subprocess.run(
        [sys.executable, "-I", "-c", source], capture_output=True, check=True, text=True
    )
    assert json.loads(said.stdout) == installed.describe_interpreter()
