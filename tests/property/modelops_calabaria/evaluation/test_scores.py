"""What must hold for every score: order means nothing, missing rows never help, constants shift."""

from __future__ import annotations

import math
from itertools import pairwise
from typing import Any

import numpy as np
import polars as pl
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from modelops_calabaria.alignment import AsofJoin, ExactJoin
from modelops_calabaria.alignment.errors import AlignmentError
from modelops_calabaria.evaluation.evaluator import annealed_mse, mean_signal_mse
from modelops_calabaria.evaluation.likelihoods import (
    beta_binomial_loglik_per_rep,
    binomial_loglik_per_rep,
    binomial_report_loglik_per_rep,
    neg_binomial_loglik_per_rep,
    normal_loglik_per_rep,
    poisson_loglik_per_rep,
)
from modelops_calabaria.evaluation.replicates import logmeanexp
from modelops_calabaria.targets import LikelihoodTarget, LossTarget
from support.scoring import joint

QUIET = settings(deadline=None, max_examples=60)
seeds = st.integers(0, 2**32 - 1)
sizes = st.tuples(st.integers(1, 5), st.integers(1, 8))


def world(seed: int, size: tuple[int, int]) -> tuple[pl.DataFrame, list[dict[str, pl.DataFrame]]]:
    """Observed rows and replicates over two keys, with more simulated rows than observed ones."""
    rng = np.random.default_rng(seed)
    r, n = size
    keys = [(day, age) for day in range(n) for age in ("old", "young")]
    observed = pl.DataFrame(keys, schema=["day", "age"], orient="row").with_columns(
        y=pl.Series(rng.poisson(5, 2 * n)), x=pl.Series(rng.integers(0, 5, 2 * n))
    )
    more = [(day, age) for day in range(-1, n + 1) for age in ("old", "young", "none")]
    base = pl.DataFrame(more, schema=["day", "age"], orient="row")
    outputs = [
        {
            "out": base.with_columns(
                y=pl.Series(rng.gamma(2.0, 2.0, len(more)) + 0.1),
                x=pl.Series(rng.uniform(0, 5, len(more))),
            )
        }
        for _ in range(r)
    ]
    return observed, outputs


def targets(observed: pl.DataFrame, coverage: str = "error") -> list[Any]:
    join = ExactJoin(["day", "age"])
    return [
        LikelihoodTarget(
            "nb", "out", observed, join, neg_binomial_loglik_per_rep("y", 3.0), coverage=coverage
        ),
        LikelihoodTarget(
            "normal", "out", observed, join, normal_loglik_per_rep("x", 1.5),
            coverage=coverage, weight=0.5,
        ),
        LossTarget("mse", "out", observed, join, annealed_mse("y"), coverage=coverage),
        LossTarget("signal", "out", observed, join, mean_signal_mse("x", 2.0), coverage=coverage),
    ]  # fmt: skip


def shuffled(table: pl.DataFrame, rng: np.random.Generator) -> pl.DataFrame:
    columns = list(rng.permutation(table.columns))
    return table[rng.permutation(table.height)].select(columns)


@QUIET
@given(seeds, sizes)
def test_order_of_replicates_rows_and_columns_means_nothing(
    seed: int, size: tuple[int, int]
) -> None:
    observed, outputs = world(seed, size)
    rng = np.random.default_rng(seed)
    order = rng.permutation(len(outputs))
    mixed = [{"out": shuffled(outputs[i]["out"], rng)} for i in order]
    narrow = [
        {"out": item["out"].with_columns(pl.col("day").cast(pl.Int16 if i % 2 else pl.Float64))}
        for i, item in enumerate(mixed)
    ]
    plain = joint(targets(observed), outputs)
    for variant in (mixed, narrow):
        other = joint(targets(observed), variant)
        assert other.objective == pytest.approx(plain.objective, rel=1e-12)
        assert other.objective_se == pytest.approx(plain.objective_se, rel=1e-7, nan_ok=True)
        for a, b in zip(plain.scores, other.scores, strict=True):
            assert [a.per_replicate[i] for i in order] == pytest.approx(b.per_replicate, rel=1e-9)
    turned = joint(targets(shuffled(observed, rng)), outputs)
    assert turned.objective == pytest.approx(plain.objective, rel=1e-12)


@QUIET
@given(seeds, sizes)
def test_the_same_inputs_give_the_same_bits(seed: int, size: tuple[int, int]) -> None:
    observed, outputs = world(seed, size)
    assert joint(targets(observed), outputs) == joint(targets(observed), outputs)


@QUIET
@given(
    st.lists(st.floats(-1e3, 0) | st.just(-math.inf), min_size=1, max_size=20),
    st.floats(-1e3, 1e3),
)
def test_a_constant_shifts_the_log_mean(loglik: list[float], constant: float) -> None:
    values = np.array(loglik)
    plain, shifted = logmeanexp(values), logmeanexp(values + constant)
    if plain.value == -math.inf:
        assert shifted.value == -math.inf
    else:
        assert shifted.value == pytest.approx(plain.value + constant, abs=1e-9)
        assert shifted.ess == pytest.approx(plain.ess, rel=1e-6)
        assert 1 - 1e-9 <= plain.ess <= len(loglik) + 1e-9
        assert max(loglik) - math.log(len(loglik)) - 1e-9 <= plain.value <= max(loglik) + 1e-9


@QUIET
@given(seeds, sizes, st.integers(1, 10))
def test_removing_simulated_rows_never_improves_a_score(
    seed: int, size: tuple[int, int], remove: int
) -> None:
    observed, outputs = world(seed, size)
    rng = np.random.default_rng(seed)
    which = int(rng.integers(len(outputs)))
    table = outputs[which]["out"]
    kept = np.sort(rng.permutation(table.height)[: max(table.height - remove, 0)])
    fewer = [*outputs]
    fewer[which] = {"out": table[kept]}
    for coverage in ("error", "worst"):
        before = joint(targets(observed, coverage), outputs)
        after = joint(targets(observed, coverage), fewer)
        assert after.objective >= before.objective - 1e-9 * abs(before.objective)
        assert len(after.seeds) == len(outputs)
        for score in after.scores:
            assert len(score.per_replicate) in {0, len(outputs)}


@QUIET
@given(seeds, sizes)
def test_the_joint_likelihood_is_the_mean_of_products(seed: int, size: tuple[int, int]) -> None:
    observed, outputs = world(seed, size)
    likely = [t for t in targets(observed) if t.kind == "loglik"]
    each = [t.weight * t.evaluate(outputs).loglik_per_rep for t in likely]
    product = np.prod([np.exp(values) for values in each], axis=0)
    evaluation = joint(likely, outputs)
    if product.mean() > 1e-280:
        assert evaluation.objective == pytest.approx(-math.log(product.mean()), rel=1e-9)


@QUIET
@given(seeds, st.integers(1, 4), st.integers(1, 30))
def test_scipy_agrees_on_random_tables(seed: int, r: int, n: int) -> None:
    from scipy import stats

    rng = np.random.default_rng(seed)
    total = rng.integers(1, 200, n)
    observed = pl.DataFrame(
        {"i": range(n), "y": rng.poisson(8, n), "x": rng.binomial(total, 0.4), "n": total}
    )
    trials = rng.integers(1, 200, (r, n))
    s = {
        "y": rng.gamma(1.0, 8.0, (r, n)),
        "p": rng.uniform(0, 1, (r, n)),
        "n": trials,
        "x": rng.binomial(trials, 0.4),
        "latent": rng.poisson(8, (r, n)) + observed["y"].to_numpy(),
    }
    tables = [pl.DataFrame({"i": range(n), **{k: v[j] for k, v in s.items()}}) for j in range(r)]
    observed = observed.with_columns(latent=pl.col("y"))
    aligned = ExactJoin("i").align(observed, tables)
    y, x = observed["y"].to_numpy(), observed["x"].to_numpy()
    k = float(rng.uniform(0.1, 50))
    pairs = [
        (poisson_loglik_per_rep("y"), stats.poisson.logpmf(y, s["y"])),
        (neg_binomial_loglik_per_rep("y", k), stats.nbinom.logpmf(y, k, k / (k + s["y"]))),
        (binomial_loglik_per_rep("p", "x", "n"), stats.binom.logpmf(x, total, s["p"])),
        (
            beta_binomial_loglik_per_rep("x", "n"),
            stats.betabinom.logpmf(x, total, s["x"] + 1, s["n"] - s["x"] + 1),
        ),
        (
            binomial_report_loglik_per_rep("latent", 0.3),
            stats.binom.logpmf(y, s["latent"].astype(int), 0.3),
        ),
    ]
    for family, expected in pairs:
        assert family(aligned) == pytest.approx(expected.sum(axis=1), rel=1e-8, abs=1e-8)


@QUIET
@given(
    seeds,
    st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True),
    st.lists(st.integers(0, 40), min_size=1, max_size=12, unique=True),
    st.sampled_from(["nearest", "backward", "forward"]),
    st.floats(0, 20) | st.just(math.inf) | st.none(),
)
def test_asof_join_is_what_a_plain_search_finds(
    seed: int, observed: list[int], simulated: list[int], mode: str, tolerance: float | None
) -> None:
    rng = np.random.default_rng(seed)
    frame = pl.DataFrame({"t": observed, "y": 0})
    tables = [
        pl.DataFrame({"t": rng.permutation(simulated), "y": 1}),
        pl.DataFrame({"t": [simulated[0]], "y": 1}),
    ]
    expected = [
        _search(t, table["t"].to_list(), mode, tolerance)
        for table in tables
        for t in sorted(observed)
    ]
    join = AsofJoin("t", strategy=mode, tolerance=tolerance)
    if all(value is None for value in expected):
        with pytest.raises(AlignmentError, match="no simulated row"):
            join.align(frame, tables)
        return
    assert join.align(frame, tables).data["t_right"].to_list() == expected


def _search(t: int, keys: list[int], mode: str, tolerance: float | None) -> int | None:
    keys = sorted(keys)
    steps = [b - a for a, b in pairwise(keys)]
    limit = tolerance
    if limit is None:
        limit = max(steps, default=0) / (2 if mode == "nearest" else 1)
    allowed = {
        "nearest": keys,
        "backward": [key for key in keys if key <= t],
        "forward": [key for key in keys if key >= t],
    }[mode]
    best = min(allowed, key=lambda key: (abs(key - t), key), default=None)
    return best if best is not None and abs(best - t) <= limit else None
