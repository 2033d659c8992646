"""`mops bundle unregister`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.bundle._registry import RegistryChange, as_change, render


@command(answer=RegistryChange, render=render)
@click.argument("ids", nargs=-1, required=True, metavar="ID...")
@click.option(
    "--kind", type=click.Choice(("model", "target")), help="Which, when an id is of both kinds."
)
@click.option("--force", is_flag=True, help="Also take targets out of the sets they are in.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def unregister(
    call: Call, ids: Sequence[str], kind: str | None, force: bool, dry_run: bool
) -> RegistryChange:
    """Take models or targets out of the registry; their files stay tracked."""
    from modelops_bundle.project.project import find_project
    from modelops_bundle.registering import unregister as take_out

    project = find_project(call.start)
    result = take_out(
        project,
        ids,
        kind=kind,  # type: ignore[arg-type]  # one of the choices
        force=force,
        dry_run=dry_run,
    )
    return as_change("Unregistered", [result])
