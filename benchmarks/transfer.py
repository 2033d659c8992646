"""What moving bundles costs, beside the plainest way to move the same bytes, in one run.

    python benchmarks/transfer.py [--runs 3] [--small 1000] [--megabytes 96] [--delay 20] [--json]

Small files: push and pull through a proxy that adds a round trip of `--delay` ms, against 32 raw
connections that PUT and GET the same files one by one. One large file: push and pull on this
machine against urllib3 sending and receiving the same bytes, hashed. The registry is a process of
its own that keeps blobs in memory. Ratios are of medians of interleaved repeats; exit code 1 when
one is above its goal. Peak memory is that of the process that moves the bundle.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import json
import multiprocessing
import os
import random
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from multiprocessing.connection import Connection
from pathlib import Path

import urllib3

ROOT = Path(__file__).resolve().parents[1]
CHUNK = 256 * 1024

WORK = """
import resource, sys, time
from pathlib import Path
from modelops_bundle.oci.remote import RemoteStore
address, name, what, place, cache = sys.argv[1:]
import modelops_bundle.transfer.push, modelops_bundle.transfer.clone, modelops_bundle.registering
from modelops_bundle.project import open_project
store = RemoteStore(address, name, cache_dir=Path(cache))
started = time.perf_counter()
if what == "push":
    modelops_bundle.transfer.push.push(open_project(Path(place)), store, force=True)
else:
    modelops_bundle.transfer.clone.clone(
        store, "latest", Path(place), repository=name, partial_dir=Path(cache) / "partial"
    )
spent = time.perf_counter() - started
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(spent, peak)
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One comparison."""

    what: str
    ratio: float
    goal: float
    detail: str

    @property
    def ok(self) -> bool:
        return self.ratio <= self.goal


def serve(pipe: Connection) -> None:
    """Run the registry until the pipe is closed."""
    sys.path.insert(0, str(ROOT / "tests"))
    from support.registry_faults import FaultyRegistry

    with FaultyRegistry() as registry:
        pipe.send(registry.address)
        with contextlib.suppress(EOFError):
            pipe.recv()


@contextlib.contextmanager
def running_registry() -> Iterator[str]:
    ours, theirs = multiprocessing.Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,))
    process.start()
    theirs.close()
    try:
        yield ours.recv()
    finally:
        ours.close()
        process.terminate()
        process.join()


@contextlib.contextmanager
def delayed(address: str, seconds: float) -> Iterator[str]:
    """Forward connections so that every byte arrives half of `seconds` later, each way."""
    host, _, port = address.partition(":")
    listener = socket.create_server(("127.0.0.1", 0), backlog=128)

    def pump(source: socket.socket, target: socket.socket) -> None:
        import queue

        waiting: queue.SimpleQueue[tuple[float, bytes]] = queue.SimpleQueue()

        def deliver() -> None:
            while True:
                due, data = waiting.get()
                time.sleep(max(0.0, due - time.monotonic()))
                if not data:
                    with contextlib.suppress(OSError):
                        target.shutdown(socket.SHUT_WR)
                    return
                with contextlib.suppress(OSError):
                    target.sendall(data)

        threading.Thread(target=deliver, daemon=True).start()
        data = b"x"
        while data:
            try:
                data = source.recv(CHUNK)
            except OSError:
                data = b""
            waiting.put((time.monotonic() + seconds / 2, data))

    def accept() -> None:
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            server = socket.create_connection((host, int(port)))
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            for pair in ((client, server), (server, client)):
                threading.Thread(target=pump, args=pair, daemon=True).start()

    threading.Thread(target=accept, daemon=True).start()
    try:
        yield f"127.0.0.1:{listener.getsockname()[1]}"
    finally:
        listener.close()


def run(address: str, name: str, what: str, place: Path, cache: Path) -> tuple[float, float]:
    """Move a bundle in a process of its own; return seconds and peak memory in MiB."""
    done = subprocess.run(
        [sys.executable, "-c", WORK, address, name, what, place, cache],
        capture_output=True, text=True, check=True, env={**os.environ, "PYTHONWARNINGS": ""},
    )  # fmt: skip
    spent, peak = done.stdout.split()
    return float(spent), float(peak) / 1024


def raw_put(pool: urllib3.HTTPConnectionPool, data: bytes | Path) -> str:
    """Send one blob as plainly as the protocol allows."""
    if isinstance(data, bytes):
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    else:
        with data.open("rb") as stream:
            digest = f"sha256:{hashlib.file_digest(stream, 'sha256').hexdigest()}"
    begun = pool.request("POST", "/v2/raw/blobs/uploads/")
    place = begun.headers["Location"]
    place = place[place.index("/v2/") :] + f"&digest={digest}"
    if isinstance(data, bytes):
        pool.request("PUT", place, body=data)
    else:
        with data.open("rb") as stream:
            size = {"Content-Length": str(data.stat().st_size)}
            pool.request("PUT", place, body=stream, headers=size)
    return digest


def raw_get(pool: urllib3.HTTPConnectionPool, digest: str, target: Path | None) -> None:
    """Fetch one blob and hash it."""
    found = hashlib.sha256()
    answer = pool.request("GET", f"/v2/raw/blobs/{digest}", preload_content=False)
    with contextlib.ExitStack() as stack:
        stream = stack.enter_context(target.open("wb")) if target is not None else None
        while data := answer.read(CHUNK):
            found.update(data)
            if stream is not None:
                stream.write(data)
    answer.release_conn()
    assert f"sha256:{found.hexdigest()}" == digest


def make_project(root: Path, files: dict[str, bytes]) -> None:
    from modelops_bundle.project import init_project
    from modelops_bundle.tracking import read_tracked, write_tracked

    root.mkdir(parents=True)
    for name, data in files.items():
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(data)
    init_project(root, name="bench")
    write_tracked(root, [*read_tracked(root), *files])


def compare(
    what: str, goal: float, runs: int, ours: Callable[[], tuple[float, float]],
    theirs: Callable[[], float],
) -> tuple[Row, float]:  # fmt: skip
    """Measure both in turn; return the ratio of medians, and our peak memory."""
    mine, others, peaks = [], [], []
    for _ in range(runs):
        spent, peak = ours()
        mine.append(spent)
        peaks.append(peak)
        others.append(theirs())
    us, them = statistics.median(mine), statistics.median(others)
    return Row(what, us / them, goal, f"{us:.2f} s / {them:.2f} s, peak {max(peaks):.0f} MiB"), max(
        peaks
    )


def timed(work: Callable[[], object]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def small_files(folder: Path, address: str, count: int, runs: int) -> list[Row]:
    source = random.Random(7)
    files = {f"d{n % 20}/f{n}.bin": source.randbytes(4096) for n in range(count)}
    make_project(folder / "small", files)
    pool = urllib3.HTTPConnectionPool(*split(address), maxsize=32)
    digests: list[str] = []
    turn = 0

    def push() -> tuple[float, float]:
        nonlocal turn
        turn += 1
        # Other bytes than the last time: the registry must not have the layers already.
        for path, data in files.items():
            (folder / "small" / path).write_bytes(turn.to_bytes(8, "big") + data[8:])
        return run(address, f"small{turn}", "push", folder / "small", fresh(folder / "cache"))

    def put_all() -> float:
        def work() -> None:
            with ThreadPoolExecutor(32) as threads:
                digests[:] = threads.map(lambda data: raw_put(pool, data), files.values())

        return timed(work)

    def pull() -> tuple[float, float]:
        return run(address, "small1", "clone", fresh(folder / "clone"), fresh(folder / "cache"))

    def get_all() -> float:
        def work() -> None:
            with ThreadPoolExecutor(32) as threads:
                list(threads.map(lambda digest: raw_get(pool, digest, None), digests))

        return timed(work)

    title = f"{count} small files"
    return [
        compare(f"push {title}, beside 32 connections", 1.0, runs, push, put_all)[0],
        compare(f"pull {title}, beside 32 connections", 1.0, runs, pull, get_all)[0],
    ]


def large_file(folder: Path, address: str, megabytes: int, runs: int) -> list[Row]:
    data = random.Random(8).randbytes(1024 * 1024)
    make_project(folder / "large", {})
    large = folder / "large/data.bin"
    with large.open("wb") as stream:
        for number in range(megabytes):
            stream.write(number.to_bytes(8, "big") + data[8:])
    from modelops_bundle.tracking import read_tracked, write_tracked

    write_tracked(folder / "large", [*read_tracked(folder / "large"), "data.bin"])
    pool = urllib3.HTTPConnectionPool(*split(address), blocksize=CHUNK)
    turn = 0

    def push() -> tuple[float, float]:
        nonlocal turn
        turn += 1
        # One byte differs from the last time: the registry must not have the blob already.
        with large.open("r+b") as stream:
            stream.write(turn.to_bytes(8, "little"))
        return run(address, f"large{turn}", "push", folder / "large", fresh(folder / "cache"))

    def pull() -> tuple[float, float]:
        return run(address, f"large{turn}", "clone", fresh(folder / "clone"),
                   fresh(folder / "cache"))  # fmt: skip

    digest = raw_put(pool, large)
    target = folder / "raw.bin"
    pushed, push_peak = compare(
        f"push {megabytes} MiB, beside urllib3", 1.4, runs, push,
        lambda: timed(lambda: raw_put(pool, large)),
    )  # fmt: skip
    pulled, pull_peak = compare(
        f"pull {megabytes} MiB, beside urllib3", 1.3, runs, pull,
        lambda: timed(lambda: raw_get(pool, digest, target)),
    )  # fmt: skip
    rows = [pushed, pulled]
    for what, peak in (("push", push_peak), ("pull", pull_peak)):
        rows.append(Row(f"peak memory of that {what}, beside 80 MiB", peak / 80, 1.0,
                        f"{peak:.0f} MiB"))  # fmt: skip
    return rows


def split(address: str) -> tuple[str, int]:
    host, _, port = address.partition(":")
    return host, int(port)


def fresh(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    return path


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--small", type=int, default=1000)
    parser.add_argument("--megabytes", type=int, default=96)
    parser.add_argument("--delay", type=float, default=20.0, help="round trip in milliseconds")
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name, running_registry() as address:
        folder = Path(name)
        with delayed(address, options.delay / 1000) as proxy:
            rows = small_files(folder, proxy, options.small, options.runs)
        rows += large_file(folder, address, options.megabytes, options.runs)
    if options.json:
        print(json.dumps([{"what": row.what, "ratio": row.ratio, "goal": row.goal,
                           "detail": row.detail, "ok": row.ok} for row in rows]))  # fmt: skip
    else:
        for row in rows:
            mark = "ok  " if row.ok else "MISS"
            print(f"{mark} {row.what:50} {row.ratio:6.2f} (goal {row.goal:g})  {row.detail}")
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
