"""A project on disk: where it is, what it is called, and how it is made."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path

from modelops_bundle.project.config import (
    BundleConfig,
    check_tag,
    is_repository,
    read_config,
    repository_from,
)
from modelops_bundle.project.ignoring import IGNORE_FILE, IgnoreRules
from modelops_bundle.project.parse_cache import ParseCache
from modelops_bundle.project.tracking import TRACKED_FILE, read_tracked, write_tracked
from modelops_contracts.atomic import FileLock, write_atomically
from modelops_contracts.digests import file_sha256
from modelops_contracts.errors import Conflict, InvalidInput, NotFound
from modelops_contracts.places import BUNDLE_STORAGE_DIR, REGISTRY_PATH

LOCK_SECONDS = 30.0
LEFTOVER_SECONDS = 3600.0
LOCK_FILES = ("uv.lock", "requirements.lock")

_GITIGNORE = "*\n!.gitignore\n!config.yaml\n!registry.yaml\n!tracked.txt\n"
_EMPTY_REGISTRY = "version: '1.0'\nmodels: {}\ntargets: {}\ntarget_sets: {}\n"
_IGNORE_TEMPLATE = """\
# Files that never enter the bundle; the syntax is that of .gitignore.
notebooks/
results/
"""
_PYPROJECT_TEMPLATE = """\
[project]
name = "{name}"
version = "0.1.0"
requires-python = ">=3.11"
dependencies = [
    "modelops",
]
"""


@dataclass(frozen=True, slots=True)
class Project:
    """A directory that holds `.modelops-bundle/`, and its settings."""

    root: Path
    config: BundleConfig

    @property
    def storage(self) -> Path:
        """The directory of the project's own records."""
        return self.root / BUNDLE_STORAGE_DIR

    @property
    def registry_path(self) -> Path:
        """The file that lists models, targets and target sets."""
        return self.root / REGISTRY_PATH

    @property
    def repository(self) -> str:
        """The name under which bundles are stored; fixed when the project is made."""
        if self.config.repository:
            return self.config.repository
        reference = (self.config.registry_ref or "").partition("@")[0].rstrip("/")
        last = reference.rpartition("/")[2].partition(":")[0]
        return repository_from(last or self.root.resolve().name)

    @property
    def default_tag(self) -> str:
        """The tag that push moves when none is named."""
        return self.config.default_tag

    @property
    def environment_name(self) -> str | None:
        """The pinned environment, always text; None when none is pinned."""
        try:
            text = (self.storage / "env").read_text(encoding="utf-8").strip()
        except FileNotFoundError:
            return None
        return text or None

    def ignore_rules(self) -> IgnoreRules:
        """The rules that decide which files are never picked up unasked."""
        return IgnoreRules(
            self.root, use_gitignore=self.config.use_gitignore, extra=self.config.ignore
        )

    def open_cache(self) -> ParseCache:
        """The record of what was parsed before."""
        return ParseCache(self.storage / "parse.json")

    def lock(self, command: str = "") -> FileLock:
        """The lock that every writer of this project holds."""
        sweep_leftovers(self.storage)
        return FileLock(self.storage / "lock", timeout=LOCK_SECONDS, command=command)


def sweep_leftovers(folder: Path) -> None:
    """Delete what writers left that were killed between writing and renaming, long ago."""
    oldest = time.time() - LEFTOVER_SECONDS
    with suppress(OSError):
        for item in os.scandir(folder):
            if item.name.startswith(".") and item.name.endswith(".tmp"):
                with suppress(OSError):
                    if item.stat(follow_symlinks=False).st_mtime < oldest:
                        os.unlink(item.path)  # noqa: PTH108  (what scandir gave)


@dataclass(frozen=True, slots=True)
class InitResult:
    """What `init_project` did."""

    root: Path
    repository: str
    environment: str | None
    default_tag: str
    created: tuple[str, ...]
    tracked: tuple[str, ...]

    def to_json(self) -> Mapping[str, object]:
        """Return plain data for programs."""
        return {
            "root": str(self.root),
            "repository": self.repository,
            "environment": self.environment,
            "tag": self.default_tag,
            "created": list(self.created),
            "tracked": list(self.tracked),
        }


def find_project(start: Path) -> Project:
    """Return the project of the nearest ancestor of `start` that holds one.

    Raises `NotFound` when there is none, `InvalidInput` when its settings cannot be read.
    """
    here = start.absolute()
    for folder in (here, *here.parents):
        if (folder / BUNDLE_STORAGE_DIR).is_dir():
            return open_project(folder)
    raise NotFound(
        f"no project here: neither {here} nor a directory above it holds {BUNDLE_STORAGE_DIR}/",
        code="no_project",
        hint="mops bundle init",
    )


def open_project(root: Path) -> Project:
    """Read the project in exactly this directory."""
    path = root / BUNDLE_STORAGE_DIR / "config.yaml"
    if not path.exists():
        return Project(root, BundleConfig())
    cache = ParseCache(root / BUNDLE_STORAGE_DIR / "parse.json")
    data = cache.get("yaml", file_sha256(path), partial(_parse_config, path))
    config = read_config(data, path)
    cache.save()
    return Project(root, config)


def _parse_config(path: Path) -> object:
    from modelops_contracts.yaml_file import parse_yaml, read_yaml_text

    return parse_yaml(read_yaml_text(path), str(path))


def init_project(
    directory: Path,
    *,
    name: str | None = None,
    env: str | None = None,
    tag: str = "latest",
    bare: bool = False,
    repair: bool = False,
) -> InitResult:
    """Make a project of a directory, all or nothing.

    `bare` leaves out the templates (`.modelopsignore`, and `pyproject.toml` where there is none).
    `repair` adds the files that an existing project lacks and stops git from ignoring its
    registry; it changes nothing else. Raises `Conflict` for a directory that already is a project
    and `InvalidInput` for a name or tag that no registry accepts.
    """
    check_tag(tag)
    root = directory.absolute()
    repository = _choose_repository(root, name)
    if repair:
        return _repair_project(root, repository, tag)
    if (root / BUNDLE_STORAGE_DIR).exists():
        raise Conflict(
            f"{root} already is a project",
            code="project_exists",
            hint="mops bundle status, or mops bundle init --repair to add missing files",
        )
    existed = root.exists()
    root.mkdir(parents=True, exist_ok=True)
    templates = {} if bare else _templates(root, repository)
    with ExitStack() as undo:
        if not existed:
            undo.callback(_remove_empty, root)
        _create_storage(root, _storage_files(repository, tag, env))
        undo.callback(_undo, root, templates)
        for path, text in templates.items():
            write_atomically(root / path, text)
        write_tracked(root, _initial_files(root))
        undo.pop_all()
    created = (*(f"{BUNDLE_STORAGE_DIR}/{item}" for item in _storage_files(repository, tag, env)),
               TRACKED_FILE, *templates)  # fmt: skip
    return InitResult(root, repository, env, tag, created, read_tracked(root))


def _choose_repository(root: Path, name: str | None) -> str:
    if name is None:
        return repository_from(root.resolve().name)
    if not is_repository(name):
        raise InvalidInput(
            f"{name!r} is not a repository name: lower-case letters, digits, single '.', '_', '-' "
            "between them, '/' between parts, at most 255",
            hint=f"mops bundle init --name {repository_from(name)}",
        )
    return name


def _templates(root: Path, repository: str) -> dict[str, str]:
    texts = {
        IGNORE_FILE: _IGNORE_TEMPLATE,
        "pyproject.toml": _PYPROJECT_TEMPLATE.format(name=repository.replace("/", "-")),
    }
    return {path: text for path, text in texts.items() if not (root / path).exists()}


def _storage_files(repository: str, tag: str, env: str | None) -> dict[str, str]:
    files = {
        ".gitignore": _GITIGNORE,
        "config.yaml": f"repository: {repository}\ndefault_tag: '{tag}'\nuse_gitignore: true\n",
        "registry.yaml": _EMPTY_REGISTRY,
    }
    return files if env is None else files | {"env": f"{env}\n"}


def _create_storage(root: Path, files: Mapping[str, str]) -> None:
    import shutil
    import tempfile

    staging = Path(tempfile.mkdtemp(prefix=f"{BUNDLE_STORAGE_DIR}.new-", dir=root))
    try:
        for name, text in files.items():
            write_atomically(staging / name, text)
        staging.chmod(0o755)
        staging.rename(root / BUNDLE_STORAGE_DIR)
    except OSError as error:
        if (root / BUNDLE_STORAGE_DIR).exists():
            raise Conflict(
                f"{root} became a project at the same moment", code="project_exists",
                hint="mops bundle status",
            ) from error  # fmt: skip
        raise
    finally:
        shutil.rmtree(staging, ignore_errors=True)


def _initial_files(root: Path) -> list[str]:
    names = (REGISTRY_PATH, "pyproject.toml", IGNORE_FILE, "README.md", *LOCK_FILES)
    return [name for name in names if (root / name).is_file()]


def _undo(root: Path, templates: Mapping[str, str]) -> None:
    import shutil

    shutil.rmtree(root / BUNDLE_STORAGE_DIR, ignore_errors=True)
    for path in templates:
        (root / path).unlink(missing_ok=True)


def _remove_empty(root: Path) -> None:
    with suppress(OSError):
        root.rmdir()


def _repair_project(root: Path, repository: str, tag: str) -> InitResult:
    storage = root / BUNDLE_STORAGE_DIR
    if not storage.is_dir():
        raise NotFound(f"{root} is not a project", code="no_project", hint="mops bundle init")
    created = []
    for name, text in _storage_files(repository, tag, None).items():
        if not (storage / name).exists():
            write_atomically(storage / name, _agreed(storage, name) or text)
            created.append(f"{BUNDLE_STORAGE_DIR}/{name}")
    if not (root / TRACKED_FILE).exists():
        write_tracked(root, _initial_files(root))
        created.append(TRACKED_FILE)
    if _drop_git_rule(root):
        created.append(".gitignore")
    project = open_project(root)
    return InitResult(
        root, project.repository, project.environment_name, project.default_tag,
        tuple(created), read_tracked(root),
    )  # fmt: skip


def _agreed(storage: Path, name: str) -> bytes | None:
    """Return the registry of the last push or pull, for one that was deleted."""
    with suppress(FileNotFoundError):
        return (storage / "base" / name).read_bytes() if name == "registry.yaml" else None
    return None


def hides_registry_from_git(root: Path) -> bool:
    """True when the root `.gitignore` keeps the whole project directory out of git."""
    return any(_is_hiding_rule(line) for line in _git_rules(root))


def _git_rules(root: Path) -> list[str]:
    try:
        return (root / ".gitignore").read_text(encoding="utf-8").splitlines(keepends=True)
    except (OSError, UnicodeDecodeError):
        return []


def _is_hiding_rule(line: str) -> bool:
    return line.strip().strip("/") in {BUNDLE_STORAGE_DIR, f"{BUNDLE_STORAGE_DIR}/*"}


def _drop_git_rule(root: Path) -> bool:
    lines = _git_rules(root)
    kept = [line for line in lines if not _is_hiding_rule(line)]
    if kept == lines:
        return False
    write_atomically(root / ".gitignore", "".join(kept))
    return True
