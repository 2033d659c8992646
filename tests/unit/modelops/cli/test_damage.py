"""What is wrong with an installation, and the command that repairs it."""

from __future__ import annotations

import json
import sys
from importlib import metadata
from pathlib import Path

import pytest

from modelops.cli import _damage
from modelops.cli._damage import describe_need, describe_repair, find_unmet


def distribution(site: Path, name: str, version: str, *, metadata_lines: str = "") -> Path:
    """An installed distribution with one package in a folder that is on sys.path."""
    (site / name).mkdir(parents=True)
    (site / name / "__init__.py").write_text("")
    info = site / f"{name}-{version}.dist-info"
    info.mkdir()
    (info / "METADATA").write_text(
        f"Metadata-Version: 2.1\nName: {name}\nVersion: {version}\n{metadata_lines}"
    )
    (info / "RECORD").write_text(f"{name}/tests/__init__.py,,\n{name}/__init__.py,sha256=x,0\n")
    return info


@pytest.fixture
def site(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.syspath_prepend(str(tmp_path))
    return tmp_path


def test_a_need_is_met_missing_emptied_or_too_old(site: Path) -> None:
    assert describe_need("toyneed>=2,<3") == "toyneed is not installed"
    distribution(site, "toyneed", "2.5")
    assert describe_need("toyneed>=2,<3") is None
    assert describe_need("toyneed<2,>=1") == "toyneed 2.5 is not toyneed<2,>=1"
    (site / "toyneed" / "__init__.py").unlink()
    assert describe_need("toyneed>=2,<3") == "toyneed/__init__.py of toyneed is gone"


def test_what_an_extra_needs_is_nobodys_damage(site: Path) -> None:
    needs = "Requires-Dist: gone-one>=1\nRequires-Dist: gone-two>=1; extra == 'azure'\n"
    info = distribution(site, "toyours", "1.0", metadata_lines=needs)
    assert find_unmet(metadata.PathDistribution(info)) == ["gone-one is not installed"]


def test_this_environment_has_all_that_we_need() -> None:
    assert find_unmet(metadata.distribution("modelops")) == []


def test_the_uv_of_the_repair_is_one_that_is_there(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "prefix", str(tmp_path / "a venv"))
    monkeypatch.setattr(_damage, "find_requirement", lambda: "ours.whl")
    monkeypatch.setenv("PATH", "/nowhere")
    assert describe_repair([]).startswith("uv pip install ")
    uv = tmp_path / "a venv" / "bin" / "uv"
    uv.parent.mkdir(parents=True)
    uv.write_text("")
    assert describe_repair(["old"]).startswith(f"'{uv}' pip uninstall ")
    assert " --no-deps " in describe_repair([])
    assert " --no-deps " not in describe_repair([], dependencies=True)
    (tmp_path / "a venv" / "uv-receipt.toml").write_text("")
    assert describe_repair([]).startswith("Run install.sh again")


@pytest.mark.parametrize(
    ("origin", "said"),
    [
        ({"url": "file:///a%20b/c", "dir_info": {"editable": True}}, "--editable '/a b/c'"),
        ({"url": "file:///a/c.whl", "archive_info": {}}, "'modelops @ file:///a/c.whl'"),
        (
            {"url": "https://h/x.git", "vcs_info": {"vcs": "git", "commit_id": "1f"}},
            "'modelops @ git+https://h/x.git@1f'",
        ),
        (None, "modelops-1.0-py3-none-any.whl"),
    ],
)
def test_ours_come_again_from_where_they_came(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, origin: object, said: str
) -> None:
    info = distribution(tmp_path, "modelops", "1.0")
    if origin is not None:
        (info / "direct_url.json").write_text(json.dumps(origin))
    ours = metadata.PathDistribution(info)
    monkeypatch.setattr(metadata, "distribution", lambda name: ours)
    assert _damage.find_requirement() == said
