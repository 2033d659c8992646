"""The algorithm ``optuna`` as existing jobs set it up. It asks what our TPE engine asks.

With a database named in the environment, every answer is also kept in an Optuna study there, for
people who watch it with Optuna's own tools; the journal of the job stays the authority.
"""

from __future__ import annotations

import math
import warnings
from collections.abc import Mapping, Sequence
from typing import Any

from modelops_calabaria.calibration.algorithms.tpe import TpeEngine
from modelops_calabaria.calibration.base import AlgorithmAdapter, InfrastructureRequirements
from modelops_calabaria.parameters.types import ParameterSpec
from modelops_calabaria.search_space import SearchSpace
from modelops_contracts.errors import InvalidInput, Unavailable
from modelops_contracts.types import TrialResult, TrialStatus, UniqueParameterSet

__all__ = ["OptunaAdapter"]

_HEARTBEAT_SECONDS = 60
_GRACE_SECONDS = 120


class OptunaAdapter(AlgorithmAdapter):
    """``study`` and ``storage`` are None until :meth:`connect_infrastructure`."""

    def __init__(self, parameter_specs: Sequence[ParameterSpec], max_trials: int = 100) -> None:
        self.parameter_specs = list(parameter_specs)
        self.max_trials = max_trials
        self.study: Any = None
        self.storage: Any = None
        self.study_name = ""
        self._space = SearchSpace.of(self.parameter_specs)
        self._engine = TpeEngine(self._space, seed=0)
        self._proposals: dict[str, UniqueParameterSet] = {}
        self._asked = 0
        self._mirrored: set[str] = set()

    def configure(self, config: Mapping[str, Any]) -> None:
        """Seed, sampler and max_trials of an ``algorithm_config``; only before the first ask."""
        sampler = dict(config.get("sampler") or {"type": "tpe"})
        if sampler.pop("type", "tpe") != "tpe":
            raise InvalidInput("the optuna adapter runs sampler tpe only")
        unknown = sorted(set(sampler) - {"n_startup_trials", "n_ei_candidates"})
        if unknown:
            raise InvalidInput(f"sampler: unknown setting {', '.join(unknown)}")
        self.max_trials = config.get("max_trials", self.max_trials)
        self._engine = TpeEngine(self._space, seed=config.get("seed", 0), **sampler)

    def initialize(self, job_id: str, config: Mapping[str, Any]) -> None:
        self.configure(config)
        self.study_name = f"study_{job_id}"

    def connect_infrastructure(self, info: Mapping[str, Any]) -> None:
        """Open the study: in the database of ``info`` when there is one, else in memory.

        Raises Unavailable when the database cannot be used.
        """
        import optuna

        if not self.study_name:
            raise InvalidInput("call initialize before connect_infrastructure")
        url = dict(info.get("databases") or {}).get("optuna") or info.get("POSTGRES_URL")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            self.storage = _open_storage(url) if url else optuna.storages.InMemoryStorage()
            self.study = optuna.create_study(
                storage=self.storage,
                study_name=self.study_name,
                direction="minimize",
                load_if_exists=True,
            )

    def get_infrastructure_requirements(self) -> InfrastructureRequirements:
        return InfrastructureRequirements(
            databases={"optuna": {"type": "postgresql", "optional": True}},
            secrets={"POSTGRES_URL"},
        )

    def ask(self, n: int) -> list[UniqueParameterSet]:
        proposals = self._engine.ask(min(n, self.max_trials - self._asked))
        self._asked += len(proposals)
        self._proposals.update({proposal.param_id: proposal for proposal in proposals})
        return proposals

    def tell(self, results: Sequence[TrialResult]) -> None:
        self._engine.tell(results)
        if self.study is not None:
            for result in results:
                self._mirror(result)

    def finished(self) -> bool:
        return self._asked >= self.max_trials

    def state(self) -> Any:
        return self._engine.state()

    def restore(self, state: Any) -> None:
        self._engine.restore(state)
        self._asked = sum(1 for name, _ in state["events"] if name == "ask")

    def _mirror(self, result: TrialResult) -> None:
        """Keep an answer in the Optuna study, once."""
        from optuna.distributions import FloatDistribution, IntDistribution
        from optuna.trial import TrialState, create_trial

        proposal = self._proposals.get(result.param_id)
        if proposal is None or result.param_id in self._mirrored:
            return
        self._mirrored.add(result.param_id)
        complete = result.status is TrialStatus.COMPLETED and math.isfinite(result.loss)
        ranges: dict[str, Any] = {
            spec.name: IntDistribution(int(spec.lower), int(spec.upper))
            if spec.kind == "int"
            else FloatDistribution(spec.lower, spec.upper)
            for spec in self.parameter_specs
        }
        self.study.add_trial(
            create_trial(
                state=TrialState.COMPLETE if complete else TrialState.FAIL,
                params=dict(proposal.params),
                distributions=ranges,
                value=result.loss if complete else None,
                user_attrs={"param_id": result.param_id},
            )
        )


def _open_storage(url: str) -> Any:
    import optuna
    from sqlalchemy.exc import SQLAlchemyError  # Optuna's own dependency

    refusals = (ImportError, OSError, ValueError, optuna.exceptions.OptunaError, SQLAlchemyError)
    try:
        return optuna.storages.RDBStorage(
            url,
            heartbeat_interval=_HEARTBEAT_SECONDS,
            grace_period=_GRACE_SECONDS,
        )
    except refusals as error:
        kind = url.partition(":")[0]
        # The URL holds a password, and so may the driver's own message.
        raise Unavailable(
            f"the {kind} database for Optuna cannot be used: {type(error).__name__}",
            hint="install its driver, correct POSTGRES_URL, or unset it: none is needed",
        ) from None
