"""Kills a bundle command at each of its writes and requests, and looks at what is left.

Run as a program, so that the children that are killed are forked from a small process of one
thread that has everything imported: `python crashing.py FOLDER ACTION TIMES SEED [REGISTRY]`. It
prints one JSON value. With more than TIMES points, TIMES of them are chosen at random.
"""

from __future__ import annotations

import http.client
import json
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Callable
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from support.crashing_actions import ACTIONS, Scenario, State

WRITES = {
    "os.rename", "os.remove", "os.rmdir", "os.mkdir", "os.link", "os.symlink", "os.truncate",
    "os.chmod", "http.client.send",
}  # fmt: skip


def run_and_count(action: Callable[[], object], kill_at: int | None) -> int:
    """Run an action in a child that dies at its n-th failpoint; return how many it had."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            count = _watch(kill_at)
            action()
            os.write(writing, str(count()).encode())
            code = 0
        except Exception:  # noqa: BLE001  (the top of the child)
            traceback.print_exc()
        finally:
            os._exit(code)
    os.close(writing)
    with os.fdopen(reading) as stream:
        text = stream.read()
    status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
    expected = {0} if kill_at is None else {0, -signal.SIGKILL}
    assert status in expected, f"the child ended with {status}"
    return int(text or 0)


def _watch(kill_at: int | None) -> Callable[[], int]:
    """Count what changes anything: before each write and request, after each fsync and answer."""
    seen = 0

    def count() -> None:
        nonlocal seen
        seen += 1
        if seen == kill_at:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event: str, arguments: Any) -> None:
        opened_to_write = (
            event == "open"
            and isinstance(arguments[2], int)
            and (arguments[2] & (os.O_WRONLY | os.O_RDWR))
        )
        if event in WRITES or opened_to_write:
            count()

    real_fsync, real_answer = os.fsync, http.client.HTTPConnection.getresponse

    def fsync(descriptor: int) -> None:
        count()
        real_fsync(descriptor)
        count()

    def getresponse(self: http.client.HTTPConnection) -> http.client.HTTPResponse:
        answer = real_answer(self)
        count()
        return answer

    os.fsync = fsync
    http.client.HTTPConnection.getresponse = getresponse  # type: ignore[method-assign]
    sys.addaudithook(hook)
    return lambda: seen


def kill_at_points(scenario: Scenario, times: int, seed: int) -> dict[str, int]:
    """Kill an action at its failpoints; every time old or new state is left, and it heals."""
    scenario.prepare()
    before = scenario.look()
    template = scenario.folder.with_name("template")
    shutil.copytree(scenario.work, template, symlinks=True)
    count = run_and_count(scenario.act, None)
    after = scenario.look()
    assert after != before
    scenario.check_end(after)
    points = list(range(1, count + 1))
    if count > times:
        points = sorted(random.Random(seed).sample(points, times))
    for point in points:
        shutil.rmtree(scenario.work)
        shutil.copytree(template, scenario.work, symlinks=True)
        try:
            kill_once(scenario, point, before, after)
        except Exception:
            print(f"after the kill at point {point} of {count}:", file=sys.stderr)
            raise
    return {"points": len(points), "of": count}


def kill_once(scenario: Scenario, point: int, before: State, after: State) -> None:
    scenario.begin(point)
    run_and_count(scenario.act, point)
    scenario.open()
    left = scenario.look()
    scenario.check_left(before, left, after)
    run_and_count(lambda: scenario.heal(left == after), None)
    healed = scenario.look()
    assert healed == after, (healed, after)
    scenario.check_end(healed)


def main() -> None:
    folder, name, times, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    registry = sys.argv[5] if len(sys.argv) > 5 else None
    print(json.dumps(kill_at_points(ACTIONS[name](folder, registry), times, seed)))


if __name__ == "__main__":
    main()
