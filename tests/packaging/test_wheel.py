"""What is shipped: the five packages, three consoles, nothing else."""

from __future__ import annotations

import configparser
import re
import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from modelops.templates import TEMPLATES

ROOT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("wheel")
    subprocess.run(
        [sys.executable, "-m", "build", "--wheel", "--no-isolation", "--outdir", out, ROOT],
        check=True,
        capture_output=True,
    )
    (found,) = out.glob("*.whl")
    return found


def test_the_wheel_holds_exactly_the_five_packages(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        tops = {name.split("/")[0] for name in archive.namelist()}
    assert {top for top in tops if not top.endswith(".dist-info")} == {
        "modelops",
        "modelops_bundle",
        "modelops_calabaria",
        "modelops_contracts",
        "modelops_runner",
    }


def test_every_source_file_is_shipped_and_typed(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = {name for name in archive.namelist() if ".dist-info/" not in name}
    sources = {
        path.relative_to(ROOT / "src").as_posix()
        for path in (ROOT / "src").rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert shipped - templates(shipped) == sources
    assert {f"{name.split('/')[0]}/py.typed" for name in shipped} <= shipped


def test_the_examples_are_shipped_as_templates(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        shipped = templates(set(archive.namelist()))
    listed = subprocess.run(
        ["git", "ls-files", "examples"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    assert shipped == {name.replace("examples/", "modelops/templates/", 1) for name in listed}
    assert {name.split("/")[2] for name in shipped} == {item.name for item in TEMPLATES}


def templates(names: set[str]) -> set[str]:
    """Those that are files of a template, not the module that hands them out."""
    return {
        name for name in names if name.startswith("modelops/templates/") and name.count("/") > 2
    }


def test_the_three_consoles_and_the_wire(wheel: Path) -> None:
    with zipfile.ZipFile(wheel) as archive:
        (name,) = [n for n in archive.namelist() if n.endswith("entry_points.txt")]
        parser = configparser.ConfigParser()
        parser.read_string(archive.read(name).decode())
    assert set(parser["console_scripts"]) == {"mops", "cb", "modelops-bundle"}
    assert parser["modelops.wire"]["execute"] == "modelops_calabaria.modelops_wire:wire_function"


def test_no_file_names_a_package_registry() -> None:
    """Lock files and pages must work behind any mirror."""
    names = subprocess.run(
        ["git", "ls-files"], cwd=ROOT, check=True, capture_output=True, text=True
    ).stdout.splitlines()
    hosts = re.compile("|".join(("py" + r"pi\.org", "python" + r"hosted\.org", "npm" + r"js\.org")))
    hits = []
    for name in names:
        path = ROOT / name
        if path.is_file() and path.suffix not in {".png", ".npz"}:
            text = path.read_text(encoding="utf-8", errors="replace")
            hits += [name] if hosts.search(text) else []
    assert hits == []
    assert "uv.lock" not in {Path(name).name for name in names}


def test_pinned_requirements_carry_hashes() -> None:
    for name in ("run", "dev"):
        text = (ROOT / "requirements" / f"{name}.txt").read_text()
        pins = re.findall(r"^[a-z0-9].*==", text, flags=re.MULTILINE)
        assert len(pins) > 20
        blocks = re.split(r"^(?=[a-z0-9])", text, flags=re.MULTILINE)[1:]
        assert [block.split("==")[0] for block in blocks if "--hash=sha256:" not in block] == []
