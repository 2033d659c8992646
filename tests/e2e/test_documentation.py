"""Every command and file that a page shows works as printed."""

from __future__ import annotations

import re
import sys
from pathlib import Path

import pytest

from support.documentation import ROOT, make_script, read_blocks, run_page

PAGES = (
    "README.md",
    "docs/tutorials/first-calibration.md",
    "docs/how-to/wrap-a-model.md",
    "docs/how-to/alignment.md",
    "docs/how-to/go-on.md",
    "docs/how-to/refresh.md",
    "docs/how-to/share-a-bundle.md",
    "docs/how-to/registries.md",
)


@pytest.mark.slow
@pytest.mark.parametrize("page", PAGES)
def test_a_page_works_as_printed(page: str, tmp_path: Path) -> None:
    work = tmp_path / "work"
    work.mkdir()
    if page != "docs/how-to/wrap-a-model.md":
        # These two start in the repository; a folder with the same entries stands in for it.
        (work / "examples").symlink_to(ROOT / "examples")
        (work / ".venv").symlink_to(Path(sys.executable).parent.parent)
    done = run_page(ROOT / page, work, tmp_path / "home")
    assert done.returncode == 0, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"


def test_the_readme_begins_with_the_two_commands() -> None:
    first = next(block for block in read_blocks(ROOT / "README.md") if block.language == "console")
    assert first.text.split() == ["make", "demo", "make", "test"]


def test_a_broken_command_would_be_seen(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("```console\n$ mops no-such-command\n$ true\n```\n")
    assert "no-such-command" in make_script(read_blocks(page))
    assert run_page(page, tmp_path, tmp_path / "home").returncode != 0


def test_every_link_between_pages_leads_somewhere() -> None:
    pages = [ROOT / "README.md", ROOT / "ARCHITECTURE.md", *(ROOT / "docs").rglob("*.md")]
    dead = [
        f"{page.relative_to(ROOT)}: {link}"
        for page in pages
        for link in re.findall(r"\]\(([^)#]+)\)", page.read_text(encoding="utf-8"))
        if not link.startswith(("http:", "https:")) and not (page.parent / link).exists()
    ]
    assert dead == []
