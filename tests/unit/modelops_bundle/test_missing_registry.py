"""A registry that was deleted is missed, not taken for an empty one."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import pytest

from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import Project, init_project
from modelops_bundle.project.tracking import write_tracked
from modelops_bundle.registering import (
    delete_target_set,
    refresh,
    register,
    set_target_set,
    unregister,
)
from modelops_bundle.registry import load_registry
from modelops_bundle.status.reading import read_status
from modelops_bundle.transfer.push import push
from modelops_contracts.errors import Conflict
from support.projects import edit, make_project, make_registered


@pytest.fixture
def project(tmp_path: Path) -> Project:
    project = make_registered(tmp_path / "project")
    set_target_set(project, "all", [], {"peak": 3.0})
    push(project, store_of(project))
    return project


def store_of(project: Project) -> LayoutStore:
    return LayoutStore(project.root.parent / "store", "little")


def test_status_says_so_and_how_to_get_it_back(project: Project) -> None:
    before = load_registry(project.root)
    assert read_status(project).ready
    edit(project, "targets/counts.py", "def peak", "def summit")
    project.registry_path.unlink()
    for _ in range(2):
        status = read_status(project)
        assert not status.ready
        assert status.exit_code == 3
        assert "registry.yaml is missing" in status.errors[0]
        assert "mops bundle init --repair" in status.errors[0].hint
    init_project(project.root, repair=True)
    assert load_registry(project.root) == before
    refresh(project)
    registry = load_registry(project.root)
    assert registry.target_sets["all"].weights == {"summit": 3.0}
    assert read_status(project).ready


REFUSING: dict[str, Callable[[Project], object]] = {
    "refresh": refresh,
    "push": lambda p: push(p, store_of(p)),
    "push --allow-stale": lambda p: push(p, store_of(p), allow_stale=True),
    "unregister": lambda p: unregister(p, ["peak"]),
    "target-set set": lambda p: set_target_set(p, "all"),
    "target-set delete": lambda p: delete_target_set(p, "all"),
}


@pytest.mark.parametrize("name", REFUSING)
def test_nothing_goes_on_as_if_it_were_empty(project: Project, name: str) -> None:
    tag = store_of(project).resolve("latest")
    project.registry_path.unlink()
    with pytest.raises(Conflict, match="missing") as caught:
        REFUSING[name](project)
    assert caught.value.exit_code == 3
    assert "--repair" in (caught.value.hint or "")
    assert not project.registry_path.exists()
    assert store_of(project).resolve("latest") == tag


def test_registering_begins_a_new_one_and_says_so(project: Project) -> None:
    project.registry_path.unlink()
    done = register(project, "model", "models/sir.py", cwd=project.root)
    assert "begun anew" in done.plan.findings[0]
    assert list(load_registry(project.root).models) == ["sir_sir"]
    again = register(project, "target", "targets/counts.py", cwd=project.root)
    assert not [item for item in again.plan.findings if item.code == "registry_missing"]


def test_without_a_push_the_way_is_to_register_again(tmp_path: Path) -> None:
    project = make_registered(tmp_path / "project")
    project.registry_path.unlink()
    (error,) = read_status(project).errors
    assert "mops bundle register-model PATH" in error.hint


def test_a_project_that_never_had_one_needs_none(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project")
    project.registry_path.unlink()
    write_tracked(project.root, ["pyproject.toml"])
    assert read_status(project).ready
    assert push(project, store_of(project)).pushed
