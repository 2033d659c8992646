"""Ensembles that are held against the data: from the prior, of the winner, of the plausible set.

The plausible set are the parameter sets whose objective lies within 1.92 of the winner's (half the
95 % quantile of chi-square with one degree of freedom) plus two standard errors. It is what
a likelihood-ratio test would not reject, restricted to the points that were looked at; it is no
posterior. Where there is no likelihood, the candidates that cannot be told from the winner stand
in.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import replace
from io import BytesIO
from itertools import cycle, islice
from typing import TYPE_CHECKING, Any

from modelops_calabaria.calibration.desk import EvaluationProvider, Trial
from modelops_calabaria.calibration.plan import CalibrationPlan
from modelops_calabaria.calibration.result import CalibrationResult
from modelops_calabaria.calibration.seeds import search_seeds
from modelops_calabaria.evaluation.authors import AuthorsCode
from modelops_calabaria.outcome.record import Candidate
from modelops_contracts.errors import ModelOpsError
from modelops_contracts.ports import Reporter
from modelops_contracts.types import UniqueParameterSet

if TYPE_CHECKING:
    import polars as pl

__all__ = ["LIKELIHOOD_BAND", "draw_ensembles", "plausible_set"]

#: Half the 95 % quantile of chi-square with one degree of freedom, in nats.
LIKELIHOOD_BAND = 1.92
#: Size of the ensemble drawn from the prior; a power of two suits the design.
PRIOR_DRAWS = 64
#: Observation noise is drawn at least so often, whatever the number of replicates.
_LEAST_DRAWS = 200
_MOST_DRAWS = 1000

Draw = tuple[UniqueParameterSet, tuple[int, ...]]


def plausible_set(
    plan: CalibrationPlan, trials: Sequence[Trial], candidates: Sequence[Candidate]
) -> list[dict[str, Any]]:
    """Complete parameters of the plausible parameter sets, the best first."""
    if not candidates:
        return []
    if plan.objective_kind != "loglik":
        return [dict(c.params) for c in candidates if c.indistinguishable or c is candidates[0]]
    if plan.deterministic:
        return _plausible_trials(trials)
    return [dict(c.params) for c in candidates if c.difference <= _band(c)]


def _band(candidate: Candidate) -> float:
    se = candidate.difference_se
    return LIKELIHOOD_BAND + 2.0 * (se if math.isfinite(se) else 0.0)


def _plausible_trials(trials: Sequence[Trial]) -> list[dict[str, Any]]:
    ranked = sorted((t for t in trials if t.is_finite), key=lambda t: (t.objective, t.number))
    limit = ranked[0].objective + LIKELIHOOD_BAND
    distinct = {t.params.param_id: dict(t.params.params) for t in ranked if t.objective <= limit}
    return list(distinct.values())


# ---------------------------------------------------------------- drawing


def draw_ensembles(
    plan: CalibrationPlan,
    result: CalibrationResult,
    provider: EvaluationProvider,
    reporter: Reporter,
) -> CalibrationResult:
    """The result with its three predictive tables. One that cannot be drawn is missing, with a
    note that says why: it costs a picture, never the result."""
    wanted = {
        "prior": _prior_draws(plan),
        "winner": _winner_draws(result.best),
        "plausible": _plausible_draws(plan, result),
    }
    drawn: dict[str, pl.DataFrame] = {}
    notes = list(result.notes)
    absent: dict[str, None] = {}
    reporter.start("predictive ranges", len(wanted))
    for label, draws in wanted.items():
        with AuthorsCode() as block:
            tables = provider.predict(label, draws, seed=plan.seed)
            drawn[label] = _joined(tables)
            absent.update(dict.fromkeys(name for name in _names(plan) if name not in tables))
            reporter.advance(1)
        if block.error is not None:
            notes.append(f"{label} ensemble: not drawn ({_told(block.error)})")
            reporter.warn(notes[-1])
    if absent:
        notes.append(f"no predictive ranges of {', '.join(absent)}: without observed rows")
    reporter.finish()
    return replace(
        result,
        prior_fit=drawn.get("prior"),
        fit=drawn.get("winner"),
        plausible_fit=drawn.get("plausible"),
        notes=tuple(notes),
    )


def _names(plan: CalibrationPlan) -> list[str]:
    return [target.name for target in plan.target_descriptions]


def _told(error: BaseException) -> str:
    return str(error) if isinstance(error, ModelOpsError) else f"{type(error).__name__}: {error}"


def _prior_draws(plan: CalibrationPlan) -> list[Draw]:
    from modelops_calabaria.sampling.sobol import SobolSampler

    design = SobolSampler(plan.space.parameter_space(), scramble=True, seed=plan.seed)
    return [_single(plan, plan.complete(values)) for values in design.sample(PRIOR_DRAWS)]


def _single(plan: CalibrationPlan, params: UniqueParameterSet) -> Draw:
    return params, search_seeds(params.param_id, base_seed=plan.seed, n=1, crn=plan.crn)


def _winner_draws(best: Candidate) -> list[Draw]:
    params = UniqueParameterSet.from_dict(best.params)
    return _filled([(params, (seed,)) for seed in best.seeds])


def _plausible_draws(plan: CalibrationPlan, result: CalibrationResult) -> list[Draw]:
    sets = [UniqueParameterSet.from_dict(values) for values in result.plausible[:_LEAST_DRAWS]]
    if plan.deterministic:
        return _filled([_single(plan, params) for params in sets])
    # Seeds the selection has used: these simulations exist already.
    seeds = result.best.selection.seeds[: max(1, _LEAST_DRAWS // max(1, len(sets)))]
    return _filled([(params, (seed,)) for seed in seeds for params in sets])


def _filled(draws: list[Draw]) -> list[Draw]:
    """Repeats members until observation noise has been drawn often enough for its quantiles."""
    return list(islice(cycle(draws), max(_LEAST_DRAWS, min(len(draws), _MOST_DRAWS))))


def _joined(tables: Mapping[str, bytes]) -> pl.DataFrame:
    """The tables of all targets under each other, with a column ``target`` in front."""
    import polars as pl

    frames = [
        pl.read_ipc(BytesIO(data)).select(pl.lit(name).alias("target"), pl.all())
        for name, data in tables.items()
    ]
    try:
        return pl.concat(frames, how="diagonal_relaxed")
    except pl.exceptions.SchemaError:
        # Two targets with one key name and unlike types: text holds both.
        return pl.concat([_keys_as_text(frame) for frame in frames], how="diagonal_relaxed")


_VALUES = ("observed", "q025", "q500", "q975", "inside", "n_members")


def _keys_as_text(frame: pl.DataFrame) -> pl.DataFrame:
    import polars as pl

    return frame.with_columns(pl.exclude(*_VALUES).cast(pl.String))
