"""What evaluating targets costs beside the plainest polars, numpy and scipy that do the same.

Run: python benchmarks/evaluation.py
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import polars as pl
from _ratio import Ratio, measure, report

from modelops_calabaria.alignment import ExactJoin
from modelops_calabaria.evaluation.evaluator import annealed_mse
from modelops_calabaria.evaluation.joint import evaluate_joint
from modelops_calabaria.evaluation.likelihoods import (
    beta_binomial_loglik_per_rep,
    neg_binomial_loglik_per_rep,
)
from modelops_calabaria.targets import LikelihoodTarget, LossTarget

Tables = list[dict[str, pl.DataFrame]]


def observations(n: int) -> pl.DataFrame:
    return pl.DataFrame({"day": np.arange(n), "cases": np.arange(n) % 50})


def replicates(r: int, n: int) -> Tables:
    rng = np.random.default_rng(1)
    return [
        {"out": pl.DataFrame({"day": np.arange(n), "cases": rng.poisson(20.0, n)})}
        for _ in range(r)
    ]


def loss_target(observed: pl.DataFrame, name: str = "t") -> LossTarget:
    return LossTarget(name, "out", observed, ExactJoin("day"), annealed_mse("cases"))


def polars_annealed(observed: pl.DataFrame, tables: Tables) -> float:
    """One concat with a replicate column, one lazy join, one group-by."""
    stacked = pl.concat(
        [t["out"].lazy().with_columns(pl.lit(r).alias("r")) for r, t in enumerate(tables)]
    )
    error = (pl.col("cases") - pl.col("cases_sim")) ** 2
    losses = (
        observed.lazy()
        .with_columns(pl.col("cases").cast(pl.Float64))
        .join(stacked, on="day", how="left", suffix="_sim")
        .group_by("r")
        .agg(error.mean().alias("loss"))
        .collect()
    )
    return float(losses["loss"].mean())  # type: ignore[arg-type]


def polars_join_each(observed: pl.DataFrame, tables: Tables) -> float:
    """One join per replicate, as one would write it first."""
    losses = []
    for t in tables:
        joined = observed.join(t["out"], on="day", how="left", suffix="_sim")
        losses.append(joined.select(((pl.col("cases") - pl.col("cases_sim")) ** 2).mean()).item())
    return float(np.mean(losses))


def numpy_annealed(observed: pl.DataFrame, tables: Tables) -> float:
    """Keys looked up and values compared with numpy, replicate by replicate."""
    days, y = observed["day"].to_numpy(), observed["cases"].to_numpy().astype(float)
    losses = []
    for t in tables:
        keys = t["out"]["day"].to_numpy()
        order = np.argsort(keys, kind="stable")
        found = order[np.searchsorted(keys, days, sorter=order)]
        assert (keys[found] == days).all()
        losses.append(np.mean((y - t["out"]["cases"].to_numpy()[found]) ** 2))
    return float(np.mean(losses))


def evaluate_loss(r: int, n: int) -> list[Ratio]:
    observed, tables = observations(n), replicates(r, n)
    target = loss_target(observed)

    def ours() -> float:
        return target.evaluate(tables).loss

    expected = numpy_annealed(observed, tables)
    assert abs(ours() - expected) < 1e-9 * expected
    assert abs(polars_annealed(observed, tables) - expected) < 1e-9 * expected
    size = f"annealed_mse {r} x {n:,}"

    def against(reference: Callable[[pl.DataFrame, Tables], float]) -> Callable[[], float]:
        return lambda: reference(observed, tables)

    return [
        measure(f"{size} / one concat, join, group-by", ours, against(polars_annealed), 2.0),
        measure(f"{size} / numpy", ours, against(numpy_annealed), 5.0),
        measure(f"{size} / one join per replicate", ours, against(polars_join_each), 0.2),
    ]


def million_rows() -> Ratio:
    """10⁶ simulated rows, aligned and scored, against stacking and joining them."""
    observed, tables = observations(1_000), replicates(1_000, 1_000)
    target = loss_target(observed)

    def concat_and_join() -> pl.DataFrame:
        stacked = pl.concat(
            [t["out"].with_columns(pl.lit(r).alias("r")) for r, t in enumerate(tables)]
        )
        return observed.join(stacked, on="day", how="left", suffix="_sim")

    return measure(
        "annealed_mse, 10⁶ rows / concat + join",
        lambda: target.evaluate(tables).loss,
        concat_and_join,
        3.0,
    )


def beta_binomial(r: int, n: int) -> Ratio:
    """Aligning and scoring 10⁶ cells against scipy's log-pmf of the bare array."""
    from scipy.stats import betabinom

    rng = np.random.default_rng(2)
    total = np.full(n, 100)
    observed = pl.DataFrame({"day": np.arange(n), "x": rng.binomial(100, 0.3, n), "n": total})
    tables = [
        {"out": pl.DataFrame({"day": np.arange(n), "x": rng.binomial(100, 0.3, n), "n": total})}
        for _ in range(r)
    ]
    target = LikelihoodTarget(
        "t", "out", observed, ExactJoin("day"), beta_binomial_loglik_per_rep("x", "n", 1, 1)
    )
    s = np.stack([t["out"]["x"].to_numpy() for t in tables]).astype(float)
    y = observed["x"].to_numpy()

    def scipy_logpmf() -> np.ndarray:
        return np.asarray(betabinom.logpmf(y, 100, s + 1, 100 - s + 1).sum(axis=1))

    assert np.allclose(target.evaluate(tables).loglik_per_rep, scipy_logpmf())
    return measure(
        f"beta_binomial {r:,} x {n:,} / scipy logpmf",
        lambda: target.evaluate(tables),
        scipy_logpmf,
        1.5,
    )


def many_targets() -> Ratio:
    observed, tables = observations(200), replicates(50, 200)
    targets = [loss_target(observed, f"t{i}") for i in range(20)]

    def joint(count: int) -> Callable[[], object]:
        return lambda: evaluate_joint(
            targets[:count], tables, param_id="f" * 64, params={}, seeds=range(50)
        )

    return measure("20 targets / one target", joint(20), joint(1), 20.0)


def small_target() -> Ratio:
    """A calibration's everyday case: 14 rows, 20 replicates; the fixed cost shows here."""
    observed, tables = observations(14), replicates(20, 14)
    target = LikelihoodTarget(
        "t", "out", observed, ExactJoin("day"), neg_binomial_loglik_per_rep("cases", k=10.0)
    )

    def floor_at_one() -> Tables:
        return [{"out": t["out"].with_columns(pl.col("cases") + 1)} for t in tables]

    positive = floor_at_one()
    return measure(
        "neg_binomial 20 x 14 / one concat, join, group-by",
        lambda: target.evaluate(positive),
        lambda: polars_annealed(observed, positive),
        2.0,
    )


def main() -> None:
    report(
        [
            *evaluate_loss(100, 1_000),
            million_rows(),
            beta_binomial(1_000, 1_000),
            many_targets(),
            small_target(),
        ]
    )


if __name__ == "__main__":
    main()
