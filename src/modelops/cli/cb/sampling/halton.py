"""`cb sampling halton`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.cb._spec import Written, render
from modelops.cli.cb.sampling._design import EXTEND, SCRAMBLE, draw_extendable, seeded_options


@command(answer=Written, render=render)
@seeded_options
@SCRAMBLE
@EXTEND
def halton(
    call: Call, n_samples: int, seed: int, scramble: bool, extend: Path | None, **options: Any
) -> Written:
    """Write a study whose parameter sets fill the space evenly (Halton sequence).

    MODEL is pkg.module:Class, path/file.py:Class, or the id of a registered model.
    """
    return draw_extendable(
        call, options, method="halton", n=n_samples, extend=extend, seed=seed, scramble=scramble
    )
