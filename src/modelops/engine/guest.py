"""What a slot of an executor offers to the calls that run in it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from modelops.engine.requests import SimOutcome, SimRequest
from modelops_contracts.evaluation import EvaluationRequest

__all__ = ["Guest", "Member", "batch_message", "evaluation_arguments"]

Tables = Mapping[str, bytes]
Member = tuple[Mapping[str, Any], Tables]


class Guest(Protocol):
    """One environment that runs the author's code, one call at a time.

    Failures of the author's model are outcomes. Everything else raises: SimulationFailed when
    the author's description or target raised, Unavailable when the environment does not start.
    """

    def run_batch(self, requests: Sequence[SimRequest]) -> list[SimOutcome]:
        """Every request's outcome, in order. All share entrypoint, outputs and config."""
        ...

    def evaluate(
        self,
        request: EvaluationRequest,
        tables: Sequence[Tables | None],
        errors: Sequence[Mapping[str, Any] | None],
    ) -> dict[str, Any]:
        """The JSON form of an Evaluation; ``tables[i]`` is None where replicate i failed."""
        ...

    def describe(self, kind: str, reference: str) -> dict[str, Any]: ...

    def predict(
        self, targets: Sequence[str], members: Sequence[Member], *, entrypoint: str, seed: int
    ) -> dict[str, bytes]: ...

    def close(self) -> None: ...


def batch_message(requests: Sequence[SimRequest]) -> dict[str, Any]:
    """The message that asks for a batch; the requests share everything but parameters and seed."""
    task = requests[0].task
    return {
        "type": "run_batch",
        "entrypoint": task.entrypoint,
        "outputs": None if task.outputs is None else list(task.outputs),
        "config": None if task.config is None else dict(task.config),
        "simulations": [
            {"params": dict(request.task.params.params), "seed": request.task.seed}
            for request in requests
        ],
    }


def evaluation_arguments(
    request: EvaluationRequest, errors: Sequence[Mapping[str, Any] | None]
) -> dict[str, Any]:
    """Arguments of the wire's evaluate function, without the tables."""
    return {
        "targets": list(request.targets),
        "entrypoint": request.task.entrypoint,
        "params": dict(request.task.params.params),
        "seeds": list(request.seeds),
        "weights": dict(request.weights),
        "policy": dict(request.policy),
        "errors": [None if error is None else dict(error) for error in errors],
    }
