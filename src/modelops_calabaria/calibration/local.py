"""Simulating and scoring in this process: what notebooks and tests calibrate with."""

from __future__ import annotations

from collections import OrderedDict, deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from modelops_calabaria.base_model import BaseModel, run_model
from modelops_calabaria.calibration.desk import Ticket
from modelops_calabaria.evaluation.authors import AuthorsCode
from modelops_calabaria.parameters.types import ParameterSet
from modelops_calabaria.tables import frame_to_ipc
from modelops_contracts.types import ErrorInfo, Evaluation, UniqueParameterSet

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Failure", "InProcessProvider", "LocalModel", "Simulating"]

Tables = Mapping[str, "pl.DataFrame"]


@dataclass(frozen=True, slots=True)
class Failure:
    """What the author's code raised."""

    error: ErrorInfo
    traceback: str

    def to_json(self) -> dict[str, Any]:
        """As the evaluation takes it."""
        return {
            "error_type": self.error.error_type,
            "message": self.error.message,
            "traceback": self.traceback,
        }


class Simulating(Protocol):
    """Whatever simulates one model in one scenario and configuration."""

    scenario: str

    def prefetch(
        self,
        params: UniqueParameterSet,
        seeds: Sequence[int],
        outputs: Sequence[str] | None = None,
    ) -> None:
        """Say what will be asked for soon."""

    def run(
        self, params: UniqueParameterSet, seed: int, outputs: Sequence[str] | None = None
    ) -> Tables | Failure:
        """Tables of one simulation, or what the author's code raised."""

    def cancel(self) -> None:
        """What was said to come will not be asked for."""


class LocalModel:
    """A model, a scenario and a configuration; the latest ``remember`` simulations are kept.

    Without ``with_seed`` tables lack the column ``seed``, which their reader then adds.
    """

    def __init__(
        self,
        model: BaseModel,
        scenario: str,
        config: Mapping[str, Any] | None = None,
        *,
        remember: int = 4096,
        with_seed: bool = True,
    ) -> None:
        self.model, self.scenario = model, scenario
        self._with_seed = with_seed
        self._config = dict(config) if config else None
        self._remember = remember
        self._known: OrderedDict[tuple[str, int], Tables | Failure] = OrderedDict()
        self._latest: tuple[str, ParameterSet] | None = None

    def run(
        self, params: UniqueParameterSet, seed: int, outputs: Sequence[str] | None = None
    ) -> Tables | Failure:
        """Tables of one simulation, or what the author's code raised."""
        if not self._remember:
            return self._simulate(params, seed, outputs)
        key = (params.param_id, seed)
        if key not in self._known:
            self._known[key] = self._simulate(params, seed, outputs)
            if len(self._known) > self._remember:
                self._known.popitem(last=False)
        return self._known[key]

    def prefetch(
        self,
        params: UniqueParameterSet,
        seeds: Sequence[int],
        outputs: Sequence[str] | None = None,
    ) -> None:
        """Nothing runs ahead in one process."""

    def cancel(self) -> None:
        """Nothing is running."""

    def _simulate(
        self, params: UniqueParameterSet, seed: int, outputs: Sequence[str] | None
    ) -> Tables | Failure:
        tables: Tables = {}
        with AuthorsCode() as block:
            tables = run_model(
                self.model,
                self._checked(params),
                seed,
                scenarios=(self.scenario,),
                config=self._config,
                outputs=outputs,
                with_seed=self._with_seed,
            ).tables
        if block.error is not None:
            info = ErrorInfo(type(block.error).__name__, str(block.error))
            return Failure(info, block.traceback)
        return tables

    def _checked(self, params: UniqueParameterSet) -> ParameterSet:
        """The values as the model takes them; checked once for all replicates."""
        if self._latest is None or self._latest[0] != params.param_id:
            values = {**self.model.space.default_values(), **params.params}
            self._latest = (params.param_id, ParameterSet(self.model.space, values))
        return self._latest[1]


class InProcessProvider:
    """Evaluates tickets one after the other, in this process, when their outcome is asked for."""

    def __init__(
        self,
        local: Simulating,
        targets: Sequence[Any],
        *,
        weights: Mapping[str, float] | None = None,
        replicates: str = "logmeanexp",
        failed_replicates: str = "fail",
    ) -> None:
        """``weights`` are by target name."""
        self._local, self._targets = local, list(targets)
        self._weights = dict(weights or {})
        self._policy = {"replicates": replicates, "failed_replicates": failed_replicates}
        self._waiting: deque[Ticket] = deque()

    def start(self, ticket: Ticket) -> None:
        self._waiting.append(ticket)
        self._local.prefetch(ticket.params, ticket.seeds)

    def next_outcome(self) -> tuple[Ticket, Evaluation]:
        ticket = self._waiting.popleft()
        return ticket, self.evaluate(ticket.params, ticket.seeds)

    def cancel_all(self) -> None:
        self._waiting.clear()
        self._local.cancel()

    def evaluate(self, params: UniqueParameterSet, seeds: Sequence[int]) -> Evaluation:
        """Simulate with every seed and score all targets."""
        from modelops_calabaria.evaluation.joint import evaluate_joint

        self._local.prefetch(params, seeds)
        runs = [self._local.run(params, seed) for seed in seeds]
        return evaluate_joint(
            self._targets,
            [None if isinstance(run, Failure) else run for run in runs],
            param_id=params.param_id,
            params=params.params,
            seeds=seeds,
            weights=self._weights,
            errors=[run.to_json() if isinstance(run, Failure) else None for run in runs],
            **self._policy,
        )

    def predict(
        self,
        label: str,
        draws: Sequence[tuple[UniqueParameterSet, tuple[int, ...]]],
        *,
        seed: int,
    ) -> Mapping[str, bytes]:
        """Predictive ranges per name of a predictable target; failed simulations are left out."""
        from modelops_calabaria.evaluation.predictive import predictable, predictive_ensemble

        wanted = predictable(self._targets)
        for params, seeds in draws:
            self._local.prefetch(params, seeds)
        runs = [(p, self._local.run(p, s)) for p, seeds in draws for s in seeds]
        members = [(p.params, run) for p, run in runs if not isinstance(run, Failure)]
        return {
            target.name: frame_to_ipc(predictive_ensemble(target, members, seed=seed))
            for target in wanted
        }
