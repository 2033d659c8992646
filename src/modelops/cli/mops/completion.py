"""`mops completion`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen
from modelops.cli._tree import CONSOLES

SHELLS = ("bash", "zsh", "fish")


@dataclass(frozen=True, slots=True)
class Completion:
    """The completion script of one shell, for all three consoles."""

    shell: str
    consoles: list[str]
    script: str


def write_script(shell: str, console: str) -> str:
    """Return the script of one console. No program is started to find out."""
    from click.shell_completion import get_completion_class

    kind = get_completion_class(shell)
    assert kind is not None, f"click knows no {shell}"
    variable = f"_{console.upper().replace('-', '_')}_COMPLETE"
    maker = kind(click.Command(console), {}, console, variable)
    return str(maker.source_template % maker.source_vars())


def render(answer: Completion, screen: Screen) -> Iterator[str]:
    yield answer.script.rstrip("\n")


@command(answer=Completion, render=render)
@click.argument("shell", type=click.Choice(SHELLS))
def completion(call: Call, shell: str) -> Completion:
    """Print the completion script of a shell.

    Add its output to the start-up file of the shell, or evaluate it there: it completes commands
    and options of all three consoles, and the names of jobs, models, targets and settings, without
    importing your code.
    """
    consoles = sorted(CONSOLES)
    script = "\n".join(write_script(shell, console).strip("\n") + "\n" for console in consoles)
    return Completion(shell, consoles, script)
