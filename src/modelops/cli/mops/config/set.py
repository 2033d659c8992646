"""`mops config set`."""

from __future__ import annotations

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import settings
from modelops.cli.mops.config._change import Changed, render_change, set_for_user


@command(answer=Changed, render=render_change)
@click.argument("key", shell_complete=settings)
@click.argument("value")
def set_(call: Call, key: str, value: str) -> Changed:
    """Write a setting into your own file. Nothing is written when it cannot be read back."""
    return set_for_user(call, key, value)
