"""A calibration job carried out over a simulation service, and what such jobs share."""

from __future__ import annotations

import json
import math
import os
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any
from urllib.parse import quote

from modelops_calabaria.calibration.algorithms.registry import create_engine
from modelops_calabaria.calibration.desk import Ticket
from modelops_calabaria.calibration.fingerprint import fingerprint
from modelops_calabaria.calibration.journal import MemoryJournal
from modelops_calabaria.calibration.loop import run_calibration
from modelops_calabaria.calibration.plan import CalibrationPlan, plan_calibration
from modelops_contracts.atomic import write_atomically
from modelops_contracts.digests import replicate_seed, trial_seed
from modelops_contracts.errors import InvalidInput, Unavailable
from modelops_contracts.jobs import CalibrationJob
from modelops_contracts.ports import Future, NullReporter, SimulationService
from modelops_contracts.study import CalibrationSpec
from modelops_contracts.types import (
    Evaluation,
    EvaluationRequest,
    SeedInfo,
    SimTask,
    TrialResult,
    TrialStatus,
    UniqueParameterSet,
)

__all__ = [
    "calibration_wire",
    "check_convergence",
    "convert_to_trial_result",
    "generate_seed_info",
    "get_connection_info",
    "save_calibration_results",
]


def calibration_wire(
    job: CalibrationJob, sim_service: SimulationService, prov_store: None = None
) -> dict[str, Any]:
    """Carry out a calibration job and return its summary.

    Runs where the job's model and targets can be imported; simulations and scores come from
    ``sim_service.submit_evaluation``. Raises CalibrationFailed when there is no result.
    """
    if prov_store is not None:
        raise InvalidInput("prov_store: not supported; results are stored by the job's driver")
    from modelops_calabaria.describe import describe_model, describe_target
    from modelops_calabaria.wire_loader import load_symbol

    spec = _spec_of(job)
    module, _, name = spec.import_path().rpartition(".")
    description = describe_model(load_symbol(f"{module}:{name}"))
    entrypoints = spec.target_data.get("target_entrypoints") or []
    targets = [describe_target(load_symbol(entry), entry) for entry in entrypoints]
    plan = plan_calibration(spec, description, targets)
    result = run_calibration(
        plan,
        create_engine(plan),
        _ServiceProvider(plan, job.bundle_ref, sim_service),
        MemoryJournal(),
        reporter=NullReporter(),
        clock=time.monotonic,
        should_stop=lambda: False,
        fingerprint=fingerprint(plan, code=job.bundle_ref, data={}),
        job_id=job.job_id,
    )
    return result.as_dict()


def _spec_of(job: CalibrationJob) -> CalibrationSpec:
    config = dict(job.algorithm_config)
    return CalibrationSpec(
        model=str(config.pop("model", "")),
        scenario=str(config.pop("scenario", "baseline")),
        algorithm=job.algorithm,
        target_data=job.target_spec.data,
        max_iterations=job.max_iterations,
        convergence_criteria=job.convergence_criteria,
        algorithm_config=config,
        metadata=job.target_spec.metadata,
    )


class _ServiceProvider:
    """Evaluations through a SimulationService; the oldest finished one is handed back first."""

    def __init__(self, plan: CalibrationPlan, bundle_ref: str, service: SimulationService) -> None:
        self._plan, self._bundle_ref, self._service = plan, bundle_ref, service
        self._open: list[tuple[Ticket, Future[Evaluation]]] = []

    def start(self, ticket: Ticket) -> None:
        self._open.append((ticket, self._service.submit_evaluation(self._request(ticket))))

    def next_outcome(self) -> tuple[Ticket, Evaluation]:
        done = next((i for i, (_, future) in enumerate(self._open) if future.done()), 0)
        ticket, future = self._open.pop(done)
        return ticket, future.result()

    def cancel_all(self) -> None:
        for _, future in self._open:
            future.cancel()
        self._open.clear()

    def predict(
        self,
        label: str,
        draws: Sequence[tuple[UniqueParameterSet, tuple[int, ...]]],
        *,
        seed: int,
    ) -> Mapping[str, bytes]:
        raise Unavailable(
            f"{len(draws)} draws of the {label} with seed {seed}: a plain simulation service "
            "returns scores, not tables"
        )

    def _request(self, ticket: Ticket) -> EvaluationRequest:
        plan = self._plan
        task = SimTask(
            bundle_ref=self._bundle_ref,
            entrypoint=plan.entrypoint,
            params=ticket.params,
            seed=ticket.seeds[0],
            config=dict(plan.config) or None,
        )
        return EvaluationRequest(task, ticket.seeds, plan.targets, plan.weights, plan.policy)


# ---------------------------------------------------------------- small parts of such jobs


def get_connection_info() -> dict[str, str]:
    """Addresses of services named in the environment, read when this is called.

    ``POSTGRES_URL``, else one made of POSTGRES_HOST, POSTGRES_PORT, POSTGRES_DB and, where set,
    POSTGRES_USER (postgres) and POSTGRES_PASSWORD; ``REDIS_URL``. What is not set is left out.
    """
    found: dict[str, str] = {}
    postgres = os.environ.get("POSTGRES_URL") or _postgres_from_parts(os.environ)
    if postgres:
        found["POSTGRES_URL"] = postgres
    if os.environ.get("REDIS_URL"):
        found["REDIS_URL"] = os.environ["REDIS_URL"]
    return found


def _postgres_from_parts(environ: Mapping[str, str]) -> str | None:
    names = ("POSTGRES_HOST", "POSTGRES_PORT", "POSTGRES_DB")
    host, port, database = (environ.get(name) for name in names)
    if not (host and port and database):
        return None
    user = quote(environ.get("POSTGRES_USER") or "postgres", safe="")
    password = environ.get("POSTGRES_PASSWORD")
    secret = f":{quote(password, safe='')}" if password else ""
    return f"postgresql://{user}{secret}@{host}:{port}/{database}"


def generate_seed_info(param_id: str, base_seed: int = 42, n_replicates: int = 1) -> SeedInfo:
    """The seeds of one trial; see the contract's digests for the formula."""
    return SeedInfo(
        base_seed=base_seed,
        trial_seed=trial_seed(param_id, base_seed),
        replicate_seeds=tuple(replicate_seed(param_id, base_seed, i) for i in range(n_replicates)),
    )


def convert_to_trial_result(
    param_id: str, outputs: Mapping[str, Any], diagnostics: Mapping[str, Any] | None = None
) -> TrialResult:
    """A trial's result from outputs that hold ``loss``; without one it has failed."""
    loss = outputs.get("loss")
    if loss is None or isinstance(loss, bool) or not isinstance(loss, int | float):
        return TrialResult(
            param_id, math.nan, {"error": "No loss provided in outputs"}, TrialStatus.FAILED
        )
    if not math.isfinite(loss):
        return TrialResult(param_id, float(loss), {"error": f"loss is {loss}"}, TrialStatus.FAILED)
    return TrialResult(param_id, float(loss), dict(diagnostics or {}))


def check_convergence(results: Sequence[TrialResult], criteria: Mapping[str, Any]) -> bool:
    """True when a completed loss lies strictly below ``max_loss``; without it, never."""
    unknown = sorted(set(criteria) - {"max_loss"})
    if unknown:
        raise InvalidInput(f"convergence criteria: {', '.join(unknown)} cannot be checked here")
    limit = criteria.get("max_loss")
    if limit is None:
        return False
    return any(r.status is TrialStatus.COMPLETED and r.loss < limit for r in results)


def save_calibration_results(results: Mapping[str, Any], path: str | Path) -> Path:
    """Write a summary as JSON (infinities and NaN as null), whole or not at all."""
    target = Path(path)
    text = json.dumps(_without_nan(results), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(target, text)
    return target


def _without_nan(value: Any) -> Any:
    if isinstance(value, float):
        return value if math.isfinite(value) else None
    if isinstance(value, Mapping):
        return {str(key): _without_nan(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_without_nan(item) for item in value]
    return value
