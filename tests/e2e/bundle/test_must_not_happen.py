"""The tables of what must not happen to a registry, and of faults: every test they name exists.

What no other test sees is here.
"""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.recovery import journal as journal_module
from modelops_bundle.registering import refresh, register, set_target_set
from modelops_bundle.registry import RegisterOptions, load_registry
from modelops_bundle.status.reading import read_status
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_bundle.transfer.push import apply_push, plan_push, push
from modelops_contracts.errors import Conflict, InvalidInput, NotFound
from support.must_not_happen import absent_tests, read_items
from support.projects import FILES, edit, make_project, make_registered, write_files


@pytest.mark.parametrize(
    ("table", "rows"), [("MUST_NOT_HAPPEN_REGISTRY.md", 25), ("FAULTS.md", 28)]
)
def test_every_test_of_the_table_exists(table: str, rows: int) -> None:
    items = read_items(Path(__file__).with_name(table))
    assert len(items) == rows
    assert absent_tests(items) == []


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "project")


def store_of(project: Project) -> LayoutStore:
    return LayoutStore(project.root.parent / "store", "little")


# --- the registry ----------------------------------------------------------------------------


def test_labels_and_weights_of_the_decorator_are_stored(tmp_path: Path) -> None:
    text = FILES["targets/counts.py"].replace("weight=2.0", 'weight=2.5, labels={"area": "school"}')
    project = make_project(tmp_path / "project", {**FILES, "targets/counts.py": text})
    register(project, "model", "models/sir.py", cwd=project.root)
    register(project, "target", "targets/counts.py", cwd=project.root)
    peak = load_registry(project.root).targets["peak"]
    assert (peak.weight, peak.labels) == (2.5, {"area": "school"})
    register(project, "target", "targets/counts.py",
             RegisterOptions(names=("peak",), labels={"area": "town", "by": "hand"}),
             cwd=project.root)  # fmt: skip
    refresh(project)
    assert load_registry(project.root).targets["peak"].labels == {"area": "town", "by": "hand"}


def test_a_directory_as_data_is_all_of_its_files(project: Project) -> None:
    write_files(project.root, {"series/a.csv": "1\n", "series/deep/b.csv": "2\n"})
    register(project, "model", "models/sir.py", RegisterOptions(data=("series",)),
             cwd=project.root)  # fmt: skip
    entry = load_registry(project.root).models["sir_sir"]
    named = {"series/a.csv", "series/deep/b.csv"}
    assert {path.as_posix() for path in entry.data} >= named
    write_files(project.root, {"series/c.csv": "3\n"})
    refresh(project)
    entry = load_registry(project.root).models["sir_sir"]
    assert {path.as_posix() for path in entry.data} >= {*named, "series/c.csv"}


def test_data_of_one_file_changes_no_other(project: Project) -> None:
    text = FILES["models/sir.py"].replace("class Sir(", "class Other(")
    write_files(project.root, {"models/other.py": text, "data/own.csv": "1\n"})
    register(project, "model", "models/other.py", cwd=project.root)
    before = load_registry(project.root).to_dict()
    register(project, "model", "models/other.py", RegisterOptions(data=("data/own.csv",)),
             cwd=project.root)  # fmt: skip
    after = load_registry(project.root).to_dict()
    assert after["models"].pop("other_other") != before["models"].pop("other_other")
    assert after == before


def test_a_clean_pull_never_reverts_what_was_registered_here(project: Project) -> None:
    store = store_of(project)
    push(project, store)
    clone(store, "latest", project.root.parent / "theirs", repository="little")
    theirs = open_project(project.root.parent / "theirs")
    more = FILES["targets/counts.py"].replace("def peak", "def more").replace(
        "weekly_cases", "later")  # fmt: skip
    write_files(project.root, {"targets/more.py": more})
    register(project, "target", "targets/more.py", cwd=project.root)
    set_target_set(project, "mine", ["more"], {"more": 4.0})
    edit(theirs, "data/cases.csv", "1,3", "1,4")
    set_target_set(theirs, "theirs", ["peak"])
    push(theirs, store)
    pull(project, store)
    registry = load_registry(project.root)
    assert {"more", "later", "peak"} <= set(registry.targets)
    assert registry.target_sets["mine"].weights == {"more": 4.0}
    assert "theirs" in registry.target_sets


def test_what_is_pushed_describes_the_bytes_that_are_pushed(project: Project) -> None:
    for number in range(3):
        edit(project, "models/helpers.py", "* seed", f"* {number} * seed")
        write_files(project.root, {"data/cases.csv": f"week,cases\n1,{number}\n"})
        store = store_of(project)
        push(project, store)
        root = project.root.parent / f"clone{number}"
        clone(store, "latest", root, repository="little")
        assert refresh(open_project(root), dry_run=True).plan.changes_entries is False


# --- files that change at the wrong moment ---------------------------------------------------

Change = Callable[[Path], object]


def grow(path: Path) -> None:
    path.write_bytes(path.read_bytes() + b"more\n")


def become_link(path: Path) -> None:
    path.unlink()
    path.symlink_to("peak.csv")


def become_directory(path: Path) -> None:
    path.unlink()
    path.mkdir()


CHANGES: dict[str, Change] = {
    "grows": grow,
    "shrinks": lambda path: path.write_bytes(path.read_bytes()[:-3]),
    "same size": lambda path: path.write_bytes(path.read_bytes()[:-2] + b"7\n"),
    "vanishes": Path.unlink,
    "becomes a link": become_link,
    "becomes a directory": become_directory,
    "becomes executable": lambda path: path.chmod(0o755),
}


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_that_changes_before_it_is_packed_is_named_and_nothing_is_tagged(
    project: Project, name: str
) -> None:
    store = store_of(project)
    plan = plan_push(project, store)
    CHANGES[name](project.root / "data/cases.csv")
    with pytest.raises((Conflict, InvalidInput, OSError)) as caught:
        apply_push(plan, store)
    assert "data/cases.csv" in str(caught.value)
    with pytest.raises(NotFound):
        store.resolve("latest")


@pytest.mark.parametrize("name", CHANGES)
def test_a_file_that_changes_while_a_pull_is_carried_out_stays_as_it_is(
    project: Project, name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    store = store_of(project)
    push(project, store)
    clone(store, "latest", project.root.parent / "mine", repository="little")
    mine = open_project(project.root.parent / "mine")
    edit(project, "data/cases.csv", "1,3", "1,5")
    edit(project, "models/helpers.py", "* seed", "+ seed")
    push(project, store)
    victim = mine.root / "data/cases.csv"
    real = journal_module._sync

    def sync(*arguments: object) -> None:
        real(*arguments)  # type: ignore[arg-type]
        CHANGES[name](victim)

    monkeypatch.setattr(journal_module, "_sync", sync)
    done = pull(mine, store)
    assert done.left == ("data/cases.csv",)
    assert "+ seed" in (mine.root / "models/helpers.py").read_text()
    if name == "vanishes":
        assert not victim.exists()
    elif name == "becomes a link":
        assert victim.is_symlink()
    elif name == "becomes a directory":
        assert victim.is_dir()
    else:
        assert b"1,5" not in victim.read_bytes()


# --- records that are damaged ----------------------------------------------------------------

MARKERS = "<<<<<<< HEAD\na: 1\n=======\na: 2\n>>>>>>> theirs\n"
HINTS = (
    "state.json",
    "index.json",
    "parse.json",
    "status.json",
    "push.json",
    "base/registry.yaml",
    "baselines",
)


@pytest.mark.parametrize("damage", ["deleted", "truncated", "garbage"])
def test_records_that_are_hints_may_be_damaged(project: Project, damage: str) -> None:
    store = store_of(project)
    pushed = push(project, store)
    read_status(project)
    for name in HINTS:
        for path in [project.storage / name, *(project.storage / name).glob("*")]:
            if path.is_dir():
                continue
            if damage == "deleted":
                path.unlink(missing_ok=True)
            else:
                data = path.read_bytes() if path.exists() else b""
                path.write_bytes(data[: len(data) // 2] if damage == "truncated" else b"\xff{[,")
    assert read_status(project).ready
    again = push(project, store)
    assert (again.manifest, again.pushed) == (pushed.manifest, False)
    edit(project, "targets/counts.py", "def peak", "def summit")
    refresh(project)
    assert "summit" in load_registry(project.root).targets


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("config.yaml", MARKERS), ("registry.yaml", MARKERS), ("tracked.txt", MARKERS),
        ("config.yaml", "a: [1\n"), ("registry.yaml", "models: {a: [\n"),
    ],
)  # fmt: skip
def test_files_that_people_edit_are_never_guessed_at(
    project: Project, name: str, text: str
) -> None:
    path = project.storage / name
    path.write_text(text)
    with pytest.raises(InvalidInput, match=rf"{name}:\d"):
        read_status(open_project(project.root))
    with pytest.raises(InvalidInput, match=name):
        refresh(open_project(project.root))
    assert path.read_text() == text


def test_a_project_whose_caches_are_gone_answers_the_same(project: Project) -> None:
    push(project, store_of(project))
    edit(project, "models/helpers.py", "* seed", "+ seed")
    before = read_status(project)
    for name in ("index.json", "parse.json", "status.json", "push.json"):
        (project.storage / name).unlink(missing_ok=True)
    shutil.rmtree(project.storage / "staging", ignore_errors=True)
    assert read_status(project) == before
