"""Engines: known answers, reproducibility, leasing, and starting again from a state."""

from __future__ import annotations

import json
import math
import random
from typing import Any

import optuna
import pytest

from modelops_calabaria.calibration.algorithms.base import SearchEngine, child_seed
from modelops_calabaria.calibration.algorithms.cmaes import CmaesEngine
from modelops_calabaria.calibration.algorithms.grid import GridEngine
from modelops_calabaria.calibration.algorithms.parzen import distribution_of
from modelops_calabaria.calibration.algorithms.qmc import QmcEngine
from modelops_calabaria.calibration.algorithms.random import RandomEngine
from modelops_calabaria.calibration.algorithms.tpe import TpeEngine
from modelops_calabaria.parameters.types import ParameterSpec
from modelops_calabaria.sampling.sobol import SobolSampler
from modelops_calabaria.search_space import SearchSpace
from modelops_contracts.errors import Conflict, InvalidInput
from support.boarding_school import MAXIMUM_LOGLIK, negative_loglik
from support.search import boarding_school_space, bowl, minimise, mixed_space, result_of

ENGINES = ("tpe", "cmaes", "random", "qmc", "grid")


def make(kind: str, space: SearchSpace | None = None, *, seed: int = 3) -> SearchEngine:
    space = space or mixed_space()
    if kind == "grid":
        return GridEngine(space, points=4)
    made = {"tpe": TpeEngine, "cmaes": CmaesEngine, "random": RandomEngine, "qmc": QmcEngine}
    return made[kind](space, seed=seed)


def school(params: object) -> float:
    return negative_loglik(**params)  # type: ignore[arg-type]


@pytest.mark.parametrize("seed", range(6))
def test_cmaes_reaches_the_maximum_likelihood_of_the_boarding_school(seed: int) -> None:
    engine = CmaesEngine(boarding_school_space(), seed=seed, batch_size=4)
    trials = minimise(engine, school, 400)
    assert -min(loss for _, loss in trials) >= MAXIMUM_LOGLIK - 0.01
    assert engine.why_finished() == "converged"
    assert len(trials) < 400


@pytest.mark.parametrize("seed", range(3))
def test_tpe_comes_close_to_the_maximum_likelihood(seed: int) -> None:
    trials = minimise(TpeEngine(boarding_school_space(), seed=seed), school, 400)
    assert -min(loss for _, loss in trials) >= -60.94


@pytest.mark.parametrize("kind", ENGINES)
def test_the_same_seed_gives_the_same_trials(kind: str) -> None:
    first, second = (minimise(make(kind), bowl, 40) for _ in range(2))
    assert first == second


@pytest.mark.parametrize("kind", ["tpe", "cmaes", "random", "qmc"])
def test_another_seed_gives_other_trials(kind: str) -> None:
    assert minimise(make(kind, seed=1), bowl, 12) != minimise(make(kind, seed=2), bowl, 12)


@pytest.mark.parametrize("kind", ENGINES)
def test_a_restored_engine_continues_with_the_same_proposals(kind: str) -> None:
    whole = make(kind)
    everything = minimise(whole, bowl, 16)
    for stop in (1, 5, 11):
        begun = make(kind)
        assert minimise(begun, bowl, stop, in_flight=1) == minimise(make(kind), bowl, stop,
                                                                    in_flight=1)  # fmt: skip
        stored = json.loads(json.dumps(begun.state()))
        resumed, straight = make(kind), make(kind)
        resumed.restore(stored)
        minimise(straight, bowl, stop, in_flight=1)
        assert minimise(resumed, bowl, 8) == minimise(straight, bowl, 8)
    assert len(everything) == 16


@pytest.mark.parametrize("kind", ENGINES)
def test_values_are_of_their_kind_and_within_bounds(kind: str) -> None:
    for params, _ in minimise(make(kind), bowl, 30):
        assert isinstance(params["n"], int)
        assert 1 <= params["n"] <= 20
        assert isinstance(params["x"], float)
        assert -1.0 <= params["x"] <= 3.0


@pytest.mark.parametrize("kind", ["tpe", "cmaes"])
def test_a_search_beats_its_start_on_a_mixed_space(kind: str) -> None:
    losses = [loss for _, loss in minimise(make(kind), bowl, 120)]
    assert min(losses) < 0.02


@pytest.mark.parametrize("kind", ENGINES)
def test_failed_trials_do_not_stop_a_search(kind: str) -> None:
    def half_fails(params: object) -> float:
        return math.inf if params["x"] > 1.2 else bowl(params)  # type: ignore[index, arg-type]

    losses = [loss for _, loss in minimise(make(kind), half_fails, 16)]
    assert len(losses) == 16
    assert any(math.isfinite(loss) for loss in losses)


def test_cmaes_survives_a_start_where_everything_fails() -> None:
    losses = [
        loss
        for _, loss in minimise(make("cmaes"), lambda p: math.inf if p["x"] < 2.5 else bowl(p), 300)
    ]
    assert any(math.isfinite(loss) for loss in losses)


class TestLeases:
    def test_an_unknown_answer_is_a_conflict(self) -> None:
        engine, stranger = make("qmc"), make("random").ask(1)[0]
        engine.ask(1)
        with pytest.raises(Conflict, match="never asked"):
            engine.tell([result_of(stranger, 1.0)])

    def test_the_same_answer_twice_is_ignored_and_another_one_refused(self) -> None:
        engine = make("tpe")
        proposal = engine.ask(1)[0]
        engine.tell([result_of(proposal, 1.0)])
        engine.tell([result_of(proposal, 1.0)])
        with pytest.raises(Conflict, match=r"was told 1\.0"):
            engine.tell([result_of(proposal, 2.0)])

    def test_answers_may_come_after_the_end(self) -> None:
        engine = make("grid")
        proposals = engine.ask(100)
        assert engine.finished()
        assert len(proposals) == 16
        engine.tell([result_of(p, 1.0) for p in reversed(proposals)])

    def test_cmaes_waits_for_its_generation(self) -> None:
        engine = make("cmaes")
        generation = engine.ask(50)
        assert len(generation) == 6
        engine.tell([result_of(p, 1.0 + i) for i, p in enumerate(generation[:-1])])
        assert engine.ask(1) == []
        engine.tell([result_of(generation[-1], 9.0)])
        assert len(engine.ask(50)) == 6

    def test_points_given_from_outside_come_first(self) -> None:
        for kind in ENGINES:
            engine = make(kind)
            engine.ask_first([{"x": 0.5, "n": 3, "ignored": 1}])
            first = engine.ask(1)[0]
            assert dict(first.params) == {"x": 0.5, "n": 3}
            engine.tell([result_of(first, bowl(first.params))])
            assert engine.ask(1)

    def test_a_state_of_other_settings_is_refused(self) -> None:
        begun = make("tpe", seed=1)
        minimise(begun, bowl, 5)
        with pytest.raises(InvalidInput, match="does not belong to these settings"):
            make("tpe", seed=2).restore(begun.state())


def test_cmaes_refuses_one_parameter_and_names_the_way_out() -> None:
    with pytest.raises(InvalidInput) as caught:
        CmaesEngine(SearchSpace.of([ParameterSpec("x", 0.0, 1.0)]), seed=0)
    assert "tpe" in str(caught.value.hint)


def optuna_alone(space: SearchSpace, seed: int, trials: int, losses: list[float]) -> list[Any]:
    """What Optuna's own study proposes after a start from our design."""
    study = optuna.create_study(direction="minimize")
    distributions = {axis.name: distribution_of(axis) for axis in space.axes}
    start = SobolSampler(space.parameter_space(), scramble=True, seed=seed).sample(16)
    points: list[Any] = []
    for i in range(trials):
        if i < 10:
            study.enqueue_trial({a.name: start[i][a.name] if a.is_integer
                                 else a.to_unit(start[i][a.name]) for a in space.axes})  # fmt: skip
        study.sampler = optuna.samplers.TPESampler(
            seed=child_seed(seed, [i]), multivariate=True, constant_liar=True, n_startup_trials=1
        )
        trial = study.ask(distributions)
        points.append(dict(trial.params))
        if i >= 3:  # three in flight
            study.tell(i - 3, losses[i - 3])
    return points


@pytest.mark.filterwarnings("ignore::optuna.exceptions.ExperimentalWarning")
def test_tpe_proposes_what_optuna_proposes() -> None:
    space, rng = mixed_space(), random.Random(4)
    losses = [math.inf if i % 7 == 3 else rng.random() for i in range(60)]
    expected = optuna_alone(space, 5, 60, losses)
    engine, proposals = TpeEngine(space, seed=5), []
    for i in range(60):
        proposals += engine.ask(1)
        if i >= 3:
            engine.tell([result_of(proposals[i - 3], losses[i - 3])])
    assert [dict(p.params) for p in proposals[10:]] == [
        {"x": space.axes[0].from_unit(point["x"]), "n": point["n"]} for point in expected[10:]
    ]


def test_tpe_without_any_answer_yet_proposes_all_the_same() -> None:
    engine = make("tpe")
    proposals = engine.ask(25)
    assert len({p.param_id for p in proposals}) == 25
    engine.tell([result_of(p, bowl(p.params)) for p in proposals])
    assert len(engine.ask(1)) == 1


def test_tpe_searches_beside_an_integer_with_a_single_value() -> None:
    space = SearchSpace.of([ParameterSpec("x", 0.0, 1.0), ParameterSpec("n", 3, 3, "int")])
    trials = minimise(TpeEngine(space, seed=1), lambda p: p["x"], 20)
    assert {p["n"] for p, _ in trials} == {3}


def test_tpe_sees_the_best_and_the_latest_of_a_bounded_history() -> None:
    engine = TpeEngine(SearchSpace.of([ParameterSpec("x", 0.0, 1.0)]), seed=0,
                       n_startup_trials=5000)  # fmt: skip
    losses = [loss for _, loss in minimise(engine, lambda p: p["x"], 1600)]
    best = sorted(range(1600), key=lambda i: (losses[i], i))[:500]
    assert list(engine._seen) == sorted({*best, *range(1100, 1600)})
    assert len(engine.ask(1)) == 1


def test_grid_covers_the_corners_once() -> None:
    trials = minimise(make("grid"), bowl, 100)
    points = {(p["x"], p["n"]) for p, _ in trials}
    assert len(points) == len(trials) == 16
    assert {(-1.0, 1), (3.0, 20)} <= points
