"""`cb sampling lhs`."""

from __future__ import annotations

from typing import Any

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.cb._spec import Written, render
from modelops.cli.cb.sampling._design import generate_study, seeded_options


@command(answer=Written, render=render)
@seeded_options
@click.option(
    "--optimise", type=click.Choice(("random-cd",)), help="Improve the spread of the points."
)
def lhs(call: Call, n_samples: int, seed: int, optimise: str | None, **options: Any) -> Written:
    """Write a study with one parameter set in each slice of each range (Latin hypercube).

    MODEL is pkg.module:Class, path/file.py:Class, or the id of a registered model.
    """
    from modelops_calabaria.sampling.lhs import LatinHypercubeSampler

    return generate_study(
        call,
        options,
        method="lhs",
        make_design=lambda space: LatinHypercubeSampler(space, seed=seed, optimise=optimise),
        n=n_samples,
    )
