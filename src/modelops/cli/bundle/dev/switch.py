"""`mops bundle dev switch`: the older name of `mops bundle env NAME`."""

from __future__ import annotations

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.bundle.env import BundleEnvironment, describe, pin, render


@command(answer=BundleEnvironment, render=render)
@click.argument("name")
def switch(call: Call, name: str) -> BundleEnvironment:
    """Pin an environment to this project (same as `env NAME`)."""
    pin(call, name)
    return describe(call)
