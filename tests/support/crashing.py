"""Kills a bundle command at one of its writes, again and again, and looks at what is left.

Run as a program, so that the children that are killed are forked from a small process of one
thread: `python crashing.py FOLDER ACTION TIMES SEED`. It prints one JSON value.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import signal
import sys
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from modelops_bundle.choosing import add_files
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project import Project, open_project
from modelops_bundle.registering import refresh, register, set_target_set
from modelops_bundle.registry import load_registry
from modelops_bundle.tracking import read_tracked
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import NotFound
from support.projects import edit, make_project, make_registered, write_files

OWN = ".modelops-bundle"
WRITES = {"os.rename", "os.remove", "os.mkdir", "os.link", "os.symlink", "os.truncate", "os.chmod"}


def prepare_register(folder: Path) -> None:
    project = make_project(folder / "project")
    register(project, "model", "models/sir.py", cwd=project.root)


def do_register(folder: Path) -> None:
    project = open_project(folder / "project")
    register(project, "target", "targets/counts.py", cwd=project.root)


def prepare_refresh(folder: Path) -> None:
    project = make_registered(folder / "project")
    set_target_set(project, "all", [], {"peak": 3.0})
    push(project, LayoutStore(folder / "store", "little"))
    edit(project, "targets/counts.py", "def peak", "def summit")
    (project.root / "models/core").mkdir()
    (project.root / "models/sir.py").rename(project.root / "models/core/sir.py")


def do_refresh(folder: Path) -> None:
    refresh(open_project(folder / "project"))


def prepare_push(folder: Path) -> None:
    project = make_registered(folder / "project")
    push(project, LayoutStore(folder / "store", "little"))
    write_files(project.root, {"data/cases.csv": "week,cases\n1,4\n"})
    edit(project, "models/helpers.py", "* seed", "+ seed")


def do_push(folder: Path) -> None:
    push(open_project(folder / "project"), LayoutStore(folder / "store", "little"))


Step = Callable[[Path], None]
ACTIONS: Mapping[str, tuple[Step, Step]] = {
    "register": (prepare_register, do_register),
    "refresh": (prepare_refresh, do_refresh),
    "push": (prepare_push, do_push),
}


def run_and_count(action: Step, folder: Path, kill_at: int | None) -> int:
    """Run an action in a child that dies at its n-th write; return how many it had."""
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        code = 1
        try:
            count = _watch_writes(kill_at)
            action(folder)
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


def _watch_writes(kill_at: int | None) -> Callable[[], int]:
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

    real = os.fsync

    def fsync(descriptor: int) -> None:
        count()
        real(descriptor)
        count()

    os.fsync = fsync
    sys.addaudithook(hook)
    return lambda: seen


def state_of(folder: Path) -> dict[str, Any]:
    """What a user can see: registry, tracked list, own files, and where the tag points."""
    project = open_project(folder / "project")
    registry = load_registry(project.root).to_dict()
    return {
        "registry": json.dumps(registry, default=str, sort_keys=True),
        "tracked": list(read_tracked(project.root)),
        "files": _own_files(project),
        "tag": _tag(folder),
    }


def _own_files(project: Project) -> dict[str, str]:
    return {
        path.relative_to(project.root).as_posix(): path.read_text()
        for path in sorted(project.root.rglob("*"))
        if path.is_file() and OWN not in path.parts
    }


def _tag(folder: Path) -> str | None:
    store = LayoutStore(folder / "store", "little")
    try:
        digest = store.resolve("latest")
    except NotFound:
        return None
    manifest = json.loads(store.get_manifest(digest))
    for blob in (manifest["config"], *manifest["layers"]):
        assert store.has_blob(blob["digest"]), "the tag points to a bundle that is not whole"
    return str(digest)


def kill_at_random_points(folder: Path, name: str, times: int, seed: int) -> int:
    """Kill an action at random writes; every time old or new state is left, and it heals."""
    prepare, action = ACTIONS[name]
    template, work = folder / "template", folder / "work"
    prepare(work)  # always at one place: what was pushed is remembered by the store's path
    before = state_of(work)
    shutil.copytree(work, template)
    writes = run_and_count(action, work, None)
    after = state_of(work)
    assert after != before
    middle = sorted({*before["tracked"], *after["tracked"]})
    chance = random.Random(seed)
    for _ in range(times):
        shutil.rmtree(work)
        shutil.copytree(template, work)
        point = chance.randint(1, writes)
        run_and_count(action, work, point)
        left = state_of(work)
        assert left["files"] == before["files"], point
        assert left["registry"] in (before["registry"], after["registry"]), point
        assert left["tracked"] in (before["tracked"], middle, after["tracked"]), point
        assert left["tag"] in (before["tag"], after["tag"]), point
        run_and_count(action, work, None)
        assert state_of(work) == after, point
    return writes


def run_together(folder: Path, count: int) -> None:
    """Register, add and refresh at once, each in a process of its own: all effects stay."""
    names = [f"part{number}" for number in range(count)]
    files = {f"targets/{name}.py": TARGET.format(name=name) for name in names}
    extra = {f"extra/{name}.csv": "1\n" for name in names}
    project = make_registered(folder / "project")
    write_files(project.root, {**files, **extra})
    edit(project, "targets/counts.py", "def peak", "def summit")
    work: list[Callable[[], object]] = []
    for name in names:
        work += [
            lambda name=name: register(
                open_project(project.root), "target", f"targets/{name}.py", cwd=project.root
            ),
            lambda name=name: add_files(
                open_project(project.root), [f"extra/{name}.csv"], cwd=project.root
            ),
            lambda: refresh(open_project(project.root)),
        ]
    children = [_fork(task) for task in work]
    codes = [os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) for child in children]
    assert codes == [0] * len(codes), codes
    registry = load_registry(project.root)
    assert set(registry.targets) == {"weekly_cases", "summit", *names}
    assert {*files, *extra} <= set(read_tracked(project.root))


TARGET = """\
from modelops_calabaria import calibration_target


@calibration_target(model_output="cases", data={{"observed": "data/cases.csv"}})
def {name}(data_paths):
    return "{name}"
"""


def _fork(task: Callable[[], object]) -> int:
    child = os.fork()
    if child:
        return child
    code = 1
    try:
        task()
        code = 0
    except Exception:  # noqa: BLE001  (the top of the child)
        traceback.print_exc()
    finally:
        os._exit(code)


def main() -> None:
    folder, name, times, seed = Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), int(sys.argv[4])
    if name == "together":
        run_together(folder, times)
        print(json.dumps({"together": times}))
    else:
        print(json.dumps({"writes": kill_at_random_points(folder, name, times, seed)}))


if __name__ == "__main__":
    main()
