"""Carry one job to its end, wherever it runs: ``python -m modelops.driver JOBDIR``.

The same code runs in the foreground of `mops run`. It can be killed at any instant and started
again on the same folder.
"""

from __future__ import annotations

import contextlib
import sys
import time
import traceback
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeGuard

from modelops import wiring
from modelops.config.model import Config
from modelops.config.sources import load_config
from modelops.jobs.documents import BundleFacts, JobPlan, RunChoices
from modelops.jobs.folder import JobFolder
from modelops.jobs.interrupt import Interrupt
from modelops.jobs.ledger import Ledger
from modelops.jobs.lifecycle import Event, exit_code
from modelops.jobs.log import LogReporter, SeveralReporters
from modelops.jobs.record import JobRecord
from modelops.jobs.work import Carried, Work
from modelops.results.store import ResultsStore
from modelops_contracts.atomic import FileLock
from modelops_contracts.errors import (
    Conflict,
    Interrupted,
    ModelOpsError,
    explain_file_error,
    is_disk_full,
)
from modelops_contracts.job_state import JobState
from modelops_contracts.ports import NullReporter, Reporter
from modelops_contracts.study import CalibrationSpec, SimulationStudy, load_spec

__all__ = ["main", "run_job"]

_LOCK_SECONDS = 5.0


def run_job(
    job_dir: Path,
    reporter: Reporter | None = None,
    *,
    config: Config | None = None,
    interrupt: Interrupt | None = None,
    debug: bool = False,
) -> JobRecord:
    """Carry a queued, lost or ended-too-early job to its end and return its record.

    A job that has succeeded is returned as it is. Whatever goes wrong ends in the job's state and
    is told in the record's ``error``; only a lock held by another driver (Conflict) and, with
    ``debug``, the author's own exception are raised: simulations run in this process then.
    """
    folder = JobFolder(Path(job_dir).absolute())
    if folder.read_record().state is JobState.SUCCEEDED:
        return folder.read_record()
    stop = interrupt or Interrupt()
    with (
        FileLock(folder.lock, timeout=_LOCK_SECONDS, command=f"driver of {folder.job_id}"),
        LogReporter(folder) as log,
    ):
        stop.watch(folder.cancel_request)
        driver = _Driver(
            folder,
            SeveralReporters(log, reporter or NullReporter()),
            config or load_config({}, cwd=folder.path),
            stop,
            debug=debug,
        )
        return driver.run()


class _Driver:
    def __init__(
        self,
        folder: JobFolder,
        reporter: Reporter,
        config: Config,
        interrupt: Interrupt,
        *,
        debug: bool,
    ) -> None:
        self._folder, self._reporter, self._config = folder, reporter, config
        self._interrupt, self._debug = interrupt, debug
        self._ledger = Ledger(folder)

    def run(self) -> JobRecord:
        self._take()
        try:
            with self._ledger.beating():
                carried = self._carry()
            return self._conclude(carried)
        except Interrupted as error:
            return self._cancel(str(error))
        except KeyboardInterrupt:
            self._cancel("ended at once; everything that was stored is kept")
            raise
        except ModelOpsError as error:
            return self._fail(error, str(error))
        except Exception as error:
            text = _as_data(error)["message"]
            if not _is_about_a_file(error):
                text = f"{type(error).__name__}: {text}"
            record = self._fail(error, text)
            if self._debug:
                raise
            return record

    def _take(self) -> None:
        """From whatever state a dead or ended driver left to running."""
        state = self._ledger.record.state
        if state in {JobState.RUNNING, JobState.FINALIZING, JobState.SUBMITTING}:
            self._ledger.happen(Event.LOSE, message="its driver ended without a word")
            state = JobState.LOST
        if state in {JobState.LOST, JobState.PARTIAL, JobState.FAILED, JobState.CANCELLED}:
            self._folder.cancel_request.unlink(missing_ok=True)
            self._ledger.happen(Event.RESUME)
        self._ledger.happen(Event.START)

    def _conclude(self, carried: Carried) -> JobRecord:
        self._reporter.note(carried.message)
        return self._ledger.happen(carried.verdict, message=carried.message)

    def _cancel(self, message: str) -> JobRecord:
        self._reporter.note(message)
        return self._ledger.happen(Event.CANCEL, message=message)

    def _fail(self, error: BaseException, message: str) -> JobRecord:
        self._reporter.warn(message)
        details = _as_data(error)
        if details["traceback"]:
            self._reporter.note(details["traceback"].rstrip())
        return self._ledger.happen(Event.FAIL, message=message, error=details)

    # ------------------------------------------------------------ the work

    def _carry(self) -> Carried:
        plan = JobPlan.from_json(self._folder.read_document(self._folder.plan))
        spec = load_spec(self._folder.spec)
        with self._opened(plan) as work:
            carried = _carry(work, spec)
            self._ledger.happen(Event.FINALIZE, message=carried.message)
            return carried

    @contextlib.contextmanager
    def _opened(self, plan: JobPlan) -> Iterator[Work]:
        facts = BundleFacts(**self._folder.read_document(self._folder.bundle))
        artifacts = wiring.open_artifacts(self._config, facts.repository)
        store = ResultsStore.open(self._folder.results_root)
        opened = wiring.open_bundle_tree(
            self._config, artifacts, facts.manifest, tell=self._reporter.warn
        )
        with opened as bundle:
            environment = wiring.prepare_environment(
                self._config,
                bundle.root,
                interpreter=plan.choices.interpreter,
                reporter=self._reporter,
            )
            _refuse_other_environment(plan, environment.digest)
            with self._engine(plan.choices, bundle.root, environment) as engine:
                yield Work(
                    folder=self._folder,
                    plan=plan,
                    bundle=facts,
                    store=store,
                    engine=engine,
                    ledger=self._ledger,
                    reporter=self._reporter,
                    should_stop=self._should_stop(plan.choices),
                )

    def _engine(self, choices: RunChoices, root: Path, environment: Any) -> Any:
        if self._debug:
            choices = replace(
                choices, executor="inline", workers=None, timeout=None, isolation="warm"
            )
        return wiring.open_engine(
            root=root,
            environment=environment,
            log_dir=self._folder.logs,
            executor=choices.executor,
            workers=choices.workers,
            timeout=choices.timeout,
            isolation=choices.isolation,
            debug=self._debug,
            cache_dir=self._config.paths.runner_cache,
        )

    def _should_stop(self, choices: RunChoices) -> Callable[[], bool]:
        if choices.max_time is None:
            return self._interrupt.should_stop
        deadline = time.monotonic() + choices.max_time
        return lambda: self._interrupt.should_stop() or time.monotonic() >= deadline


def _carry(work: Work, spec: SimulationStudy | CalibrationSpec) -> Carried:
    if isinstance(spec, SimulationStudy):
        from modelops.jobs.study import carry_study

        return carry_study(work, spec)
    from modelops.jobs.calibrate import carry_calibration

    return carry_calibration(work, spec)


def _refuse_other_environment(plan: JobPlan, digest: str) -> None:
    if digest != plan.environment:
        raise Conflict(
            "the software environment has changed since this job was submitted: its results would "
            f"belong to {digest[:12]}, the job was planned for {plan.environment[:12]}",
            hint="mops run the same file again: it makes a new job for the environment as it is",
            code="job.environment",
            exit_code=3,
        )


def _is_about_a_file(error: BaseException) -> TypeGuard[OSError]:
    return isinstance(error, OSError) and (error.filename is not None or is_disk_full(error))


def _as_data(error: BaseException) -> dict[str, Any]:
    if _is_about_a_file(error):
        message, hint = explain_file_error(error)
        return {
            "type": type(error).__name__,
            "message": message,
            "code": "file_access",
            "hint": hint,
            "exit_code": 1,
            "traceback": "",
        }
    remote = getattr(error, "remote_traceback", "")
    ours = "" if isinstance(error, ModelOpsError) else "".join(traceback.format_exception(error))
    return {
        "type": type(error).__name__,
        "message": str(error),
        "code": getattr(error, "code", "internal"),
        "hint": getattr(error, "hint", None),
        "exit_code": getattr(error, "exit_code", 1),
        "traceback": remote or ours,
    }


def main(arguments: Sequence[str]) -> int:
    """Entry of the detached driver; its streams are the driver's log."""
    if len(arguments) != 1:
        sys.stderr.write("usage: python -m modelops.driver JOBDIR\n")
        return 2
    interrupt = Interrupt()
    try:
        with interrupt.installed():
            record = run_job(Path(arguments[0]), interrupt=interrupt)
    except KeyboardInterrupt:
        return 130
    except ModelOpsError as error:
        sys.stderr.write(f"error: {error}\n")
        return error.exit_code
    return 130 if interrupt.by_signal else exit_code(record.state)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
