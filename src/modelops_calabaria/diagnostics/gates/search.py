"""Whether the search found anything, and whether it had time enough.

A search that a budget ended may have stopped on its way. Three things say so, the strongest first:
the best value was still falling; CMA-ES, which ends by itself when its generations agree, was still
far from agreeing; or there were fewer trials than so many parameters need at the least.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from statistics import median

from modelops_calabaria.outcome.findings import FAIL, WARN, Finding
from modelops_calabaria.outcome.record import CalibrationRecord

__all__ = ["budget", "no_signal"]

_BUDGETS = frozenset({"max_trials", "max_iterations", "max_seconds"})
#: Engines that learn from answers. A design has nothing to learn, and its size is a choice.
_LEARNING = frozenset({"tpe", "cmaes"})
#: Trials per free parameter below which no search has looked around (Loeppky et al. 2009).
_LEAST_PER_PARAMETER = 10


def no_signal(record: CalibrationRecord) -> Iterator[Finding]:
    start = _startup_losses(record)
    if not record.candidates or len(start) < 3:
        return
    best = record.best
    margin = 0.0 if math.isnan(best.objective_se) else 2 * best.objective_se
    typical = median(start)
    if best.objective >= typical - margin:
        yield Finding(
            "NO_SIGNAL",
            FAIL,
            f"the winner ({best.objective:.6g}) is no better than a typical trial of the start "
            f"({typical:.6g})",
            subject="search",
            value=best.objective,
            threshold=typical - margin,
            action="use more trials or replicates, and check the targets",
        )


def _startup_losses(record: CalibrationRecord) -> list[float]:
    n_free = len(record.settings["parameters"])
    n = record.settings["sampler"].get("n_startup_trials") or max(10, 2 * n_free)
    return [loss for loss in record.trials["loss"].head(n).to_list() if _is_finite(loss)]


def budget(record: CalibrationRecord) -> Iterator[Finding]:
    """One finding at most: the first of the three that holds."""
    losses = [x if _is_finite(x) else math.inf for x in record.trials["loss"].to_list()]
    if record.stop_reason not in _BUDGETS or not any(map(math.isfinite, losses)):
        return
    for sign in (_still_falling, _still_spread, _too_few):
        finding = sign(record, losses)
        if finding is not None:
            yield finding
            return


def _still_falling(record: CalibrationRecord, losses: list[float]) -> Finding | None:
    if len(losses) < 10:
        return None
    before, after = min(losses[: int(0.8 * len(losses))]), min(losses)
    if math.isinf(before):
        return _short(
            "no finite value before the last fifth of the trials: the search has hardly begun",
            after,
            before,
        )
    fall, limit = before - after, _worth_having(record, before)
    if fall <= limit:
        return None
    return _short(
        f"the best value still fell by {_sized(record, fall, before)} in the last fifth of the "
        "trials",
        fall,
        limit,
    )


def _still_spread(record: CalibrationRecord, losses: list[float]) -> Finding | None:
    """The last generation of CMA-ES, from its best to its median trial, beside the noise."""
    if record.settings["sampler"]["type"] != "cmaes":
        return None
    latest = sorted(losses[-_population(record) :])
    spread, best = median(latest) - latest[0], min(losses)
    limit = max(_worth_having(record, best), 2 * _noise(record))
    if not spread > limit:  # a generation without any finite value says nothing
        return None
    return _short(
        f"cmaes was stopped by {record.stop_reason} before it converged: the latest trials still "
        f"spread over {_sized(record, spread, best)}",
        spread,
        limit,
    )


def _population(record: CalibrationRecord) -> int:
    d = len(record.settings["parameters"])
    smallest = 4 + int(3 * math.log(d))
    given = record.settings["sampler"].get("population")
    return int(given or max(smallest, record.settings["batch_size"]))


def _noise(record: CalibrationRecord) -> float:
    """A typical standard error of the search's values; 0 without any."""
    known = [x for x in record.trials["loss_se"].to_list() if x is not None and math.isfinite(x)]
    return median(known) if known else 0.0


def _too_few(record: CalibrationRecord, losses: list[float]) -> Finding | None:
    n_free = len(record.settings["parameters"])
    least = _LEAST_PER_PARAMETER * n_free
    if record.settings["sampler"]["type"] not in _LEARNING or len(losses) >= least:
        return None
    return _short(
        f"{len(losses)} trials are few for {n_free} free parameter{'s' if n_free > 1 else ''}: "
        "the best of them may be far from the optimum",
        len(losses),
        least,
    )


def _short(message: str, value: float, threshold: float) -> Finding:
    return Finding(
        "BUDGET",
        WARN,
        message,
        subject="search",
        value=value,
        threshold=threshold,
        action="resume with more trials",
    )


def _worth_having(record: CalibrationRecord, value: float) -> float:
    """An improvement that matters: 1 nat of a likelihood, 5 % of a loss."""
    if record.settings["objective_kind"] == "loglik":
        return 1.0
    return 0.05 * (abs(value) or 1.0)


def _sized(record: CalibrationRecord, amount: float, value: float) -> str:
    if record.settings["objective_kind"] == "loglik":
        return f"{amount:.3g} nats"
    return f"{100 * amount / (abs(value) or 1.0):.0f} %"


def _is_finite(value: float | None) -> bool:
    return value is not None and math.isfinite(value)
