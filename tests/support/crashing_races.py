"""Bundle commands at the same moment, each in a process of its own: all effects stay.

Run as a program: `python crashing_races.py FOLDER RACE TIMES [REGISTRY]`. It prints one JSON value.
"""

from __future__ import annotations

import json
import os
import random
import secrets
import sys
import time
import traceback
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modelops_bundle.choosing import add_files
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.remote import RemoteStore
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import read_tracked
from modelops_bundle.registering import refresh, register
from modelops_bundle.registry import load_registry, validate_registry
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.pull_plan import PullConflict, plan_pull
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import Conflict
from support.projects import edit, make_registered, write_files

TARGET = """\
from modelops_calabaria import calibration_target


@calibration_target(model_output="cases", data={{"observed": "data/cases.csv"}})
def {name}(data_paths):
    return "{name}"
"""
WON, REFUSED = 0, 7
Task = Callable[[], object]


def run_at_once(tasks: list[Task]) -> list[int]:
    """Start every task in a process, let them go together, and return their exit codes."""
    waiting, go = os.pipe()
    children = [_fork(task, waiting, go) for task in tasks]
    os.close(waiting)
    os.close(go)  # the reading end is at its end everywhere: they all go
    return [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]


def _fork(task: Task, waiting: int, go: int) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        os.close(go)
        os.read(waiting, 1)
        task()
        code = WON
    except Conflict as error:
        if error.code == "locked":
            traceback.print_exc()
        else:
            code = REFUSED
    except Exception:  # noqa: BLE001  (the top of the child)
        traceback.print_exc()
    finally:
        os._exit(code)


def register_add_refresh(folder: Path, count: int, registry: str | None) -> dict[str, int]:
    """So many registrations, additions and refreshes at once."""
    names = [f"part{number}" for number in range(count)]
    files = {f"targets/{name}.py": TARGET.format(name=name) for name in names}
    extra = {f"extra/{name}.csv": "1\n" for name in names}
    project = make_registered(folder / "project")
    write_files(project.root, {**files, **extra})
    edit(project, "targets/counts.py", "def peak", "def summit")
    tasks: list[Task] = []
    for name in names:
        tasks += [
            partial(_register, project.root, f"targets/{name}.py"),
            partial(_add, project.root, f"extra/{name}.csv"),
            partial(_refresh, project.root),
        ]
    codes = run_at_once(tasks)
    assert codes == [WON] * len(codes), codes
    found = load_registry(project.root)
    assert list(found.targets) == sorted({"weekly_cases", "summit", *names})
    assert validate_registry(found, project.root) == []
    assert {*files, *extra} <= set(read_tracked(project.root))
    return {"at_once": len(tasks)}


def _register(root: Path, path: str) -> None:
    register(open_project(root), "target", path, cwd=root)


def _add(root: Path, path: str) -> None:
    add_files(open_project(root), [path], cwd=root)


def _refresh(root: Path) -> None:
    refresh(open_project(root))


def refresh_against_push(folder: Path, rounds: int, registry: str | None) -> dict[str, int]:
    """What is pushed describes its own bytes, whichever came first."""
    project = make_registered(folder / "project")
    store = LayoutStore(folder / "store", "little")
    pushed = 0
    for number in range(rounds):
        edit(project, "models/helpers.py", "* seed", f"* {number} * seed")
        codes = run_at_once([
            partial(_refresh, project.root), partial(_push, project.root, store, allow_stale=True),
        ])  # fmt: skip
        assert set(codes) <= {WON, REFUSED}, codes
        assert codes[0] == WON
        pushed += codes[1] == WON
        check_bundle(folder, store)
        assert validate_registry(load_registry(project.root), project.root) == []
    assert pushed
    return {"rounds": rounds, "pushed": pushed}


def check_bundle(folder: Path, store: Any) -> None:
    """A clone of what was pushed needs no new digest: its registry describes its files."""
    try:
        store.resolve("latest")
    except Exception:  # noqa: BLE001  (nothing was pushed yet)
        return
    root = folder / f"clone-{secrets.token_hex(4)}"
    clone(store, "latest", root, repository="little")
    assert not refresh(open_project(root), dry_run=True).plan.changes_entries


def _push(root: Path, store: Any, **options: Any) -> None:
    push(open_project(root), store, **options)


def pull_against_edit(folder: Path, rounds: int, registry: str | None) -> dict[str, int]:
    """A file saved while a pull runs is as saved, or was saved before and is in conflict."""
    theirs = make_registered(folder / "theirs")
    store = LayoutStore(folder / "store", "little")
    push(theirs, store)
    clone(store, "latest", folder / "mine", repository="little")
    mine = open_project(folder / "mine")
    refused = 0
    for number in range(rounds):
        text = f"week,cases\n1,{number}\n"
        write_files(theirs.root, {"data/cases.csv": f"{text}2,2\n", "data/peak.csv": text})
        push(theirs, store)
        saved = f"mine {number}\n"
        codes = run_at_once([partial(_pull, mine.root, store), partial(_save, mine, saved)])
        assert codes[1] == WON
        refused += codes[0] != WON
        now = (mine.root / "data/cases.csv").read_text()
        assert now == saved, "an edit was lost"
        pull(mine, store, keep_local=True)
        assert (mine.root / "data/peak.csv").read_text() == text
        assert (mine.root / "data/cases.csv").read_text() == saved
        pull(mine, store, overwrite=True)
        (mine.root / "data/cases.csv").write_text(f"{text}2,2\n")
        assert plan_pull(mine, store).up_to_date
    return {"rounds": rounds, "refused": refused}


def _pull(root: Path, store: Any) -> None:
    try:
        pull(open_project(root), store)
    except PullConflict as error:
        if "data/cases.csv" not in str(error):
            raise AssertionError("a conflict about something else") from error
        raise


def _save(project: Project, text: str) -> None:
    """Save as editors do: a new file takes the place of the old one."""
    time.sleep(random.random() / 20)
    temporary = project.root / "data/.cases.csv.swp"
    temporary.write_text(text)
    temporary.rename(project.root / "data/cases.csv")


def two_pushes(folder: Path, rounds: int, registry: str | None) -> dict[str, int]:
    """Two colleagues push to one tag at once, again and again: nobody is overwritten unaware."""
    place = f"races/{secrets.token_hex(6)}"

    def store() -> Any:
        if registry is not None:
            return RemoteStore(registry, place)
        return LayoutStore(folder / "store", "little")

    first = make_registered(folder / "first")
    push(first, store())
    clone(store(), "latest", folder / "second", repository="little")
    projects = [first, open_project(folder / "second")]
    both = 0
    for number in range(rounds):
        for who, project in enumerate(projects):
            write_files(project.root, {f"data/{('cases', 'peak')[who]}.csv": f"x\n{number}\n"})
        before = store().resolve("latest")
        codes = run_at_once([partial(_push_new, item.root, store) for item in projects])
        assert set(codes) <= {WON, REFUSED}, codes
        assert store().resolve("latest") != before
        both += codes == [WON, WON]
        if registry is None:
            assert sorted(codes) == [WON, REFUSED], codes
            merge(projects[codes.index(REFUSED)], projects[codes.index(WON)], store)
        else:
            settle(projects, store)
        for project in projects:
            for name in ("cases", "peak"):
                assert (project.root / f"data/{name}.csv").read_text() == f"x\n{number}\n"
    return {"rounds": rounds, "both": both}


def _push_new(root: Path, store: Callable[[], Any]) -> None:
    push(open_project(root), store())


def merge(loser: Project, winner: Project, store: Callable[[], Any]) -> None:
    """Who was refused takes what came first and pushes both; then the other takes that."""
    pull(loser, store(), keep_local=True)
    push(loser, store())
    pull(winner, store())


def settle(projects: list[Project], store: Callable[[], Any]) -> None:
    """Whoever is behind is told at the next contact, pulls and pushes; in the end both agree."""
    for project in projects:
        if contents(project, store()) != store().resolve("latest"):
            try:
                push(project, store())
            except Conflict as error:
                if error.exit_code != 3:
                    raise
            else:
                raise AssertionError("somebody's push was undone and nobody was told")
            pull(project, store(), keep_local=True)
            push(project, store())
    for project in projects:
        pull(project, store())


def contents(project: Project, store: Any) -> str | None:
    from modelops_bundle.project.baselines import read_baseline

    known = read_baseline(project, f"{store.location}:latest")
    return known.manifest if known is not None else None


RACES: Mapping[str, Callable[[Path, int, str | None], dict[str, int]]] = {
    "register": register_add_refresh,
    "refresh-push": refresh_against_push,
    "pull-edit": pull_against_edit,
    "push-push": two_pushes,
}


def main() -> None:
    folder, name, times = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3])
    registry = sys.argv[4] if len(sys.argv) > 4 else None
    print(json.dumps(RACES[name](folder, times, registry)))


if __name__ == "__main__":
    main()
