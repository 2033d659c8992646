"""The commit in what is built: from a repository, from an sdist, without git, editable."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tarfile
import tomllib
import zipfile
from dataclasses import dataclass
from pathlib import Path

import pytest

from modelops import __version__
from support.install_wheels import commit_all, copy_checkout, git
from support.testbed import ROOT


@dataclass(frozen=True, slots=True)
class Built:
    """An archive that was built, its version and what its `_build.py` says."""

    path: Path
    version: str
    commit: str
    dirty: bool


def build(kind: str, source: Path, out: Path, **env: str) -> Built:
    """`kind` is wheel, sdist or editable: the hook of the backend by that name."""
    out.mkdir(parents=True, exist_ok=True)
    program = f"import build_backend as b; print(b.build_{kind}({str(out)!r}))"
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=source,
        env=os.environ | {"PYTHONPATH": "scripts"} | env,
        check=True,
        capture_output=True,
        text=True,
    )
    path = out / done.stdout.strip()
    words: dict[str, object] = {}
    exec(read_member(path, "modelops/_build.py") or "COMMIT, DIRTY = '', False", words)
    version = path.name.removeprefix("modelops-").split("-")[0].removesuffix(".tar.gz")
    return Built(path, version, str(words["COMMIT"]), bool(words["DIRTY"]))


def read_member(archive: Path, end: str) -> str | None:
    if archive.suffix == ".whl":
        with zipfile.ZipFile(archive) as wheel:
            return next((wheel.read(n).decode() for n in wheel.namelist() if n.endswith(end)), None)
    with tarfile.open(archive) as sdist:
        (member,) = [one for one in sdist.getmembers() if one.name.endswith(f"/src/{end}")]
        found = sdist.extractfile(member)
        assert found is not None
        return found.read().decode()


@pytest.fixture(scope="module")
def checkout(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return copy_checkout(tmp_path_factory.mktemp("build") / "checkout")


def test_a_wheel_names_its_commit(checkout: Path, tmp_path: Path) -> None:
    commit = git(checkout, "rev-parse", "HEAD")
    wheel = build("wheel", checkout, tmp_path)
    assert (wheel.commit, wheel.dirty) == (commit, False)
    assert wheel.version == f"{__version__}+g{commit[:7]}"
    assert f"\nVersion: {wheel.version}\n" in str(read_member(wheel.path, "/METADATA"))
    assert git(checkout, "status", "--porcelain") == ""  # nothing is written into the tree


def test_a_wheel_is_the_same_every_time(checkout: Path, tmp_path: Path) -> None:
    first = build("wheel", checkout, tmp_path / "1").path.read_bytes()
    clone = tmp_path / "another place"
    subprocess.run(["git", "clone", "--quiet", checkout, clone], check=True)
    assert build("wheel", clone, tmp_path / "2", TZ="Asia/Tokyo").path.read_bytes() == first


def test_the_consoles_of_a_wheel_show_the_commit(checkout: Path, tmp_path: Path) -> None:
    wheel = build("wheel", checkout, tmp_path)
    with zipfile.ZipFile(wheel.path) as archive:
        archive.extractall(tmp_path / "site")

    def ask(console: str, *words: str) -> str:
        start = f"sys.argv[0] = {console!r}; main.{console.replace('-', '_')}()"
        program = f"import sys; from modelops.cli import main; {start}"
        command = [sys.executable, "-c", program, *words]
        env = os.environ | {"PYTHONPATH": str(tmp_path / "site")}
        return subprocess.run(
            command, check=True, capture_output=True, text=True, cwd=tmp_path, env=env
        ).stdout

    for console in ("mops", "cb", "modelops-bundle"):
        assert ask(console, "--version") == f"{console} {__version__} ({wheel.commit[:7]})\n"
    answer = json.loads(ask("mops", "version", "--json"))
    assert (answer["commit"], answer["dirty"]) == (wheel.commit, False)
    assert answer["version"] == wheel.version


def test_an_edited_tree_is_dirty(checkout: Path, tmp_path: Path) -> None:
    clone = tmp_path / "clone"
    subprocess.run(["git", "clone", "--quiet", checkout, clone], check=True)
    (clone / "notes.txt").write_text("no part of the wheel")
    assert build("wheel", clone, tmp_path / "1").dirty is False
    (clone / "src" / "modelops_runner" / "mark.py").write_text("")
    wheel = build("wheel", clone, tmp_path / "2")
    assert (wheel.dirty, wheel.version.endswith(".dirty")) == (True, True)
    commit_all(clone)
    assert build("wheel", clone, tmp_path / "3").dirty is False


def test_from_an_sdist_without_git(checkout: Path, tmp_path: Path) -> None:
    sdist = build("sdist", checkout, tmp_path)
    with tarfile.open(sdist.path) as archive:
        archive.extractall(tmp_path, filter="data")
    (source,) = tmp_path.glob("modelops-*/")
    git(source, "init", "--quiet")  # somebody else's repository around it says nothing about us
    commit_all(source)
    wheel = build("wheel", source, tmp_path / "wheel")
    assert (wheel.version, wheel.commit) == (sdist.version, git(checkout, "rev-parse", "HEAD"))
    direct = build("wheel", checkout, tmp_path / "direct")
    with zipfile.ZipFile(wheel.path) as one, zipfile.ZipFile(direct.path) as two:
        assert {n: one.read(n) for n in one.namelist() if "modelops/" in n} == {
            n: two.read(n) for n in two.namelist() if "modelops/" in n
        }


@pytest.mark.parametrize("program", ["", "no git"])
def test_plain_files_have_the_bare_version(checkout: Path, tmp_path: Path, program: str) -> None:
    source = tmp_path / "plain"
    shutil.copytree(checkout, source, ignore=shutil.ignore_patterns(".git" if not program else ""))
    env = {"PATH": "/nowhere"} if program else {}
    wheel = build("wheel", source, tmp_path / "out", **env)
    assert (wheel.version, wheel.commit, wheel.dirty) == (__version__, "", False)


def test_a_copy_inside_another_repository_does_not_take_its_commit(
    checkout: Path, tmp_path: Path
) -> None:
    outer = tmp_path / "monorepo"
    shutil.copytree(checkout, outer / "vendored", ignore=shutil.ignore_patterns(".git"))
    git(outer, "init", "--quiet")
    commit_all(outer)
    assert build("wheel", outer / "vendored", tmp_path / "out").commit == ""


def test_an_editable_installation_stays_bare(checkout: Path, tmp_path: Path) -> None:
    wheel = build("editable", checkout, tmp_path)
    assert wheel.version == __version__
    assert read_member(wheel.path, "modelops/_build.py") is None


def test_the_sdist_holds_what_install_and_tests_need(checkout: Path, tmp_path: Path) -> None:
    sdist = build("sdist", checkout, tmp_path)
    with tarfile.open(sdist.path) as archive:
        names = {"/".join(name.split("/")[1:]) for name in archive.getnames()}
        script = next(one for one in archive.getmembers() if one.name.endswith("/install.sh"))
    assert {"install.sh", "scripts/build_backend.py", "pyproject.toml", "PKG-INFO"} <= names
    assert script.mode & 0o111


def test_the_repository_is_named_once_and_alike() -> None:
    """install.sh and pyproject.toml must send people to the same place."""
    url = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["urls"]["Repository"]
    script = (ROOT / "install.sh").read_text()
    assert f"\nREPOSITORY={url}\n" in script
    assert script.count(url.removesuffix(".git")) == 1
