"""Ratios of CPU time inside one process: what a thing costs beside the plainest way to do it.

Both sides of every row are run in turn, so that a slow moment hits both; a side too quick for the
clock is repeated within a run. Medians are compared, and a goal is a largest admitted ratio.
"""

from __future__ import annotations

import statistics
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

REPEATS = 5
SHORTEST = 0.1  # seconds of CPU per measurement, long beside clock steps and threads winding down


@dataclass(frozen=True, slots=True)
class Ratio:
    """``what`` costs ``ratio`` times its reference and should cost at most ``goal`` times it."""

    what: str
    ratio: float
    goal: float
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.ratio <= self.goal


def measure(
    what: str,
    subject: Callable[[], object],
    reference: Callable[[], object],
    goal: float,
    *,
    repeats: int = REPEATS,
    subject_times: float = 1.0,
    reference_times: float = 1.0,
) -> Ratio:
    """Median CPU time of ``subject`` over that of ``reference``, measured alternately.

    ``subject_times`` and ``reference_times`` are how many units of work one call does, for
    comparisons per unit. The first call of each side warms caches and is not counted.
    """
    loops = [_loops(subject), _loops(reference)]
    taken: list[list[float]] = [[], []]
    for _ in range(repeats):
        for side, run in enumerate((subject, reference)):
            taken[side].append(_cpu(run, loops[side]))
    ours = statistics.median(taken[0]) / subject_times
    theirs = statistics.median(taken[1]) / reference_times
    return Ratio(what, ours / theirs, goal, f"{_spell(ours)} / {_spell(theirs)}")


def report(ratios: Sequence[Ratio]) -> None:
    """Print the table and exit with 1 when a goal is missed."""
    width = max(len(row.what) for row in ratios)
    print(f"{'what':<{width}}  {'ratio':>8}  {'goal':>8}  ok   measured")
    for row in ratios:
        mark = "yes" if row.ok else "NO "
        print(f"{row.what:<{width}}  {row.ratio:>8.2f}  {row.goal:>8.2f}  {mark}  {row.detail}")
    sys.exit(0 if all(row.ok for row in ratios) else 1)


def _loops(run: Callable[[], object]) -> int:
    run()
    once = max(_cpu(run, 1), 1e-7)
    return max(1, int(SHORTEST / once))


def _cpu(run: Callable[[], object], loops: int) -> float:
    start = time.process_time()
    for _ in range(loops):
        run()
    return (time.process_time() - start) / loops


def _spell(seconds: float) -> str:
    for unit, size in (("s", 1.0), ("ms", 1e-3), ("µs", 1e-6)):
        if seconds >= size:
            return f"{seconds / size:.3g} {unit}"
    return f"{seconds / 1e-9:.3g} ns"
