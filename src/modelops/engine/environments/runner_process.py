"""One guest process: started, asked, watched, ended."""

from __future__ import annotations

import contextlib
import os
import resource
import signal
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops.engine.environments.children import Child, find_children, kill_children
from modelops.engine.environments.guest_log import GuestLog
from modelops_contracts.errors import Unavailable
from modelops_runner import PROTOCOL_VERSION
from modelops_runner.protocol import Channel, ChannelClosedError

__all__ = [
    "GuestDiedError",
    "GuestInterruptedError",
    "GuestTimedOutError",
    "Launch",
    "RunnerProcess",
    "guest_environ",
]

Frame = tuple[dict[str, Any], bytes]

_TICK = 0.1
_SEND_SECONDS = 60.0
_SOCKET_BYTES = 1 << 20
_THREAD_VARIABLES = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "BLIS_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "POLARS_MAX_THREADS",
    "RAYON_NUM_THREADS",
)


class GuestDiedError(Exception):
    """The process ended by itself: a signal, an exit, or a closed connection."""

    def __init__(self, reason: str, *, tail: str, peak_bytes: int) -> None:
        super().__init__(reason)
        self.tail = tail
        self.peak_bytes = peak_bytes


class GuestTimedOutError(Exception):
    """The process gave no sign within its limit and was killed."""

    def __init__(self, seconds: float, *, tail: str, peak_bytes: int) -> None:
        super().__init__(f"no result within {seconds:g} s")
        self.tail = tail
        self.peak_bytes = peak_bytes


class GuestInterruptedError(Exception):
    """Somebody asked to stop; the process was killed."""


@dataclass(frozen=True, slots=True)
class Launch:
    """All that is needed to start a guest. ``start_budget`` limits start and import, in seconds."""

    python: Path
    archive: Path
    root: Path
    roots: tuple[str, ...]
    variables: Mapping[str, str]
    wire: str | None = None
    start_budget: float = 300.0


def guest_environ(base: Mapping[str, str], *, threads: int = 1) -> dict[str, str]:
    """The variables a guest sees: no ``PYTHON*`` of ours, one numerical thread, fixed hashing.

    String hashing is fixed because a model that walks over a set of names must give the same
    result in every process.
    """
    environ = {key: value for key, value in base.items() if not key.startswith("PYTHON")}
    environ.update(dict.fromkeys(_THREAD_VARIABLES, str(threads)))
    environ["PYTHONHASHSEED"] = "0"
    environ["PYTHONDONTWRITEBYTECODE"] = "1"
    return environ


class RunnerProcess:
    """A running guest. Used by one thread, which must live as long as the process."""

    def __init__(self, launch: Launch, log: GuestLog, interrupted: threading.Event) -> None:
        self.interrupted = interrupted
        self.loaded: set[str] = set()
        self.peak_bytes = 0
        #: As it was after the first simulation: imports, and what one simulation needs.
        self.first_peak_bytes = 0
        self._launch = launch
        self._log = log
        self._looked = 0.0
        self._gone = False
        # Seen before it ends: afterwards they are nobody's children.
        self._children: set[Child] = set()
        self._log.mark()
        self._process, self._channel = _spawn(launch, log)
        with contextlib.ExitStack() as unless_greeted:
            unless_greeted.callback(self.kill)
            self._greet()
            unless_greeted.pop_all()

    @property
    def pid(self) -> int:
        return self._process.pid

    def ask(
        self, message: Mapping[str, Any], parts: Sequence[bytes] = (), *, limit: float | None = None
    ) -> Iterator[Frame]:
        """Send one message and give its frames as they come, the closing one included.

        ``limit`` is the longest wait for the next frame in seconds. Raises GuestDiedError,
        GuestTimedOutError or GuestInterruptedError; the process is gone then.
        """
        self._log.mark()
        try:
            self._send(message, parts)
            while True:
                header, payload = self._receive(limit)
                self.peak_bytes = max(self.peak_bytes, header.get("peak_bytes", 0))
                self.first_peak_bytes = self.first_peak_bytes or self.peak_bytes
                yield header, payload
                if header["type"] != "outcome":
                    return
                if self.interrupted.is_set():
                    self.kill()
                    raise GuestInterruptedError
        except ChannelClosedError:
            raise self._died() from None

    def tail(self) -> str:
        """The last lines it printed since the last message."""
        return self._log.tail()

    def close(self) -> None:
        """Let it end by itself within a second, then make sure that its group is gone."""
        self._children |= find_children(self.pid)
        with contextlib.suppress(ChannelClosedError):
            self._channel.send({"type": "shutdown"})
        self._wait_for_exit(1.0)
        self.kill()

    def kill(self) -> None:
        """End the process and everything it started."""
        self._channel.close()
        if self._gone:
            return
        self._gone = True
        self._children |= find_children(self.pid)
        # Where possible the leader is not reaped yet, so its group's id cannot have been taken.
        with contextlib.suppress(ProcessLookupError, PermissionError):
            os.killpg(self._process.pid, signal.SIGKILL)
        kill_children(self._children)
        if self._process.returncode is None:
            self._reap(0)

    def _reap(self, flags: int) -> bool:
        """Take the exit status and the memory that was used; False while it runs."""
        pid, status, usage = os.wait4(self._process.pid, flags)
        if pid == 0:
            return False
        self._process.returncode = os.waitstatus_to_exitcode(status)
        self.peak_bytes = max(self.peak_bytes, _peak(usage))
        return True

    # ------------------------------------------------------------ private

    def _greet(self) -> None:
        hello = {
            "type": "hello",
            "protocol": PROTOCOL_VERSION,
            "roots": list(self._launch.roots),
            "wire": self._launch.wire,
        }
        try:
            self._send(hello, ())
            header, _payload = self._receive(self._launch.start_budget)
        except ChannelClosedError:
            raise self._died() from None
        if header["type"] != "ready":
            raise _not_ready(self._launch.python, header["error"])

    def _send(self, message: Mapping[str, Any], parts: Sequence[bytes]) -> None:
        # A guest that is asked is waiting for it; one that does not read is as good as dead.
        self._channel.wait_at_most(_SEND_SECONDS)
        self._channel.send(message, parts)
        self._channel.wait_at_most(_TICK)

    def _receive(self, limit: float | None) -> Frame:
        started = time.monotonic()

        def on_wait() -> None:
            self._look()
            if self.interrupted.is_set():
                self.kill()
                raise GuestInterruptedError
            if limit is not None and time.monotonic() - started > limit:
                raise self._timed_out(limit)
            if self._has_exited():
                raise ChannelClosedError("the process has ended")

        if time.monotonic() - self._looked > 1.0:
            self._look()
        return self._channel.receive(on_wait)

    def _look(self) -> None:
        self._looked = time.monotonic()
        self._log.rotate()

    def _timed_out(self, limit: float) -> GuestTimedOutError:
        self.kill()
        return GuestTimedOutError(limit, tail=self._log.tail(), peak_bytes=self.peak_bytes)

    def _died(self) -> GuestDiedError:
        by_itself = self._wait_for_exit(1.0)
        self.kill()
        code = self._process.returncode
        reason = _death(code) if by_itself else "closed its connection to the engine"
        return GuestDiedError(reason, tail=self._log.tail(), peak_bytes=self.peak_bytes)

    def _has_exited(self) -> bool:
        if self._process.returncode is not None:
            return True
        if not hasattr(os, "waitid"):  # macOS before Python 3.13
            return self._reap(os.WNOHANG)
        flags = os.WEXITED | os.WNOHANG | os.WNOWAIT
        return os.waitid(os.P_PID, self._process.pid, flags) is not None

    def _wait_for_exit(self, seconds: float) -> bool:
        deadline = time.monotonic() + seconds
        pause = 0.001
        while not self._has_exited():
            if time.monotonic() > deadline:
                return False
            time.sleep(pause)
            pause = min(2 * pause, 0.05)
        return True


def _spawn(launch: Launch, log: GuestLog) -> tuple[subprocess.Popen[bytes], Channel]:
    ours, theirs = socket.socketpair()
    with theirs:
        for end in (ours, theirs):
            end.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, _SOCKET_BYTES)
        output = log.open()
        try:
            process = _start(launch, theirs.fileno(), output)
        except OSError as error:
            ours.close()
            raise Unavailable(
                f"cannot start {launch.python}: {error.strerror or error}",
                hint="check that the interpreter exists and may be executed",
            ) from error
        finally:
            os.close(output)
    return process, Channel(ours)


def _start(launch: Launch, channel: int, output: int) -> subprocess.Popen[bytes]:
    # -s and an environment without PYTHON* variables isolate like -I, which would also ignore
    # the fixed hash seed. -B: the bundle's files are a read-only cache.
    command = [str(launch.python), "-s", "-B", str(launch.archive), str(channel), str(os.getpid())]
    return subprocess.Popen(
        command,
        cwd=launch.root,
        env=dict(launch.variables),
        stdin=subprocess.DEVNULL,
        stdout=output,
        stderr=output,
        pass_fds=(channel,),
        start_new_session=True,
    )


def _not_ready(python: Path, error: Mapping[str, Any]) -> Unavailable:
    return Unavailable(
        f"{python} cannot run models: {error['error_type']}: {error['message']}",
        hint="install modelops into this environment, or use an isolated one",
        code="environment_not_ready",
        retryable=False,
        exit_code=1,
    )


def _death(code: int | None) -> str:
    if code is None or code >= 0:
        return f"exited with status {code}"
    try:
        name = signal.Signals(-code).name
    except ValueError:
        name = f"signal {-code}"
    return f"killed by {name}" + (" (out of memory?)" if -code == signal.SIGKILL else "")


def _peak(usage: resource.struct_rusage) -> int:
    return usage.ru_maxrss if sys.platform == "darwin" else usage.ru_maxrss * 1024
