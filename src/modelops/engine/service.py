"""Runs simulations and evaluations, written once over whatever executes them."""

from __future__ import annotations

import contextlib
import sys
import threading
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, CancelledError, Future, wait
from importlib import import_module
from pathlib import Path
from queue import Empty, SimpleQueue
from types import MappingProxyType
from typing import Any, TypeVar

from modelops.engine.batches import Batches, BatchSizer
from modelops.engine.environments.archive import ensure_archive
from modelops.engine.environments.guest_log import GuestLog
from modelops.engine.environments.own_process import OwnProcessGuest
from modelops.engine.environments.runner_process import Launch, guest_environ
from modelops.engine.environments.spec import EnvironmentSpec, import_roots
from modelops.engine.environments.supervised import ISOLATIONS, SupervisedGuest
from modelops.engine.futures import hand_over, map_future, settling, when_all
from modelops.engine.guest import Guest, Member
from modelops.engine.requests import (
    EvaluationOutcome,
    EvaluationWork,
    SimOutcome,
    SimRequest,
    cancelled,
)
from modelops.engine.returns import as_aggregation, as_return
from modelops.engine.slots import SlotGuests
from modelops_contracts.errors import InvalidInput, nearest
from modelops_contracts.evaluation import Evaluation, EvaluationRequest
from modelops_contracts.ports import Executor
from modelops_contracts.simulation import (
    AggregationReturn,
    ReplicateSet,
    SimReturn,
    SimTask,
)

__all__ = ["EXECUTORS", "EngineService", "open_engine"]

#: Adapters of the Executor port by name; each is imported when it is asked for.
EXECUTORS: Mapping[str, str] = MappingProxyType(
    {
        "inline": "modelops.engine.executors.inline:InlineExecutor",
        "process_pool": "modelops.engine.executors.process_pool:ProcessPool",
    }
)

T = TypeVar("T")

_AHEAD = 2
_POLL_SECONDS = 0.05
_DEFAULT_POLICY = {"replicates": "logmeanexp", "failed_replicates": "fail"}


class EngineService:
    """The SimulationService port, and what jobs need beside it. Used from one thread."""

    def __init__(self, executor: Executor, guests: SlotGuests, *, spill: Path) -> None:
        self._executor = executor
        self._guests = guests
        self._spill = spill
        self._sizer = BatchSizer()
        self._stop = threading.Event()
        self._evaluations: set[Future[EvaluationOutcome]] = set()
        self._waiting: set[Future[Any]] = set()

    # ------------------------------------------------------------ studies

    def run(
        self,
        requests: Iterable[SimRequest],
        *,
        on_outcomes: Callable[[Sequence[SimOutcome]], None],
        should_stop: Callable[[], bool] = lambda: False,
    ) -> None:
        """Run all requests in batches whose size follows the measured time.

        ``on_outcomes`` is called in this thread once per finished batch, in any order of
        batches. At most two batches per slot are in flight, and no more requests than
        those have been read. When ``should_stop`` turns true nothing new starts, what runs is
        ended, and finished simulations are still delivered; unfinished ones of batches in flight
        arrive as ``cancelled``, requests that were not read yet do not arrive at all.
        Raises what the environment raises when it does not start.
        """
        batches = Batches(requests, slots=self._executor.slots)
        finished: SimpleQueue[Future[list[SimOutcome]]] = SimpleQueue()
        waiting: dict[Future[list[SimOutcome]], list[SimRequest]] = {}
        try:
            self._fill(batches, waiting, finished)
            while waiting:
                if should_stop():
                    self._drain(waiting, on_outcomes)
                    return
                with contextlib.suppress(Empty):
                    self._deliver(finished.get(timeout=_POLL_SECONDS), waiting, on_outcomes)
                    self._fill(batches, waiting, finished)
        finally:
            self._end(waiting)

    def _fill(
        self,
        batches: Batches,
        waiting: dict[Future[list[SimOutcome]], list[SimRequest]],
        finished: SimpleQueue[Future[list[SimOutcome]]],
    ) -> None:
        while len(waiting) < _AHEAD * self._executor.slots:
            batch = batches.take(self._sizer.size)
            if not batch:
                return
            future = _as_future(self._executor.submit(self._guests.run_batch, self._stop, batch))
            waiting[future] = batch
            future.add_done_callback(finished.put)
            if future.done():
                # An executor without parallelism has nothing to run ahead of.
                return

    def _deliver(
        self,
        future: Future[list[SimOutcome]],
        waiting: dict[Future[list[SimOutcome]], list[SimRequest]],
        on_outcomes: Callable[[Sequence[SimOutcome]], None],
    ) -> None:
        batch = waiting.pop(future, None)
        if batch is None:
            return
        outcomes = _outcomes_of(future, batch)
        self._sizer.learn(outcomes)
        on_outcomes(outcomes)

    def _drain(
        self,
        waiting: dict[Future[list[SimOutcome]], list[SimRequest]],
        on_outcomes: Callable[[Sequence[SimOutcome]], None],
    ) -> None:
        """Stop what runs; deliver what had finished, and the rest as cancelled."""
        self.cancel_all()
        for future in list(waiting):
            wait([future])
            self._deliver(future, waiting, on_outcomes)

    def _end(self, waiting: dict[Future[list[SimOutcome]], list[SimRequest]]) -> None:
        """After an exception nothing of this run goes on in the background."""
        if waiting:
            for future in waiting:
                future.cancel()
            self.cancel_all()
            wait(list(waiting))

    # ------------------------------------------------------------ evaluations

    def start_evaluation(self, work: EvaluationWork) -> Future[EvaluationOutcome]:
        """Simulate what ``work`` lacks and score it; a target that crashes: SimulationFailed.

        Replicates that take longer together than a batch should are simulated in several slots.
        """
        shares = self._sizer.shares(work.missing(), slots=self._executor.slots)
        if shares:
            future = self._start_spread(work, shares)
        else:
            future = _as_future(self._executor.submit(self._guests.evaluate, self._stop, work))
            self._waiting.add(future)
        self._evaluations.add(future)
        return future

    def _start_spread(
        self, work: EvaluationWork, shares: Sequence[Sequence[SimRequest]]
    ) -> Future[EvaluationOutcome]:
        stop = self._stop
        submit, guests = self._executor.submit, self._guests
        parts = [_as_future(submit(guests.run_batch, stop, share)) for share in shares]
        self._waiting.update(parts)
        scored: Future[EvaluationOutcome] = Future()
        scored.set_running_or_notify_cancel()

        def score() -> None:
            with settling(scored):
                pairs = zip(parts, shares, strict=True)
                done = [outcome for part, share in pairs for outcome in _outcomes_of(part, share)]
                evaluation = _as_future(submit(guests.evaluate, stop, work, done))
                hand_over(evaluation, scored, lambda outcome: outcome)

        when_all(parts, score)
        return scored

    def wait_any(
        self, futures: Iterable[Future[T]], *, timeout: float | None = None
    ) -> list[Future[T]]:
        """Those that have finished, waiting until at least one has or ``timeout`` has passed."""
        listed = list(futures)
        done = wait(listed, timeout=timeout, return_when=FIRST_COMPLETED).done
        self._learn_from_evaluations()
        return [future for future in listed if future in done]

    def _learn_from_evaluations(self) -> None:
        """Times of evaluations that have ended since the last look."""
        ended = {future for future in self._evaluations if future.done()}
        self._evaluations -= ended
        self._waiting = {future for future in self._waiting if not future.done()}
        for future in ended:
            if not future.cancelled() and future.exception() is None:
                self._sizer.learn(future.result().outcomes)

    def cancel_all(self) -> None:
        """End everything that runs or waits within a second or two; later calls still work."""
        for future in self._waiting:
            future.cancel()
        self._waiting.clear()
        stop, self._stop = self._stop, threading.Event()
        stop.set()

    # ------------------------------------------------------------ questions

    def describe(self, kind: str, reference: str) -> dict[str, Any]:
        """JSON form of a ModelDescription (``kind`` "model") or a TargetDescription ("target")."""
        future = self._executor.submit(self._guests.describe, self._stop, kind, reference)
        return future.result()

    def predict(
        self, targets: Sequence[str], members: Sequence[Member], *, entrypoint: str, seed: int
    ) -> dict[str, bytes]:
        """Predictive ranges of every target over an ensemble, as Arrow IPC by target name."""
        arguments = (list(targets), list(members), entrypoint, seed)
        return self._executor.submit(self._guests.predict, self._stop, *arguments).result()

    # ------------------------------------------------------------ SimulationService

    def submit(self, task: SimTask) -> Future[SimReturn]:
        return self.submit_batch([task])[0]

    def submit_batch(self, tasks: Sequence[SimTask]) -> list[Future[SimReturn]]:
        return [self._start_task(task) for task in tasks]

    def submit_replicate_set(
        self, replicate_set: ReplicateSet, target_entrypoint: str | None = None
    ) -> Future[Any]:
        if target_entrypoint is not None:
            return self.submit_batch_with_aggregation([replicate_set], target_entrypoint)[0]
        requests = [_request(task, i) for i, task in enumerate(replicate_set.tasks())]
        future = self._executor.submit(self._guests.run_batch, self._stop, requests)
        return map_future(
            _as_future(future), lambda outcomes: [as_return(o, self._spill) for o in outcomes]
        )

    def submit_batch_with_aggregation(
        self, replicate_sets: Sequence[ReplicateSet], target_entrypoint: str
    ) -> list[Future[AggregationReturn]]:
        return [self._start_aggregation(one, target_entrypoint) for one in replicate_sets]

    def _start_aggregation(self, wanted: ReplicateSet, target: str) -> Future[AggregationReturn]:
        tasks = wanted.tasks()
        request = EvaluationRequest(
            task=wanted.base_task,
            seeds=tuple(task.seed for task in tasks),
            targets=(target,),
            policy=_DEFAULT_POLICY,
        )
        work = EvaluationWork(request, tuple(_request(task, i) for i, task in enumerate(tasks)))
        return map_future(
            self.start_evaluation(work), lambda outcome: as_aggregation(outcome, target)
        )

    def submit_evaluation(self, request: EvaluationRequest) -> Future[Evaluation]:
        tasks = [request.task.with_seed(seed) for seed in request.seeds]
        work = EvaluationWork(request, tuple(_request(task, i) for i, task in enumerate(tasks)))
        return map_future(self.start_evaluation(work), lambda outcome: outcome.evaluation)

    def gather(self, futures: Sequence[Future[T]]) -> list[T]:
        return [future.result() for future in futures]

    def _start_task(self, task: SimTask) -> Future[SimReturn]:
        call = self._executor.submit(self._guests.run_batch, self._stop, [_request(task, 0)])
        return map_future(_as_future(call), lambda outcomes: as_return(outcomes[0], self._spill))

    # ------------------------------------------------------------ end

    def close(self) -> None:
        """End what runs and every process. A second call does nothing."""
        self.cancel_all()
        self._guests.close()
        self._executor.close()


@contextlib.contextmanager
def open_engine(
    *,
    root: Path,
    environment: EnvironmentSpec,
    executor: str = "process_pool",
    slots: int = 1,
    timeout: float | None = None,
    isolation: str = "warm",
    log_dir: Path,
    base_env: Mapping[str, str],
    cache_dir: Path | None = None,
    debug: bool = False,
    memory_budget: int | None = None,
    start_budget: float = 300.0,
    threads: int = 1,
) -> Iterator[EngineService]:
    """An engine over the files in ``root``, gone with all its processes at the end.

    ``timeout`` is the longest a simulation may take, in seconds; ``isolation`` one of ``warm``,
    ``fresh-per-batch``, ``fresh-per-simulation``; ``memory_budget`` the bytes above which a process
    that grows is replaced; ``start_budget`` limits start and import. The guest's archive is
    kept in ``cache_dir`` (``log_dir`` when absent). ``debug`` lets the author's exception through
    (inline only). Raises InvalidInput for an option that the executor cannot honour.
    """
    _check_options(executor, slots, timeout, isolation, debug, memory_budget)
    guests: SlotGuests
    if executor == "inline":
        _check_inline(environment)
        guests = _inline_guests(root, environment, debug=debug)
        runs_calls = _load_executor("inline")(debug=debug)
    else:
        launch = Launch(
            python=environment.python,
            archive=ensure_archive(cache_dir or log_dir),
            root=root,
            roots=import_roots(root),
            variables=guest_environ(base_env, threads=threads),
            wire=environment.wire,
            start_budget=start_budget,
        )
        limits = {"timeout": timeout, "isolation": isolation, "memory_budget": memory_budget}
        guests = _supervised_guests(launch, log_dir, limits)
        runs_calls = _load_executor(executor)(slots)
    with contextlib.closing(EngineService(runs_calls, guests, spill=log_dir / "tables")) as service:
        yield service


def _inline_guests(root: Path, environment: EnvironmentSpec, *, debug: bool) -> SlotGuests:
    def make(_number: int) -> Guest:
        return OwnProcessGuest(root, import_roots(root), wire=environment.wire, debug=debug)

    return SlotGuests(make)


def _supervised_guests(launch: Launch, log_dir: Path, limits: Mapping[str, Any]) -> SlotGuests:
    def make(number: int) -> Guest:
        name = f"slot-{number}"
        return SupervisedGuest(launch, GuestLog(log_dir / f"{name}.log"), worker=name, **limits)

    return SlotGuests(make)


def _load_executor(name: str) -> Callable[..., Executor]:
    module, _, attribute = EXECUTORS[name].partition(":")
    found: Callable[..., Executor] = getattr(import_module(module), attribute)
    return found


def _check_options(
    executor: str,
    slots: int,
    timeout: float | None,
    isolation: str,
    debug: bool,
    memory_budget: int | None,
) -> None:
    if executor not in EXECUTORS:
        close = nearest(executor, EXECUTORS)
        raise InvalidInput(
            f"unknown executor {executor!r}", hint=f"choose from {', '.join(close or EXECUTORS)}"
        )
    if isolation not in ISOLATIONS:
        raise InvalidInput(
            f"unknown isolation {isolation!r}", hint=f"choose from {', '.join(ISOLATIONS)}"
        )
    if slots < 1:
        raise InvalidInput(f"slots must be at least 1, not {slots}")
    if timeout is not None and timeout <= 0:
        raise InvalidInput(f"timeout must be positive, not {timeout:g}")
    if executor == "inline":
        _check_inline_options(slots, timeout, isolation, memory_budget)
    elif debug:
        raise InvalidInput("debug needs the inline executor", hint="use executor 'inline'")


def _check_inline_options(
    slots: int, timeout: float | None, isolation: str, memory_budget: int | None
) -> None:
    given = {
        "slots": slots != 1,
        "timeout": timeout is not None,
        "isolation": isolation != "warm",
        "memory_budget": memory_budget is not None,
    }
    refused = [name for name, is_given in given.items() if is_given]
    if refused:
        raise InvalidInput(
            f"the inline executor has no process of its own and cannot honour {', '.join(refused)}",
            hint="use executor 'process_pool'",
        )


def _check_inline(environment: EnvironmentSpec) -> None:
    if environment.kind != "direct" or environment.python != Path(sys.executable):
        raise InvalidInput(
            "the inline executor runs in this environment, but the project needs its own",
            hint="use executor 'process_pool'",
        )


def _as_future(future: Any) -> Future[Any]:
    assert isinstance(future, Future), "executors of this package give concurrent futures"
    return future


def _outcomes_of(future: Future[list[SimOutcome]], batch: Sequence[SimRequest]) -> list[SimOutcome]:
    try:
        return future.result()
    except CancelledError:
        return [cancelled(request) for request in batch]


def _request(task: SimTask, replicate: int) -> SimRequest:
    return SimRequest(task.task_id(), task, replicate)
