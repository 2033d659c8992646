"""The reference pages of the consoles, made from the commands themselves.

`python -m modelops.cli._reference FOLDER` writes one page per console.
"""

from __future__ import annotations

import sys
from collections.abc import Iterator
from pathlib import Path

import click

from modelops.cli._click import load_leaf
from modelops.cli._tree import CONSOLES, TREE, command_line, is_group

WIDTH = 96


def all_pages() -> dict[str, str]:
    """File name -> Markdown, one page per console."""
    return {f"{console}.md": "\n".join(page_lines(console)) for console in CONSOLES}


def page_lines(console: str) -> Iterator[str]:
    root = CONSOLES[console]
    yield f"# `{console}`"
    yield ""
    yield TREE[root].help
    if root != console:
        yield ""
        yield f"The same commands as `{root}`."
    for path in TREE:
        shown = path.startswith(f"{root} ") and not TREE[path].hidden
        # What has a console of its own is described there.
        elsewhere = any(path.startswith(other) and other != root for other in CONSOLES.values())
        if shown and not (console == "mops" and elsewhere):
            yield from command_lines(path, console)


def command_lines(path: str, console: str) -> Iterator[str]:
    typed = command_line(path, console)
    yield ""
    yield f"## `{typed}`"
    yield ""
    if is_group(path):
        yield TREE[path].help
        return
    yield "```text"
    yield help_text(path, typed)
    yield "```"


def help_text(path: str, typed: str) -> str:
    """What `--help` prints, without the options that every command has."""
    command = load_leaf(path)
    with click.Context(command, info_name=typed, terminal_width=WIDTH) as ctx:
        text = command.get_help(ctx)
    return text.partition("\nOptions everywhere:")[0].rstrip()


def write_pages(folder: Path) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    for name, text in all_pages().items():
        (folder / name).write_text(f"{text}\n", encoding="utf-8")


if __name__ == "__main__":
    write_pages(Path(sys.argv[1]))
