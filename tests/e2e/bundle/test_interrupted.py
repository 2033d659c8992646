"""Commands that only look say that a pull was interrupted, and what finishes it."""

from __future__ import annotations

import json
from pathlib import Path

from support.drift import Drifting, make_drifting

WAITING = {
    "format": 1, "staging": "a1b2c3", "track": [], "untrack": [], "reference": "oci:x:latest",
    "manifest": "sha256:0", "content": "sha256:0", "files": [],
    "steps": [["data/cases.csv", None, ["0" * 64, "0644"], None]],
}  # fmt: skip


def interrupt(project: Drifting) -> Path:
    path = project.root / ".modelops-bundle/journal.json"
    path.write_text(json.dumps(WAITING))
    return path


def test_looking_tells_and_changing_finishes(tmp_path: Path) -> None:
    project = make_drifting(tmp_path)
    assert project.run("push").code == 0
    journal = interrupt(project)
    for line in ("status", "list", "diff", "push --dry-run", "pull --dry-run"):
        done = project.run(line)
        assert done.code == 0, done
        assert "was interrupted" in done.err, done
        assert "mops bundle pull" in done.err, done
        assert journal.exists()
    found = project.run("status --json").json["findings"]
    assert "pull_interrupted" in [item["code"] for item in found]
    assert project.run("refresh").code == 0
    assert not journal.exists()
    assert "interrupted" not in project.run("status").err
