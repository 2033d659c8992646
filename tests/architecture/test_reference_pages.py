"""The pages in docs/reference are those that the code makes now."""

from __future__ import annotations

import importlib.util
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

ROOT = Path(__file__).resolve().parents[2]
FOLDER = ROOT / "docs" / "reference"
SCRIPT = ROOT / "scripts" / "generate_reference.py"


def load_script() -> ModuleType:
    spec = importlib.util.spec_from_file_location("generate_reference", SCRIPT)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


SCRIPT_MODULE = load_script()
PAGES = SCRIPT_MODULE.all_pages()


def test_no_page_is_missing_or_left_over() -> None:
    assert {path.name for path in FOLDER.glob("*.md")} == set(PAGES)


@pytest.mark.parametrize("name", sorted(PAGES))
def test_pages_have_not_drifted(name: str) -> None:
    assert (FOLDER / name).read_text(encoding="utf-8") == PAGES[name], "run make docs"


def test_every_page_is_linked_from_the_start() -> None:
    start = (ROOT / "docs" / "index.md").read_text(encoding="utf-8")
    assert [name for name in PAGES if f"(reference/{name})" not in start] == []


def test_every_code_is_there() -> None:
    """One of each sort: of a class, literal, made of a word and a name, of the consoles, found."""
    for code in ("invalid_input", "job.not_found", "model.import_failed", "usage", "output_unused"):
        assert f"| `{code}` |" in PAGES["errors.md"]


def test_the_script_writes_the_pages_and_the_schemas(tmp_path: Path) -> None:
    subprocess.run([sys.executable, SCRIPT, tmp_path], check=True)
    assert {path.name for path in tmp_path.glob("*.md")} == set(PAGES)
    assert (tmp_path / "json" / "mops.error.1.json").is_file()
