"""What moving bundles costs, beside the plainest way to move the same bytes, in one run.

    python benchmarks/transfer.py [--full] [--runs 3] [--only WORD ...] [--json]

The registry is a process of its own that takes bytes without looking at them and hands out files
through the kernel; the round trip of small files is added by a proxy, another process. Ratios are
of medians of interleaved repeats; CPU is user plus system time of the whole process tree, memory
the largest resident set of the process that moves the bundle. `--full` moves a file of 1 GiB and a
project of 10,000 files and 2 GB and takes minutes; without it the file has 256 MiB, a single
connection is timed over a tenth of the files, and the project of 10,000 is left out. Exit code 1
when something is above its goal.
"""

from __future__ import annotations

import argparse
import contextlib
import hashlib
import http.client
import json
import os
import random
import resource
import shutil
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

from _servers import count_requests, delayed, running_registry
from bundle import PEAK, environment, make_tracked, settle
from bundle import make_project as make_p2k

MIB = 1024 * 1024

MOVE = """
import sys, time
from pathlib import Path
from modelops_bundle.oci.remote import RemoteStore
address, name, what, place, cache = sys.argv[1:]
if what == "push":
    from modelops_bundle.project.project import open_project
    from modelops_bundle.transfer.push import push
else:
    from modelops_bundle.transfer.clone import clone
started = time.perf_counter()
store = RemoteStore(address, name, cache_dir=Path(cache))
if what == "push":
    push(open_project(Path(place)), store)
else:
    clone(store, "latest", Path(place), repository=name, partial_dir=Path(cache) / "partial")
print(time.perf_counter() - started)
"""
RAW_PUSH = """
import hashlib, http.client, sys
from pathlib import Path
address, folder = sys.argv[1:]
client = http.client.HTTPConnection(address)
for file in sorted(Path(folder).rglob("*")):
    if file.is_file() and ".git" not in file.parts:
        data = file.read_bytes()
        digest = hashlib.sha256(data).hexdigest()
        client.request("POST", "/v2/raw/blobs/uploads/")
        place = client.getresponse()
        place.read()
        client.request("PUT", place.headers["Location"] + "&digest=sha256:" + digest, data)
        client.getresponse().read()
"""
RAW_PULL = """
import hashlib, http.client, sys
from pathlib import Path
address, target = sys.argv[1:]
client = http.client.HTTPConnection(address)
Path(target).mkdir()
for line in sys.stdin:
    digest = line.strip()
    client.request("GET", "/v2/kept-raw/blobs/sha256:" + digest)
    data = client.getresponse().read()
    assert hashlib.sha256(data).hexdigest() == digest
    (Path(target) / digest).write_bytes(data)
"""
NO_SOCKETS = """
import sys
opened = []
sys.addaudithook(lambda event, arguments: event == "socket.__new__" and opened.append(arguments))
from modelops.cli.main import mops
try:
    code = mops()
except SystemExit as end:
    code = end.code
assert code in (0, 3), code
print(len(opened), file=sys.stderr)
"""
ENSURE = """
import statistics, sys, time
from pathlib import Path
from modelops_bundle.repository import ModelOpsBundleRepository
place, cache, digest = sys.argv[1:]
repository = ModelOpsBundleRepository(place, Path(cache))
def once():
    started = time.process_time()
    repository.ensure_local(place + "@" + digest)
    return time.process_time() - started
once()
time.sleep(0.1)
once()
print(statistics.median(once() for _ in range(9)))
"""


@dataclass(frozen=True, slots=True)
class Row:
    """One claim: what was measured and the most it may be."""

    what: str
    value: float
    goal: float
    detail: str = ""

    @property
    def ok(self) -> bool:
        return self.value <= self.goal


@dataclass(frozen=True, slots=True)
class Cost:
    """Seconds of a process by the wall and by the processor, and what it printed."""

    wall: float
    cpu: float
    printed: str = ""


def cost_of(command: Sequence[object], text: str = "") -> Cost:
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    done = subprocess.run(
        [str(item) for item in command], input=text, capture_output=True, text=True, check=False,
        env=environment(),
    )  # fmt: skip
    wall, after = time.perf_counter() - started, resource.getrusage(resource.RUSAGE_CHILDREN)
    if done.returncode:
        raise SystemExit(f"{' '.join(map(str, command))[:300]}:\n{done.stderr}")
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return Cost(wall, cpu, done.stdout)


def move(what: str, address: str, name: str, place: Path, cache: Path) -> Cost:
    """Push or clone with an empty or a given cache."""
    return cost_of([sys.executable, "-c", MOVE + PEAK, address, name, what, place, cache])


def inner(cost: Cost) -> float:
    """Seconds of a move without the start of the interpreter."""
    return float(cost.printed.split()[0])


def peak(costs: Sequence[Cost]) -> float:
    """The largest resident set of some moves, in MiB."""
    return max(float(cost.printed.split()[1]) for cost in costs)


def in_turn(runs: int, *sides: Callable[[int], Cost]) -> list[list[Cost]]:
    """Run all sides one after the other, several times; the first round is not counted."""
    found: list[list[Cost]] = [[] for _ in sides]
    for turn in range(runs + 1):
        for costs, side in zip(found, sides, strict=True):
            cost = side(turn)
            if turn:
                costs.append(cost)
    return found


def compare(
    what: str, goal: float, ours: Sequence[Cost], theirs: Sequence[Cost],
    measure: Callable[[Cost], float], scale: float = 1.0,
) -> Row:  # fmt: skip
    us = statistics.median(map(measure, ours))
    them = statistics.median(map(measure, theirs)) * scale
    return Row(what, us / them, goal, f"{us:.2f} s / {them:.2f} s")


def wall(cost: Cost) -> float:
    return cost.wall


def cpu(cost: Cost) -> float:
    return cost.cpu


def fresh(path: Path) -> Path:
    shutil.rmtree(path, ignore_errors=True)
    return path


# --- small files and a round trip ------------------------------------------------------------


@contextlib.contextmanager
def clients(address: str, count: int) -> Iterator[Callable[[Callable[..., object], list], Cost]]:
    """Give a way to run jobs on some connections that are open already."""
    connections = [http.client.HTTPConnection(address) for _ in range(count)]
    for connection in connections:
        connection.connect()
        connection.sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def run(job: Callable[..., object], items: list) -> Cost:
        started, before = time.perf_counter(), time.process_time()
        with ThreadPoolExecutor(count) as threads:
            parts = [items[number::count] for number in range(count)]
            for done in [
                threads.submit(lambda c, part: [job(c, item) for item in part], *pair)
                for pair in zip(connections, parts, strict=True)
            ]:
                done.result()
        return Cost(time.perf_counter() - started, time.process_time() - before)

    try:
        yield run
    finally:
        for connection in connections:
            connection.close()


def exchange(client: http.client.HTTPConnection, verb: str, path: str, data: bytes = b"") -> bytes:
    client.request(verb, path, data, {"Content-Length": str(len(data))})
    answer = client.getresponse()
    found = answer.read()
    return answer.headers.get("Location", "").encode() if verb == "POST" else found


def put_raw(client: http.client.HTTPConnection, data: bytes) -> None:
    digest = hashlib.sha256(data).hexdigest()
    exchange(client, "HEAD", f"/v2/kept-raw/blobs/sha256:{digest}")
    place = exchange(client, "POST", "/v2/kept-raw/blobs/uploads/").decode()
    exchange(client, "PUT", f"{place}&digest=sha256:{digest}", data)


def get_raw(client: http.client.HTTPConnection, digest: str) -> None:
    data = exchange(client, "GET", f"/v2/kept-raw/blobs/sha256:{digest}")
    assert hashlib.sha256(data).hexdigest() == digest


def small_files(folder: Path, address: str, runs: int, full: bool) -> list[Row]:
    source = random.Random(7)
    files = {f"d{n % 20}/f{n}.bin": source.randbytes(4096) for n in range(1000)}
    make_tracked(folder / "small", files)
    alone = 1 if full else 10
    digests = [hashlib.sha256(data).hexdigest() for data in files.values()]
    some = list(files.values())[::alone]
    with clients(address, 32) as many, clients(address, 1) as one:
        many(put_raw, list(files.values()))

        def push(turn: int) -> Cost:
            for path, data in files.items():  # the registry must not have the layers already
                (folder / "small" / path).write_bytes(turn.to_bytes(8, "big") + data[8:])
            return move("push", address, f"kept{turn}", folder / "small", fresh(folder / "cache"))

        pushes, put32, put1 = in_turn(
            runs, push, lambda _: many(put_raw, list(files.values())), lambda _: one(put_raw, some)
        )
        pulls, get32, get1 = in_turn(
            runs,
            lambda _: move("clone", address, "kept0", fresh(folder / "clone"),
                           fresh(folder / "cache")),
            lambda _: many(get_raw, digests),
            lambda _: one(get_raw, digests[::alone]),
        )  # fmt: skip
    return [
        compare("push, 1,000 x 4 KB: wall / 32 connections", 1.0, pushes, put32, inner_or_wall),
        compare("push, 1,000 x 4 KB: wall / one connection", 0.1, pushes, put1, inner_or_wall,
                alone),
        compare("pull, 1,000 x 4 KB: wall / 32 connections", 1.0, pulls, get32, inner_or_wall),
        compare("pull, 1,000 x 4 KB: wall / one connection", 0.1, pulls, get1, inner_or_wall,
                alone),
    ]  # fmt: skip


def inner_or_wall(cost: Cost) -> float:
    return inner(cost) if cost.printed else cost.wall


# --- one large file --------------------------------------------------------------------------


def large_file(folder: Path, address: str, runs: int, megabytes: int) -> list[Row]:
    block = random.Random(8).randbytes(MIB)
    make_tracked(folder / "large", {"data.bin": b""})
    large, target = folder / "large/data.bin", folder / "raw.bin"
    with large.open("wb") as stream:
        for number in range(megabytes):
            stream.write(number.to_bytes(8, "big") + block[8:])
    move("push", address, "kept-large", folder / "large", fresh(folder / "cache"))
    (layer,) = [path for path in (folder / "registry").iterdir() if path.stat().st_size > MIB]

    def push(turn: int) -> Cost:
        with large.open("r+b") as stream:  # the registry must not have the blob already
            stream.write((turn + 1).to_bytes(8, "little"))
        return move("push", address, f"large{turn}", folder / "large", fresh(folder / "cache"))

    place = f"http://{address}/v2/raw/blobs/uploads/x?digest=sha256:{'0' * 64}"
    blob = f"http://{address}/v2/kept-large/blobs/sha256:{layer.name}"
    pushes, sent = in_turn(
        runs, push, lambda _: shell(f"sha256sum {large} && curl -sSf -T {large} '{place}'")
    )
    pulls, received = in_turn(
        runs,
        lambda _: move("clone", address, "kept-large", fresh(folder / "clone"),
                       fresh(folder / "cache")),
        lambda _: shell(f"curl -sSf -o {target} {blob} && sha256sum {target}"),
    )  # fmt: skip
    title = f"{megabytes} MiB file"
    return [
        compare(f"push, {title}: wall / (sha256sum + curl)", 1.4, pushes, sent, wall),
        compare(f"pull, {title}: wall / (curl + sha256sum)", 1.3, pulls, received, wall),
        Row(f"push, {title}: peak MiB", peak(pushes), 64),
        Row(f"pull, {title}: peak MiB", peak(pulls), 64),
    ]


def shell(line: str) -> Cost:
    return cost_of(["sh", "-c", line])


# --- a whole project -------------------------------------------------------------------------


def whole_project(folder: Path, address: str, runs: int, files: int) -> list[Row]:
    root, cache = folder / "project", folder / "cache"
    make_p2k(root, files)
    settle()
    digests = {
        hash_of(path) for path in root.rglob("*") if path.is_file() and ".git" not in path.parts
    }
    with clients(address, 1) as one:
        for path in root.rglob("*"):
            if path.is_file() and ".git" not in path.parts:
                one(put_raw, [path.read_bytes()])

    def push_cold(turn: int) -> Cost:
        forget(root)
        return move("push", address, f"cold{turn}", root, fresh(cache))

    pushes, raw_pushes = in_turn(
        runs, push_cold, lambda _: cost_of([sys.executable, "-c", RAW_PUSH, address, root])
    )
    move("push", address, "kept-project", root, fresh(cache))
    pulls, raw_pulls = in_turn(
        runs,
        lambda _: move("clone", address, "kept-project", fresh(folder / "clone"), fresh(cache)),
        lambda _: cost_of([sys.executable, "-c", RAW_PULL, address, fresh(folder / "raw")],
                          "\n".join(digests)),
    )  # fmt: skip
    move("push", address, "kept-project", root, cache)
    asked: list[int] = []

    def push_again(turn: int) -> Cost:
        before = count_requests(address)
        cost = move("push", address, "kept-project", root, cache)
        asked.append(count_requests(address) - before)
        return cost

    again, pythons = in_turn(runs, push_again, lambda _: cost_of([sys.executable, "-c", "pass"]))
    with (root / "data/00/00000.csv").open("a") as stream:
        stream.write("x")
    before = count_requests(address)
    kept = stored(folder)
    move("push", address, "kept-project", root, cache)
    edit, grown = count_requests(address) - before, stored(folder) - kept
    return [
        compare("push, cold, 2,010 files: CPU / raw", 3.0, pushes, raw_pushes, cpu),
        compare("push, cold, 2,010 files: wall / raw", 1.5, pushes, raw_pushes, wall),
        compare("pull, cold, 2,010 files: CPU / raw", 2.5, pulls, raw_pulls, cpu),
        compare("pull, cold, 2,010 files: wall / raw", 1.5, pulls, raw_pulls, wall),
        Row("push, nothing changed: requests", max(asked), 3),
        compare("push, nothing changed: CPU / python -c pass", 16, again, pythons, cpu),
        Row("push, one small edit: requests", edit, 10),
        Row("push, one small edit: blobs stored", grown, 3, "layer, config, empty"),
    ]


def stored(folder: Path) -> int:
    return len(list((folder / "registry").iterdir()))


def hash_of(path: Path) -> str:
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def forget(root: Path) -> None:
    for name in ("index.json", "parse.json", "status.json", "push.json", "baselines", "state.json"):
        path = root / ".modelops-bundle" / name
        shutil.rmtree(path) if path.is_dir() else path.unlink(missing_ok=True)


def memory_of_many(folder: Path, address: str) -> list[Row]:
    """10,000 files and 2 GB: only memory is looked at."""
    root = folder / "project10k"
    make_p2k(root, 9_900, large_files=100, large_bytes=19_400_000)
    pushed = move("push", address, "kept-many", root, fresh(folder / "cache"))
    pulled = move("clone", address, "kept-many", fresh(folder / "clone"), fresh(folder / "cache"))
    return [
        Row("push, 10,000 files, 2 GB: peak MiB", peak([pushed]), 120, f"{pushed.wall:.1f} s"),
        Row("pull, 10,000 files, 2 GB: peak MiB", peak([pulled]), 120, f"{pulled.wall:.1f} s"),
    ]


# --- workers, and nobody there ---------------------------------------------------------------


def ensure_warm(folder: Path, address: str) -> list[Row]:
    make_tracked(folder / "thousand", {f"d{n % 20}/{n}.txt": b"%d\n" % n for n in range(1000)})
    cache = fresh(folder / "worker")
    move("push", address, "kept-warm", folder / "thousand", cache)
    with http_get(f"{address}", "/v2/kept-warm/manifests/latest") as data:
        digest = f"sha256:{hashlib.sha256(data).hexdigest()}"
    done = cost_of([sys.executable, "-c", ENSURE, f"{address}/kept-warm", cache, digest])
    return [Row("ensure_local, warm, 1,000 files: CPU ms", float(done.printed) * 1000, 10)]


@contextlib.contextmanager
def http_get(address: str, path: str) -> Iterator[bytes]:
    client = http.client.HTTPConnection(address)
    try:
        yield exchange(client, "GET", path)
    finally:
        client.close()


def nobody_there(folder: Path) -> list[Row]:
    """A registry that takes connections and says nothing; and a command that asks nobody."""
    root, home = folder / "alone", folder / "home"
    make_tracked(root, {"a.txt": b"a"})
    home.mkdir()
    environ = {"PATH": os.environ["PATH"], "HOME": str(home)}
    with socket.create_server(("127.0.0.1", 0)) as silent:
        environments = home / ".modelops/bundle-env"
        environments.mkdir(parents=True)
        port = silent.getsockname()[1]
        (environments / "far.yaml").write_text(
            f"environment: far\nregistry: {{provider: docker, login_server: '127.0.0.1:{port}'}}\n"
        )
        console = "import sys; from modelops.cli.main import mops; sys.exit(mops())"
        mops = [sys.executable, "-c", console, "bundle"]
        started = time.perf_counter()
        done = subprocess.run(
            [*mops, "manifest", "--env", "far"], cwd=root, env=environ,
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        waited = time.perf_counter() - started
        assert done.returncode == 5, (done.returncode, done.stderr)
        asked = subprocess.run(
            [sys.executable, "-c", NO_SOCKETS, "bundle", "status", "--env", "far"],
            cwd=root, env=environ, capture_output=True, text=True, check=True,
        )  # fmt: skip
    return [
        Row("silent registry: seconds until exit 5", waited, 5.0),
        Row("status: sockets opened", int(asked.stderr.split()[-1]), 0),
    ]


PARTS = ("small", "large", "project", "many", "ensure", "nobody")


def measure(folder: Path, options: argparse.Namespace) -> list[Row]:
    rows: list[Row] = []
    chosen = set(options.only or PARTS)
    with running_registry(folder / "registry") as address:
        if "large" in chosen:
            rows += large_file(folder, address, options.runs, 1024 if options.full else 256)
        if "small" in chosen:
            with delayed(address, options.delay / 1000) as proxy:
                rows += small_files(folder, proxy, options.runs, options.full)
        if "project" in chosen:
            rows += whole_project(folder, address, options.runs, 2000)
        if "many" in chosen and options.full:
            rows += memory_of_many(folder, address)
        if "ensure" in chosen:
            rows += ensure_warm(folder, address)
    return rows + (nobody_there(folder) if "nobody" in chosen else [])


def main() -> int:
    parser = argparse.ArgumentParser(description=(__doc__ or "").partition("\n")[0])
    parser.add_argument("--full", action="store_true", help="1 GiB, and 10,000 files of 2 GB")
    parser.add_argument("--runs", type=int, default=3)
    parser.add_argument("--delay", type=float, default=20.0, help="round trip in milliseconds")
    parser.add_argument("--only", nargs="+", choices=PARTS, metavar="PART", help=", ".join(PARTS))
    parser.add_argument("--json", action="store_true")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        rows = measure(Path(name), options)
    if options.json:
        print(json.dumps([{"what": row.what, "value": row.value, "goal": row.goal,
                           "detail": row.detail, "ok": row.ok} for row in rows]))  # fmt: skip
    else:
        for row in rows:
            mark = "ok  " if row.ok else "MISS"
            print(f"{mark} {row.what:<50} {row.value:8.2f}   goal {row.goal:6.2f}   {row.detail}")
    return 0 if all(row.ok for row in rows) else 1


if __name__ == "__main__":
    sys.exit(main())
