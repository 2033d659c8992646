"""`cb sampling random`."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli.cb._spec import Written, render
from modelops.cli.cb.sampling._design import EXTEND, draw_extendable, seeded_options


@command(answer=Written, render=render)
@seeded_options
@EXTEND
def random(call: Call, n_samples: int, seed: int, extend: Path | None, **options: Any) -> Written:
    """Write a study of independent random parameter sets.

    MODEL is pkg.module:Class, path/file.py:Class, or the id of a registered model.
    """
    return draw_extendable(call, options, method="random", n=n_samples, extend=extend, seed=seed)
