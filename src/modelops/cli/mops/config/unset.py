"""`mops config unset`."""

from __future__ import annotations

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import settings
from modelops.cli.mops.config._change import Changed, find_paths, reload, render_change
from modelops.cli.mops.config.show import check_key, plain
from modelops_contracts.errors import ModelOpsError


@command(answer=Changed, render=render_change)
@click.argument("key", shell_complete=settings)
def unset(call: Call, key: str) -> Changed:
    """Take a setting out of your own file; what decided before it decides again."""
    from modelops.config.model import setting_value
    from modelops.config.sources import unset_user_value

    check_key(key)
    old = in_force(call, key)
    paths = find_paths(call)
    changed = unset_user_value(paths, key)
    try:
        config = reload(call)
    except ModelOpsError as error:  # another line of the file: said, for this one is done
        call.console.warn(str(error))
        return Changed(key, old, None, None, "unknown", str(paths.config_file), changed)
    value = plain(setting_value(config, key))
    source = config.origins[key].kind
    return Changed(key, old, value, value, source, str(paths.config_file), changed)


def in_force(call: Call, key: str) -> str | int | float | bool | None:
    """None also for a file that cannot be read: taking the mistake out must stay possible."""
    from modelops.config.model import setting_value

    try:
        return plain(setting_value(call.config, key))
    except ModelOpsError:
        return None
