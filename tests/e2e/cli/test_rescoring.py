"""`mops jobs resume --rescore`: other observations, the same simulations."""

from __future__ import annotations

import json

from support.consoles import Consoles, check_against_schema


def test_corrected_observations_cost_no_simulation_again(eggs: Consoles) -> None:
    line = "cb calibration optuna models.eggs:EggsOnAverage data/broken.csv risk:0.02:0.4"
    assert eggs.run(f"{line} --fix boxes=3 --max-trials 6 --seed 1 --sampler qmc").code == 0
    assert eggs.run("mops run calibration.json").code == 0
    job = eggs.run("mops jobs list --json").json["jobs"][0]["job"]
    first = eggs.run("mops results show --json").json["calibration"]
    refused = eggs.run("mops jobs resume")
    assert (refused.code, "nothing is missing" in refused.err) == (1, True)

    (eggs.folder / "data" / "broken.csv").write_text("day,broken\n1,8\n2,6\n3,4\n4,3\n5,2\n")
    assert eggs.run("mops bundle refresh").code == 0
    refused = eggs.run("mops jobs resume")
    assert refused.code == 3
    assert "target targets.broken:broken: digest was" in refused.err
    assert f"mops jobs resume {job} --rescore" in refused.err.splitlines()[-1]
    assert json.loads(eggs.run("mops jobs resume --json").out)["error"]["code"] == "job.changed"

    resumed = eggs.run("mops jobs resume --rescore --json")
    check_against_schema(resumed.json)
    assert eggs.run("mops jobs wait").code == 0
    now = eggs.run("mops jobs status --json").json["jobs"][0]
    assert (now["job"], now["state"], now["simulated"]) == (job, "succeeded", 0)
    second = eggs.run("mops results show --json").json["calibration"]
    assert second["stop_reason"] == "scored again"
    assert second["objective"] != first["objective"]
    assert eggs.run("mops jobs resume --rescore").code == 1
