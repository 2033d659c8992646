"""Names that a shell completes: read from local files, without user code and without a network."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path

import click

KEY = re.compile(r"  ([\w./-]+):")


def jobs(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    """Ids and `last`; after an @, the names of jobs."""
    if incomplete.startswith("@"):
        names = {f"@{name}" for folder in job_folders() if (name := job_name(folder))}
    else:
        names = {"last", *(folder.name for folder in job_folders())}
    return matching(names, incomplete)


def models(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return matching(registered("models"), incomplete)


def targets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return matching(registered("targets"), incomplete)


def target_sets(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    return matching(registered("target_sets"), incomplete)


def settings(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from modelops.config.model import known_settings

    return matching(set(known_settings()), incomplete)


def environments(ctx: click.Context, param: click.Parameter, incomplete: str) -> list[str]:
    from modelops.config.environments import list_environments
    from modelops.config.sources import read_environ, resolve_paths

    return matching(set(list_environments(resolve_paths(read_environ()))), incomplete)


def matching(names: set[str], incomplete: str) -> list[str]:
    return sorted(name for name in names if name.startswith(incomplete))


def project() -> Path | None:
    from modelops.config.sources import find_project_root

    return find_project_root(Path.cwd())


def job_folders() -> list[Path]:
    """Of the project here. Results that a configuration has moved elsewhere are not looked for."""
    from modelops.config.paths import Paths

    root = project()
    folder = None if root is None else Paths.project_results(root) / "jobs"
    if folder is None or not folder.is_dir():
        return []
    return [path for path in folder.iterdir() if not path.name.startswith(".")]


def job_name(folder: Path) -> str:
    with suppress(OSError, ValueError, AttributeError):
        return str(json.loads((folder / "state.json").read_text(encoding="utf-8")).get("name", ""))
    return ""


def registered(section: str) -> set[str]:
    """Ids in one section of the registry; the file is written by us, so its lines can be read."""
    root = project()
    with suppress(OSError, UnicodeDecodeError):
        if root is not None:
            text = (root / ".modelops-bundle" / "registry.yaml").read_text(encoding="utf-8")
            return set(keys_below(section, text))
    return set()


def keys_below(section: str, text: str) -> Iterator[str]:
    inside = False
    for line in text.splitlines():
        if line and not line.startswith((" ", "#")):
            inside = line.startswith(f"{section}:")
        found = KEY.match(line) if inside else None
        if found is not None:
            yield found[1]
