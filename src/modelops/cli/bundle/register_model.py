"""`mops bundle register-model`."""

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
@click.option("-c", "--class", "names", multiple=True, help="Only this class (repeatable).")
@click.option("-e", "--exclude", multiple=True, help="Never this class (repeatable).")
@click.option("-d", "--data", multiple=True, metavar="FILE", help="Data it reads (repeatable).")
@click.option("--no-data", is_flag=True, help="It reads no data; forget what was recorded.")
@click.option("--code", multiple=True, metavar="FILE", help="Code it needs besides (repeatable).")
@click.option("--id", "entry_id", help="Id, when one class is registered.")
@click.option("--label", "labels", multiple=True, metavar="K=V", help="Label (repeatable).")
@click.option("--auto-code/--no-auto-code", default=None, help="Follow imports to local code.")
@click.option("--auto-data/--no-auto-data", default=None, help="Look for data files in strings.")
@click.option(
    "--code-mode",
    type=click.Choice(("package", "files")),
    help="Ship whole folders of what is imported, or its files alone.",
)
@click.option("--regen-all", is_flag=True, help="The same as refresh: all files, options ignored.")
@click.option("--dry-run", is_flag=True, help="Say what would be done, and do nothing.")
def register_model(
    call: Call,
    path: str | None,
    names: Sequence[str],
    exclude: Sequence[str],
    data: Sequence[str],
    no_data: bool,
    code: Sequence[str],
    entry_id: str | None,
    labels: Sequence[str],
    auto_code: bool | None,
    auto_data: bool | None,
    code_mode: str | None,
    regen_all: bool,
    dry_run: bool,
) -> RegistryChange:
    """Register the models of a file. Your code is read, not run.

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
        code=tuple(code) or None,
        id=entry_id,
        labels=read_labels(labels),
        auto_code=auto_code,
        auto_data=auto_data,
        code_mode=code_mode,  # type: ignore[arg-type]  # one of the choices
    )
    return register_path(call, "model", path, options, dry_run=dry_run)
