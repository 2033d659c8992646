"""Calibrations of plain functions: a provider that scores without any model, and its plans."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from io import BytesIO
from typing import Any

import numpy as np
import polars as pl

from modelops_calabaria.calibration.algorithms.registry import create_engine
from modelops_calabaria.calibration.journal import MemoryJournal
from modelops_calabaria.calibration.loop import Ticket, run_calibration
from modelops_calabaria.calibration.plan import CalibrationPlan, plan_calibration
from modelops_calabaria.calibration.result import CalibrationResult
from modelops_contracts.ports import NullReporter
from modelops_contracts.study import CalibrationSpec
from modelops_contracts.types import (
    ErrorInfo,
    Evaluation,
    ModelDescription,
    ReplicateFailure,
    TargetDescription,
    TargetScore,
    UniqueParameterSet,
)

Loglik = Callable[[Mapping[str, Any], int], float]


def make_spec(parameters: Mapping[str, Mapping[str, Any]], **config: Any) -> CalibrationSpec:
    criteria = config.pop("convergence_criteria", {})
    max_iterations = config.pop("max_iterations", 1_000_000)
    return CalibrationSpec(
        model="toy.model",
        scenario="baseline",
        algorithm="optuna",
        target_data={"target_entrypoints": ["toy.targets:cases"], "target_ids": ["cases"]},
        max_iterations=max_iterations,
        convergence_criteria=criteria,
        algorithm_config={"parameter_specs": parameters, **config},
        metadata={"name": "toy"},
    )


def make_description(
    parameters: Mapping[str, Mapping[str, Any]], *, deterministic: bool = False, **changes: Any
) -> ModelDescription:
    fields: dict[str, Any] = {
        "class_path": "toy.model:Toy",
        "parameters": tuple({"name": name, **spec} for name, spec in parameters.items()),
        "scenarios": {"baseline": {"param_patches": {}, "config_patches": {}}},
        "outputs": ("cases",),
        "deterministic": deterministic,
    }
    return ModelDescription(**{**fields, **changes})


def make_target(**changes: Any) -> TargetDescription:
    fields: dict[str, Any] = {
        "entrypoint": "toy.targets:cases",
        "name": "cases",
        "model_outputs": ("cases",),
        "kind": "loglik",
        "n_observed": 14,
        "coverage": "error",
        "family": "neg_binomial",
    }
    return TargetDescription(**{**fields, **changes})


def make_plan(
    parameters: Mapping[str, Mapping[str, Any]],
    *,
    deterministic: bool = False,
    kind: str = "loglik",
    **config: Any,
) -> CalibrationPlan:
    declared = {
        name: {k: v for k, v in spec.items() if k != "prior"} for name, spec in parameters.items()
    }
    free = {
        name: {k: v for k, v in spec.items() if k != "default"} for name, spec in parameters.items()
    }
    return plan_calibration(
        make_spec(free, **config),
        make_description(declared, deterministic=deterministic),
        [make_target(kind=kind)],
    )


class FunctionProvider:
    """Scores with a plain log-likelihood per replicate. ``order`` picks which one finishes next."""

    def __init__(
        self,
        loglik: Loglik,
        *,
        kind: str = "loglik",
        order: Callable[[int], int] = lambda _n: 0,
        predictor: Callable[..., Mapping[str, bytes]] | None = None,
    ) -> None:
        self.loglik, self.kind, self.order = loglik, kind, order
        self.predictor = predictor
        self.started: list[Ticket] = []
        self.open: list[Ticket] = []
        self.most_open = 0
        self.cancelled = False

    def start(self, ticket: Ticket) -> None:
        self.started.append(ticket)
        self.open.append(ticket)
        self.most_open = max(self.most_open, len(self.open))

    def next_outcome(self) -> tuple[Ticket, Evaluation]:
        ticket = self.open.pop(self.order(len(self.open)))
        return ticket, self.evaluate(ticket.params, ticket.seeds)

    def cancel_all(self) -> None:
        self.cancelled = True
        self.open.clear()

    def predict(
        self,
        label: str,
        draws: Sequence[tuple[UniqueParameterSet, tuple[int, ...]]],
        *,
        seed: int,
    ) -> Mapping[str, bytes]:
        if self.predictor is None:
            return {"cases": predictive_table([[1.0]] * 200, [1.0], seed)}
        return self.predictor(label, draws, seed=seed)

    def evaluate(self, params: UniqueParameterSet, seeds: tuple[int, ...]) -> Evaluation:
        try:
            values = np.array([self.loglik(params.params, seed) for seed in seeds], dtype=float)
        except ArithmeticError as error:
            return failed_evaluation(params.param_id, seeds, str(error))
        if self.kind == "loss":
            return _loss_evaluation(params.param_id, seeds, values)
        return _loglik_evaluation(params.param_id, seeds, values)


def failed_evaluation(param_id: str, seeds: tuple[int, ...], message: str) -> Evaluation:
    failure = ReplicateFailure(0, seeds[0], ErrorInfo("ArithmeticError", message), "Traceback: ...")
    return Evaluation(
        param_id, seeds, math.inf, kind="loglik", failures=(failure,), reason="SIM_FAILED"
    )


def _loglik_evaluation(param_id: str, seeds: tuple[int, ...], values: np.ndarray) -> Evaluation:
    top = values.max()
    score = TargetScore("cases", "loglik", float(top), 1.0, tuple(values), 14, 14)
    if not np.isfinite(top):
        return Evaluation(param_id, seeds, math.inf, kind="loglik", ess=0.0, scores=(score,),
                          reason="ZERO_LIKELIHOOD")  # fmt: skip
    weights = np.exp(values - top)
    n = len(values)
    se = weights.std(ddof=1) / (math.sqrt(n) * weights.mean()) if n > 1 else math.nan
    ess = weights.sum() ** 2 / (weights**2).sum()
    objective = -(top + math.log(weights.mean()))
    return Evaluation(param_id, seeds, float(objective), float(se), "loglik", float(ess), (score,))


def _loss_evaluation(param_id: str, seeds: tuple[int, ...], values: np.ndarray) -> Evaluation:
    n = len(values)
    se = values.std(ddof=1) / math.sqrt(n) if n > 1 else math.nan
    mean = float(values.mean())
    score = TargetScore("cases", "loss", mean, 1.0, tuple(values), 14, 14)
    return Evaluation(param_id, seeds, mean, float(se), "loss", scores=(score,))


def predictive_table(
    curves: Sequence[Sequence[float]], observed: Sequence[float], seed: int
) -> bytes:
    """Arrow IPC bytes of a predictive table over days, with normal noise of 10 %."""
    rng = np.random.default_rng(seed)
    values = np.asarray(curves, dtype=float)
    noisy = values * (1 + 0.1 * rng.standard_normal(values.shape))
    low, mid, high = np.quantile(noisy, [0.025, 0.5, 0.975], axis=0)
    data = np.asarray(observed, dtype=float)
    frame = pl.DataFrame(
        {
            "day": np.arange(1, len(data) + 1),
            "observed": data,
            "q025": low,
            "q500": mid,
            "q975": high,
            "inside": (data >= low) & (data <= high),
        }
    )
    buffer = BytesIO()
    frame.write_ipc(buffer)
    return buffer.getvalue()


class Clock:
    """Seconds that pass by one at every look."""

    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        self.now += 1.0
        return self.now


def calibrate_plan(
    plan: CalibrationPlan,
    provider: FunctionProvider,
    journal: MemoryJournal | None = None,
    **changes: Any,
) -> CalibrationResult:
    options: dict[str, Any] = {
        "reporter": NullReporter(),
        "clock": Clock(),
        "should_stop": lambda: False,
    }
    return run_calibration(
        plan, create_engine(plan), provider, journal or MemoryJournal(), **{**options, **changes}
    )
