"""`mops bundle register-target`."""

from __future__ import annotations

from collections.abc import Sequence

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.bundle._registry import (
    RegistryChange,
    data_choice,
    read_labels,
    refresh_instead,
    register_path,
    render,
)


@command(answer=RegistryChange, render=render, env_short=False)
@click.argument("path", required=False)
@click.option("-t", "--target", "names", multiple=True, help="Only this function (repeatable).")
@click.option("-e", "--exclude", multiple=True, help="Never this function (repeatable).")
@click.option("-d", "--data", multiple=True, metavar="FILE", help="Data it reads (repeatable).")
@click.option("--no-data", is_flag=True, help="It reads no data; forget what was recorded.")
@click.option("--output", metavar="NAME", help="Model output it is compared with.")
@click.option("--id", "entry_id", help="Id, when one function is registered.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="Label (repeatable).")
@click.option("--regen-all", is_flag=True, help="The same as refresh: all files, options ignored.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def register_target(
    call: Call,
    path: str | None,
    names: Sequence[str],
    exclude: Sequence[str],
    data: Sequence[str],
    no_data: bool,
    output: str | None,
    entry_id: str | None,
    labels: Sequence[str],
    regen_all: bool,
    dry_run: bool,
) -> RegistryChange:
    """Register the targets of a file. Your code is read, not run.

    PATH is a Python file, or a folder whose files are registered one by one. Options that are not
    given leave what is recorded as it is.
    """
    if regen_all:
        return refresh_instead(call, dry_run=dry_run)
    if path is None:
        raise click.UsageError("which file? name a PATH")
    from modelops_bundle.registry import RegisterOptions

    options = RegisterOptions(
        names=tuple(names),
        exclude=tuple(exclude),
        data=data_choice(data, no_data),
        id=entry_id,
        labels=read_labels(labels),
        model_output=output,
    )
    return register_path(call, "target", path, options, dry_run=dry_run)
