"""Families: against scipy, at the edges of their domain, and as simulators."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import pytest

from modelops_calabaria.alignment import BadOutputError, ExactJoin, ObservedDataError
from modelops_calabaria.alignment.errors import EvaluationError
from modelops_calabaria.evaluation.evaluator import LikelihoodEvaluator
from modelops_calabaria.evaluation.families.base import Family
from modelops_calabaria.evaluation.likelihoods import (
    beta_binomial_loglik_factory,
    beta_binomial_loglik_per_rep,
    beta_binomial_od_loglik_per_rep,
    binomial_loglik_per_rep,
    binomial_report_loglik_per_rep,
    dirichlet_multinomial_loglik_per_rep,
    gamma_poisson_loglik_per_rep,
    log_normal_loglik_per_rep,
    neg_binomial_loglik_per_rep,
    normal_loglik_per_rep,
    poisson_loglik_per_rep,
    student_t_loglik_per_rep,
)
from modelops_calabaria.evaluation.quantities import Param, bind_params, param_names
from support.scoring import aligned, frame

RNG = np.random.default_rng(4)
R, ROWS = 3, 40


def _tables() -> tuple[dict[str, Any], list[dict[str, Any]]]:
    n = RNG.integers(5, 60, ROWS)
    observed = {
        "y": RNG.poisson(6, ROWS),
        "x": RNG.binomial(n, 0.3),
        "n": n,
        "t": RNG.uniform(0.5, 5, ROWS),
        "sd": RNG.uniform(0.5, 2, ROWS),
        "z": RNG.normal(3, 2, ROWS),
        "w": RNG.lognormal(1, 0.5, ROWS),
    }
    simulated = []
    for _ in range(R):
        trials = RNG.integers(5, 60, ROWS)
        simulated.append(
            {
                "y": RNG.gamma(3, 2, ROWS),
                "p": RNG.uniform(0.01, 0.99, ROWS),
                "n": trials,
                "x": RNG.binomial(trials, 0.3),
                "t": RNG.uniform(0.5, 5, ROWS),
                "z": RNG.normal(3, 2, ROWS),
                "w": RNG.lognormal(1, 0.5, ROWS),
                "latent": RNG.poisson(20, ROWS),
            }
        )
    observed["latent"] = RNG.binomial(10, 0.5, ROWS)
    return observed, simulated


OBSERVED, SIMULATED = _tables()
S = {name: np.stack([table[name] for table in SIMULATED]) for name in SIMULATED[0]}
O = OBSERVED  # noqa: E741


def _references() -> dict[str, tuple[Family, Callable[[], np.ndarray]]]:
    from scipy import stats

    k, size = 3.0, 1.0 + S["x"]
    chance = (1 + S["t"]) / (1 + S["t"] + O["t"])
    a, b = S["p"] * 9, (1 - S["p"]) * 9
    return {
        "poisson": (
            poisson_loglik_per_rep("y", scale=2.0, floor=0.1),
            lambda: stats.poisson.logpmf(O["y"], 2 * S["y"] + 0.1),
        ),
        "neg_binomial": (
            neg_binomial_loglik_per_rep("y", k),
            lambda: stats.nbinom.logpmf(O["y"], k, k / (k + S["y"])),
        ),
        "binomial": (
            binomial_loglik_per_rep("p", "x", "n"),
            lambda: stats.binom.logpmf(O["x"], O["n"], S["p"]),
        ),
        "binomial_report": (
            binomial_report_loglik_per_rep("latent", 0.4),
            lambda: stats.binom.logpmf(O["latent"], S["latent"], 0.4),
        ),
        "beta_binomial": (
            beta_binomial_loglik_per_rep("x", "n", 0.5, 2.0),
            lambda: stats.betabinom.logpmf(O["x"], O["n"], S["x"] + 0.5, S["n"] - S["x"] + 2),
        ),
        "beta_binomial_od": (
            beta_binomial_od_loglik_per_rep("p", "x", "n", 0.1),
            lambda: stats.betabinom.logpmf(O["x"], O["n"], a, b),
        ),
        "gamma_poisson": (
            gamma_poisson_loglik_per_rep("x", "t"),
            lambda: stats.nbinom.logpmf(O["x"], size, chance),
        ),
        "normal": (
            normal_loglik_per_rep("z", "sd"),
            lambda: stats.norm.logpdf(O["z"], S["z"], O["sd"]),
        ),
        "student_t": (
            student_t_loglik_per_rep("z", "sd", 5),
            lambda: stats.t.logpdf(O["z"], 5, S["z"], O["sd"]),
        ),
        "log_normal": (
            log_normal_loglik_per_rep("w", 0.4, floor=0.2),
            lambda: stats.lognorm.logpdf(O["w"], 0.4, scale=S["w"] + 0.2),
        ),
    }


REFERENCES = _references()


@pytest.mark.parametrize("name", list(REFERENCES))
def test_scipy_agrees(name: str) -> None:
    family, reference = REFERENCES[name]
    table = aligned(OBSERVED, *SIMULATED)
    expected = reference()
    assert family.pointwise(table) == pytest.approx(expected, rel=1e-9, abs=1e-9)
    assert family(table) == pytest.approx(expected.sum(axis=1), rel=1e-9)
    assert family.name == name


@pytest.mark.parametrize("name", list(REFERENCES))
def test_draws_have_the_mean_of_the_family(name: str) -> None:
    """2,000 draws of one table: their log-likelihood as data averages to minus the entropy."""
    family, _ = REFERENCES[name]
    many = aligned(OBSERVED, *([SIMULATED[0]] * 2000))
    drawn = family.draw(many, np.random.default_rng(11))
    again = family.draw(many, np.random.default_rng(11))
    assert drawn.shape == (2000, ROWS)
    assert (drawn == again).all()
    expected = _means()[name]
    standard_error = drawn.std(axis=0) / math.sqrt(2000) + 1e-9
    assert (np.abs(drawn.mean(axis=0) - expected) < 5 * standard_error).all()


def _means() -> dict[str, np.ndarray]:
    share = (S["x"][0] + 0.5) / (S["n"][0] + 2.5)
    return {
        "poisson": 2 * S["y"][0] + 0.1,
        "neg_binomial": S["y"][0],
        "binomial": O["n"] * S["p"][0],
        "binomial_report": 0.4 * S["latent"][0],
        "beta_binomial": O["n"] * share,
        "beta_binomial_od": O["n"] * S["p"][0],
        "gamma_poisson": O["t"] * (1 + S["x"][0]) / (1 + S["t"][0]),
        "normal": S["z"][0],
        "student_t": S["z"][0],
        "log_normal": (S["w"][0] + 0.2) * math.exp(0.5 * 0.4**2),
    }


def test_dirichlet_multinomial_against_scipy_and_its_draws() -> None:
    from scipy.stats import dirichlet_multinomial

    observed = frame(site=["a"] * 3 + ["b"] * 2, age=[1, 2, 3, 1, 2], y=[2, 0, 5, 7, 1])
    simulated = frame(site=["a"] * 3 + ["b"] * 2, age=[1, 2, 3, 1, 2], y=[1.0, 2, 3, 4, 0])
    family = dirichlet_multinomial_loglik_per_rep("age", "y", by=["site"], prior=0.5)
    table = ExactJoin(["site", "age"]).align(observed, [simulated] * 500)
    expected = [
        dirichlet_multinomial.logpmf([2, 0, 5], [1.5, 2.5, 3.5], 7),
        dirichlet_multinomial.logpmf([7, 1], [4.5, 0.5], 8),
    ]
    assert family.pointwise(table)[0] == pytest.approx(expected)
    drawn = family.draw(table, np.random.default_rng(1))
    assert (drawn[:, :3].sum(axis=1) == 7).all()
    assert (drawn[:, 3:].sum(axis=1) == 8).all()
    assert drawn[:, 3].mean() == pytest.approx(8 * 0.9, abs=0.3)


def test_many_replicates_in_blocks_are_the_same_numbers() -> None:
    from modelops_calabaria.evaluation.families.base import BLOCK_CELLS

    few = aligned(OBSERVED, *SIMULATED)
    copies = 2 * BLOCK_CELLS // len(few) + 1
    many = few.take_replicates(list(range(len(SIMULATED))) * copies)
    assert len(many) > 2 * BLOCK_CELLS
    family = neg_binomial_loglik_per_rep("y", 3.0)
    assert (family(many) == np.tile(family(few), copies)).all()


@pytest.mark.parametrize(
    ("family", "observed", "simulated", "words"),
    [
        (poisson_loglik_per_rep("y"), {"y": [1]}, {"y": [-1.0]}, "'y' is -1 at i=0"),
        (neg_binomial_loglik_per_rep("y", 1), {"y": [1]}, {"y": [-0.5]}, "at least 0"),
        (binomial_loglik_per_rep("p", "x", "n"), {"x": [1], "n": [2]}, {"p": [1.1]}, "0..1"),
        (binomial_report_loglik_per_rep("y", 0.5), {"y": [1]}, {"y": [1.5]}, "a count"),
        (
            beta_binomial_loglik_per_rep("x", "n"),
            {"x": [1], "n": [2]},
            {"x": [3], "n": [2]},
            "at most 'n'",
        ),
        (
            gamma_poisson_loglik_per_rep("x", "t"),
            {"x": [1], "t": [1]},
            {"x": [1], "t": [-1]},
            "'t'",
        ),
        (log_normal_loglik_per_rep("y", 1), {"y": [1]}, {"y": [-2.0]}, "at least 0"),
        (poisson_loglik_per_rep("y"), {"y": [1]}, {"y": [math.nan]}, "NaN or null"),
        (poisson_loglik_per_rep("y"), {"y": [1]}, {"y": [None]}, "NaN or null"),
        (poisson_loglik_per_rep("y"), {"y": [1]}, {"y": ["many"]}, "String"),
    ],
)
def test_simulated_values_outside_the_domain(
    family: Family, observed: dict[str, Any], simulated: dict[str, Any], words: str
) -> None:
    with pytest.raises(BadOutputError, match=words) as caught:
        family(aligned(observed, simulated))
    assert caught.value.reason == "BAD_OUTPUT"


def test_rounding_does_not_leave_the_domain() -> None:
    table = aligned({"x": [2], "n": [2]}, {"p": [1 + 1e-12]})
    assert binomial_loglik_per_rep("p", "x", "n")(table)[0] == 0.0


@pytest.mark.parametrize(
    ("family", "observed", "words"),
    [
        (poisson_loglik_per_rep("y"), {"y": [3.0, 5.7]}, r"5\.7 at i=1"),
        (poisson_loglik_per_rep("y"), {"y": [-1, 2]}, "-1 at i=0"),
        (binomial_loglik_per_rep("p", "x", "n"), {"x": [1, 3], "n": [2, 2]}, "3 out of 'n' 2"),
        (log_normal_loglik_per_rep("y", 1.0), {"y": [1.0, 0.0]}, "above 0"),
    ],
)
def test_observed_values_outside_the_domain(
    family: Family, observed: dict[str, Any], words: str
) -> None:
    simulated = {"y": [1.0, 1.0], "p": [0.5, 0.5]}
    with pytest.raises(ObservedDataError, match=words):
        family(aligned(observed, simulated))


def test_large_counts_are_counts() -> None:
    value = poisson_loglik_per_rep("y")(aligned({"y": [3_000_000_000]}, {"y": [3e9]}))
    assert value[0] == pytest.approx(-0.5 * math.log(2 * math.pi * 3e9), rel=1e-6)


@pytest.mark.parametrize(
    ("family", "observed", "simulated", "expected"),
    [
        (poisson_loglik_per_rep("y"), {"y": [0]}, {"y": [0]}, 0.0),
        (poisson_loglik_per_rep("y"), {"y": [1]}, {"y": [0]}, -math.inf),
        (neg_binomial_loglik_per_rep("y", 2.0), {"y": [0]}, {"y": [0]}, 0.0),
        (neg_binomial_loglik_per_rep("y", 2.0), {"y": [1]}, {"y": [0]}, -math.inf),
        (binomial_loglik_per_rep("p", "y", "n"), {"y": [0], "n": [4]}, {"p": [0.0]}, 0.0),
        (binomial_loglik_per_rep("p", "y", "n"), {"y": [1], "n": [4]}, {"p": [0.0]}, -math.inf),
        (
            beta_binomial_od_loglik_per_rep("p", "y", "n", 0.1),
            {"y": [4], "n": [4]},
            {"p": [1]},
            0.0,
        ),
        (
            beta_binomial_od_loglik_per_rep("p", "y", "n", 0.1),
            {"y": [3], "n": [4]},
            {"p": [1]},
            -math.inf,
        ),
        (log_normal_loglik_per_rep("y", 1.0), {"y": [1.0]}, {"y": [0.0]}, -math.inf),
        (gamma_poisson_loglik_per_rep("y", "t"), {"y": [0], "t": [0]}, {"y": [3], "t": [1]}, 0.0),
    ],
)
def test_edges_are_impossible_or_certain_never_nan(
    family: Family, observed: dict[str, Any], simulated: dict[str, Any], expected: float
) -> None:
    with np.errstate(all="raise"):
        assert family(aligned(observed, simulated))[0] == expected


def test_parameters_are_a_number_a_column_or_of_the_set_evaluated() -> None:
    table = aligned({"y": [3], "k": [2.0]}, {"y": [4.0]})
    number = neg_binomial_loglik_per_rep("y", 2.0)(table)
    assert neg_binomial_loglik_per_rep("y", "k")(table) == number
    family = neg_binomial_loglik_per_rep("y", Param("phi"), scale=Param("rho"))
    assert param_names(family) == ("phi", "rho")
    assert bind_params(family, {"phi": 2.0, "rho": 1, "beta": 9.0})(table) == number
    evaluator = LikelihoodEvaluator(family)
    assert evaluator.evaluate(table, {"phi": 2.0, "rho": 1}).loglik_per_rep == number


def test_a_parameter_that_is_not_there() -> None:
    family = neg_binomial_loglik_per_rep("y", Param("phi"))
    table = aligned({"y": [3]}, {"y": [4.0]})
    with pytest.raises(ValueError, match=r"Param\('phi'\) names no parameter.*phy") as caught:
        LikelihoodEvaluator(family).evaluate(table, {"phy": 1.0})
    assert caught.value.hint == "did you mean 'phy'?"  # type: ignore[attr-defined]
    with pytest.raises(ValueError, match="no parameter set"):
        family(table)
    with pytest.raises(ValueError, match="not a number"):
        LikelihoodEvaluator(family).evaluate(table, {"phi": "big"})


@pytest.mark.parametrize("k", [0.0, -1.0, math.inf])
def test_a_parameter_outside_its_domain_fails_the_set_not_the_run(k: float) -> None:
    family = neg_binomial_loglik_per_rep("y", k)
    with pytest.raises(EvaluationError, match="k must be above 0") as caught:
        family(aligned({"y": [3]}, {"y": [4.0]}))
    assert caught.value.reason == "EVALUATION_FAILED"


def test_arguments_are_checked() -> None:
    with pytest.raises(ValueError, match="Prior must be a tuple"):
        beta_binomial_loglik_factory("x", "n", [1, 1])  # type: ignore[arg-type]
    assert beta_binomial_loglik_factory("x", "n", (2, 3)).alpha == 2
    with pytest.raises(ValueError, match="k must be a number"):
        neg_binomial_loglik_per_rep("y", None)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("returned", "words"),
    [
        (np.zeros(3), "shape"),
        (np.zeros((2, 1)), "shape"),
        ([0.0, math.nan], "nan"),
        ([0, math.inf], "inf"),
    ],
)
def test_a_users_function_that_returns_no_likelihoods(returned: Any, words: str) -> None:
    def mine(_aligned: Any) -> Any:
        return returned

    table = aligned({"y": [1]}, {"y": [1]}, {"y": [2]})
    with pytest.raises(EvaluationError, match=f"mine returned.*{words}|mine returned {words}"):
        LikelihoodEvaluator(mine).evaluate(table)


def test_mean_signal_and_its_jackknife() -> None:
    table = aligned({"y": [3, 5]}, {"y": [2.0, 4.0]}, {"y": [4.0, 8.0]}, {"y": [3.0, 6.0]})
    family = poisson_loglik_per_rep("y")
    estimate = LikelihoodEvaluator(family).signal(table)
    assert estimate.value == pytest.approx(family(aligned({"y": [3, 5]}, {"y": [3.0, 6.0]}))[0])
    means = ([3.5, 7.0], [2.5, 5.0], [3.0, 6.0])
    left_out = np.array([family(aligned({"y": [3, 5]}, {"y": list(m)}))[0] for m in means])
    jackknife = math.sqrt(2 / 3 * ((left_out - left_out.mean()) ** 2).sum())
    assert estimate.se == pytest.approx(jackknife)


@pytest.mark.parametrize(
    "family", [binomial_report_loglik_per_rep("y", 0.5), beta_binomial_loglik_per_rep("y", "n")]
)
def test_mean_signal_is_refused_where_a_mean_is_no_simulated_value(family: Family) -> None:
    table = aligned({"y": [3], "n": [5]}, {"y": [4], "n": [5]})
    with pytest.raises(ValueError, match=f"no sense for {family.name}"):
        LikelihoodEvaluator(family).signal(table)


@pytest.mark.parametrize("nu", [1e8, 1e10, 1e12, 1e14, 1e16, 1e100, 1e300])
def test_student_t_becomes_normal_however_many_degrees_of_freedom(nu: float) -> None:
    table = aligned({"value": [5.0, -3.0]}, {"value": [4.0, 8.0]})
    student = student_t_loglik_per_rep("value", 2.0, nu).pointwise(table)
    normal = normal_loglik_per_rep("value", 2.0).pointwise(table)
    np.testing.assert_allclose(student, normal, rtol=0, atol=1e3 / nu + 1e-9)


@pytest.mark.parametrize("rho", [1e-10, 1e-12, 1e-14, 1e-100])
def test_beta_binomial_becomes_binomial_as_over_dispersion_vanishes(rho: float) -> None:
    observed = {"x": [5, 3, 0], "n": [10, 1000, 7]}
    table = aligned(observed, {"p": [0.4, 0.004, 0.5]})
    dispersed = beta_binomial_od_loglik_per_rep("p", "x", "n", rho).pointwise(table)
    plain = binomial_loglik_per_rep("p", "x", "n").pointwise(table)
    np.testing.assert_allclose(dispersed, plain, rtol=0, atol=max(1e-8, 1e4 * rho))


def test_draws_of_categories_that_are_all_but_impossible() -> None:
    observed = frame(age=["child", "adult"], cases=[2, 3])
    simulated = [frame(age=["child", "adult"], cases=[0, 0])] * 200
    table = ExactJoin("age").align(observed, simulated)
    drawn = dirichlet_multinomial_loglik_per_rep("age", "cases", prior=1e-4).draw(table, RNG)
    assert (drawn.sum(axis=1) == 5).all()
    assert 60 < (drawn[:, 0] == 5).sum() < 140, "each category takes it all in half of the draws"


@pytest.mark.parametrize("field", ["scale", "floor"])
@pytest.mark.parametrize("value", [math.nan, math.inf])
def test_a_scale_or_floor_that_is_no_number_is_not_blamed_on_the_model(
    field: str, value: float
) -> None:
    family = poisson_loglik_per_rep("value", **{field: value})
    with pytest.raises(EvaluationError, match=f"{field} must be finite"):
        family(aligned({"value": [1, 2]}, {"value": [1, 2]}))


def test_a_negative_scale_is_not_blamed_on_the_model() -> None:
    table = aligned({"value": [1, 2]}, {"value": [1, 2]})
    with pytest.raises(EvaluationError, match="scale must be at least 0"):
        neg_binomial_loglik_per_rep("value", 3.0, scale=-1.0)(table)
