"""The same content is the same bundle: whoever made it, where, when, and in what order."""

from __future__ import annotations

import os
import random
from collections.abc import Callable
from pathlib import Path

import pytest

from modelops_bundle.choosing import add_files
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import Project
from modelops_bundle.registering import refresh, register, set_target_set
from modelops_bundle.registry import RegisterOptions, load_registry
from modelops_bundle.transfer.push import push
from support.projects import FILES, age_files, make_project, write_files

MORE = {
    "models/other.py": FILES["models/sir.py"].replace("class Sir(", "class Other("),
    "models/again.py": FILES["models/sir.py"].replace("class Sir(", "class Again("),
    "targets/later.py": FILES["targets/counts.py"]
    .replace("def weekly_cases(", "def monthly_cases(")
    .replace("def peak(", "def first_peak("),
    "notes.txt": "one\n",
    "about.txt": "two\n",
}

Step = Callable[[Project], object]


def register_one(kind: str, path: str, **options: object) -> Step:
    chosen = RegisterOptions(**options)  # type: ignore[arg-type]
    return lambda project: register(
        project, kind, path, chosen, cwd=project.root  # type: ignore[arg-type]
    )  # fmt: skip


STEPS: tuple[Step, ...] = (
    register_one("model", "models/sir.py", labels={"role": "main"}),
    register_one("model", "models/sir.py", labels={"area": "school"}),
    register_one("model", "models/other.py", names=("Other",)),
    register_one("model", "models/again.py", code=("models/helpers.py",)),
    register_one("target", "targets/counts.py", names=("peak",)),
    register_one("target", "targets/counts.py", names=("weekly_cases",)),
    register_one("target", "targets/later.py"),
    lambda project: add_files(project, ["notes.txt"], cwd=project.root),
    lambda project: add_files(project, ["about.txt"], cwd=project.root),
)


def push_in_order(folder: Path, order: list[Step]) -> tuple[str, str, dict[str, str]]:
    project = make_project(folder / "project", {**FILES, **MORE})
    for step in order:
        step(project)
    set_target_set(project, "late", ["first_peak", "monthly_cases"], {"first_peak": 2.0})
    set_target_set(project, "all")
    done = push(project, LayoutStore(folder / "store", "little"))
    recorded = load_registry(project.root)
    entries = {**recorded.models, **recorded.targets}
    return done.manifest, done.content, {key: item.digest or "" for key, item in entries.items()}


@pytest.mark.parametrize("seed", range(4))
def test_the_order_of_registrations_leaves_no_trace(tmp_path: Path, seed: int) -> None:
    expected = push_in_order(tmp_path / "a", list(STEPS))
    other = random.Random(seed).sample(STEPS, len(STEPS))
    assert push_in_order(tmp_path / "b", other) == expected


def test_two_users_two_days_two_directories(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    first = push_in_order(tmp_path / "a", list(STEPS))
    earlier = os.umask(0o077)
    try:
        for name in ("USER", "LOGNAME", "HOSTNAME"):
            monkeypatch.setenv(name, "somebody-else")
        monkeypatch.setenv("TZ", "Pacific/Kiritimati")
        monkeypatch.setenv("LC_ALL", "C")
        project = make_project(tmp_path / "deep/er/project", {**FILES, **MORE}, name="little")
        age_files(project.root, 40 * 86400.0)
        for step in reversed(STEPS):
            step(project)
            refresh(project)
        set_target_set(project, "all")
        set_target_set(project, "late", ["first_peak", "monthly_cases"], {"first_peak": 2.0})
        done = push(project, LayoutStore(tmp_path / "deep/store", "little"))
    finally:
        os.umask(earlier)
    recorded = load_registry(project.root)
    entries = {**recorded.models, **recorded.targets}
    assert (done.manifest, done.content) == first[:2]
    assert {key: item.digest for key, item in entries.items()} == first[2]


def test_the_order_that_a_hand_gave_survives(tmp_path: Path) -> None:
    project = make_project(tmp_path / "project", {**FILES, **MORE})
    register_one("target", "targets/counts.py")(project)
    path = project.registry_path
    text = path.read_text()
    start, end = text.index("  peak:"), text.index("  weekly_cases:")
    stop = text.index("target_sets:") if "target_sets:" in text[end:] else text.index("sources:")
    swapped = text[:start] + text[end:stop] + "  # the peak of them\n" + text[start:end]
    path.write_text(swapped + text[stop:])
    refresh(project)
    assert path.read_text() == swapped + text[stop:]
    register_one("target", "targets/later.py")(project)
    lines = path.read_text().splitlines()
    order = [line.strip() for line in lines if line in
             {"  weekly_cases:", "  peak:", "  first_peak:", "  monthly_cases:"}]  # fmt: skip
    assert order.index("weekly_cases:") < order.index("peak:")
    assert lines[lines.index("  peak:") - 1] == "  # the peak of them"
    write_files(project.root, {"data/cases.csv": "week,cases\n9,9\n"})
    refresh(project)
    assert "  # the peak of them" in path.read_text().splitlines()
