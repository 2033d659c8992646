"""The terminal of a running job goes away: the job stops in good order."""

from __future__ import annotations

import os
import pty
import shutil
import signal
import subprocess
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from support.consoles import BIN, Consoles

SLOW = '''
class Slow(Eggs):
    """The same, taking its time."""

    def run_sim(self, state: dict, seed: int) -> list[int]:
        import time

        time.sleep(0.1)
        return super().run_sim(state, seed)
'''


@pytest.fixture
def slow(eggs: Consoles) -> Consoles:
    model = eggs.folder / "models" / "eggs.py"
    model.write_text(model.read_text() + SLOW)
    assert eggs.run("mops bundle register-model models/eggs.py").code == 0
    assert eggs.run("cb sampling sobol models.eggs:Slow -n 8 -r 50 --fix boxes=3").code == 0
    return eggs


def until_something_is_done(consoles: Consoles) -> dict[str, Any]:
    deadline = time.monotonic() + 60
    while time.monotonic() < deadline:
        jobs = consoles.run("mops jobs list --json").json["jobs"]
        if jobs and jobs[0]["state"] == "running" and jobs[0]["done"] > 0:
            return dict(jobs[0])
        time.sleep(0.2)
    raise AssertionError("nothing was done within a minute")


def test_a_terminal_that_hangs_up_stops_the_job_in_good_order(slow: Consoles) -> None:
    pid, screen = pty.fork()
    if pid == 0:
        os.chdir(slow.folder)
        words = ["mops", "run", "study.json", "--workers", "1"]
        os.execve(BIN / "mops", words, slow.environment({"TERM": "xterm"}))
    job = until_something_is_done(slow)["job"]
    os.close(screen)  # what closing a window or losing a connection does
    _, status = os.waitpid(pid, 0)
    assert os.waitstatus_to_exitcode(status) == 130
    kept = slow.run(f"mops jobs status {job} --json").json["jobs"][0]
    assert kept["state"] == "cancelled"
    assert kept["done"] > 0


def test_nohup_is_honoured(slow: Consoles) -> None:
    nohup = shutil.which("nohup")
    assert nohup is not None
    process = subprocess.Popen(
        [nohup, BIN / "mops", "run", "study.json", "--workers", "1"],
        cwd=slow.folder,
        env=slow.environment(),
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        encoding="utf-8",
        start_new_session=True,
    )
    before = until_something_is_done(slow)
    os.kill(process.pid, signal.SIGHUP)
    time.sleep(0.5)
    after = slow.run(f"mops jobs status {before['job']} --json").json["jobs"][0]
    assert after["state"] == "running"
    os.kill(process.pid, signal.SIGTERM)
    process.communicate(timeout=30)
    assert process.returncode == 130


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGHUP, signal.SIGINT])
def test_before_there_is_a_job_a_signal_ends_the_command_and_leaves_nothing(
    eggs: Consoles, tmp_path: Path, number: signal.Signals
) -> None:
    model = eggs.folder / "models" / "eggs.py"
    sleeping = "import time; time.sleep(600); rng = np.random.default_rng(seed)"
    model.write_text(model.read_text().replace("rng = np.random.default_rng(seed)", sleeping))
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 2").code == 0
    scratch = tmp_path / "scratch"
    scratch.mkdir()
    process = replace(eggs, variables={"TMPDIR": str(scratch)}).start("mops run study.json")
    deadline = time.monotonic() + 60
    while not list(scratch.glob("modelops-ask-*/slot-0.log")):  # the check has begun
        assert time.monotonic() < deadline
        assert process.poll() is None, process.stderr and process.stderr.read()
        time.sleep(0.05)
    process.send_signal(number)
    _, said = process.communicate(timeout=30)
    assert process.returncode == 130
    assert said.endswith("error: interrupted\n")
    assert not list(scratch.iterdir())
    assert eggs.run("mops jobs list --json").json["total"] == 0
