"""What CMA-ES is told and how it starts: population, first point, failed trials, restarts."""

from __future__ import annotations

import math
from typing import Any

import pytest

from modelops_calabaria.calibration.algorithms.cmaes import CmaesEngine
from modelops_calabaria.parameters.types import ParameterSpec
from modelops_calabaria.search_space import SearchSpace
from support.search import result_of


def space(*defaults: float | None) -> SearchSpace:
    return SearchSpace.of(
        [ParameterSpec(f"p{i}", 0.0, 1.0, default=value) for i, value in enumerate(defaults)]
    )


@pytest.mark.parametrize(("dim", "batch", "population"), [(2, 1, 6), (5, 4, 8), (5, 12, 12)])
def test_the_population_follows_dimension_and_batch(dim: int, batch: int, population: int) -> None:
    engine = CmaesEngine(space(*[None] * dim), seed=1, batch_size=batch)
    assert len(engine.ask(100)) == population


def test_it_starts_at_the_defaults_else_at_the_centre() -> None:
    engine = CmaesEngine(space(0.9, None), seed=1, sigma=1e-6)
    for proposal in engine.ask(6):
        assert proposal.params["p0"] == pytest.approx(0.9, abs=1e-4)
        assert proposal.params["p1"] == pytest.approx(0.5, abs=1e-4)


def test_failed_trials_are_the_worst_of_their_generation_and_its_spread_beyond() -> None:
    engine = CmaesEngine(space(None, None), seed=1)
    assert engine._imputed([1.0, math.inf, 4.0]) == [1.0, 7.0, 4.0]
    # Nothing finite: beyond the worst that was finite before.
    assert engine._imputed([math.inf, math.inf]) == [8.0, 8.0]


def generations(engine: CmaesEngine, loss: Any, limit: int = 200) -> list[int]:
    """Sizes of the generations until the engine ends."""
    sizes = []
    while not engine.finished() and len(sizes) < limit:
        asked = engine.ask(1000)
        sizes.append(len(asked))
        engine.tell([result_of(p, loss(p.params)) for p in asked])
    return sizes


def test_a_run_that_leads_nowhere_is_restarted_three_times_with_twice_the_population() -> None:
    engine = CmaesEngine(space(None, None), seed=1)
    sizes = generations(engine, lambda _params: 3.0)
    assert list(dict.fromkeys(sizes)) == [6, 12, 24, 48]
    assert "cma stopped" in str(engine.why_finished())


@pytest.mark.parametrize("best", [1, 7, 30])
def test_integers_are_rounded_and_found(best: int) -> None:
    axes = [ParameterSpec("n", 1, 30, "int"), ParameterSpec("x", 0.0, 1.0)]
    engine = CmaesEngine(SearchSpace.of(axes), seed=1)
    seen: dict[float, Any] = {}

    def loss(params: Any) -> float:
        value = (params["n"] - best) ** 2 / 100 + (params["x"] - 0.5) ** 2
        seen[value] = params["n"]
        return float(value)

    generations(engine, loss, 60)
    assert all(isinstance(n, int) for n in seen.values())
    assert seen[min(seen)] == best
