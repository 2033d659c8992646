"""`cb sampling file`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.cb._spec import Written, render, usage
from modelops.cli.cb.sampling._design import (
    extend_file,
    extend_option,
    generate_study,
    load_study,
    study_options,
)


@command(answer=Written, render=render)
@study_options
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@extend_option("the rows that TABLE has got since this study was made of it")
def file(call: Call, table: Path, extend: Path | None, **options: Any) -> Written:
    """Write a study of the parameter sets in a table (csv, parquet or json).

    MODEL is pkg.module:Class, path/file.py:Class, or the id of a registered model. The columns of
    TABLE are parameters, and `seed` if each row has its own.
    """
    if extend is not None:
        check_table(call, extend, table)
        return extend_file(call, options, extend, method="file", n=None)
    from modelops_calabaria.sampling.file import FileSampler

    return generate_study(
        call,
        options,
        method="file",
        make_design=lambda space: FileSampler(space, path=table),
        n=None,
    )


def check_table(call: Call, extend: Path, table: Path) -> None:
    """Refuse to extend a study of one file by the rows of another."""
    known = Path(load_study(call, extend, "file").metadata["design"]["path"])
    if known.resolve() != table.resolve():
        raise usage(f"--extend {extend}: its rows come from {known}, not from {table}")
