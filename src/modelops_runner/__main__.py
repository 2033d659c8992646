"""The guest process: ``python runner.pyz SOCKET_FD PARENT_PID``.

Who starts it has given it its own session, the bundle's root as working directory, a log as
standard output and error, and nothing as standard input. It answers until it is told to stop or
the other end of its socket is gone.
"""

from __future__ import annotations

import os
import signal
import socket
import sys
from pathlib import Path
from typing import Any

from modelops_runner import PROTOCOL_VERSION
from modelops_runner.execute import answer
from modelops_runner.failures import describe_error
from modelops_runner.protocol import Channel, ChannelClosedError
from modelops_runner.wire import Wire, find_wire

_PR_SET_PDEATHSIG = 1


def main(arguments: list[str] | None = None) -> int:
    descriptor, parent = (sys.argv[1:] if arguments is None else arguments)[:2]
    die_with_parent(int(parent))
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # an interrupt is the parent's business
    keep_log_complete()
    channel = Channel(socket.socket(fileno=int(descriptor)))
    try:
        serve(channel)
    except ChannelClosedError:
        return 1
    return 0


def die_with_parent(parent: int) -> None:
    """Where the system can do it (Linux), be killed the moment the parent is gone."""
    if sys.platform.startswith("linux"):
        import ctypes

        libc = ctypes.CDLL(None, use_errno=True)
        libc.prctl(_PR_SET_PDEATHSIG, signal.SIGKILL, 0, 0, 0)
    if os.getppid() != parent:
        os._exit(1)


def keep_log_complete() -> None:
    """Lines reach the log when they are printed, so that a crash does not swallow the last ones."""
    for stream in (sys.stdout, sys.stderr):
        stream.reconfigure(line_buffering=True, errors="backslashreplace")  # type: ignore[union-attr]


def serve(channel: Channel) -> None:
    """Answer messages in order until ``shutdown``; ChannelClosedError when the asker is gone."""
    wire = greet(channel)
    root, own = Path.cwd(), os.getpid()
    while wire is not None:
        message, payload = channel.receive()
        if message["type"] == "shutdown":
            return
        for header, parts in answer(wire, message, payload):
            if os.getpid() != own:
                os._exit(0)  # a child that the author's code forked: only its parent answers
            os.chdir(root)  # what one simulation did to the directory is not the next one's
            channel.send(header, parts)


def greet(channel: Channel) -> Wire | None:
    """Handle ``hello``: put the bundle first on the path and find the wire function."""
    message, _payload = channel.receive()
    put_bundle_first(message["roots"])
    try:
        if message["protocol"] != PROTOCOL_VERSION:
            raise RuntimeError(f"protocol {message['protocol']} asked, {PROTOCOL_VERSION} spoken")
        wire = find_wire(message.get("wire"))
    except Exception as error:  # noqa: BLE001  (the asker gets it as data)
        channel.send({"type": "failed", "error": describe_error(error)})
        return None
    channel.send(introduce(wire))
    return wire


def put_bundle_first(roots: list[str]) -> None:
    """The author's modules come first; the archive the guest was started from is gone."""
    own = Path(__file__).resolve().parent.parent
    archive = own if own.is_file() else None
    sys.path[:] = [*roots, *(entry for entry in sys.path if Path(entry).resolve() != archive)]


def introduce(wire: Wire) -> dict[str, Any]:
    return {
        "type": "ready",
        "protocol": PROTOCOL_VERSION,
        "python": sys.version.split()[0],
        "wire": wire.name,
        "path": list(sys.path),
        "pid": os.getpid(),
    }


if __name__ == "__main__":
    sys.exit(main())
