"""How the wheel and the sdist are built: hatchling, and the commit written into them.

A build from a repository has the version `0.3.0+g1a2b3c4`, with `.dirty` when the files it is made
of differ from the commit, and a `modelops/_build.py` that says the same. A build from an sdist
takes both from there. One from plain files without git has the bare version and no commit. An
editable installation stays bare: it asks git when it runs, because the files go on changing.
"""

from __future__ import annotations

import re
import subprocess
import tempfile
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

from hatchling.build import (
    get_requires_for_build_editable,
    get_requires_for_build_sdist,
    get_requires_for_build_wheel,
)
from hatchling.builders.sdist import SdistBuilder
from hatchling.builders.wheel import WheelBuilder

__all__ = [
    "build_editable",
    "build_sdist",
    "build_wheel",
    "get_requires_for_build_editable",
    "get_requires_for_build_sdist",
    "get_requires_for_build_wheel",
]

#: What a wheel is made of: a change anywhere else does not make it dirty.
BUILT_FROM = (
    "src",
    "examples",
    "pyproject.toml",
    "README.md",
    "LICENSE",
    "scripts/build_backend.py",
)
CONSTANT = re.compile(r"""^([A-Z]+) = "?([^"#\n]*?)"?(?: *#.*)?$""", re.MULTILINE)


class Build(NamedTuple):
    """What is built: the version, the commit (40 hex digits or nothing), whether it was changed."""

    version: str
    commit: str
    dirty: bool


Settings = dict[str, Any] | None


def build_wheel(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    with configure(find_build(Path.cwd()), "wheel", "modelops/_build.py") as config:
        return build(WheelBuilder, config, wheel_directory, "standard")


def build_sdist(sdist_directory: str, config_settings: Settings = None) -> str:
    with configure(find_build(Path.cwd()), "sdist", "src/modelops/_build.py") as config:
        return build(SdistBuilder, config, sdist_directory, "standard")


def build_editable(
    wheel_directory: str, config_settings: Settings = None, metadata_directory: str | None = None
) -> str:
    with configure(read_build(Path.cwd()), "wheel", None) as config:
        return build(WheelBuilder, config, wheel_directory, "editable")


def build(builder: Any, config: dict[str, Any], directory: str, version: str) -> str:
    """The name of the file that hatchling made."""
    made = builder(str(Path.cwd()), config=config).build(directory=directory, versions=[version])
    return Path(next(made)).name


def find_build(root: Path) -> Build:
    """What is written down in an sdist; else what git says of this very folder; else no commit."""
    written = read_build(root)
    repository = Path(ask_git(root, "rev-parse", "--show-toplevel") or "/")
    commit = ask_git(root, "rev-parse", "HEAD")
    if written.commit or not commit or repository.resolve() != root.resolve():
        return written
    dirty = bool(ask_git(root, "status", "--porcelain", "--", *BUILT_FROM))
    return Build(f"{written.version}+g{commit[:7]}{'.dirty' if dirty else ''}", commit, dirty)


def read_build(root: Path) -> Build:
    text = (root / "src" / "modelops" / "_build.py").read_text(encoding="utf-8")
    found = dict(CONSTANT.findall(text))
    return Build(found["VERSION"], found["COMMIT"], found["DIRTY"] == "True")


def ask_git(root: Path, *arguments: str) -> str:
    """What git prints, or nothing: no git and no repository are no fault of a build."""
    command = ["git", "--no-optional-locks", "-C", str(root), *arguments]
    try:
        done = subprocess.run(command, capture_output=True, text=True, check=False)
    except OSError:
        return ""
    return done.stdout.strip() if done.returncode == 0 else ""


@contextmanager
def configure(build: Build, target: str, place: str | None) -> Iterator[dict[str, Any]]:
    """pyproject.toml with the version of this build and its own `_build.py` at `place`."""
    config = tomllib.loads(Path("pyproject.toml").read_text(encoding="utf-8"))
    config["project"]["dynamic"].remove("version")
    config["project"]["version"] = build.version
    with tempfile.TemporaryDirectory() as folder:
        if place is not None:
            written = Path(folder) / "_build.py"
            written.write_text(render(build), encoding="utf-8")
            options = config["tool"]["hatch"]["build"]["targets"][target]
            options["exclude"] = [*options.get("exclude", []), "/src/modelops/_build.py"]
            options["force-include"] = {str(written): place}
        yield config


def render(build: Build) -> str:
    return (
        '"""What this is a build of, written by the build."""\n\n'
        f'VERSION = "{build.version}"\nCOMMIT = "{build.commit}"\nDIRTY = {build.dirty}\n'
    )
