"""Carry a study to its end: what is missing is simulated, then every row is scored."""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future
from dataclasses import dataclass
from itertools import islice
from typing import Any

from modelops.engine.requests import EvaluationOutcome, EvaluationWork, SimOutcome, SimRequest
from modelops.jobs.causes import SCORING_FAULTS, Cause, causes_of_scores, name_causes
from modelops.jobs.keys import Wanted, evaluation_key, evaluation_request, wanted_of
from modelops.jobs.lifecycle import Event, decide_verdict
from modelops.jobs.work import Carried, UseOfSims, Work, write_table
from modelops.results.evaluations import score_rows, score_schema
from modelops.results.store import StoredSim
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.errors import Interrupted, SimulationFailed
from modelops_contracts.evaluation import Evaluation, ReplicateFailure
from modelops_contracts.study import SimulationStudy

__all__ = ["EVALUATIONS_FILE", "carry_study"]

#: Scores of the job's rows, one line per parameter set and target.
EVALUATIONS_FILE = "evaluations.parquet"

_AHEAD = 4


def carry_study(work: Work, study: SimulationStudy) -> Carried:
    """Simulate, store, score. Raises Interrupted when a stop was asked for; what has finished is
    stored by then."""
    rows = wanted_of(work.plan, work.bundle.manifest, study)
    use = UseOfSims()
    for row in rows:
        use.want(row.sims)
    missing = _look_up(work, use)
    try:
        _simulate(work, use, missing)
    finally:
        use.write(work)
    scored = _score(work, rows, use) if work.plan.targets else _Scored()
    return _judge(work, use, scored)


@dataclass(frozen=True, slots=True)
class _Scored:
    """``problem``: targets failed, or could not score a row. ``remark``: no score is finite."""

    problem: str = ""
    remark: str = ""


def _judge(work: Work, use: UseOfSims, scored: _Scored) -> Carried:
    ok = sum(status == "ok" for status in use.status.values())
    failed = len(use.requests) - ok
    reused = sum(origin != work.job_id for origin in use.origin.values())
    verdict = decide_verdict(ok=ok, failed=failed, policy=work.plan.choices.max_failed)
    message = f"{ok} simulations ({reused} reused, {ok - reused} computed)"
    if failed:
        message += f", {failed} failed: {name_causes(_causes(work, use))}"
    if ok and scored.remark:
        message += f"; {scored.remark}"
    if scored.problem:
        message += f"; {scored.problem}"
        verdict = Event.END_PARTIAL if verdict is Event.SUCCEED else verdict
    return Carried(verdict, message)


# ---------------------------------------------------------------- simulating


def _look_up(work: Work, use: UseOfSims) -> list[SimRequest]:
    """What is stored counts as done, also failures of this very job unless they are to be tried
    again. The table of wanted simulations is written first, so that it is there after a crash."""
    known = work.store.known(work.plan.code, use.requests, include_failed=True)
    tried = set() if work.plan.choices.retry_failed else _failed_before(work, known)
    done = [sim for sim in known.values() if sim.ok or sim.sim_key in tried]
    reused = use.found(done, work.job_id)
    write_table(use.frame(work.job_id), work.folder.reuse)
    failed = sum(not sim.ok for sim in done)
    work.ledger.begin(total=len(use.requests), done=len(done), failed=failed, reused=reused)
    if done:
        work.reporter.note(f"{len(done)} of {len(use.requests)} simulations are stored already")
    return [request for key, request in use.requests.items() if key not in use.status]


def _failed_before(work: Work, known: Mapping[str, StoredSim]) -> set[str]:
    """What this very job tried and saw fail, also when another job has tried it since."""
    import polars as pl

    keys = {key for key, sim in known.items() if not sim.ok and sim.job == work.job_id}
    if work.folder.reuse.is_file():
        earlier = pl.read_parquet(work.folder.reuse, columns=["sim_key", "status"])
        ended_badly = ~pl.col("status").is_in(["ok", "missing", "cancelled"])
        keys.update(earlier.filter(ended_badly)["sim_key"].to_list())
    return keys


def _simulate(work: Work, use: UseOfSims, missing: Sequence[SimRequest]) -> None:
    if not missing:
        return
    work.reporter.start("simulations", len(missing))

    def keep(outcomes: Sequence[SimOutcome]) -> None:
        finished = [outcome for outcome in outcomes if outcome.status != "cancelled"]
        work.store.append(work.plan.code, finished, job=work.job_id)
        use.computed(finished, work.job_id)
        failed = sum(not outcome.ok for outcome in finished)
        work.ledger.advance(len(finished), failed=failed, simulated=len(finished))
        work.reporter.advance(len(finished), failed=failed)

    work.engine.run(missing, on_outcomes=keep, should_stop=work.should_stop)
    if work.should_stop():
        raise Interrupted("stopped; every finished simulation is kept")
    causes = _causes(work, use)
    work.reporter.finish(f"{len(causes)} failed" if causes else "")
    if causes:
        work.reporter.warn(f"{name_causes(causes)}\n{causes[0].traceback}".rstrip())


def _causes(work: Work, use: UseOfSims) -> list[Cause]:
    """Why simulations of this job failed, in the order of the study."""
    failed = [key for key, status in use.status.items() if status != "ok"]
    if not failed:
        return []
    rows = work.store.failures(work.plan.code, failed).iter_rows(named=True)
    found = {row["sim_key"]: row for row in rows}
    return [
        Cause(
            found[key]["error_type"] or found[key]["status"],
            found[key]["error_message"] or "",
            found[key]["traceback"] or "",
        )
        for key in use.requests
        if key in found
    ]


# ---------------------------------------------------------------- scoring


def _score(work: Work, rows: Sequence[Wanted], use: UseOfSims) -> _Scored:
    """Score every row; what the author's targets raise is told, not raised."""
    keys = {evaluation_key(work.plan, row.sims): row for row in rows}
    scores = dict(work.store.known_evaluations(work.plan.target_digest, keys))
    work.reporter.start("evaluations", len(keys))
    work.reporter.advance(len(scores))
    for key, row in keys.items():
        if key not in scores and not _is_whole(row, use):
            scores[key] = _failed_evaluation(work, row)
            work.reporter.advance(1, failed=1)
    todo = [(key, row) for key, row in keys.items() if key not in scores]
    try:
        for key, evaluation in _evaluate(work, todo):
            scores[key] = evaluation
            work.reporter.advance(1, failed=evaluation.reason is not None)
    except SimulationFailed as error:
        work.reporter.warn(f"targets: {error}\n{error.remote_traceback}".rstrip())
        return _Scored(problem=f"the targets could not be scored: {error}")
    finally:
        _write_scores(work, {key: scores[key] for key in keys if key in scores})
        finite = [one.objective for one in scores.values() if math.isfinite(one.objective)]
        work.ledger.advance(0, best=min(finite, default=None))
    faults = _faults(scores.values())
    work.reporter.finish(faults)
    unscorable = _faults(one for one in scores.values() if one.reason in SCORING_FAULTS)
    return _Scored(problem=unscorable, remark="" if finite or unscorable else faults)


def _faults(scores: Iterable[Evaluation]) -> str:
    causes = causes_of_scores(scores)
    rows = "1 row" if len(causes) == 1 else f"{len(causes)} rows"
    return f"{rows} without a score: {name_causes(causes)}" if causes else ""


def _is_whole(row: Wanted, use: UseOfSims) -> bool:
    return all(use.status.get(key) == "ok" for key in row.keys)


def _evaluate(work: Work, todo: Sequence[tuple[str, Wanted]]) -> Iterator[tuple[str, Evaluation]]:
    """Scores as they come, a few rows in flight; tables are read when their turn comes."""
    waiting = iter(todo)
    running: dict[Future[EvaluationOutcome], str] = {}
    while True:
        for key, row in islice(waiting, _AHEAD - len(running)):
            tables = work.store.tables(work.plan.code, row.keys)
            request = evaluation_request(work.plan, row.sims)
            future = work.engine.start_evaluation(EvaluationWork(request, row.sims, tables))
            running[future] = key
        if not running:
            return
        finished = work.engine.wait_any(running, timeout=0.1)
        if work.should_stop():
            work.engine.cancel_all()
            raise Interrupted("stopped; simulations are kept, some rows are not scored yet")
        fresh = {running.pop(future): future.result().evaluation for future in finished}
        work.store.append_evaluations(work.plan.target_digest, fresh, job=work.job_id)
        yield from fresh.items()


def _failed_evaluation(work: Work, row: Wanted) -> Evaluation:
    """A row with failed simulations has no score: replicates are never dropped."""
    details = work.store.failures(work.plan.code, row.keys)
    by_key: Mapping[str, Mapping[str, Any]] = {
        str(item["sim_key"]): item for item in details.iter_rows(named=True)
    }
    failures = tuple(
        ReplicateFailure(
            index=sim.replicate,
            seed=sim.task.seed,
            error=ErrorInfo(
                str(by_key[sim.sim_key]["error_type"] or "Error"),
                str(by_key[sim.sim_key]["error_message"] or ""),
            ),
            traceback=str(by_key[sim.sim_key]["traceback"] or ""),
        )
        for sim in row.sims
        if sim.sim_key in by_key
    )
    timed_out = all(item["status"] == "timed_out" for item in by_key.values())
    return Evaluation(
        param_id=row.params.param_id,
        seeds=tuple(sim.task.seed for sim in row.sims),
        objective=math.inf,
        failures=failures,
        reason="TIMEOUT" if by_key and timed_out else "SIM_FAILED",
    )


def _write_scores(work: Work, scores: Mapping[str, Evaluation]) -> None:
    import polars as pl

    rows = [
        row
        for key, evaluation in scores.items()
        for row in score_rows(key, evaluation, job=work.job_id)
    ]
    frame = pl.DataFrame(rows, schema=score_schema())
    write_table(frame, work.folder.path / EVALUATIONS_FILE)
