"""Evaluations of a calibration: from the store when they are there, else from the engine.

What was simulated and scored is stored before the search hears of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from concurrent.futures import Future

from modelops.engine.requests import EvaluationOutcome, EvaluationWork, SimOutcome, SimRequest
from modelops.jobs.causes import PASSING_REASONS
from modelops.jobs.keys import evaluation_key, evaluation_request, requests_for
from modelops.jobs.work import UseOfSims, Work
from modelops_calabaria.calibration.desk import Ticket
from modelops_contracts.errors import Interrupted, SimulationFailed
from modelops_contracts.evaluation import Evaluation
from modelops_contracts.parameter_set import UniqueParameterSet

__all__ = ["StoredEvaluations"]

_LOOK_SECONDS = 0.1
_PREDICTED_AT_ONCE = 1000

Draw = tuple[UniqueParameterSet, tuple[int, ...]]


class StoredEvaluations:
    """The EvaluationProvider of a job. Used from one thread."""

    def __init__(self, work: Work) -> None:
        self._work = work
        self.use = UseOfSims()
        self._ready: deque[tuple[Ticket, Evaluation]] = deque()
        self._running: dict[Future[EvaluationOutcome], tuple[Ticket, str]] = {}
        #: Evaluations that were stored already.
        self.reused = 0

    # ------------------------------------------------------------ the port

    def start(self, ticket: Ticket) -> None:
        work = self._work
        sims = requests_for(work.plan, work.bundle.manifest, ticket.params, ticket.seeds)
        self.use.want(sims)
        known = work.store.known(work.plan.code, [sim.sim_key for sim in sims])
        work.ledger.advance(0, reused=self.use.found(known.values(), work.job_id))
        key = evaluation_key(work.plan, sims)
        scored = work.store.known_evaluations(work.plan.target_digest, [key])
        if key in scored:
            self.reused += 1
            self._ready.append((ticket, scored[key]))
            return
        tables = work.store.tables(work.plan.code, known)
        request = evaluation_request(work.plan, sims)
        future = work.engine.start_evaluation(EvaluationWork(request, sims, tables))
        self._running[future] = (ticket, key)

    def next_outcome(self) -> tuple[Ticket, Evaluation]:
        """Raises Interrupted, with everything cancelled that had not finished, on a stop."""
        while not self._ready:
            assert self._running, "nothing was started"
            finished = self._work.engine.wait_any(self._running, timeout=_LOOK_SECONDS)
            self._keep(finished)
            if not self._ready and self._work.should_stop():
                self.cancel_all()
                raise Interrupted("calibration stopped; every finished evaluation is kept")
        return self._ready.popleft()

    def cancel_all(self) -> None:
        self._work.engine.cancel_all()
        finished = [future for future in self._running if _is_good(future)]
        self._keep(finished)
        self._running.clear()
        self._ready.clear()

    def predict(self, label: str, draws: Sequence[Draw], *, seed: int) -> Mapping[str, bytes]:
        """Predictive ranges per target name; members without a simulation are left out."""
        work = self._work
        members = [(params, self._requests(params, seeds)) for params, seeds in draws]
        wanted = {sim.sim_key: sim for _params, sims in members for sim in sims}
        self._simulate(label, wanted)
        keys = list(wanted)
        tables: dict[str, dict[str, bytes]] = {}
        for start in range(0, len(keys), _PREDICTED_AT_ONCE):
            tables.update(
                work.store.tables(work.plan.code, keys[start : start + _PREDICTED_AT_ONCE])
            )
        ensemble = [
            (params.params, tables[sim.sim_key])
            for params, sims in members
            for sim in sims
            if sim.sim_key in tables
        ]
        if not ensemble:
            raise SimulationFailed(f"no simulation of the {label} ensemble succeeded")
        return work.engine.predict(
            [target.entrypoint for target in work.plan.targets],
            ensemble,
            entrypoint=work.plan.entrypoint,
            seed=seed,
        )

    # ------------------------------------------------------------ private

    def _requests(self, params: UniqueParameterSet, seeds: Sequence[int]) -> Sequence[SimRequest]:
        return requests_for(self._work.plan, self._work.bundle.manifest, params, seeds)

    def _simulate(self, label: str, wanted: Mapping[str, SimRequest]) -> None:
        """Run what an ensemble lacks, in the engine's own batches."""
        work = self._work
        self.use.want(wanted.values())
        known = work.store.known(work.plan.code, wanted)
        work.ledger.advance(0, reused=self.use.found(known.values(), work.job_id))
        missing = [sim for key, sim in wanted.items() if key not in known]
        if missing:
            work.engine.run(missing, on_outcomes=self._store, should_stop=work.should_stop)
        if work.should_stop():
            raise Interrupted(f"stopped while the {label} ensemble was drawn; the rest is kept")

    def _keep(self, finished: Sequence[Future[EvaluationOutcome]]) -> None:
        """Store what has finished, then hand it on."""
        arrived: list[tuple[Ticket, Evaluation]] = []
        outcomes: list[SimOutcome] = []
        scores: dict[str, Evaluation] = {}
        for future in finished:
            ticket, key = self._running.pop(future)
            outcome = future.result()
            outcomes += outcome.outcomes
            if any(sim.status == "cancelled" for sim in outcome.outcomes):
                continue
            arrived.append((ticket, outcome.evaluation))
            if outcome.evaluation.reason not in PASSING_REASONS:
                scores[key] = outcome.evaluation
        self._store(outcomes)
        work = self._work
        work.store.append_evaluations(work.plan.target_digest, scores, job=work.job_id)
        self._ready.extend(arrived)

    def _store(self, outcomes: Sequence[SimOutcome]) -> None:
        work = self._work
        done = [outcome for outcome in outcomes if outcome.status != "cancelled"]
        work.store.append(work.plan.code, done, job=work.job_id)
        self.use.computed(done, work.job_id)
        work.ledger.advance(0, simulated=len(done))


def _is_good(future: Future[EvaluationOutcome]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is None
