"""`mops env use`."""

from __future__ import annotations

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import environments
from modelops.cli.mops.config._change import Changed, reload, render_change, set_for_user


@command(answer=Changed, render=render_change)
@click.argument("name", shell_complete=environments)
@click.option("--pin", is_flag=True, help="For this project only, for everybody who works in it.")
def use(call: Call, name: str, pin: bool) -> Changed:
    """Make an environment the current one."""
    from modelops.config.environments import load_environment

    load_environment(name, call.config.paths)
    return pin_project(call, name) if pin else set_for_user(call, "environment", name)


def pin_project(call: Call, name: str) -> Changed:
    """Write the project's pin, which is stronger than the user's file."""
    from modelops.config.sources import PIN_FILE
    from modelops_contracts.atomic import write_atomically

    old = call.config.environment
    path = call.project_root / PIN_FILE
    write_atomically(path, f"{name}\n")
    after = reload(call)
    origin = after.origins["environment"]
    if origin.kind != "project":
        call.console.warn(f"{origin.where} goes on deciding: environment stays as it says")
    return Changed(
        "environment", old, name, after.environment, origin.kind, str(path), changed=True
    )
