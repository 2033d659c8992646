"""A project whose files are renamed, moved, edited and deleted at random follows its code."""

from __future__ import annotations

import random
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from modelops_bundle.code.codebase import open_codebase
from modelops_bundle.project.project import Project, init_project, open_project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.registering import refresh
from modelops_bundle.registry import (
    RegisterOptions,
    load_registry,
    plan_registration,
    resolve_entry,
    save_registry,
    validate_registry,
)
from modelops_contracts.registry import BundleRegistry, Entry, Kind
from support.projects import PYPROJECT, write_files

MODEL = """\
class {name}(BaseModel):
    def build_sim(self, params, config):
        scale = {value} * params["scale{number}"] + {number}
        return dict(params, scale=scale, number={number}, again=[scale, {number}, "m{number}"])

    def run_sim(self, state, seed):
        return helper(state["scale"], seed)

    @model_output("cases")
    def cases(self, raw, seed):
        return raw
"""
TARGET = """\
@calibration_target(model_output="cases", data={{"observed": "data/observed{data}.csv"}})
def {name}(data_paths):
    observed = read(data_paths["observed"], column{number}={number})
    scaled = [item * {value} + {number} for item in observed if item != {number}]
    return dict(observed=scaled, kind="k{number}", limit={number}, offset={value}, last=scaled[-1])
"""
HEADS = {
    "model": "from modelops_calabaria import BaseModel, model_output\nfrom shared import helper\n",
    "target": "from modelops_calabaria import calibration_target\nfrom shared import read\n",
}
SHARED = "def helper(x, y):\n    return x + y\n\n\ndef read(path, **options):\n    return []\n"
DATA_FILES = 4


@dataclass(frozen=True, slots=True)
class Definition:
    kind: Kind
    number: int
    path: str
    name: str
    value: int = 1

    @property
    def text(self) -> str:
        form = MODEL if self.kind == "model" else TARGET
        return form.format(
            name=self.name, number=self.number, value=self.value, data=self.number % DATA_FILES
        )


def make_definitions(files: int, chance: random.Random) -> list[Definition]:
    found: list[Definition] = []
    for number in range(files):
        kind: Kind = "model" if chance.random() < 0.3 else "target"
        for _ in range(chance.randint(1, 3)):
            count = len(found)
            name = f"Model{count}" if kind == "model" else f"target{count}"
            found.append(Definition(kind, count, f"{kind}s/file{number}.py", name))
    return found


def change(found: list[Definition], chance: random.Random) -> list[Definition]:
    """Move and delete files; rename, edit and delete what is in them. All of it can be told."""
    places = {item.path: item.path for item in found}
    for number, path in enumerate(places):
        what = chance.choice(["stay", "stay", "move", "delete"])
        if what == "move":
            places[path] = f"{chance.choice(['lib', 'models/core', 'other'])}/new{number}.py"
        elif what == "delete":
            places[path] = ""
    left = []
    for item in found:
        what = chance.choice(["keep", "keep", "edit", "rename", "delete"])
        if not places[item.path] or what == "delete":
            continue
        changed = replace(item, path=places[item.path])
        if what == "edit":
            changed = replace(changed, value=2)
        elif what == "rename":
            changed = replace(changed, name=f"Named{item.number}")
        left.append(changed)
    return left


def write_definitions(root: Path, found: list[Definition], *, comment: str = "") -> None:
    texts: dict[str, str] = {}
    for item in found:
        start = texts.get(item.path, f"{comment}{HEADS[item.kind]}\n\n")
        texts[item.path] = f"{start}{item.text}\n\n"
    write_files(root, texts)


def read_all(project: Project, found: list[Definition]) -> BundleRegistry:
    """Register every file on its own, as if nothing had been registered before."""
    codebase = open_codebase(project)
    registry, tracked = BundleRegistry(), set(read_tracked(project.root))
    for path, kind in dict.fromkeys((item.path, item.kind) for item in found):
        plan = plan_registration(codebase, BundleRegistry(), kind, path, RegisterOptions())
        registry.models |= plan.registry.models
        registry.targets |= plan.registry.targets
        registry.sources |= plan.registry.sources
        registry.environment = plan.registry.environment
        tracked.update(plan.track)
        for body, sketch in plan.sketches.items():
            codebase.cache.put("sketch", body, dict(sketch))
    codebase.save()
    write_tracked(project.root, tracked)
    return registry


@contextmanager
def project_of(found: list[Definition]) -> Iterator[Project]:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        data = {f"data/observed{number}.csv": f"x\n{number}\n" for number in range(DATA_FILES)}
        shared = (
            "def helper(x, y):\n    return x + y\n\n\ndef read(path, **options):\n    return []\n"
        )
        write_files(root, {"pyproject.toml": PYPROJECT, "shared.py": shared, **data})
        write_definitions(root, found)
        init_project(root, name="generated")
        yield open_project(root)


def comparable(entries: dict[str, Entry]) -> dict[tuple[str, str], dict[str, object]]:
    found = {}
    for entry in entries.values():
        plain = entry.to_dict()
        plain.pop("labels", None)
        plain.pop("registration", None)
        found[entry.path.as_posix(), entry.symbol] = plain
    return found


def check(files: int, chance: random.Random) -> None:
    before = make_definitions(files, chance)
    with project_of(before) as project:
        registry = read_all(project, before)
        members = [item for item in before if item.kind == "target"]
        registry.set_target_set(
            "all", [item.name for item in members], {item.name: item.number for item in members}
        )
        for entry in registry.models.values():
            entry.labels = entry.registration.labels = {"class": entry.symbol}
        save_registry(project.root, registry)
        assert validate_registry(registry, project.root) == []

        after = change(before, chance)
        for item in before:
            (project.root / item.path).unlink(missing_ok=True)
        write_definitions(project.root, after, comment="# another day\n")
        refresh(project)
        now = load_registry(project.root)

        assert validate_registry(now, project.root) == []
        fresh = read_all(project, after)
        assert comparable(dict(now.models)) == comparable(dict(fresh.models))
        assert comparable(dict(now.targets)) == comparable(dict(fresh.targets))
        assert now.environment == fresh.environment
        assert {p: s.to_dict() for p, s in now.sources.items()} == {
            p: s.to_dict() for p, s in fresh.sources.items()
        }
        group = now.target_sets["all"]
        assert group.targets == [item.name for item in after if item.kind == "target"]
        assert group.weights == {i.name: float(i.number) for i in after if i.kind == "target"}
        old_names = {item.number: item.name for item in before}
        for item in after:
            old = old_names[item.number]
            if item.kind == "target":
                assert resolve_entry(now, "target", old)[0].symbol == item.name
            else:
                entry = next(e for e in now.models.values() if e.symbol == item.name)
                assert entry.labels == {"class": old}
        gone = {item.path for item in before} - {item.path for item in after}
        assert not gone & set(read_tracked(project.root))
        assert not refresh(project, dry_run=True).plan.changes_entries


def campaign(examples: int) -> settings:
    return settings(
        max_examples=examples,
        deadline=None,
        suppress_health_check=[HealthCheck.too_slow],
        derandomize=True,
        phases=[Phase.generate],
    )


@given(files=st.integers(1, 8), chance=st.randoms(use_true_random=False))
@campaign(15)
def test_refresh_gives_what_a_fresh_registration_gives(files: int, chance: random.Random) -> None:
    check(files, chance)


@pytest.mark.slow
@given(seed=st.integers(0, 2**32))
@campaign(1)
def test_refresh_of_three_hundred_files(seed: int) -> None:
    check(300, random.Random(seed))


@pytest.mark.nightly
@pytest.mark.timeout(3600)
@given(seed=st.integers(0, 2**32))
@campaign(40)
def test_refresh_of_three_hundred_files_again_and_again(seed: int) -> None:
    check(300, random.Random(seed))
