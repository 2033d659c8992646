"""Reads Markdown pages and runs what they tell the reader to type."""

from __future__ import annotations

import re
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).resolve().parents[2]
FENCE = re.compile(r"^```(\w+)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
FILE_NAME = re.compile(r"^# ([\w./-]+\.(?:py|csv|toml))\n")


@dataclass(frozen=True, slots=True)
class Block:
    language: str
    text: str

    @property
    def file_name(self) -> str | None:
        """A first line `# name.ext` makes the block a file of the reader's project."""
        found = FILE_NAME.match(self.text)
        return found.group(1) if found else None

    @property
    def commands(self) -> list[str]:
        return [line[2:] for line in self.text.splitlines() if line.startswith("$ ")]


def read_blocks(page: Path) -> list[Block]:
    return [Block(*match.groups()) for match in FENCE.finditer(page.read_text(encoding="utf-8"))]


def write_files(blocks: list[Block], folder: Path) -> None:
    for block in blocks:
        if block.file_name:
            text = block.text if block.language != "csv" else block.text.split("\n", 1)[1]
            (folder / block.file_name).write_text(text, encoding="utf-8")


def make_script(blocks: list[Block]) -> str:
    """Return one shell script of all commands and loose Python blocks, in the page's order."""
    lines = ["set -eu"]
    for block in blocks:
        if block.language == "console":
            for command in block.commands:
                lines += [f"printf '%s\\n' {quote('$ ' + command)}", command]
        elif block.language == "python" and not block.file_name:
            lines += [f"{sys.executable} - <<'PYTHON'", block.text.rstrip(), "PYTHON"]
    return "\n".join(lines) + "\n"


def quote(text: str) -> str:
    return "'" + text.replace("'", "'\\''") + "'"


def run_page(page: Path, folder: Path, home: Path) -> subprocess.CompletedProcess[str]:
    """Run a page as a reader would who starts in `folder` with an empty home."""
    blocks = read_blocks(page)
    write_files(blocks, folder)
    home.mkdir(parents=True, exist_ok=True)
    return subprocess.run(
        ["sh", "-c", make_script(blocks)],
        cwd=folder,
        env={
            "HOME": str(home),
            "PATH": f"{Path(sys.executable).parent}:/usr/bin:/bin",
            "LANG": "C.UTF-8",
            "PYTHONPATH": "",
        },
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=280,
        check=False,
    )
