from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import Project
from modelops_bundle.registering import set_target_set
from modelops_bundle.status.reading import EntryStatus, ProjectStatus, read_status
from modelops_bundle.transfer.push import push
from modelops_contracts.registry import BundleRegistry
from support.projects import FILES, edit, make_project, make_registered, write_files


@pytest.fixture
def project(tmp_path: Path) -> Project:
    return make_registered(tmp_path / "little")


@pytest.fixture
def store(tmp_path: Path) -> LayoutStore:
    return LayoutStore(tmp_path / "artifacts", "little")


def entry(status: ProjectStatus, name: str) -> EntryStatus:
    return next(item for item in (*status.models, *status.targets) if item.id == name)


def states(project: Project) -> dict[str, str]:
    status = read_status(project)
    return {item.id: item.state for item in (*status.models, *status.targets)}


OK = {"sir_sir": "ok", "weekly_cases": "ok", "peak": "ok"}


def test_a_clean_project_is_ready(project: Project) -> None:
    status = read_status(project)
    assert states(project) == OK
    assert (status.ready, status.exit_code, status.sync) == (True, 0, "not pushed")
    assert [item.code for item in status.findings] == ["unlocked_environment"]
    assert json.dumps(status.to_json())


def test_a_project_without_entries(tmp_path: Path) -> None:
    status = read_status(make_project(tmp_path / "p"))
    assert (status.models, status.targets, status.ready) == ((), (), True)
    assert status.tracked == 3


Change = Callable[[Project], object]


@pytest.mark.parametrize(
    ("change", "name", "state", "note"),
    [
        (lambda p: edit(p, "models/helpers.py", "* seed", "+ seed"), "sir_sir", "stale",
         "models/sir.py -> models/helpers.py (code)"),
        (lambda p: edit(p, "models/sir.py", "return raw", "return [raw]"), "sir_sir", "changed",
         "own code"),
        (lambda p: edit(p, "data/peak.csv", "8", "9"), "peak", "stale", "data/peak.csv (data)"),
        (lambda p: edit(p, "pyproject.toml", '"modelops"', '"modelops", "x"'), "peak", "stale",
         "environment"),
        (lambda p: write_files(p.root, {"uv.lock": "x\n"}), "peak", "stale", "environment"),
        (lambda p: edit(p, "models/sir.py", "class Sir", "# c\nclass Sir"), "sir_sir", "ok", ""),
        (lambda p: edit(p, "targets/counts.py", "def weekly_cases(", "def counts("),
         "weekly_cases", "renamed", "counts"),
        (lambda p: edit(p, "targets/counts.py", "weight=2.0", "weight=3.0"), "peak", "drifted",
         "weight: recorded 2, code says 3"),
        (lambda p: (p.root / "data/peak.csv").unlink(), "peak", "missing",
         "data file data/peak.csv not found"),
        (lambda p: (p.root / "targets/counts.py").unlink(), "peak", "missing",
         "file targets/counts.py not found"),
        (lambda p: (p.root / "models/sir.py").rename(p.root / "models/other.py"), "sir_sir",
         "moved", "models/other.py"),
        (lambda p: edit(p, "models/sir.py", "(BaseModel)", ""), "sir_sir", "orphaned",
         "class Sir in models/sir.py does not inherit from BaseModel"),
    ],
)  # fmt: skip
def test_states(project: Project, change: Change, name: str, state: str, note: str) -> None:
    time.sleep(0.05)
    read_status(project)  # what is remembered of this must not be believed afterwards
    change(project)
    found = entry(read_status(project), name)
    assert (found.state, found.note) == (state, note)
    assert entry(read_status(project), name) == found


def test_a_syntax_error_names_the_line_and_leaves_others_alone(project: Project) -> None:
    edit(project, "models/helpers.py", "def rate", "def rate(:")
    status = read_status(project)
    assert states(project) == {**OK, "sir_sir": "broken"}
    assert any("models/helpers.py:1" in str(item) for item in status.errors)
    assert status.exit_code == 3


def test_a_probable_rename_says_the_exact_command(project: Project) -> None:
    set_target_set(project, "all")
    edit(project, "targets/counts.py", "def weekly_cases(", "def counts(")
    edit(project, "targets/counts.py", '"offset": 0', '"offset": 1')
    status = read_status(project)
    found = entry(status, "weekly_cases")
    assert found.state == "renamed?"
    assert found.similarity is not None
    assert 0.5 < found.similarity < 1.0
    assert [item.hint for item in status.errors] == [
        "mops bundle refresh --rename weekly_cases=counts"
    ]


def test_a_new_definition_is_a_remark_not_an_error(project: Project) -> None:
    edit(project, "targets/counts.py", "def read(path)",
         "@calibration_target(model_output='cases')\ndef extra(): ...\ndef read(path)")  # fmt: skip
    status = read_status(project)
    assert [change.id for change in status.new] == ["extra"]
    assert status.exit_code == 0


def test_sync_words(project: Project, store: LayoutStore, tmp_path: Path) -> None:
    def sync() -> str:
        return read_status(project, store=store, location=store.location).sync

    assert sync() == "not pushed"
    push(project, store)
    assert sync() == "in sync"
    edit(project, "data/cases.csv", "2,8", "2,9")
    assert sync() == "ahead"
    assert read_status(project).files.modified == ("data/cases.csv",)
    other = make_registered(tmp_path / "other")
    edit(other, "data/peak.csv", "8", "7")
    push(other, store, force=True)
    assert sync() == "diverged"
    edit(project, "data/cases.csv", "2,9", "2,8")
    assert sync() == "behind"


def test_a_registry_of_the_existing_suite_is_read_as_it_is(project: Project) -> None:
    registry = BundleRegistry.load(project.registry_path)
    old = BundleRegistry()
    model = old.add_model("mine", "models/sir.py", "Sir", outputs=["cases"])
    model.compute_digest(project.root)
    target = old.add_target("peak", "targets/counts.py", "targets.counts:peak", "cases",
                            data=["data/peak.csv"])  # fmt: skip
    target.compute_digest(project.root)
    assert registry.models["sir_sir"].model_digest == model.model_digest
    project.registry_path.unlink()
    old.save(project.registry_path)
    assert states(project) == {"mine": "ok", "peak": "ok"}
    edit(project, "targets/counts.py", "max(", "min(")
    assert states(project) == {"mine": "ok", "peak": "changed"}


def test_src_layouts_and_old_entrypoints(tmp_path: Path) -> None:
    files = {f"src/{path}" if path.startswith("models") else path: text
             for path, text in FILES.items()}  # fmt: skip
    project = make_project(tmp_path / "p", files)
    from modelops_bundle.registering import register

    register(project, "model", "src/models/sir.py", cwd=project.root)
    entry_now = BundleRegistry.load(project.registry_path).models["sir_sir"]
    assert entry_now.entrypoint == "models.sir:Sir"
    assert Path("src/models/helpers.py") in entry_now.code
    edit(project, ".modelops-bundle/registry.yaml", "models.sir:Sir", "src.models.sir:Sir")
    assert states(project) == {"sir_sir": "ok"}


def test_an_answer_is_remembered_and_equal(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    set_target_set(project, "all", weights={"peak": 3.0})
    edit(project, "targets/counts.py", "def weekly_cases(", "def counts(")
    edit(project, "targets/counts.py", '"offset": 0', '"offset": 1')
    time.sleep(0.05)  # files as young as the tick of the clock are not believed
    first = read_status(project)

    def never(*_: object, **__: object) -> None:
        raise AssertionError("inspected again")

    monkeypatch.setattr("modelops_bundle.status.inspection.inspect_project", never)
    again = read_status(project)
    assert again == first
    assert again.to_json() == first.to_json()


@pytest.mark.parametrize("garbage", ["", "{}", "[]", '{"maker": 1}'])
def test_a_damaged_memory_is_ignored(project: Project, garbage: str) -> None:
    first = read_status(project)
    (project.storage / "status.json").write_text(garbage)
    assert read_status(project) == first


def test_files_that_appear_are_noticed(project: Project) -> None:
    edit(project, "models/helpers.py", "def rate", "import models.more\n\n\ndef rate")
    before = entry(read_status(project), "sir_sir")
    write_files(project.root, {"models/more.py": "y = 1\n"})
    after = entry(read_status(project), "sir_sir")
    assert "models/more.py (code)" not in before.note
    assert "models/more.py (code)" in after.note
    (project.root / "models/more.py").unlink()
    assert entry(read_status(project), "sir_sir") == before


def test_rules_that_change_are_noticed(project: Project) -> None:
    assert read_status(project).ready
    write_files(project.root, {"models/more.py": "y = 1\n"})
    edit(project, "models/helpers.py", "def rate", "import models.more\n\n\ndef rate")
    assert read_status(project).ready
    write_files(project.root, {"models/.gitignore": "more.py\n"})
    assert [item.code for item in read_status(project).errors] == ["untracked_file"]
    write_files(project.root, {".gitignore": ".modelops-bundle/\n", "models/.gitignore": ""})
    assert "registry_not_in_git" in [item.code for item in read_status(project).findings]


def test_status_writes_only_caches(project: Project) -> None:
    caches = {"index.json", "parse.json", "status.json"}
    before = {path: path.read_bytes() for path in project.root.rglob("*")
              if path.is_file() and path.name not in caches}  # fmt: skip
    read_status(project)
    after = {path: path.read_bytes() for path in project.root.rglob("*")
             if path.is_file() and path.name not in caches}  # fmt: skip
    assert before == after
