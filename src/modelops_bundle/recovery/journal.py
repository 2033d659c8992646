"""Changing many files as one: staged first, written down, then done; finished after a crash."""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
import stat
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops_bundle.project.baselines import read_baseline, write_baseline
from modelops_bundle.project.project import Project
from modelops_bundle.project.tracking import read_tracked, write_tracked
from modelops_bundle.snapshot.index import bundle_mode
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import IntegrityError

_FORMAT = 1
_CHUNK = 1024 * 1024
_SWEEP_AFTER = 3600.0
_FEW = 64
FILES = "files"
BASE_REGISTRY = "base-registry.yaml"

Facts = tuple[str, str]


@dataclass(frozen=True, slots=True)
class Step:
    """One file: `before` is what is replaced or deleted, `after` what is there then.

    A step is done only to a file that still is as `before` says.
    """

    path: str
    before: Facts | None
    after: Facts | None
    link: str | None = None


@dataclass(frozen=True, slots=True)
class Agreement:
    """The baseline that holds once all steps are done."""

    reference: str
    manifest: str
    content: str
    files: dict[str, Facts]


@dataclass(frozen=True, slots=True)
class Journal:
    """Everything that is to be done; `staging` names the directory with the new files.

    The files are below `files` in it, and the bundle's registry is in `base-registry.yaml`.
    """

    staging: str
    steps: tuple[Step, ...]
    track: tuple[str, ...]
    untrack: tuple[str, ...]
    agreement: Agreement


def new_staging(project: Project) -> Path:
    """Make a directory for new files, and remove those that crashes left behind."""
    folder = project.storage / "staging"
    pending = read_journal(project)
    if folder.is_dir():
        for old in sorted(folder.iterdir()):
            aged = time.time() - old.stat().st_mtime > _SWEEP_AFTER
            if aged and (pending is None or old.name != pending.staging):
                shutil.rmtree(old, ignore_errors=True)
    path = folder / secrets.token_hex(6)
    (path / FILES).mkdir(parents=True)
    return path


def carry_out(project: Project, journal: Journal) -> tuple[str, ...]:
    """Write the journal, then do what it says; return the paths that were left alone.

    The project's lock is held by the caller. From the moment the journal is written, a crash is
    made good by `finish_journal`.
    """
    _sync(project.storage / "staging" / journal.staging, journal.steps)
    write_atomically(_journal_path(project), json.dumps(_to_json(journal)))
    return _do(project, journal)


def finish_journal(project: Project) -> tuple[str, ...]:
    """Finish what a crash interrupted, if anything; return the paths that were left alone."""
    journal = read_journal(project)
    return _do(project, journal) if journal is not None else ()


def read_journal(project: Project) -> Journal | None:
    """Return the journal that is waiting to be finished."""
    try:
        return _from_json(json.loads(_journal_path(project).read_text(encoding="utf-8")))
    except FileNotFoundError:
        return None
    except (ValueError, KeyError, TypeError):
        raise IntegrityError(
            f"{_journal_path(project)} is damaged", hint="remove it, then mops bundle pull"
        ) from None


def _journal_path(project: Project) -> Path:
    return project.storage / "journal.json"


def _do(project: Project, journal: Journal) -> tuple[str, ...]:
    staging = project.storage / "staging" / journal.staging
    left = [step.path for step in _ordered(journal.steps) if not _do_step(project, step, staging)]
    _sync_folders(project.root, journal.steps)
    skipped = set(left)
    tracked = {*read_tracked(project.root), *journal.track} - set(journal.untrack)
    write_tracked(project.root, tracked | (skipped & set(journal.untrack)))
    _agree(project, journal, skipped, staging)
    _journal_path(project).unlink(missing_ok=True)
    shutil.rmtree(staging, ignore_errors=True)
    return tuple(sorted(left))


def _ordered(steps: Sequence[Step]) -> list[Step]:
    """Deletions first, since a directory may follow; links last: none is written through."""
    return sorted(
        steps, key=lambda step: (step.after is not None, step.link is not None, step.path)
    )


def _do_step(project: Project, step: Step, staging: Path) -> bool:
    """Do one step; False when the file is not what the plan was made for."""
    with _parent(project.root, step.path, create=step.after is not None) as folder:
        if folder is None:
            return step.after is None
        name = step.path.rpartition("/")[2]
        now = _facts(folder, name)
        if now == step.after:
            return True
        if now != step.before:
            return False
        if step.after is None:
            os.unlink(name, dir_fd=folder)
        elif step.link is not None:
            _place_link(folder, name, step.link)
        elif not _place_file(folder, name, staging / FILES / step.path, step.after[1]):
            return False
    if step.after is None:
        _prune(project.root, step.path)
    return True


def _place_file(folder: int, name: str, staged: Path, mode: str) -> bool:
    """Move a staged file to its place; False when somebody removed it."""
    if not staged.exists():
        return False
    if mode == "0755":
        bits = staged.stat().st_mode
        staged.chmod(bits | ((bits & 0o444) >> 2))
    os.replace(staged, name, dst_dir_fd=folder)
    return True


def _place_link(folder: int, name: str, target: str) -> None:
    temporary = f".{name[:200]}.{secrets.token_hex(6)}.tmp"
    os.symlink(target, temporary, dir_fd=folder)
    os.replace(temporary, name, src_dir_fd=folder, dst_dir_fd=folder)


@contextmanager
def _parent(root: Path, path: str, *, create: bool) -> Iterator[int | None]:
    """Open the directory of a path, following no link; None when it is not there."""
    flags = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW
    folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY)
    try:
        for part in path.split("/")[:-1]:
            if create:
                with contextlib.suppress(FileExistsError):
                    os.mkdir(part, dir_fd=folder)
            try:
                inner = os.open(part, flags, dir_fd=folder)
            except OSError:
                yield None
                return
            os.close(folder)
            folder = inner
        yield folder
    finally:
        os.close(folder)


def _facts(folder: int, name: str) -> Facts | None:
    try:
        status = os.stat(name, dir_fd=folder, follow_symlinks=False)
    except FileNotFoundError:
        return None
    if stat.S_ISLNK(status.st_mode):
        target = os.fsencode(os.readlink(name, dir_fd=folder))
        return hashlib.sha256(target).hexdigest(), "link"
    if not stat.S_ISREG(status.st_mode):
        return "", "other"
    digest = hashlib.sha256()
    with os.fdopen(os.open(name, os.O_RDONLY | os.O_NOFOLLOW, dir_fd=folder), "rb") as stream:
        while chunk := stream.read(_CHUNK):
            digest.update(chunk)
    return digest.hexdigest(), bundle_mode(status)


def _prune(root: Path, path: str) -> None:
    """Remove the directories that a deletion left empty."""
    for folder in list((root / path).parents):
        if folder == root:
            return
        try:
            folder.rmdir()
        except OSError:
            return


def _agree(project: Project, journal: Journal, skipped: set[str], staging: Path) -> None:
    """Write the baseline; files left alone keep the one they had, and so stay in question."""
    agreement = journal.agreement
    files, manifest = dict(agreement.files), agreement.manifest
    if skipped:
        earlier = read_baseline(project, agreement.reference)
        known = dict(earlier.files) if earlier is not None else {}
        for path in skipped:
            files.pop(path, None)
            files |= {path: known[path]} if path in known else {}
        manifest = earlier.manifest if earlier is not None else ""
    registry = staging / BASE_REGISTRY
    if registry.exists():
        write_baseline(
            project, agreement.reference, manifest, agreement.content, files, registry.read_bytes()
        )


def _sync(staging: Path, steps: Sequence[Step]) -> None:
    """Make the staged files durable: one by one when they are few, else all that is unwritten."""
    fresh = [
        staging / FILES / step.path
        for step in steps
        if step.after is not None and step.link is None
    ]
    if len(fresh) > _FEW:
        os.sync()
        return
    for path in (*fresh, staging / BASE_REGISTRY):
        _fsync(path)
    inner = {folder for path in fresh for folder in path.parents if staging in folder.parents}
    for folder in {*inner, staging, staging.parent}:
        _fsync(folder)


def _fsync(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _sync_folders(root: Path, steps: Sequence[Step]) -> None:
    """Make the changes of names durable, before the record of them goes."""
    folders = {(root / step.path).parent for step in steps}
    if len(folders) > _FEW:
        os.sync()
        return
    for folder in folders:
        with contextlib.suppress(OSError):  # gone with its last file
            _fsync(folder)


def _to_json(journal: Journal) -> dict[str, Any]:
    agreement = journal.agreement
    return {
        "format": _FORMAT,
        "staging": journal.staging,
        "steps": [[step.path, step.before, step.after, step.link] for step in journal.steps],
        "track": journal.track,
        "untrack": journal.untrack,
        "reference": agreement.reference,
        "manifest": agreement.manifest,
        "content": agreement.content,
        "files": [[path, *facts] for path, facts in sorted(agreement.files.items())],
    }


def _from_json(data: dict[str, Any]) -> Journal:
    return Journal(
        staging=str(data["staging"]),
        steps=tuple(
            Step(path, tuple(before) if before else None, tuple(after) if after else None, link)
            for path, before, after, link in data["steps"]
        ),
        track=tuple(data["track"]),
        untrack=tuple(data["untrack"]),
        agreement=Agreement(
            reference=data["reference"],
            manifest=data["manifest"],
            content=data["content"],
            files={path: (sha256, mode) for path, sha256, mode in data["files"]},
        ),
    )
