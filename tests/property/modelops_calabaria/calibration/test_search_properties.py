"""Properties of the search: order of answers, coordinates, seeds, comparisons."""

from __future__ import annotations

import math
import random
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelops_calabaria.calibration.journal import MemoryJournal
from modelops_calabaria.calibration.seeds import confirmation_seeds, search_seeds, selection_seeds
from modelops_calabaria.outcome.comparison import paired_difference
from modelops_calabaria.parameters.types import ParameterSpec
from modelops_calabaria.search_space import SearchSpace
from modelops_contracts.errors import Interrupted
from modelops_contracts.types import Evaluation, TargetScore
from support.toy_calibration import FunctionProvider, calibrate_plan, make_plan

SPACE = {"a": {"lower": 0.0, "upper": 1.0}, "b": {"lower": 0.0, "upper": 1.0}}


def loglik(params: Mapping[str, Any], seed: int) -> float:
    if params["a"] > 0.8:
        return -math.inf
    noise = random.Random(seed).gauss(0, 0.2)
    return float(-9 * (params["a"] - 0.4) ** 2 - 9 * (params["b"] - 0.6) ** 2 + noise)


@settings(max_examples=12, deadline=None)
@given(
    sampler=st.sampled_from(["tpe", "cmaes", "random", "qmc"]),
    batch=st.integers(1, 7),
    speed=st.randoms(use_true_random=False),
    stop=st.integers(1, 30),
)
def test_neither_speed_nor_interruption_changes_a_calibration(
    sampler: str, batch: int, speed: random.Random, stop: int
) -> None:
    plan = make_plan(SPACE, sampler={"type": sampler}, batch_size=batch, max_trials=18)
    reference = calibrate_plan(plan, FunctionProvider(loglik))
    journal = MemoryJournal()
    provider = FunctionProvider(loglik, order=speed.randrange)
    try:
        result = calibrate_plan(
            plan, provider, journal, should_stop=lambda: len(provider.started) > stop
        )
    except Interrupted:
        again = FunctionProvider(loglik, order=speed.randrange)
        result = calibrate_plan(plan, again, journal)
    assert result.trials["param_id"].to_list() == reference.trials["param_id"].to_list()
    assert result.trials["loss"].to_list() == reference.trials["loss"].to_list()
    assert result.best == reference.best


@given(u=st.floats(0, 1), lower=st.floats(1e-3, 10), factor=st.floats(1.01, 1e4),
       transform=st.sampled_from(["identity", "log"]))  # fmt: skip
def test_positions_and_values_are_inverse(
    u: float, lower: float, factor: float, transform: str
) -> None:
    upper = lower * factor
    space = SearchSpace.of([ParameterSpec("x", lower, upper, transform=transform)])
    value = space.from_unit([u])["x"]
    assert lower <= value <= upper
    assert space.to_unit({"x": value})[0] == pytest.approx(u, abs=1e-6)


@given(n=st.integers(1, 40), low=st.integers(-20, 20))
def test_every_integer_has_the_same_room(n: int, low: int) -> None:
    space = SearchSpace.of([ParameterSpec("k", low, low + n, "int")])
    steps = 40 * (n + 1)
    drawn = [space.from_unit([(i + 0.5) / steps])["k"] for i in range(steps)]
    assert np.bincount(np.array(drawn) - low).tolist() == [40] * (n + 1)
    assert space.size == n + 1


@given(u=st.one_of(st.floats(-10, -1e-9), st.floats(1.0000001, 10)))
def test_positions_outside_are_pulled_in(u: float) -> None:
    space = SearchSpace.of([ParameterSpec("x", 2.0, 3.0), ParameterSpec("k", 1, 4, "int")])
    assert space.from_unit([u, u]) in ({"x": 2.0, "k": 1}, {"x": 3.0, "k": 4})


@given(base=st.integers(0, 2**31), n=st.integers(1, 60), m=st.integers(1, 60))
def test_seeds_are_distinct_disjoint_and_prefix_stable(base: int, n: int, m: int) -> None:
    search = search_seeds("p", base_seed=base, n=n, crn="none")
    assert search == search_seeds("p", base_seed=base, n=n + m, crn="none")[:n]
    select = selection_seeds(base_seed=base, n=m, used=search)
    confirm = confirmation_seeds(base_seed=base, n=m, used={*search, *select})
    everything = [*search, *select, *confirm]
    assert len(set(everything)) == len(everything)


values = st.lists(st.floats(-5, 5), min_size=3, max_size=12)


def evaluation(name: str, loglik_values: list[float]) -> Evaluation:
    x = np.array(loglik_values)
    value = float(x.max() + np.log(np.exp(x - x.max()).mean()))
    score = TargetScore("t", "loglik", value, 1.0, tuple(loglik_values))
    return Evaluation(name, tuple(range(len(x))), -value, 0.1, "loglik", scores=(score,))


@given(x=values, y=values, shift=st.floats(-3, 3))
def test_paired_differences_are_antisymmetric_and_shift(
    x: list[float], y: list[float], shift: float
) -> None:
    n = min(len(x), len(y))
    a, b = evaluation("a", x[:n]), evaluation("b", y[:n])
    there, back = (paired_difference(p, q, "logmeanexp") for p, q in ((a, b), (b, a)))
    assert there[0] == pytest.approx(-back[0])
    assert there[1] == pytest.approx(back[1])
    moved = evaluation("a", [v + shift for v in x[:n]])
    difference, se = paired_difference(moved, b, "logmeanexp")
    assert difference == pytest.approx(there[0] - shift, abs=1e-9)
    assert se == pytest.approx(there[1], abs=1e-9)
