"""Tree-structured Parzen estimator through Optuna: noise-tolerant, any number of parameters.

The first points come from our Sobol' design. Each later proposal is made by a sampler seeded for
that proposal alone, over at most the best 500 and the latest 500 trials, so a proposal costs the
same at trial 5,000 as at trial 1,000.
"""

from __future__ import annotations

import contextlib
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

from modelops_calabaria.calibration.algorithms.base import SearchEngine, child_seed
from modelops_calabaria.calibration.algorithms.designs import DesignRows
from modelops_calabaria.sampling.sobol import SobolSampler
from modelops_calabaria.search_space import SearchSpace

__all__ = ["TpeEngine"]

_MOST_VISIBLE = 1000
#: Kept of each half when the history is cut, so that a cut serves the next 100 trials.
_KEEP = 450


class TpeEngine(SearchEngine):
    kind = "tpe"

    def __init__(
        self,
        space: SearchSpace,
        *,
        seed: int,
        n_startup_trials: int | None = None,
        n_ei_candidates: int = 24,
    ) -> None:
        super().__init__(space)
        self._seed = seed
        self._n_startup = n_startup_trials or max(10, 2 * space.dim)
        self._n_ei_candidates = n_ei_candidates
        self._startup = DesignRows(SobolSampler(space.parameter_space(), scramble=True, seed=seed))
        self._points: list[dict[str, Any]] = []
        self._losses: dict[int, float] = {}
        self._numbers: dict[int, int] = {}
        self._study: Any = None
        self._distributions: dict[str, Any] = {}

    def propose(self, index: int) -> dict[str, int | float]:
        self._open_study()
        point = self._from_design(index) if index < self._n_startup else self._from_model(index)
        self._points.append(point)
        return self._natural(point)

    def admit(self, index: int, values: Mapping[str, int | float]) -> None:
        self._open_study()
        point = self._point(values)
        self._points.append(point)
        self._add(index, point, None)

    def learn(self, index: int, loss: float) -> None:
        self._losses[index] = loss
        self._study.tell(self._numbers[index], loss)
        if len(self._numbers) >= _MOST_VISIBLE:
            self._cut_history()

    def why_finished(self) -> None:
        return None

    # ------------------------------------------------------------ proposals

    def _from_design(self, index: int) -> dict[str, Any]:
        point = self._point(self._startup[index])
        self._add(index, point, None)
        return point

    def _point(self, values: Mapping[str, int | float]) -> dict[str, Any]:
        """Natural values in Optuna's coordinates: positions in [0, 1], integers as they are."""
        return {
            axis.name: values[axis.name] if axis.is_integer else axis.to_unit(values[axis.name])
            for axis in self.space.axes
        }

    def _from_model(self, index: int) -> dict[str, Any]:
        with _quiet():
            self._study.sampler = self._sampler(child_seed(self._seed, [index]))
            trial = self._study.ask(self._distributions)
        assert trial.number == len(self._numbers)
        self._numbers[index] = trial.number
        return dict(trial.params)

    def _sampler(self, seed: int) -> Any:
        from optuna.samplers import TPESampler

        return TPESampler(
            seed=seed,
            multivariate=True,
            constant_liar=True,
            n_startup_trials=1,  # the design was the start
            n_ei_candidates=self._n_ei_candidates,
        )

    def _natural(self, point: dict[str, Any]) -> dict[str, int | float]:
        return {
            axis.name: int(point[axis.name])
            if axis.is_integer
            else axis.from_unit(point[axis.name])
            for axis in self.space.axes
        }

    # ------------------------------------------------------------ history

    def _open_study(self) -> None:
        if self._study is None:
            import optuna

            self._distributions = {axis.name: _distribution(axis) for axis in self.space.axes}
            with _quiet():
                self._study = optuna.create_study(direction="minimize")

    def _add(self, index: int, point: dict[str, Any], loss: float | None) -> None:
        """A trial that Optuna did not propose; one without a loss is still running."""
        from optuna.trial import TrialState, create_trial

        state = TrialState.RUNNING if loss is None else TrialState.COMPLETE
        self._study.add_trial(
            create_trial(params=point, distributions=self._distributions, value=loss, state=state)
        )
        self._numbers[index] = len(self._numbers)

    def _cut_history(self) -> None:
        told = sorted(self._losses)
        latest = told[-_KEEP:]
        best = sorted(told, key=lambda i: (self._losses[i], i))[:_KEEP]
        keep = sorted({*latest, *best})
        running = [i for i in self._numbers if i not in self._losses]
        self._study, self._numbers = None, {}
        self._open_study()
        for i in keep:
            self._add(i, self._points[i], self._losses[i])
        for i in running:
            self._add(i, self._points[i], None)
        self._losses = {i: self._losses[i] for i in keep}


def _distribution(axis: Any) -> Any:
    from optuna.distributions import FloatDistribution, IntDistribution

    if axis.is_integer:
        return IntDistribution(int(axis.spec.lower), int(axis.spec.upper), log=axis.is_log)
    return FloatDistribution(0.0, 1.0)


@contextlib.contextmanager
def _quiet() -> Iterator[None]:
    """Optuna's greeting and its notes on young features, kept from the user's screen."""
    import optuna

    level = optuna.logging.get_verbosity()
    optuna.logging.set_verbosity(optuna.logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", category=optuna.exceptions.ExperimentalWarning)
            yield
    finally:
        optuna.logging.set_verbosity(level)
