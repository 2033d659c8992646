"""Looking after jobs: follow, explain, read what failed, delete."""

from __future__ import annotations

import os
import signal
import time
from datetime import UTC, datetime, timedelta

from support.consoles import Consoles, check_against_schema

STUDY = "cb sampling sobol models.eggs:Eggs -n 4 --fix boxes=3 --seed 7"


def change(consoles: Consoles, before: str, after: str) -> None:
    model = consoles.folder / "models" / "eggs.py"
    text = model.read_text()
    assert before in text
    model.write_text(text.replace(before, after))


def groups(consoles: Consoles, line: str = "mops jobs explain") -> list[dict[str, object]]:
    told = consoles.run(f"{line} --json").json
    check_against_schema(told)
    found: list[dict[str, object]] = told["groups"]
    return found


def run_study(consoles: Consoles, options: str) -> str:
    assert consoles.run(f"{STUDY} {options}").code == 0
    done = consoles.run("mops run study.json --json")
    assert done.code == 0, done
    return str(done.events[-1]["job"]["job"])


def test_why_simulations_were_computed_or_reused(eggs: Consoles) -> None:
    first = run_study(eggs, "-r 2")
    assert [(g["outcome"], g["reason"], g["count"]) for g in groups(eggs)] == [
        ("computed", "new_parameters", 8)
    ]
    run_study(eggs, "-r 3")
    assert {(g["outcome"], g["reason"], g["count"], g["job"]) for g in groups(eggs)} == {
        ("reused", "stored", 8, first),
        ("computed", "new_seeds", 4, first),
    }
    change(eggs, "left -= now", "left -= now + 0  # no eggs come back")
    changed = run_study(eggs, "-r 2")
    (group,) = groups(eggs)
    assert (group["outcome"], group["reason"], group["count"]) == ("computed", "code", 8)
    assert group["changes"] == ["models/eggs.py: Eggs.run_sim"]
    text = eggs.run(f"mops jobs explain {changed}").out
    assert "8 simulations computed: the code has changed since job-" in text
    assert "  models/eggs.py: Eggs.run_sim\n" in text


def test_comments_explain_nothing_because_nothing_runs(eggs: Consoles) -> None:
    first = run_study(eggs, "-r 1")
    change(eggs, "left -= now", "left -= now  # gone")
    run_study(eggs, "-r 1")
    assert [(g["reason"], g["job"]) for g in groups(eggs)] == [("stored", first)]


def test_one_simulation_may_be_explained(eggs: Consoles) -> None:
    run_study(eggs, "-r 1")
    done = eggs.run("mops jobs explain last ffffffffffffffff --json")
    assert (done.code, done.json["error"]["code"]) == (1, "sim.not_found")


def test_what_failed_can_be_read(eggs: Consoles) -> None:
    change(eggs, "left, broken = state", "print('on the way'); 1 / 0; left, broken = state")
    assert eggs.run(f"{STUDY} -r 1").code == 0
    assert eggs.run("mops jobs submit study.json --follow --no-check").code == 1
    lines = eggs.run("mops jobs logs --failed --tail 0").out.splitlines()
    heads = [line for line in lines if not line.startswith(" ")]
    assert len(heads) == 4
    assert all("  failed  seed " in head for head in heads)
    assert sum("ZeroDivisionError" in line for line in lines) == 4
    one = eggs.run(f"mops jobs logs --sim {heads[2][:16]} --json").json
    assert one["lines"][0] == heads[2]
    assert sum("ZeroDivisionError" in line for line in one["lines"]) == 1
    assert "on the way" in eggs.run("mops jobs logs --source model").out
    assert [(g["outcome"], g["count"]) for g in groups(eggs)] == [("failed", 4)]
    assert eggs.run("mops jobs logs --failed --follow").code == 2
    assert eggs.run("mops jobs logs --sim ffffffffffff").code == 1


def test_lines_since_then(eggs: Consoles) -> None:
    run_study(eggs, "-r 1")
    everything = eggs.run("mops jobs logs").out
    assert everything
    assert eggs.run("mops jobs logs --since 1h").out == everything
    soon = (datetime.now(UTC) + timedelta(hours=1)).isoformat()
    assert eggs.run(f"mops jobs logs --since {soon}").out == ""
    assert eggs.run("mops jobs logs --since yesterday").code == 2


def test_a_job_is_followed_to_its_end(eggs: Consoles) -> None:
    assert eggs.run(f"{STUDY} -r 2").code == 0
    done = eggs.run("mops jobs submit study.json -f --json")
    check_against_schema(done.json)
    assert (done.code, done.json["state"]) == (0, "succeeded")
    watched = eggs.run("mops jobs watch --json")
    assert watched.code == 0
    last = watched.events[-1]
    check_against_schema(last)
    assert (last["job"]["job"], last["job"]["done"]) == (done.json["job"], 8)


def test_looking_may_stop_and_the_job_goes_on(eggs: Consoles) -> None:
    change(eggs, "left, broken = state", "__import__('time').sleep(0.3); left, broken = state")
    assert eggs.run(f"{STUDY} -r 10").code == 0
    job = eggs.run("mops jobs submit study.json --workers 1").out.strip()
    assert job.startswith("job-")
    refused = eggs.run(f"mops jobs delete {job} --yes --json")
    assert (refused.code, refused.json["error"]["code"]) == (1, "job.running")
    watching = eggs.start("mops jobs watch --interval 0.1")
    time.sleep(1.5)
    os.kill(watching.pid, signal.SIGINT)
    out, err = watching.communicate(timeout=20)
    assert (watching.returncode, out) == (130, "")
    assert f"hint: mops jobs watch {job}" in err.splitlines()
    assert eggs.run("mops jobs status --json").json["jobs"][0]["state"] == "running"
    assert eggs.run(f"mops jobs cancel {job}").code == 0


def test_deleting_needs_a_yes_and_keeps_the_simulations(eggs: Consoles) -> None:
    job = run_study(eggs, "-r 2")
    asked = eggs.run(f"mops jobs delete {job} --json")
    assert (asked.code, asked.json["error"]["code"]) == (3, "confirmation")
    assert asked.json["error"]["hint"] == f"mops jobs delete {job} --yes"
    code, screen = eggs.on_terminal(f"mops jobs delete {job}", typed="n\n")
    assert (code, "nothing was deleted" in screen) == (1, True)
    told = eggs.run(f"mops jobs delete {job} --yes --json").json
    check_against_schema(told)
    assert told["jobs"][0]["job"] == job
    assert eggs.run("mops jobs list --json").json["jobs"] == []
    assert list((eggs.folder / ".modelops" / "results" / "jobs").iterdir()) == []
    again = eggs.run("mops run study.json --json").events[-1]
    assert (again["job"]["reused"], again["job"]["simulated"]) == (8, 0)
