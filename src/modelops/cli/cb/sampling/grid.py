"""`cb sampling grid`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.cb._spec import Written, render
from modelops.cli.cb.sampling._design import (
    extend_file,
    extend_option,
    generate_study,
    study_options,
)


@command(answer=Written, render=render)
@study_options
@click.option(
    "-g",
    "--grid-points",
    type=click.IntRange(min=1),
    default=3,
    show_default=True,
    help="Points per free parameter.",
)
@extend_option("what this study's grid lacks of one with -g points per parameter")
def grid(call: Call, grid_points: int, extend: Path | None, **options: Any) -> Written:
    """Write a study of every combination of evenly spaced values.

    MODEL is pkg.module:Class, path/file.py:Class, or the id of a registered model.
    """
    if extend is not None:
        return extend_file(call, options, extend, method="grid", n=grid_points)
    from modelops_calabaria.sampling.grid import GridSampler

    return generate_study(
        call,
        options,
        method="grid",
        make_design=lambda space: GridSampler(space, n_points_per_param=grid_points),
        n=None,
    )
