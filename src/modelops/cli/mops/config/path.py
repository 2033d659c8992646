"""`mops config path`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, table


@dataclass(frozen=True, slots=True)
class ConfigFile:
    """A file settings are read from."""

    path: str
    exists: bool
    scope: str


@dataclass(frozen=True, slots=True)
class ConfigFiles:
    """The files that are read, strongest first."""

    files: list[ConfigFile]


def render(answer: ConfigFiles, screen: Screen) -> Iterator[str]:
    rows = [(file.path, file.scope, "yes" if file.exists else "no") for file in answer.files]
    yield from table(("FILE", "SCOPE", "EXISTS"), rows, screen)


@command(answer=ConfigFiles, render=render)
def path(call: Call) -> ConfigFiles:
    """List the files that settings are read from, strongest first."""
    from modelops.config.paths import Paths
    from modelops.config.sources import PIN_FILE, find_project_root, resolve_home

    # Not call.config: a file with a mistake in it must still be findable.
    root = find_project_root(call.start)
    user = Paths(resolve_home(call.environment)).config_file
    files = [(user, "user")]
    if root is not None:
        files = [(root / PIN_FILE, "project"), (root / "pyproject.toml", "project"), *files]
    return ConfigFiles([ConfigFile(str(file), file.is_file(), scope) for file, scope in files])
