"""`cb sampling random`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.cb._spec import Written, render
from modelops.cli.cb.sampling._design import (
    EXTEND,
    SAMPLES,
    SEED,
    extend_file,
    generate_study,
    study_options,
)


@command(answer=Written, render=render)
@study_options
@SAMPLES
@SEED
@EXTEND
def random(call: Call, n_samples: int, seed: int, extend: Path | None, **options: Any) -> Written:
    """Write a study of independent random parameter sets.

    MODEL is pkg.module:Class, path/file.py:Class, or the id of a registered model.
    """
    if extend is not None:
        return extend_file(call, options, extend, method="random", n=n_samples)
    from modelops_calabaria.sampling.random import RandomSampler

    return generate_study(
        call,
        options,
        method="random",
        make_design=lambda space: RandomSampler(space, seed=seed),
        n=n_samples,
    )
