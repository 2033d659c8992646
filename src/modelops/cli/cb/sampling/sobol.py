"""`cb sampling sobol`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.cb._spec import Written, render
from modelops.cli.cb.sampling._design import (
    EXTEND,
    SAMPLES,
    SCRAMBLE,
    SEED,
    extend_file,
    generate_study,
    study_options,
)


@command(answer=Written, render=render)
@study_options
@SAMPLES
@SEED
@SCRAMBLE
@EXTEND
def sobol(
    call: Call, n_samples: int, seed: int, scramble: bool, extend: Path | None, **options: Any
) -> Written:
    """Write a study whose parameter sets fill the space evenly (Sobol sequence).

    MODEL is pkg.module:Class, path/file.py:Class, or the id of a registered model.
    """
    if extend is not None:
        return extend_file(call, options, extend, method="sobol", n=n_samples)
    from modelops_calabaria.sampling.sobol import SobolSampler

    return generate_study(
        call,
        options,
        method="sobol",
        make_design=lambda space: SobolSampler(space, scramble=scramble, seed=seed),
        n=n_samples,
    )
