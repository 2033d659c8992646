"""A guest that survives what the author's code does to its process."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import CancelledError
from typing import Any

from modelops.engine.environments.failures import as_failure
from modelops.engine.environments.guest_log import GuestLog
from modelops.engine.environments.runner_process import (
    Frame,
    GuestDiedError,
    GuestInterruptedError,
    GuestTimedOutError,
    Launch,
    RunnerProcess,
)
from modelops.engine.guest import Member, Tables, batch_message, evaluation_arguments
from modelops.engine.requests import SimOutcome, SimRequest, cancelled
from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.errors import SimulationFailed, Unavailable
from modelops_contracts.evaluation import EvaluationRequest
from modelops_runner.protocol import join_tables, split_tables

__all__ = ["ISOLATIONS", "SupervisedGuest"]

#: How much of a process's state simulations may share.
ISOLATIONS = ("warm", "fresh-per-batch", "fresh-per-simulation")

#: A simulation, or an import, that was running at this many deaths is not tried again.
_DEATHS = 2
#: Times the memory of its first simulation that a process may take in any case.
_GROWTH = 1.5


class _ImportDiedError(Exception):
    """Importing the author's model ended the process, or took too long, more than once."""

    def __init__(self, status: str, last: GuestDiedError | GuestTimedOutError) -> None:
        super().__init__(f"while the model was imported: {last}")
        self.status = status
        self.last = last


class SupervisedGuest:
    """The Guest of one slot: a runner process that is replaced when it dies.

    One bad simulation costs one simulation: what was finished stays, the rest of the batch runs
    in a new process, and whatever was running at two deaths is ``crashed``. Every retry uses up
    one of the two lives of a simulation, so a batch always ends.
    """

    def __init__(
        self,
        launch: Launch,
        log: GuestLog,
        *,
        worker: str,
        timeout: float | None = None,
        isolation: str = "warm",
        memory_budget: int | None = None,
    ) -> None:
        self.interrupted = threading.Event()
        self._launch = launch
        self._log = log
        self._worker = worker
        self._timeout = timeout
        self._isolation = isolation
        self._memory_budget = memory_budget
        self._process: RunnerProcess | None = None
        self._import_deaths: dict[str, list[GuestDiedError | GuestTimedOutError]] = {}

    # ------------------------------------------------------------ simulations

    def run_batch(self, requests: Sequence[SimRequest]) -> list[SimOutcome]:
        outcomes: list[SimOutcome] = []
        deaths = 0
        while len(outcomes) < len(requests):
            waiting = requests[len(outcomes) :]
            before = len(outcomes)
            try:
                self._run_some(self._share(waiting), outcomes)
            except GuestDiedError as death:
                deaths = deaths + 1 if len(outcomes) == before else 1
                self._forget()
                if deaths >= _DEATHS:
                    outcomes.append(self._ended(requests[len(outcomes)], "crashed", death))
                    deaths = 0
            except GuestTimedOutError as late:
                self._forget()
                outcomes.append(self._ended(requests[len(outcomes)], "timed_out", late))
                deaths = 0
            except _ImportDiedError as death:
                outcomes.extend(self._ended(r, death.status, death.last, death) for r in waiting)
            except GuestInterruptedError:
                self._forget()
                outcomes.extend(cancelled(r) for r in requests[len(outcomes) :])
        return outcomes

    def _share(self, waiting: Sequence[SimRequest]) -> Sequence[SimRequest]:
        return waiting[:1] if self._isolation == "fresh-per-simulation" else waiting

    def _run_some(self, requests: Sequence[SimRequest], outcomes: list[SimOutcome]) -> None:
        """Append outcomes as they come, all of them unless the process takes too much memory.

        Raises when it ends before the batch does.
        """
        process = self._ready(requests[0].task.entrypoint)
        remaining = iter(requests)
        for header, payload in process.ask(batch_message(requests), limit=self._timeout):
            if header["type"] == "outcome":
                outcomes.append(self._outcome(next(remaining), header, payload))
                if self._holds_too_much(process):
                    self._forget()
                    return
            elif header["type"] == "failed":
                raise as_failure("the guest refused a batch", header["error"])
        self._recycle(process)

    def _outcome(
        self, request: SimRequest, header: Mapping[str, Any], payload: bytes
    ) -> SimOutcome:
        common = {key: header[key] for key in ("wall", "cpu", "peak_bytes")}
        if header["status"] == "ok":
            tables = split_tables(header["tables"], payload)
            return SimOutcome(request, "ok", tables, worker=self._worker, **common)
        error = header["error"]
        return SimOutcome(
            request,
            "failed",
            error=ErrorInfo(error["error_type"], error["message"]),
            traceback=error["traceback"],
            stderr_tail=self._log.tail(),
            worker=self._worker,
            **common,
        )

    def _ended(
        self,
        request: SimRequest,
        status: str,
        last: GuestDiedError | GuestTimedOutError,
        reason: Exception | None = None,
    ) -> SimOutcome:
        kind = "ProcessDied" if status == "crashed" else "TimedOut"
        return SimOutcome(
            request,
            status,
            error=ErrorInfo(kind, str(reason or last)),
            stderr_tail=last.tail,
            peak_bytes=last.peak_bytes,
            worker=self._worker,
        )

    # ------------------------------------------------------------ targets and descriptions

    def evaluate(
        self,
        request: EvaluationRequest,
        tables: Sequence[Tables | None],
        errors: Sequence[Mapping[str, Any] | None],
    ) -> dict[str, Any]:
        sizes, parts = _join_many(tables)
        message = {
            "type": "evaluate",
            **evaluation_arguments(request, errors),
            "tables": sizes,
        }
        header, _payload = self._ask("evaluating the targets", message, parts)
        return dict(header["value"])

    def describe(self, kind: str, reference: str) -> dict[str, Any]:
        message = {"type": "describe", "kind": kind, "reference": reference}
        header, _payload = self._ask(f"describing {kind} {reference}", message)
        return dict(header["value"])

    def predict(
        self, targets: Sequence[str], members: Sequence[Member], *, entrypoint: str, seed: int
    ) -> dict[str, bytes]:
        sizes, parts = _join_many([tables for _params, tables in members])
        message = {
            "type": "predict",
            "targets": list(targets),
            "entrypoint": entrypoint,
            "seed": seed,
            "params": [dict(params) for params, _tables in members],
            "tables": sizes,
        }
        header, payload = self._ask("computing predictive ranges", message, parts)
        return split_tables(header["tables"], payload)

    def _ask(self, doing: str, message: Mapping[str, Any], parts: Sequence[bytes] = ()) -> Frame:
        """One question with one answer, asked again once if the process dies of it."""
        return self._with_second_try(doing, lambda: self._ask_once(doing, message, parts))

    def _ask_once(self, doing: str, message: Mapping[str, Any], parts: Sequence[bytes]) -> Frame:
        process = self._running()
        header, payload = next(process.ask(message, parts, limit=self._launch.start_budget))
        if header["type"] == "failed":
            raise as_failure(f"{doing} failed", header["error"])
        self._recycle(process)
        return header, payload

    def _with_second_try(self, doing: str, question: Callable[[], Frame]) -> Frame:
        for attempt in range(1, _DEATHS + 1):
            try:
                return question()
            except GuestDiedError as death:
                self._forget()
                if attempt == _DEATHS:
                    raise _died(doing, death) from None
            except GuestTimedOutError as late:
                self._forget()
                raise _died(doing, late) from None
            except GuestInterruptedError:
                self._forget()
                raise CancelledError from None
        raise AssertionError("every attempt returns or raises")

    # ------------------------------------------------------------ the process

    def close(self) -> None:
        if self._process is not None:
            self._process.close()
            self._process = None

    def _running(self) -> RunnerProcess:
        if self._process is None:
            self._process = _start(self._launch, self._log, self.interrupted)
        self._process.interrupted = self.interrupted
        return self._process

    def _ready(self, entrypoint: str) -> RunnerProcess:
        """A process that has imported the model, so that imports do not count as simulation time.

        An exception of the import is left for the simulations to report.
        """
        deaths = self._import_deaths.get(entrypoint, [])
        while len(deaths) < _DEATHS:
            process = self._running()
            if entrypoint in process.loaded:
                return process
            try:
                for _frame in process.ask(
                    {"type": "load", "entrypoint": entrypoint}, limit=self._launch.start_budget
                ):
                    process.loaded.add(entrypoint)
            except (GuestDiedError, GuestTimedOutError) as death:
                self._forget()
                deaths = self._import_deaths.setdefault(entrypoint, [])
                deaths.append(death)
            else:
                self._import_deaths.pop(entrypoint, None)
                return process
        last = deaths[-1]
        raise _ImportDiedError(
            "timed_out" if isinstance(last, GuestTimedOutError) else "crashed", last
        )

    def _forget(self) -> None:
        if self._process is not None:
            self._process.kill()
            self._process = None

    def _recycle(self, process: RunnerProcess) -> None:
        """Replace the process when it must be fresh, or holds more memory than its share."""
        if self._isolation != "warm" or self._holds_too_much(process):
            self.close()

    def _holds_too_much(self, process: RunnerProcess) -> bool:
        """A model that needs that much from its first simulation on gains nothing from a new
        process; only one that grows does."""
        usual = _GROWTH * process.first_peak_bytes
        return self._memory_budget is not None and process.peak_bytes > max(
            self._memory_budget, usual
        )


def _start(launch: Launch, log: GuestLog, interrupted: threading.Event) -> RunnerProcess:
    """A guest that dies before it has greeted is the environment's fault, not the model's."""
    try:
        return RunnerProcess(launch, log, interrupted)
    except (GuestDiedError, GuestTimedOutError) as error:
        raise Unavailable(
            f"{launch.python} does not start: {error}",
            hint=error.tail.strip().rpartition("\n")[2] or None,
            code="environment_not_ready",
            retryable=False,
            exit_code=1,
        ) from None


def _join_many(tables: Sequence[Tables | None]) -> tuple[list[Any], list[bytes]]:
    sizes: list[Any] = []
    parts: list[bytes] = []
    for entry in tables:
        if entry is None:
            sizes.append(None)
            continue
        names, content = join_tables(entry)
        sizes.append(names)
        parts.extend(content)
    return sizes, parts


def _died(doing: str, last: GuestDiedError | GuestTimedOutError) -> SimulationFailed:
    return SimulationFailed(f"{doing}: the process was lost: {last}", remote_traceback=last.tail)
