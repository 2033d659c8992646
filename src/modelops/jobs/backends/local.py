"""Jobs on this machine: folders in the results store, drivers as detached processes."""

from __future__ import annotations

import contextlib
import json
import os
import secrets
import shutil
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

from modelops.jobs.folder import (
    JobFolder,
    create_job_folder,
    is_locked,
    list_job_folders,
    open_job_folder,
)
from modelops.jobs.lifecycle import Event, transition
from modelops.jobs.record import HEARTBEAT_SECONDS, SILENCE_SECONDS, JobRecord
from modelops_contracts.atomic import FileLock, write_atomically
from modelops_contracts.errors import Conflict, Unavailable
from modelops_contracts.job_state import JobState, JobStatus

__all__ = ["LocalJobBackend"]

_PAUSE = 0.05
_START_BUDGET = 15.0


class LocalJobBackend:
    """The JobBackend port on one machine.

    ``environ`` is what drivers start with; it carries MODELOPS_HOME. ``command`` starts a driver;
    the job's folder is appended to it.
    """

    def __init__(
        self,
        results_root: Path,
        *,
        environ: Mapping[str, str],
        command: Sequence[str] = (sys.executable, "-P", "-m", "modelops.driver"),
    ) -> None:
        self.results_root = results_root
        self._environ = dict(environ)
        self._command = tuple(command)

    # ------------------------------------------------------------ the port

    def submit(self, spec: Mapping[str, Any]) -> str:
        """Store a job and start its driver in a session of its own.

        ``spec`` holds ``record`` (JobRecord.to_json) and ``documents`` (file stem -> content).
        """
        record = self.create(spec)
        folder = open_job_folder(self.results_root, record.job_id)
        try:
            self._start_driver(folder)
        except Unavailable:
            shutil.rmtree(folder.path, ignore_errors=True)
            raise
        return record.job_id

    def status(self, job_id: str) -> JobStatus:
        return self.record(job_id).to_status()

    def logs(self, job_id: str, *, follow: bool = False) -> Iterator[str]:
        folder = open_job_folder(self.results_root, job_id)
        return _follow_lines(folder) if follow else _read_lines(folder.driver_log)

    def model_logs(self, job_id: str) -> Iterator[str]:
        """What the model's processes printed, process by process; older parts first."""
        folder = open_job_folder(self.results_root, job_id)
        files = sorted(folder.logs.glob("slot-*.log"), key=_slot_number)
        for path in files:
            for part in (path.with_name(f"{path.name}.1"), path):
                yield from (f"{path.stem}  {line}" for line in _read_lines(part))

    def cancel(self, job_id: str) -> None:
        """Ask the driver to stop; a job without a driver is cancelled here and now."""
        folder = open_job_folder(self.results_root, job_id)
        if folder.observe().state.ended:
            return
        write_atomically(folder.cancel_request, "cancel\n")
        if not self._cancel_without_driver(folder):
            _signal_driver(folder)

    def list(self) -> Sequence[JobStatus]:
        return [record.to_status() for record in self.records()]

    def attach(self, job_id: str) -> JobStatus:
        return self.wait(job_id).to_status()

    # ------------------------------------------------------------ beyond the port

    def create(self, spec: Mapping[str, Any]) -> JobRecord:
        """Store a job, ``queued``, without a driver: for callers that carry it themselves."""
        record = JobRecord.from_json(spec["record"])
        folder = create_job_folder(self.results_root, record, spec["documents"])
        return folder.read_record()

    def record(self, job_id: str) -> JobRecord:
        """All that is known of a job now. Raises NotFound."""
        return open_job_folder(self.results_root, job_id).observe()

    def records(self) -> Sequence[JobRecord]:
        """All jobs, newest first. One that is damaged hides no other."""
        found = [folder.observe_or_explain() for folder in list_job_folders(self.results_root)]
        return sorted(found, key=lambda record: (record.created, record.job_id), reverse=True)

    def folder(self, job_id: str) -> JobFolder:
        """Where a job's files are. Raises NotFound."""
        return open_job_folder(self.results_root, job_id)

    def resume(
        self,
        job_id: str,
        *,
        changes: Mapping[str, Any] | None = None,
        prepare: Callable[[JobFolder], Mapping[str, Any] | None] | None = None,
    ) -> JobRecord:
        """Put an ended or lost job back into the queue; ``changes`` go into its plan's settings.

        ``prepare`` may change the job's documents while no driver can take it, and gives what then
        changes in its record, or None. Raises Conflict when it still runs, or when it has succeeded
        and nothing has changed.
        """
        folder = open_job_folder(self.results_root, job_id)
        with _without_driver(folder, job_id, "mops jobs resume"):
            _mark_lost(folder)
            transition(folder.read_record().state, Event.RESUME)
            changed = None if prepare is None else prepare(folder)
            if folder.read_record().state is JobState.SUCCEEDED and changed is None:
                raise Conflict(
                    f"job {job_id} has succeeded; nothing is missing", code="job.nothing_to_do"
                )
            if changes:
                plan = folder.read_document(folder.plan)
                plan["settings"] = {**plan["settings"], **changes}
                write_atomically(folder.plan, json.dumps(plan, indent=2))
            folder.cancel_request.unlink(missing_ok=True)
            return folder.apply(Event.RESUME, **(changed or {}))

    def launch(self, job_id: str) -> None:
        """Start a detached driver for a queued job; returns when it has taken the job.

        Raises Conflict when the job already has a driver, Unavailable when the driver fails to
        come up.
        """
        folder = open_job_folder(self.results_root, job_id)
        if is_locked(folder.lock):
            raise Conflict(f"job {job_id} is running already", code="job.running")
        self._start_driver(folder)

    def wait(
        self, job_id: str, *, timeout: float | None = None, started_is_enough: bool = False
    ) -> JobRecord:
        """Poll until the job has ended, is lost, or ``timeout`` seconds are over.

        A driver that lives but is silent may have slept with its machine, or the clock was set:
        it has ``SILENCE_SECONDS`` to be heard of.
        """
        deadline = None if timeout is None else time.monotonic() + timeout
        patience = _Patience(open_job_folder(self.results_root, job_id))
        while True:
            record = self.record(job_id)
            if record.state.ended or patience.is_lost(record):
                return record
            if started_is_enough and record.state in {JobState.RUNNING, JobState.FINALIZING}:
                return record
            if deadline is not None and time.monotonic() >= deadline:
                return record
            time.sleep(_PAUSE)

    def delete(self, job_id: str) -> None:
        """Remove a job's folder; what it simulated stays in the store.

        Raises Conflict while it runs or waits to run.
        """
        folder = open_job_folder(self.results_root, job_id)
        written = folder.read_record()
        _refuse_active(folder.observe())
        with _driver_lock(folder, "mops jobs delete"):
            # Whoever took the job between the two looks has written so.
            if folder.read_record() != written:
                _refuse_active(folder.read_record())
            # Gone for everybody in one step; a crash below leaves a folder that nobody lists.
            doomed = folder.path.with_name(f".{job_id}.{secrets.token_hex(4)}.deleted")
            folder.path.rename(doomed)
        shutil.rmtree(doomed)

    # ------------------------------------------------------------ drivers

    def _start_driver(self, folder: JobFolder) -> None:
        folder.logs.mkdir(parents=True, exist_ok=True)
        try:
            with folder.driver_log.open("ab") as log:
                process = subprocess.Popen(
                    [*self._command, str(folder.path)],
                    stdin=subprocess.DEVNULL,
                    stdout=log,
                    stderr=log,
                    cwd=folder.path,
                    env=self._environ,
                    start_new_session=True,
                )
        except OSError as error:
            raise Unavailable(f"the driver could not be started: {error}") from error
        # Reaped when it ends, should that happen before we do: no zombie, nothing to wait for.
        threading.Thread(target=process.wait, daemon=True).start()
        _wait_until_taken(folder, process)

    def _cancel_without_driver(self, folder: JobFolder) -> bool:
        try:
            with _driver_lock(folder, "mops jobs cancel", timeout=0.0):
                if not folder.read_record().state.ended:
                    folder.apply(Event.CANCEL, message="cancelled while no driver was running")
        except Conflict as error:
            if error.code != "locked":
                raise
            return False
        return True


class _Patience:
    """When a job that looks lost is taken for lost by somebody who follows it."""

    def __init__(self, folder: JobFolder) -> None:
        self._folder = folder
        self._silent_since: float | None = None

    def is_lost(self, record: JobRecord) -> bool:
        if record.state is not JobState.LOST:
            self._silent_since = None
            return False
        now = time.monotonic()
        self._silent_since = self._silent_since or now
        return now - self._silent_since > SILENCE_SECONDS or not is_locked(self._folder.lock)


def _refuse_active(record: JobRecord) -> None:
    if not (record.state.ended or record.state is JobState.LOST):
        raise Conflict(
            f"job {record.job_id} is {record.state}",
            hint=f"mops jobs cancel {record.job_id}",
            code="job.running",
        )


def _driver_lock(folder: JobFolder, command: str, timeout: float = 2.0) -> FileLock:
    return FileLock(folder.lock, timeout=timeout, command=command)


@contextlib.contextmanager
def _without_driver(folder: JobFolder, job_id: str, command: str) -> Iterator[None]:
    with contextlib.ExitStack() as held:
        try:
            held.enter_context(_driver_lock(folder, command))
        except Conflict as error:
            raise Conflict(
                f"job {job_id} is running: {error}",
                hint=f"mops jobs wait {job_id}, or mops jobs cancel {job_id}",
                code=error.code,
            ) from error
        yield


def _mark_lost(folder: JobFolder) -> None:
    """What everybody saw becomes what is written. Called with the lock held: no driver lives."""
    if folder.read_record().state in {JobState.QUEUED, JobState.RUNNING, JobState.FINALIZING}:
        folder.apply(Event.LOSE, message="its driver ended without a word")


def _wait_until_taken(folder: JobFolder, process: subprocess.Popen[bytes]) -> None:
    deadline = time.monotonic() + _START_BUDGET
    while time.monotonic() < deadline:
        exited = process.poll()  # before the look at the state: a quick driver may be done by now
        if folder.read_record().state is not JobState.QUEUED:
            return
        if exited is not None:
            last = list(_read_lines(folder.driver_log))[-1:]
            raise Unavailable(
                f"the driver of {folder.job_id} ended with code {exited} before it took the job"
                + "".join(f": {line}" for line in last),
                hint="mops doctor",
                code="job.driver",
            )
        time.sleep(_PAUSE / 5)
    raise Unavailable(
        f"the driver of {folder.job_id} did not take the job within {_START_BUDGET:.0f} s",
        hint=f"mops jobs logs {folder.job_id}",
        code="job.driver",
    )


def _signal_driver(folder: JobFolder) -> None:
    """SIGTERM to the process that holds the lock, and to no other."""
    try:
        holder = json.loads(folder.lock.read_text(encoding="utf-8"))
        pid = int(holder["pid"])
    except (OSError, ValueError, KeyError, TypeError):
        return  # it has not written its line yet; the request file reaches it
    # The number may belong to a stranger by now unless the lock is still held.
    if is_locked(folder.lock):
        try:
            os.kill(pid, signal.SIGTERM)
        except ProcessLookupError:
            return


def _slot_number(path: Path) -> tuple[int, str]:
    digits = path.stem.rpartition("-")[2]
    return (int(digits) if digits.isdigit() else 0, path.name)


def _read_lines(path: Path) -> Iterator[str]:
    if path.is_file():
        with path.open(encoding="utf-8", errors="replace") as stream:
            for line in stream:
                yield line.rstrip("\n")


def _follow_lines(folder: JobFolder) -> Iterator[str]:
    """Lines as they come; ends one look after the job has ended."""
    position, rest = 0, ""
    patience = _Patience(folder)
    while True:
        record = folder.observe()
        over = record.state.ended or patience.is_lost(record)
        if folder.driver_log.is_file():
            with folder.driver_log.open(encoding="utf-8", errors="replace") as stream:
                stream.seek(position)
                rest += stream.read()
                position = stream.tell()
        *lines, rest = rest.split("\n")
        yield from lines
        if over:
            if rest:
                yield rest
            return
        time.sleep(HEARTBEAT_SECONDS / 20)
