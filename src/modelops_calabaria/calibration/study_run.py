"""Running a study from a notebook, simulation by simulation, and what is there at any moment."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from modelops_calabaria.base_model import BaseModel
from modelops_calabaria.calibration.local import (
    Failure,
    InProcessProvider,
    LocalModel,
    Simulating,
    Tables,
)
from modelops_calabaria.calibration.remote import ServiceModel
from modelops_calabaria.calibration.stopping import stopping_on_interrupt
from modelops_calabaria.calibration.studies import StudyResult, StudyRow
from modelops_calabaria.stacking import stack_tables
from modelops_calabaria.tables import seed_column
from modelops_contracts.errors import Interrupted
from modelops_contracts.ports import Reporter, SimulationService
from modelops_contracts.types import Evaluation

if TYPE_CHECKING:
    import polars as pl

__all__ = ["StudyInterrupted", "StudyRun", "simulating"]

_LABELS = ("param_id", "scenario", "replicate")
#: Parameter sets a service is told of before they are needed.
_AHEAD = 64


class StudyInterrupted(Interrupted):
    """A study that Ctrl-C has stopped; what it has simulated is kept in this error."""

    def __init__(self, run: StudyRun) -> None:
        self._run = run
        super().__init__(
            f"stopped after {run.n_done} of {run.n_wanted} simulations; they are kept",
            hint="catch it as `stopped` (at a prompt it is sys.last_value): stopped.result has "
            "their tables, stopped.resume() simulates the rest",
        )

    @property
    def result(self) -> StudyResult:
        """Tables of what was simulated; scores of the parameter sets that are complete."""
        return self._run.result()

    def resume(self) -> StudyResult:
        """Simulate what is missing: the result of the whole study. May be interrupted again."""
        return self._run.go()


class StudyRun:
    """Every row in every scenario. What is finished stays when :meth:`go` is interrupted."""

    def __init__(
        self,
        model: BaseModel,
        rows: Sequence[StudyRow],
        *,
        scenarios: Sequence[str],
        targets: Sequence[Any],
        outputs: Sequence[str] | None,
        config: Mapping[str, Any] | None,
        reporter: Reporter,
        service: SimulationService | None = None,
    ) -> None:
        self._model, self._rows, self._targets = model, list(rows), list(targets)
        self._outputs, self._config = outputs, config
        self._reporter, self._service = reporter, service
        self._steps = [(scenario, row) for scenario in scenarios for row in self._rows]
        self._next = 0
        #: (step, replicate, what came of it): one entry, so that no interrupt leaves half of one.
        self._runs: list[tuple[int, int, Tables | Failure]] = []
        self._evaluations: dict[int, Evaluation] = {}
        self._simulating: Simulating | None = None
        self._told = 0

    @property
    def n_done(self) -> int:
        return len(self._runs)

    @property
    def n_wanted(self) -> int:
        return sum(len(row.seeds) for _, row in self._steps)

    def go(self) -> StudyResult:
        """Simulate what is missing. Raises StudyInterrupted after Ctrl-C: the first press lets the
        simulation that runs end, the second one does not."""
        self._reporter.start("study", len(self._steps) - self._next)
        try:
            with stopping_on_interrupt() as should_stop:
                finished = self._simulate(should_stop)
        except KeyboardInterrupt as pressed:
            raise self._stopped() from pressed
        if not finished:
            raise self._stopped()
        self._reporter.finish()
        return self.result()

    def _stopped(self) -> StudyInterrupted:
        if self._simulating is not None:
            self._simulating.cancel()
        self._told = self._next
        return StudyInterrupted(self)

    def _simulate(self, should_stop: Callable[[], bool]) -> bool:
        """False when it was asked to stop."""
        while self._next < len(self._steps):
            scenario, row = self._steps[self._next]
            model = self._in(scenario)
            self._tell(model)
            wanted = None if self._targets else self._outputs
            for replicate in range(self._n_replicates_of_next(), len(row.seeds)):
                if should_stop():
                    return False
                run = model.run(row.params, row.seeds[replicate], wanted)
                self._runs.append((self._next, replicate, run))
            if self._targets:
                scorer = InProcessProvider(model, self._targets)
                self._evaluations[self._next] = scorer.evaluate(row.params, row.seeds)
            runs = self._runs[-len(row.seeds) :]
            self._next += 1
            failed = any(isinstance(run, Failure) for _, _, run in runs)
            self._reporter.advance(1, failed=int(failed))
        return True

    def _n_replicates_of_next(self) -> int:
        """How many replicates of the next step an interrupted call has left."""
        if not self._runs or self._runs[-1][0] != self._next:
            return 0
        return self._runs[-1][1] + 1

    def _in(self, scenario: str) -> Simulating:
        if self._simulating is None or self._simulating.scenario != scenario:
            self._simulating = simulating(
                self._service,
                self._model,
                scenario,
                self._config,
                remember=self._worth_remembering(),
                with_seed=bool(self._targets),
            )
        return self._simulating

    def _tell(self, model: Simulating) -> None:
        """Say which rows of this scenario come next."""
        wanted = None if self._targets else self._outputs
        n_rows = len(self._rows)
        end_of_scenario = (self._next // n_rows + 1) * n_rows
        end = min(self._next + _AHEAD + 1, end_of_scenario)
        for _, coming in self._steps[max(self._told, self._next) : end]:
            model.prefetch(coming.params, coming.seeds, wanted)
        self._told = end

    def _worth_remembering(self) -> int:
        """How many simulations will be asked for again.

        All, where parameter sets repeat; else those of one set, which its evaluation reads again
        and a service runs ahead; else none.
        """
        if len({row.params.param_id for row in self._rows}) < len(self._rows):
            return sum(len(row.seeds) for row in self._rows)
        read_again = bool(self._targets) or self._service is not None
        return max(len(row.seeds) for row in self._rows) if read_again else 0

    # ------------------------------------------------------------ tables

    def result(self) -> StudyResult:
        """Tables of what there is so far."""
        import polars as pl

        labels = {"param_id": pl.String, "scenario": pl.String}
        failure = {
            **labels,
            "replicate": pl.Int64,
            "seed": pl.UInt64,
            "error_type": pl.String,
            "message": pl.String,
            "traceback": pl.String,
        }
        begun = {step % len(self._rows) for step, _, _ in self._runs}
        parameters = [_parameter_row(self._rows[number]) for number in sorted(begun)]
        scores = [self._score(step) for step in self._evaluations]
        return StudyResult(
            parameters=pl.DataFrame(parameters, infer_schema_length=None),
            outputs=self._tables(),
            evaluations=pl.DataFrame(scores, infer_schema_length=None)
            if scores
            else pl.DataFrame(schema={**labels, "objective": pl.Float64}),
            failures=pl.DataFrame(list(map(self._failure, self._failed())), schema=failure),
        )

    def _failed(self) -> list[tuple[int, int, Failure]]:
        return [
            (step, replicate, run)
            for step, replicate, run in self._runs
            if isinstance(run, Failure)
        ]

    def _failure(self, failed: tuple[int, int, Failure]) -> dict[str, Any]:
        step, replicate, failure = failed
        return {**self._label(step, replicate), **failure.to_json()}

    def _label(self, step: int, replicate: int) -> dict[str, Any]:
        scenario, row = self._steps[step]
        return {
            "param_id": row.params.param_id,
            "scenario": scenario,
            "replicate": replicate,
            "seed": row.seeds[replicate],
        }

    def _score(self, step: int) -> dict[str, Any]:
        evaluation = self._evaluations[step]
        return {
            "param_id": evaluation.param_id,
            "scenario": self._steps[step][0],
            "objective": evaluation.objective,
            "objective_se": evaluation.objective_se,
            "ess": evaluation.ess,
            "n_replicates": len(evaluation.seeds),
            "reason": evaluation.reason,
            **{f"target_{score.target}": score.value for score in evaluation.scores},
        }

    def _tables(self) -> dict[str, pl.DataFrame]:
        """Per output all rows under param_id, scenario, replicate, seed and the model's columns."""
        labels: list[dict[str, Any]] = []
        frames: dict[str, list[tuple[int, pl.DataFrame]]] = {}
        for step, replicate, run in self._runs:
            if isinstance(run, Failure):
                continue
            for name, table in run.items():
                if self._outputs is None or name in self._outputs:
                    frames.setdefault(name, []).append((len(labels), table))
            labels.append(self._label(step, replicate))
        return {name: _labelled(listed, labels) for name, listed in frames.items()}


def simulating(
    service: SimulationService | None,
    model: BaseModel,
    scenario: str,
    config: Mapping[str, Any] | None,
    *,
    remember: int = 4096,
    with_seed: bool = True,
) -> Simulating:
    """The model in this process, or through a service, whose tables always have their seed."""
    if service is None:
        return LocalModel(model, scenario, config, remember=remember, with_seed=with_seed)
    return ServiceModel(service, model, scenario, config, remember=remember)


def _labelled(
    frames: Sequence[tuple[int, pl.DataFrame]], labels: Sequence[Mapping[str, Any]]
) -> pl.DataFrame:
    """The frames under each other; each comes with the number of its label."""
    import numpy as np
    import polars as pl

    tables = [frame for _, frame in frames]
    stacked = stack_tables(tables)
    stacked = stacked.rename(_renamed(stacked.columns))
    owners = np.array([owner for owner, _ in frames], dtype=np.int64)
    of_row = pl.Series("owner", np.repeat(owners, [frame.height for frame in tables]))
    columns = [
        pl.Series("param_id", [label["param_id"] for label in labels]).gather(of_row),
        pl.Series("scenario", [label["scenario"] for label in labels]).gather(of_row),
        pl.Series("replicate", [label["replicate"] for label in labels], pl.Int64).gather(of_row),
    ]
    if "seed" not in stacked.columns:
        seeds = seed_column([label["seed"] for label in labels])
        stacked = stacked.with_columns(seeds.gather(of_row))
    return stacked.select(*columns, "seed", pl.exclude("seed"))


def _renamed(columns: Sequence[str]) -> dict[str, str]:
    """Other names for columns of the model that are called like one of ours: ``scenario__own``."""
    taken, names = set(columns), {}
    for column in columns:
        if column in _LABELS:
            own = f"{column}__own"
            while own in taken:
                own += "__own"
            taken.add(own)
            names[column] = own
    return names


def _parameter_row(row: StudyRow) -> dict[str, Any]:
    named = {f"param_{name}": value for name, value in row.params.params.items()}
    return {"param_id": row.params.param_id, **named}
