"""What the job commands share: the backend, the selector, and how a job is shown."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from modelops.cli._call import Call
from modelops.cli._console import Screen, duration, figure, pairs, plural

if TYPE_CHECKING:
    from modelops.jobs.folder import JobFolder
    from modelops.jobs.record import JobRecord


class Backend(Protocol):
    """What the consoles ask of the place where jobs are."""

    def records(self) -> Sequence[JobRecord]: ...

    def record(self, job_id: str) -> JobRecord: ...

    def folder(self, job_id: str) -> JobFolder: ...

    def launch(self, job_id: str) -> None: ...

    def cancel(self, job_id: str) -> None: ...

    def delete(self, job_id: str) -> None: ...

    def resume(
        self,
        job_id: str,
        *,
        changes: Mapping[str, Any] | None = None,
        prepare: Callable[[JobFolder], Mapping[str, Any] | None] | None = None,
    ) -> JobRecord: ...

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[str]: ...

    def model_logs(self, job_id: str) -> Iterator[str]: ...

    def wait(
        self, job_id: str, *, timeout: float | None = None, started_is_enough: bool = False
    ) -> JobRecord: ...


@dataclass(frozen=True, slots=True)
class Job:
    """A job as it is now.

    `done`, `total` and `failed` count simulations of a study, trials of a calibration. `reused` and
    `simulated` count simulations of either: those another job had stored, and those this one ran
    since it was last started.
    """

    job: str
    name: str
    kind: str
    state: str
    env: str
    bundle: str
    model: str
    targets: list[str]
    sets: int
    replicates: int
    done: int
    total: int
    failed: int
    reused: int
    simulated: int
    rate: float | None
    eta: float | None
    best: float | None
    created: str
    started: str
    ended: str
    updated: str
    tags: Mapping[str, str]
    message: str
    error: Mapping[str, Any] | None


def as_job(record: JobRecord) -> Job:
    progress = record.progress
    return Job(
        job=record.job_id,
        name=record.name,
        kind=record.kind,
        state=str(record.state),
        env=record.environment,
        bundle=record.bundle,
        model=record.model,
        targets=list(record.targets),
        sets=record.parameter_sets,
        replicates=record.replicates,
        done=progress.done,
        total=progress.total,
        failed=progress.failed,
        reused=progress.reused,
        simulated=progress.simulated,
        rate=progress.rate,
        eta=progress.eta,
        best=progress.best,
        created=record.created,
        started=record.started,
        ended=record.ended,
        updated=record.updated,
        tags=record.tags,
        message=record.message,
        error=record.error,
    )


def open_backend(call: Call) -> Backend:
    """The backend of the environment in force, for the project here."""
    from modelops import wiring

    backend: Backend = wiring.open_backend(call.config, project_root=call.project_root)
    return backend


def find_job(backend: Backend, selector: str) -> JobRecord:
    """A full id, a unique prefix, `last`, or `@name`."""
    from modelops.jobs.select import select_job

    return select_job(backend.records(), selector)


def find_jobs(backend: Backend, selectors: Sequence[str]) -> list[JobRecord]:
    """All that were named, each once; nothing happens to any when one cannot be found."""
    from modelops.jobs.select import select_job

    records = backend.records()
    found = [select_job(records, selector) for selector in selectors]
    return list({record.job_id: record for record in found}.values())


def job_lines(job: Job, screen: Screen) -> Iterator[str]:
    """The block that `status` shows for one job."""
    yield f"{job.job}  {screen.bold(job.state)}" + (f"  {job.message}" if job.message else "")
    unit = "trials" if job.kind == "calibration" else "simulations"
    yield from pairs(
        [
            ("Name", job.name or None),
            ("Kind", job.kind),
            ("Model", job.model or None),
            ("Targets", ", ".join(job.targets) or None),
            ("Done", f"{job.done}/{job.total} {unit}{progress_note(job)}"),
            ("Best", None if job.best is None else f"{figure(job.best)}{best_note(job)}"),
            ("Bundle", job.bundle or None),
            ("Submitted", screen.when(job.created)),
            ("Ended", screen.when(job.ended) if job.ended else None),
            ("Error", error_text(job.error)),
        ]
    )


def progress_note(job: Job) -> str:
    parts = [f"{job.failed} failed"] if job.failed else []
    if job.reused:  # simulations, which is not what a calibration counts
        what = plural(job.reused, "simulation") if job.kind == "calibration" else job.reused
        parts.append(f"{what} reused")
    if job.rate:
        parts.append(f"{job.rate:.3g}/s")
    if job.eta:
        parts.append(f"ETA {duration(job.eta)}")
    return f" ({', '.join(parts)})" if parts else ""


def best_note(job: Job) -> str:
    return " (search value, optimistic)" if is_running(job) and job.kind == "calibration" else ""


def is_running(job: Job) -> bool:
    return job.state not in {"succeeded", "partial", "failed", "cancelled", "lost"}


def error_text(error: Mapping[str, Any] | None) -> str | None:
    if not error:
        return None
    kind, message = error.get("type", ""), error.get("message", "")
    return f"{kind}: {message}" if kind else str(message)
