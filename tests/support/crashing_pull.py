"""Kills a pull at one of its writes, again and again: no file is lost or half, the next run heals.

Run as a program: `python crashing_pull.py FOLDER TIMES SEED`. It prints one JSON value.
"""

from __future__ import annotations

import json
import random
import shutil
import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project import open_project
from modelops_bundle.tracking import read_tracked, write_tracked
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.journal import finish_journal
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.push import push
from support.crashing import run_and_count, state_of
from support.projects import edit, make_registered, write_files

MINE = {"mine.txt": "never tracked", "data/peak.csv": "peak\n9\n"}


def store_of(folder: Path) -> LayoutStore:
    return LayoutStore(folder / "store", "little")


def prepare(folder: Path) -> None:
    """Somebody pushed twice; the project saw the first push and has changes of its own."""
    theirs = make_registered(folder / "theirs")
    push(theirs, store_of(folder))
    clone(store_of(folder), "latest", folder / "project", repository="little")
    edit(theirs, "models/helpers.py", "* seed", "+ seed")
    edit(theirs, "targets/counts.py", '"kind": "weekly"', '"kind": "monthly"')
    write_files(theirs.root, {"extra/deep/a.csv": "1\n", "extra/b.csv": "2\n"})
    (theirs.root / "data/cases.csv").rename(theirs.root / "data/renamed.csv")
    edit(theirs, "targets/counts.py", "data/cases.csv", "data/renamed.csv")
    names = ["extra/deep/a.csv", "extra/b.csv", "data/renamed.csv"]
    write_tracked(theirs.root, [*read_tracked(theirs.root), *names])
    push(theirs, store_of(folder), allow_stale=True)
    write_files(folder / "project", MINE)


def do_pull(folder: Path) -> None:
    pull(open_project(folder / "project"), store_of(folder))


def do_finish(folder: Path) -> None:
    """What any later command does first, without the store."""
    project = open_project(folder / "project")
    with project.lock("test"):
        finish_journal(project)


def kill_at_random_points(folder: Path, times: int, seed: int) -> int:
    template, work = folder / "template", folder / "work"
    prepare(work)
    before = state_of(work)
    shutil.copytree(work, template)
    writes = run_and_count(do_pull, work, None)
    after = state_of(work)
    assert after["files"].items() >= MINE.items()
    assert after["files"] != before["files"]
    chance = random.Random(seed)
    for number in range(times):
        shutil.rmtree(work)
        shutil.copytree(template, work)
        point = chance.randint(1, writes)
        run_and_count(do_pull, work, point)
        for path, text in state_of(work)["files"].items():
            assert text in (before["files"].get(path), after["files"].get(path)), (point, path)
        if number % 2:
            run_and_count(do_finish, work, None)
            assert state_of(work)["files"] in (before["files"], after["files"]), point
        run_and_count(do_pull, work, None)
        assert state_of(work) == after, point
        assert not (work / "project/.modelops-bundle/journal.json").exists(), point
    return writes


def main() -> None:
    folder, times, seed = Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3])
    print(json.dumps({"writes": kill_at_random_points(folder, times, seed)}))


if __name__ == "__main__":
    main()
