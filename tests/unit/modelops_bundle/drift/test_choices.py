"""What a registry of the existing suite leaves open is not taken for a wish of the user."""

from __future__ import annotations

from pathlib import Path

import pytest

from modelops_bundle.project.project import open_project
from modelops_bundle.registering import refresh, register
from modelops_bundle.registry import load_registry, save_registry
from modelops_bundle.status.reading import read_status
from modelops_contracts.registry import Entry, Registration
from support.projects import make_registered, write_files


def forget(entry: Entry, *, data: list[str] | None = None) -> None:
    """Take from an entry what the existing suite drops when it saves."""
    entry.fingerprint = entry.body = entry.digest = None
    entry.code_fingerprints = {}
    entry.registration = Registration()
    if data is not None:
        entry.data = [Path(path) for path in data]


@pytest.fixture
def root(tmp_path: Path) -> Path:
    root = make_registered(tmp_path / "little").root
    registry = load_registry(root)
    for entry in (*registry.models.values(), *registry.targets.values()):
        forget(entry)
    save_registry(root, registry)
    return root


@pytest.mark.parametrize("how", ["refresh", "register"])
def test_what_the_code_says_is_no_choice_of_the_user(root: Path, how: str) -> None:
    project = open_project(root)
    if how == "refresh":
        refresh(project)
    else:
        register(project, "target", root / "targets/counts.py")
    assert load_registry(root).targets["peak"].registration.to_dict() == {}
    file = root / "targets/counts.py"
    file.write_text(file.read_text().replace("data/peak.csv", "data/other.csv"))
    (root / "data/peak.csv").rename(root / "data/other.csv")
    refresh(open_project(root))
    assert [path.as_posix() for path in load_registry(root).targets["peak"].data] == [
        "data/other.csv"
    ]
    assert read_status(open_project(root)).ready


def test_a_helper_that_is_deleted_does_not_stay_behind(root: Path) -> None:
    refresh(open_project(root))
    model = root / "models/sir.py"
    model.write_text(model.read_text().replace("models.helpers", "models.rates"))
    (root / "models/helpers.py").rename(root / "models/rates.py")
    refresh(open_project(root))
    assert read_status(open_project(root)).ready


def test_what_the_code_does_not_say_is_kept(root: Path) -> None:
    write_files(root, {"data/typed.csv": "1\n"})
    registry = load_registry(root)
    forget(registry.targets["peak"], data=["data/peak.csv", "data/typed.csv"])
    save_registry(root, registry)
    refresh(open_project(root))
    assert load_registry(root).targets["peak"].registration.data == ["data/typed.csv"]
