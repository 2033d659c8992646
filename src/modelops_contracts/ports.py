"""Ports: what the product asks of the world. The docstrings are the contract.

Two altitudes: *tasks* (thousands, milliseconds to minutes) go to an Executor, *jobs* (one, hours,
with a lifecycle) to a JobBackend.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, BinaryIO, Protocol, TypeVar, runtime_checkable

from modelops_contracts.adaptive import AdaptiveAlgorithm, ResumableAlgorithm
from modelops_contracts.auth import AuthProvider, Credential
from modelops_contracts.evaluation import Evaluation, EvaluationRequest
from modelops_contracts.expected import ANYTHING, Expected
from modelops_contracts.job_state import JobStatus
from modelops_contracts.simulation import (
    AggregationReturn,
    AggregationTask,
    ReplicateSet,
    SimReturn,
    SimTask,
)

__all__ = [
    "AdaptiveAlgorithm",
    "ArtifactStore",
    "AuthProvider",
    "BundleRepository",
    "Credential",
    "ExecutionEnvironment",
    "Executor",
    "Future",
    "JobBackend",
    "NullReporter",
    "Reporter",
    "ResumableAlgorithm",
    "SecretStore",
    "SimulationService",
    "WireFunction",
    "WorkspaceProvider",
]

T = TypeVar("T")
T_co = TypeVar("T_co", covariant=True)
A = TypeVar("A")


# ---------------------------------------------------------------- tasks


@runtime_checkable
class Future(Protocol[T_co]):
    """A result that may not be there yet."""

    def result(self, timeout: float | None = None) -> T_co:
        """The result, waiting for it. Raises what the computation raised, TimeoutError after
        ``timeout`` seconds, concurrent.futures.CancelledError when it was cancelled."""
        ...

    def done(self) -> bool:
        """True when finished, failed or cancelled. Never blocks."""
        ...

    def cancel(self) -> bool:
        """Try to stop it; False when it is too late."""
        ...

    def exception(self, *, timeout: float | None = None) -> BaseException | None:
        """What the computation raised, None when it succeeded; waits like ``result``."""
        ...


@runtime_checkable
class Executor(Protocol):
    """Runs calls somewhere. Knows nothing of simulations."""

    @property
    def slots(self) -> int:
        """How many calls run at the same time, at least 1."""
        ...

    def submit(self, call: Callable[..., T], /, *args: Any) -> Future[T]:
        """Start ``call(*args)``. An exception of the call is raised by ``result`` with its type
        and message. A worker that dies makes the future raise Unavailable; it never hangs."""
        ...

    def map_batches(
        self, call: Callable[[A], T], batches: Iterable[A], *, in_flight: int | None = None
    ) -> Iterator[T]:
        """Results in the order of ``batches``, which is read only as far as ``in_flight`` (twice
        the slots) calls ahead. The first exception ends the iteration and cancels what waits."""
        ...

    def close(self) -> None:
        """End all workers. Calls in flight are cancelled. A second call does nothing; submitting
        afterwards raises RuntimeError."""
        ...


@runtime_checkable
class SimulationService(Protocol):
    """Runs simulation tasks, and scores them."""

    def submit(self, task: SimTask) -> Future[SimReturn]:
        """Start one simulation. A failure of the author's code is a SimReturn with an error."""
        ...

    def submit_batch(self, tasks: Sequence[SimTask]) -> list[Future[SimReturn]]:
        """One future per task, in order."""
        ...

    def submit_replicate_set(
        self, replicate_set: ReplicateSet, target_entrypoint: str | None = None
    ) -> Future[Any]:
        """All replicates of one task: list of SimReturn, or the AggregationReturn of a target."""
        ...

    def submit_batch_with_aggregation(
        self, replicate_sets: Sequence[ReplicateSet], target_entrypoint: str
    ) -> list[Future[AggregationReturn]]:
        """One scored future per replicate set, in order."""
        ...

    def submit_evaluation(self, request: EvaluationRequest) -> Future[Evaluation]:
        """Simulate and score one parameter set against all targets of the request."""
        ...

    def gather(self, futures: Sequence[Future[T]]) -> list[T]:
        """All results in the order of ``futures``; raises the first exception found."""
        ...


@runtime_checkable
class ExecutionEnvironment(Protocol):
    """Runs the author's code with the dependencies the bundle asks for."""

    def run(self, task: SimTask) -> SimReturn:
        """One simulation; what the author's code raises becomes the error of the result."""
        ...

    def run_batch(self, tasks: Sequence[SimTask]) -> list[SimReturn]:
        """Several, in order; one failure leaves the others alone."""
        ...

    def run_aggregation(self, task: AggregationTask) -> AggregationReturn:
        """One score. Raises SimulationFailed with the traceback when the target's code raises."""
        ...

    def health_check(self) -> Mapping[str, Any]:
        """Facts about the environment; raises Unavailable when it cannot run anything."""
        ...

    def shutdown(self) -> None:
        """End every process that was started. A second call does nothing."""
        ...


class WireFunction(Protocol):
    """The call into the author's code, made with the bundle's root as working directory."""

    def __call__(self, entrypoint: str, params: Mapping[str, Any], seed: int) -> dict[str, bytes]:
        """Tables as Arrow IPC bytes by output name. Raises on failure; never an empty result."""
        ...


# ---------------------------------------------------------------- jobs


@runtime_checkable
class JobBackend(Protocol):
    """Where jobs live. Every method that takes an id raises NotFound for one it does not know."""

    def submit(self, spec: Mapping[str, Any]) -> str:
        """Start a job and return its id. When this returns, the id is stored and every other
        method knows it; when it raises, nothing runs and nothing is stored."""
        ...

    def status(self, job_id: str) -> JobStatus:
        """The state now, with progress."""
        ...

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[str]:
        """Lines from the start; with ``follow`` the iterator ends when the job has ended."""
        ...

    def cancel(self, job_id: str) -> None:
        """Ask for an end. Finished results stay. On a job that has ended this does nothing."""
        ...

    def list(self) -> Sequence[JobStatus]:
        """All known jobs, newest first."""
        ...

    def attach(self, job_id: str) -> JobStatus:
        """Wait until the job has ended; return its last state."""
        ...


# ---------------------------------------------------------------- bytes


@runtime_checkable
class ArtifactStore(Protocol):
    """Manifests and blobs of one repository, addressed by digest (``sha256:<64 hex>``)."""

    def resolve(self, reference: str) -> str:
        """The manifest digest of a tag, or of a digest that is there. Raises NotFound."""
        ...

    def get_manifest(self, digest: str) -> bytes:
        """The manifest's bytes, verified. Raises NotFound, IntegrityError."""
        ...

    def put_manifest(
        self,
        data: bytes,
        *,
        media_type: str,
        tag: str | None = None,
        expected: str | Expected | None = ANYTHING,
    ) -> str:
        """Store a manifest and, last of all, move ``tag`` to it; return its digest. Every blob it
        names is there already (NotFound otherwise, and nothing is stored).

        ``expected`` is the digest that the tag must have now, None when there must be no such tag.
        Anything else raises Conflict whose message holds the digest found, and the tag stays."""
        ...

    def has_blob(self, digest: str) -> bool:
        """True when the whole blob is there."""
        ...

    def get_blob(self, digest: str) -> BinaryIO:
        """The blob as a stream to read and close. Raises NotFound; reading to the end raises
        IntegrityError when the bytes are not those of the digest."""
        ...

    def put_blob(self, digest: str, source: BinaryIO) -> None:
        """Store a blob read from ``source``. Raises IntegrityError, and stores nothing, when the
        bytes are not those of the digest. A blob that is there already is left alone."""
        ...

    def tags(self) -> Mapping[str, str]:
        """Manifest digest by tag."""
        ...


@runtime_checkable
class BundleRepository(Protocol):
    """Bundles as directories on this machine."""

    def ensure_local(self, bundle_ref: str) -> tuple[str, Path]:
        """(digest, directory) of a bundle, fetched when needed. Raises NotFound, IntegrityError."""
        ...

    def exists(self, bundle_ref: str) -> bool:
        """True when the bundle can be had."""
        ...


# ---------------------------------------------------------------- secrets and workspaces


@runtime_checkable
class SecretStore(Protocol):
    """Secrets by name. Values go in and are never handed out again."""

    def put(self, name: str, values: Mapping[str, str]) -> None:
        """Store or replace a secret, whole."""
        ...

    def delete(self, name: str) -> None:
        """Remove it. Raises NotFound."""
        ...

    def names(self) -> Sequence[str]:
        """Sorted names."""
        ...

    def digests(self, name: str) -> Mapping[str, str]:
        """Digest of each value by key, to see whether it changed. Raises NotFound."""
        ...


@runtime_checkable
class WorkspaceProvider(Protocol):
    """A place with workers that lives longer than one job."""

    def up(self, name: str, spec: Mapping[str, Any]) -> Mapping[str, Any]:
        """Bring it to what ``spec`` says; return its status. Doing so twice changes nothing."""
        ...

    def down(self, name: str) -> None:
        """Remove it and all it started. Nothing there is no error."""
        ...

    def status(self, name: str) -> Mapping[str, Any]:
        """What is there now. Raises NotFound."""
        ...

    def connect(self, name: str) -> str:
        """Address of its scheduler. Raises NotFound, Unavailable."""
        ...


# ---------------------------------------------------------------- telling


class Reporter(Protocol):
    """Told how the work goes. Never raises, never decides anything."""

    def start(self, what: str, total: int | None) -> None:
        """A piece of work begins; ``total`` units when known."""
        ...

    def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
        """``n`` units are finished, ``failed`` of them without success."""
        ...

    def note(self, text: str) -> None:
        """Something worth a line."""
        ...

    def warn(self, text: str) -> None:
        """Something that needs attention."""
        ...

    def finish(self, summary: str = "") -> None:
        """The piece of work has ended."""
        ...


class NullReporter:
    """A Reporter that tells nobody."""

    def start(self, what: str, total: int | None) -> None:
        """Ignored."""

    def advance(self, n: int = 1, *, failed: int = 0, note: str = "") -> None:
        """Ignored."""

    def note(self, text: str) -> None:
        """Ignored."""

    def warn(self, text: str) -> None:
        """Ignored."""

    def finish(self, summary: str = "") -> None:
        """Ignored."""
