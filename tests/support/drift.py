"""A registered project, the changes its users make to it, and what the consoles say then."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops_bundle.registering import register, set_target_set
from modelops_bundle.registry import RegisterOptions, load_registry
from modelops_contracts.registry import BundleRegistry
from support.consoles import Consoles, Ran, make_consoles
from support.projects import make_project

LOCK = 'version = 1\nrequires-python = ">=3.11"\n'
MODEL_FILE = "models/sir.py"
TARGET_FILE = "targets/counts.py"


@dataclass(frozen=True, slots=True)
class Drifting:
    """A project that a user works on, and the consoles in it."""

    consoles: Consoles

    @property
    def root(self) -> Path:
        return self.consoles.folder

    @property
    def registry(self) -> BundleRegistry:
        return load_registry(self.root)

    def run(self, line: str) -> Ran:
        return self.consoles.run(f"mops bundle {line}")

    def status(self) -> tuple[int, dict[str, Any]]:
        done = self.run("status --json")
        return done.code, done.json

    def entry(self, kind: str, entry_id: str) -> dict[str, Any]:
        """What status says of one entry."""
        rows = self.status()[1][f"{kind}s"]
        return next(row for row in rows if row["id"] == entry_id)

    def text(self, path: str) -> str:
        return (self.root / path).read_text(encoding="utf-8")

    def write(self, path: str, text: str) -> None:
        (self.root / path).parent.mkdir(parents=True, exist_ok=True)
        (self.root / path).write_text(text, encoding="utf-8")

    def edit(self, path: str, *pairs: tuple[str, str]) -> None:
        text = self.text(path)
        for old, new in pairs:
            assert old in text, f"{old!r} is not in {path}"
            text = text.replace(old, new)
        self.write(path, text)

    def move(self, old: str, new: str) -> None:
        (self.root / new).parent.mkdir(parents=True, exist_ok=True)
        (self.root / old).rename(self.root / new)

    def delete(self, path: str) -> None:
        (self.root / path).unlink()

    def stored(self) -> dict[str, bytes]:
        """The files that a command which only looks must not change."""
        names = ("registry.yaml", "tracked.txt", "config.yaml")
        return {name: (self.root / ".modelops-bundle" / name).read_bytes() for name in names}


Change = Callable[[Drifting], None]


def make_drifting(tmp_path: Path) -> Drifting:
    """The standard project: a labelled model, two targets, one of them with a weight in a set."""
    consoles = make_consoles(tmp_path)
    project = make_project(consoles.folder)
    (consoles.folder / "uv.lock").write_text(LOCK, encoding="utf-8")
    register(
        project, "model", MODEL_FILE, RegisterOptions(labels={"role": "main"}),
        cwd=project.root,
    )  # fmt: skip
    register(project, "target", TARGET_FILE, cwd=project.root)
    set_target_set(project, "all", ["weekly_cases", "peak"], {"weekly_cases": 3.0})
    return Drifting(consoles)


def copy_drifting(template: Drifting, tmp_path: Path) -> Drifting:
    """The same project once more, for one test alone."""
    consoles = make_consoles(tmp_path)
    shutil.copytree(template.root, consoles.folder, dirs_exist_ok=True)
    return Drifting(consoles)
