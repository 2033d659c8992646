from __future__ import annotations

from modelops.cli._reference import all_pages
from modelops.cli._tree import CONSOLES, TREE, command_line


def test_every_command_has_its_section() -> None:
    pages = all_pages()
    assert set(pages) == {f"{console}.md" for console in CONSOLES}
    text = "\n".join(pages.values())
    for path, entry in TREE.items():
        console = "modelops-bundle" if path.startswith("mops bundle ") else path.split()[0]
        if entry.target is not None:
            assert f"\n## `{command_line(path, console)}`\n" in text
            assert f"Usage: {command_line(path, console)} [OPTIONS]" in text
    assert "Options everywhere" not in text
