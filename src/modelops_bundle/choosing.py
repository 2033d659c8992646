"""Adding files to the bundle by hand, and taking them out; each command whole or not at all."""

from __future__ import annotations

import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from glob import has_magic
from pathlib import Path

from modelops_bundle.project.config import BundleConfig
from modelops_bundle.project.guard import SecretFinding, find_secrets, refuse_secrets
from modelops_bundle.project.ignoring import IgnoreRules
from modelops_bundle.project.project import Project, open_project
from modelops_bundle.project.tracking import (
    read_tracked,
    refuse_untrackable,
    relative_path,
    write_tracked,
)
from modelops_bundle.recovery.writing import write_project
from modelops_contracts.errors import Detail, InvalidInput, ModelOpsError, NotFound, nearest
from modelops_contracts.places import BUNDLE_STORAGE_DIR, REGISTRY_PATH


@dataclass(frozen=True, slots=True)
class Added:
    """What `add_files` did: paths that were not tracked before, and what was left out.

    `ignored` were named but fall under an ignore rule; `skipped` counts what lies in named
    directories and is no file; `allowed` are secrets that the user answers for.
    """

    added: tuple[str, ...]
    known: int
    ignored: tuple[str, ...]
    skipped: int
    allowed: tuple[SecretFinding, ...]


@dataclass(frozen=True, slots=True)
class Removed:
    """What `remove_files` did; `needed` are paths that entries of the registry name."""

    removed: tuple[str, ...]
    deleted: tuple[str, ...]
    needed: tuple[str, ...]


@dataclass(slots=True)
class _Choice:
    files: list[str]
    ignored: list[str]
    mistakes: list[Detail]
    skipped: int = 0


def add_files(
    project: Project,
    paths: Sequence[str],
    *,
    allow_secret: Sequence[str] = (),
    force: bool = False,
    cwd: Path | None = None,
) -> Added:
    """Track files, the files below directories, and what patterns such as `data/*.csv` match.

    Raises `InvalidInput` or `NotFound` that names every path which is missing, outside the
    project, or no file, and `InvalidInput` for what looks like a secret; nothing is tracked then.
    `force` tracks paths that were named although an ignore rule covers them. A path in
    `allow_secret` is added too, and the rules it breaks are recorded in the configuration.
    """
    with write_project(project, "mops bundle add"):
        project = open_project(project.root)  # as the last writer left it
        rules = project.ignore_rules()
        choice = _Choice([], [], [])
        for argument in (*paths, *allow_secret):
            _choose(project, rules, argument, force or argument in allow_secret, cwd, choice)
        _check_each(project.root, choice)
        chosen = sorted(set(choice.files))
        allowed = _allowed(project, allow_secret, cwd)
        exceptions = project.config.secret_exceptions | {(s.path, s.rule) for s in allowed}
        before = set(read_tracked(project.root))
        refuse_secrets(project.root, chosen, exceptions)
        if allowed:
            _record_exceptions(project, exceptions)
        write_tracked(project.root, {*before, *chosen})
    added = tuple(path for path in chosen if path not in before)
    return Added(
        added, len(chosen) - len(added), tuple(choice.ignored), choice.skipped, tuple(allowed)
    )


def remove_files(
    project: Project, paths: Sequence[str], *, delete: bool = False, cwd: Path | None = None
) -> Removed:
    """Stop tracking files, or all tracked files below directories; `delete` deletes them too.

    All paths are looked up before anything changes. Raises `NotFound` for a path that neither is
    tracked nor holds tracked files, and `InvalidInput` for the registry itself.
    """
    from modelops_bundle.registry import load_registry

    with write_project(project, "mops bundle remove"):
        tracked = read_tracked(project.root)
        chosen: set[str] = set()
        for argument in paths:
            chosen.update(_tracked_at(project, tracked, argument, cwd))
        needed = {item.as_posix() for item in load_registry(project.root).get_all_dependencies()}
        # Deleted first: when this is cut short, the same command finds the paths again.
        deleted = [path for path in sorted(chosen) if delete and _unlink(project.root / path)]
        write_tracked(project.root, set(tracked) - chosen)
    return Removed(tuple(sorted(chosen)), tuple(deleted), tuple(sorted(chosen & needed)))


# --- what is meant ---------------------------------------------------------------------------


def _choose(
    project: Project,
    rules: IgnoreRules,
    argument: str,
    force: bool,
    cwd: Path | None,
    choice: _Choice,
) -> None:
    start = cwd or Path.cwd()
    names = [argument]
    if has_magic(argument) and not os.path.lexists(start / argument):
        names = _matches(start, argument)
    if not names:
        choice.mistakes.append(Detail(argument, "matches nothing"))
    for name in names:
        try:
            path = relative_path(project.root, name, cwd=cwd)
        except ModelOpsError as error:
            choice.mistakes.append(Detail(name, error.message))
            continue
        _take(project.root, rules, path, force, choice)


def _matches(start: Path, pattern: str) -> list[str]:
    if Path(pattern).is_absolute():
        return sorted(str(path) for path in Path("/").glob(pattern.lstrip("/")))
    return sorted(str(path) for path in start.glob(pattern))


def _take(root: Path, rules: IgnoreRules, path: str, force: bool, choice: _Choice) -> None:
    here = root / path
    if not os.path.lexists(here):
        choice.mistakes.append(Detail(path, "not found"))
        return
    is_folder = here.is_dir() and not here.is_symlink()
    name = f"{path}/" if is_folder else path
    ignored = path not in {REGISTRY_PATH, "."} and rules.is_ignored(name)
    own = path.split("/", maxsplit=1)[0] in {".git", BUNDLE_STORAGE_DIR}
    if ignored and not force and not own:
        choice.ignored.append(path)
    elif not is_folder:
        choice.files.append(path)
    else:
        folder = "" if path == "." else path
        found = list(_walk_all(root, folder) if ignored else rules.walk(folder))
        choice.files += found
        choice.skipped += _count_odd(root, folder)


def _walk_all(root: Path, folder: str) -> Iterator[str]:
    for entry in sorted(os.scandir(root / folder), key=lambda item: item.name):
        path = f"{folder}/{entry.name}"
        if entry.is_dir(follow_symlinks=False):
            if entry.name not in {".git", BUNDLE_STORAGE_DIR}:
                yield from _walk_all(root, path)
        elif entry.is_symlink() or entry.is_file():
            yield path


def _count_odd(root: Path, folder: str) -> int:
    """Count what is neither file, link nor directory right there: sockets, pipes, devices."""
    kinds = (stat.S_ISREG, stat.S_ISDIR, stat.S_ISLNK)
    return sum(
        not any(kind(os.lstat(entry.path).st_mode) for kind in kinds)
        for entry in os.scandir(root / folder)
    )


def _check_each(root: Path, choice: _Choice) -> None:
    mistakes = list(choice.mistakes)
    for path in choice.files:
        try:
            refuse_untrackable(root, path)
        except InvalidInput as error:
            mistakes.append(Detail(os.fsencode(path).decode("utf-8", "backslashreplace"),
                                   error.message))  # fmt: skip
    if not mistakes:
        return
    listed = "; ".join(
        item.message if item.path in item.message else f"{item.path}: {item.message}"
        for item in mistakes
    )
    kind = NotFound if all(item.message == "not found" for item in mistakes) else InvalidInput
    raise kind(listed, code="not_trackable", hint="nothing was tracked", details=mistakes)


def _tracked_at(
    project: Project, tracked: Iterable[str], argument: str, cwd: Path | None
) -> list[str]:
    path = relative_path(project.root, argument, cwd=cwd)
    found = [item for item in tracked if path in {item, "."} or item.startswith(f"{path}/")]
    if path == REGISTRY_PATH:
        raise InvalidInput(f"{REGISTRY_PATH} is part of every bundle")
    found = [item for item in found if item != REGISTRY_PATH]
    if not found:
        close = nearest(path, tracked)
        raise NotFound(
            f"{argument} is not tracked, and holds no tracked files",
            code="not_tracked",
            hint=f"did you mean {', '.join(close)}?" if close else "mops bundle status --files",
        )
    return found


def _unlink(path: Path) -> bool:
    try:
        path.unlink()
    except FileNotFoundError:
        return False
    return True


# --- secrets ---------------------------------------------------------------------------------


def _allowed(project: Project, paths: Sequence[str], cwd: Path | None) -> list[SecretFinding]:
    names = [relative_path(project.root, path, cwd=cwd) for path in paths]
    found = find_secrets(project.root, names, project.config.secret_exceptions)
    quiet = [
        name for name in names
        if not any(item.path == name for item in found)
        and not any(path == name for path, _ in project.config.secret_exceptions)
    ]  # fmt: skip
    if quiet:
        raise InvalidInput(
            f"--allow-secret {quiet[0]}: no rule finds a secret in it",
            hint=f"mops bundle add {quiet[0]}",
        )
    return found


def _record_exceptions(project: Project, exceptions: Iterable[tuple[str, str]]) -> None:
    from modelops_contracts.yaml_file import write_yaml

    listed = [{"path": path, "rule": rule} for path, rule in sorted(exceptions)]
    config: BundleConfig = replace(
        project.config, settings={**project.config.settings, "secret_exceptions": listed}
    )
    write_yaml(project.storage / "config.yaml", config.settings)
