"""Optuna's TPE sampler over a history that lies ready in memory.

Most of what Optuna spends on a proposal goes into finding out which parameters all trials share and
into reading every value through checks. The parameters are known here, and what goes in was checked
on its way, so the sampler is given the parameters, trials whose fields are plain attributes, and
their values as rows. The mathematics is Optuna's.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from typing import Any

import numpy as np
import optuna
from optuna.distributions import BaseDistribution, FloatDistribution, IntDistribution
from optuna.samplers import TPESampler
from optuna.storages import InMemoryStorage
from optuna.study import StudyDirection
from optuna.trial import FrozenTrial, TrialState

from modelops_calabaria.search_space import Axis

__all__ = ["SeenTrial", "distribution_of", "draw"]

Point = Mapping[str, int | float]


class SeenTrial(FrozenTrial):
    """A trial with its parameters in Optuna's coordinates; running until it is given a loss."""

    # Plain attributes in place of the properties of the base: they are read a thousand times
    # per proposal.
    number: int = -1
    params: dict[str, Any] = {}  # noqa: RUF012
    value: float | None = None
    constraints: dict[str, float] = {}  # noqa: RUF012

    def __init__(self, number: int, point: Point) -> None:
        super().__init__(
            number=number,
            state=TrialState.RUNNING,
            value=None,
            datetime_start=None,
            datetime_complete=None,
            params=dict(point),
            distributions={},
            user_attrs={},
            system_attrs={},
            intermediate_values={},
            trial_id=number,
        )
        self.number, self.params = number, dict(point)
        #: The values as float64, one after the other: joining them is the quickest table.
        self.row = np.array([*point.values()], dtype=np.float64).tobytes()

    def close(self, loss: float) -> None:
        """Give the trial its loss, finite or +inf."""
        self.state, self.value = TrialState.COMPLETE, loss


def distribution_of(axis: Axis) -> BaseDistribution:
    """Where a parameter lies in Optuna's coordinates: positions, and integers as they are."""
    if axis.is_integer:
        return IntDistribution(int(axis.spec.lower), int(axis.spec.upper), log=axis.is_log)
    return FloatDistribution(0.0, 1.0)


class _Sampler(TPESampler):
    def _get_internal_repr(  # type: ignore[override]  # Optuna's own signature varies
        self, trials: Sequence[SeenTrial], search_space: Iterable[str], *_: Any
    ) -> dict[str, np.ndarray]:
        """Values by parameter, which Optuna collects one by one. Without this it takes longer."""
        if not trials:
            return {name: np.empty(0) for name in search_space}
        rows = np.frombuffer(b"".join([trial.row for trial in trials]), dtype=np.float64)
        columns = rows.reshape(len(trials), -1).T
        where = {name: i for i, name in enumerate(trials[0].params)}
        return {name: columns[where[name]] for name in search_space}


class _History(InMemoryStorage):
    """Shows the sampler the trials it may see, and keeps nothing."""

    def __init__(self, trials: Sequence[FrozenTrial]) -> None:
        super().__init__()
        self._seen = trials

    def get_all_trials(
        self,
        study_id: int,
        deepcopy: bool = True,
        states: Container[TrialState] | None = None,
    ) -> list[FrozenTrial]:
        if states is None:
            return list(self._seen)
        return [trial for trial in self._seen if trial.state in states]

    def set_trial_system_attr(self, trial_id: int, key: str, value: Any) -> None:
        """The sampler notes its proposal for other processes; the engine keeps it itself."""


def draw(
    trials: Sequence[SeenTrial],
    space: Mapping[str, BaseDistribution],
    *,
    seed: int,
    number: int,
    n_ei_candidates: int,
) -> dict[str, Any]:
    """Parameters of trial ``number`` in Optuna's coordinates.

    ``trials`` are those the sampler may see, in order; running ones are taken for bad (constant
    liar). The draw is a function of the arguments.
    """
    asked = SeenTrial(number, {})
    with _quiet():
        sampler = _Sampler(
            seed=seed,
            multivariate=True,
            constant_liar=True,
            n_startup_trials=1,  # the design was the start
            n_ei_candidates=n_ei_candidates,
        )
        study = optuna.create_study(
            storage=_History(trials), sampler=sampler, direction=StudyDirection.MINIMIZE
        )
        # Optuna's own order, on which the draws depend.
        varied = {name: space[name] for name in sorted(space) if not space[name].single()}
        drawn = sampler.sample_relative(study, asked, varied)
        return {
            name: drawn[name]
            if name in drawn
            else _lone(distribution)
            if distribution.single()
            else sampler.sample_independent(study, asked, name, distribution)
            for name, distribution in space.items()
        }


def _lone(distribution: Any) -> int | float:
    """The only value there is."""
    value: int | float = distribution.low
    return value


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's greeting and its notes on young features, kept from the user's screen."""
    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
