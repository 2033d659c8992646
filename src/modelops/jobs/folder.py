"""The folder of a job: what lies where, and how its state changes on disk."""

from __future__ import annotations

import contextlib
import fcntl
import json
import os
import secrets
import shutil
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from modelops.jobs.journal import FileJournal, read_lines
from modelops.jobs.lifecycle import Event, observe_state, transition
from modelops.jobs.record import HEARTBEAT_SECONDS, JobRecord, silence_of, timestamp
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import IntegrityError, NotFound
from modelops_contracts.job_state import JobState

__all__ = [
    "JobFolder",
    "create_job_folder",
    "jobs_root",
    "list_job_folders",
    "new_job_id",
    "open_job_folder",
]


def jobs_root(results_root: Path) -> Path:
    """Where the jobs of a results store are."""
    return results_root / "jobs"


def new_job_id(kind: str) -> str:
    """``job-<8 hex>`` for a study, ``calib-<8 hex>`` for a calibration."""
    return f"{'calib' if kind == 'calibration' else 'job'}-{secrets.token_hex(4)}"


@dataclass(frozen=True, slots=True)
class JobFolder:
    """One job's folder. Only the holder of ``lock`` writes its state."""

    path: Path

    @property
    def job_id(self) -> str:
        return self.path.name

    @property
    def results_root(self) -> Path:
        return self.path.parent.parent

    @property
    def spec(self) -> Path:
        return self.path / "spec.json"

    @property
    def bundle(self) -> Path:
        return self.path / "bundle.json"

    @property
    def plan(self) -> Path:
        """What was decided at submission: keys, settings, descriptions."""
        return self.path / "plan.json"

    @property
    def given(self) -> Path:
        """The specification as it was submitted, before targets and weights were looked up."""
        return self.path / "given.json"

    @property
    def replayed(self) -> Path:
        """Trials of an earlier search that are scored again, when that is what the job does."""
        return self.path / "replayed.json"

    @property
    def state(self) -> Path:
        return self.path / "state.json"

    @property
    def events(self) -> Path:
        return self.path / "events.jsonl"

    @property
    def lock(self) -> Path:
        """Held by the driver for as long as it lives."""
        return self.path / "driver.lock"

    @property
    def cancel_request(self) -> Path:
        return self.path / "cancel"

    @property
    def logs(self) -> Path:
        return self.path / "log"

    @property
    def driver_log(self) -> Path:
        return self.logs / "driver.log"

    @property
    def journal(self) -> Path:
        """Asks, evaluations and rescorings of a calibration."""
        return self.path / "journal.jsonl"

    @property
    def result(self) -> Path:
        """The saved result of a calibration."""
        return self.path / "result"

    @property
    def failures(self) -> Path:
        return self.path / "failures.parquet"

    @property
    def reuse(self) -> Path:
        """Which simulations this job wanted, and whether each was computed or reused."""
        return self.path / "reuse.parquet"

    def read_record(self) -> JobRecord:
        """The state as written. Raises NotFound, IntegrityError."""
        return JobRecord.from_json(_read_json(self.state))

    def read_document(self, path: Path) -> dict[str, Any]:
        return _read_json(path)

    def read_replayed(self) -> list[dict[str, Any]] | None:
        """Parameters of the trials to score again, in order; None for an ordinary search."""
        return list(_read_json(self.replayed)["trials"]) if self.replayed.is_file() else None

    def observe(self, now: datetime | None = None) -> JobRecord:
        """The state as it is: a job whose driver is gone is lost, whatever its file says."""
        record = self.read_record()
        if record.state.ended:
            return record
        alive = is_locked(self.lock)
        seen = observe_state(
            record.state,
            driver_alive=alive,
            silence=silence_of(record, now or datetime.now(UTC)),
            interval=HEARTBEAT_SECONDS,
        )
        if seen is record.state:
            return record
        # The driver may have ended properly between the two looks.
        again = self.read_record()
        if again.state.ended:
            return again
        why = "no heartbeat" if alive else "its driver ended without a word"
        return replace(again, state=seen, message=why)

    def observe_or_explain(self) -> JobRecord:
        """As :meth:`observe`; a job whose state cannot be read is shown lost, with the reason."""
        try:
            return self.observe()
        except IntegrityError as error:
            written = datetime.fromtimestamp(self.state.stat().st_mtime, UTC)
            kind = "calibration" if self.job_id.startswith("calib-") else "study"
            at = timestamp(written)
            return JobRecord(
                self.job_id, kind, "", JobState.LOST, created=at, updated=at, message=str(error)
            )

    def read_events(self) -> Iterator[dict[str, Any]]:
        return read_lines(self.events)

    def apply(self, event: Event, *, message: str = "", **changes: Any) -> JobRecord:
        """Change the state on disk and note it among the events. Raises Conflict."""
        before = self.read_record()
        after = move(before, event, message=message, **changes)
        self.store(after, event, before.state, message)
        return after

    def store(self, record: JobRecord, event: Event, before: JobState, message: str) -> None:
        """The event first: a state without its event would be a riddle, not the other way."""
        entry = {"time": record.updated, "event": event, "from": before, "to": record.state}
        journal = FileJournal(self.events)
        journal.append({**entry, "message": message} if message else entry)
        journal.close()
        write_atomically(self.state, record.to_text())


def move(record: JobRecord, event: Event, *, message: str = "", **changes: Any) -> JobRecord:
    """The record after ``event``; times of start and end are kept up."""
    state, now = transition(record.state, event), timestamp()
    if event is Event.START:
        changes = {"started": record.started or now, "ended": "", **changes}
    if state.ended:
        changes = {"ended": now, **changes}
    if event is Event.RESUME:
        changes = {"ended": "", "error": None, **changes}
    return replace(record, state=state, updated=now, message=message, **changes)


def is_locked(path: Path) -> bool:
    """True while a driver holds the lock. Looking at it takes nothing from anybody for long."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    finally:
        os.close(descriptor)
    return False


def _read_json(path: Path) -> dict[str, Any]:
    try:
        data = json.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise NotFound(f"{path} is not there", code="job.not_found") from None
    except ValueError as error:
        raise IntegrityError(f"{path} is damaged: {error}") from error
    if not isinstance(data, dict):
        raise IntegrityError(f"{path} is damaged: not a JSON object")
    return data


def create_job_folder(
    results_root: Path, record: JobRecord, documents: Mapping[str, Mapping[str, Any]]
) -> JobFolder:
    """Write a new job, whole or not at all.

    ``documents`` are spec, bundle and plan by file stem. The folder appears by a rename, with the
    state ``queued`` and the events that led there.
    """
    root = jobs_root(results_root)
    root.mkdir(parents=True, exist_ok=True)
    final = JobFolder(root / record.job_id)
    draft = JobFolder(root / f".{record.job_id}.{secrets.token_hex(4)}.tmp")
    with contextlib.ExitStack() as undo:
        undo.callback(shutil.rmtree, draft.path, ignore_errors=True)
        draft.logs.mkdir(parents=True)
        for stem, content in documents.items():
            write_atomically(draft.path / f"{stem}.json", json.dumps(content, indent=2))
        write_atomically(draft.state, record.to_text())
        draft.apply(Event.SUBMIT)
        draft.apply(Event.ENQUEUE)
        draft.path.rename(final.path)
        undo.pop_all()
    return final


def open_job_folder(results_root: Path, job_id: str) -> JobFolder:
    """The folder of a job that exists. Raises NotFound."""
    folder = JobFolder(jobs_root(results_root) / job_id)
    if "/" in job_id or job_id.startswith(".") or not folder.state.is_file():
        raise NotFound(f"job {job_id} not found", hint="mops jobs list", code="job.not_found")
    return folder


def list_job_folders(results_root: Path) -> list[JobFolder]:
    """All jobs of a store, in no particular order."""
    root = jobs_root(results_root)
    if not root.is_dir():
        return []
    return [
        JobFolder(path)
        for path in root.iterdir()
        if not path.name.startswith(".") and (path / "state.json").is_file()
    ]
