"""`cb sampling file`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.cb._spec import Written, render
from modelops.cli.cb.sampling._design import generate_study, study_options


@command(answer=Written, render=render)
@study_options
@click.argument("table", type=click.Path(exists=True, dir_okay=False, path_type=Path))
def file(call: Call, table: Path, **options: Any) -> Written:
    """Write a study of the parameter sets in a table (csv, parquet or json).

    MODEL is pkg.module:Class, path/file.py:Class, or the id of a registered model. The columns of
    TABLE are parameters, and `seed` if each row has its own.
    """
    from modelops_calabaria.sampling.file import FileSampler

    return generate_study(
        call,
        options,
        method="file",
        make_design=lambda space: FileSampler(space, path=table),
        n=None,
    )
