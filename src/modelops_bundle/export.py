"""A bundle's files in a directory that is no project: put there, kept up to date, never mixed up.

`.modelops-export.json` in the directory says which files were put there. A file that was edited
since is a conflict; one that is right already is not touched.
"""

from __future__ import annotations

import contextlib
import hashlib
import json
import os
import secrets
import shutil
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from modelops_bundle.artifact.manifest import BundleIndex, safe_path
from modelops_bundle.cache.bundle_cache import BundleCache, fetch_index
from modelops_bundle.snapshot.index import FileRow, bundle_mode
from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import Conflict, Detail
from modelops_contracts.places import BUNDLE_STORAGE_DIR

if TYPE_CHECKING:
    from modelops_bundle.oci.store import BundleStore
    from modelops_contracts.ports import Reporter

MARK = ".modelops-export.json"
_CHUNK = 1024 * 1024
Facts = tuple[str, str]  # sha256, and mode or "link"


@dataclass(frozen=True, slots=True)
class ExportPlan:
    """What an export would do to a directory.

    `write` are the files that are missing or different, `delete` those that only a mirror removes.
    """

    folder: Path
    reference: str
    manifest: str
    index: BundleIndex
    write: tuple[str, ...]
    delete: tuple[str, ...]
    known: Mapping[str, tuple[Facts, ...]]

    @property
    def up_to_date(self) -> bool:
        """True when the directory holds the bundle already."""
        return not (self.write or self.delete)

    @property
    def bytes_to_write(self) -> int:
        """The size of the files that will be written."""
        wanted = set(self.write)
        return sum(row.size for row in self.index.files if row.path in wanted)


def plan_export(
    store: BundleStore, reference: str, folder: Path, *, mirror: bool = False
) -> ExportPlan:
    """Compare a directory with the bundle at a tag or digest; nothing is written.

    Raises `Conflict` (exit code 3) for files that somebody edited or put there, and with `mirror`
    for a directory that is not an export: it would be emptied of what is not in the bundle.
    """
    root = folder.absolute()
    manifest = store.resolve(reference)
    index = fetch_index(store, manifest)
    known = _read_mark(root)
    if mirror:
        _refuse_foreign(root, known)
    write, edited = _compare(root, index, known or {})
    if edited and not mirror:
        raise _edited(root, edited)
    sign = "@" if ":" in reference else ":"
    return ExportPlan(
        folder=root,
        reference=f"{store.location}{sign}{reference}",
        manifest=manifest,
        index=index,
        write=tuple(sorted({*write, *edited})),
        delete=tuple(_surplus(root, index)) if mirror else _left_over(root, index, known or {}),
        known=known or {},
    )


def apply_export(
    plan: ExportPlan,
    store: BundleStore,
    *,
    cache_dir: Path,
    tell: Callable[[str], None] | None = None,
    reporter: Reporter | None = None,
) -> None:
    """Do what a plan says; what is cached is not fetched, and every file appears whole."""
    plan.folder.mkdir(parents=True, exist_ok=True)
    if plan.write:
        cache = BundleCache(cache_dir, tell=tell, reporter=reporter)
        with cache.use(store, plan.manifest) as (tree, _):
            _write_mark(plan.folder, _both(plan))
            _delete(plan)
            _copy(plan, tree)
    else:
        _delete(plan)
    _write_mark(plan.folder, {row.path: (_facts(row),) for row in plan.index.files})


# --- comparing -------------------------------------------------------------------------------


def _compare(
    root: Path, index: BundleIndex, known: Mapping[str, tuple[Facts, ...]]
) -> tuple[list[str], list[str]]:
    """Return the files to write, and those of them that were edited or are somebody else's."""
    write: list[str] = []
    edited: list[str] = []
    for row in index.files:
        _refuse_link_above(root, row.path)
        found = _look(root / row.path)
        if found == _facts(row):
            continue
        is_ours = found is None or found in known.get(row.path, ())
        (write if is_ours else edited).append(row.path)
    return write, edited


def _facts(row: FileRow) -> Facts:
    return row.sha256, row.mode


def _look(path: Path) -> Facts | None:
    try:
        status = path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return None
    if path.is_symlink():
        return hashlib.sha256(os.fsencode(path.readlink())).hexdigest(), "link"
    if not path.is_file():
        return "", "other"
    with path.open("rb") as stream:
        digest = hashlib.file_digest(stream, "sha256")
    return digest.hexdigest(), bundle_mode(status)


def _refuse_link_above(root: Path, path: str) -> None:
    for parent in Path(path).parents:
        place = root / parent
        if parent != Path() and (place.is_symlink() or (place.exists() and not place.is_dir())):
            raise Conflict(
                f"{place} is in the way of {path}", code="export_blocked",
                hint=f"move {place} away, then try again", exit_code=3,
            )  # fmt: skip


def _left_over(
    root: Path, index: BundleIndex, known: Mapping[str, tuple[Facts, ...]]
) -> tuple[str, ...]:
    """Return what an earlier export put there, is no longer in the bundle, and was not edited."""
    now = {row.path for row in index.files}
    gone = (path for path in known if path not in now)
    return tuple(sorted(path for path in gone if _look(root / path) in known[path]))


def _surplus(root: Path, index: BundleIndex) -> list[str]:
    kept = {MARK, *(row.path for row in index.files)}
    return sorted(path for path in _files_below(root) if path not in kept)


def _files_below(root: Path) -> Iterable[str]:
    for folder, names, files in os.walk(root):
        place = Path(folder)
        links = [name for name in names if (place / name).is_symlink()]
        for name in (*files, *links):
            yield (place / name).relative_to(root).as_posix()


def _refuse_foreign(root: Path, known: Mapping[str, tuple[Facts, ...]] | None) -> None:
    """A mirror empties a directory of what is not in the bundle: never one that is not its own."""
    config = f"{BUNDLE_STORAGE_DIR}/config.yaml"
    precious = [name for name in (".git", config) if os.path.lexists(root / name)]
    if precious:
        why = f"it holds {precious[0]}"
    elif known is None and root.exists() and (not root.is_dir() or any(root.iterdir())):
        why = f"it holds files, and {MARK} does not say that they were exported"
    else:
        return
    raise Conflict(
        f"{root} is not mirrored: {why}", code="export_foreign",
        hint="name a directory that is absent or empty, or leave --mirror out", exit_code=3,
    )  # fmt: skip


def _edited(root: Path, paths: list[str]) -> Conflict:
    shown = ", ".join(paths[:5]) + (f" and {len(paths) - 5} more" if len(paths) > 5 else "")
    return Conflict(
        f"{root} holds other files than the bundle: {shown}", code="export_edited",
        hint="name another directory, or move these files away", exit_code=3,
        details=[Detail(path, "differs from the bundle") for path in paths],
    )  # fmt: skip


# --- doing -----------------------------------------------------------------------------------


def _copy(plan: ExportPlan, tree: Path) -> None:
    rows = {row.path: row for row in plan.index.files}
    links = [path for path in plan.write if rows[path].mode == "link"]
    for path in [*(item for item in plan.write if item not in links), *links]:
        _refuse_link_above(plan.folder, path)
        target = plan.folder / path
        target.parent.mkdir(parents=True, exist_ok=True)
        temporary = target.parent / f".{target.name}.{secrets.token_hex(6)}.tmp"
        try:
            if rows[path].mode == "link":
                temporary.symlink_to(plan.index.links[path])
            else:
                with (tree / path).open("rb") as source, temporary.open("xb") as copy:
                    shutil.copyfileobj(source, copy, _CHUNK)
                if rows[path].mode == "0755":
                    mode = temporary.stat().st_mode
                    temporary.chmod(mode | ((mode & 0o444) >> 2))
            temporary.replace(target)
        finally:
            temporary.unlink(missing_ok=True)


def _delete(plan: ExportPlan) -> None:
    for path in plan.delete:
        _remove(plan.folder, path)


def _remove(root: Path, path: str) -> None:
    (root / path).unlink(missing_ok=True)
    for parent in (root / path).parents:
        if parent == root:
            return
        with contextlib.suppress(OSError):  # not empty: then nothing above it is either
            parent.rmdir()


def _both(plan: ExportPlan) -> dict[str, tuple[Facts, ...]]:
    """Until the export is done, a file may be as it was or as it will be."""
    merged = {path: tuple(facts) for path, facts in plan.known.items()}
    for row in plan.index.files:
        merged[row.path] = tuple({*merged.get(row.path, ()), _facts(row)})
    return merged


def _read_mark(root: Path) -> dict[str, tuple[Facts, ...]] | None:
    """Return which files an export put there, None where there was none."""
    try:
        data = json.loads((root / MARK).read_text(encoding="utf-8"))
        return {
            str(path): tuple((str(sha), str(mode)) for sha, mode in facts)
            for path, facts in data["files"].items()
            if safe_path(str(path))
        }
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return None


def _write_mark(root: Path, files: Mapping[str, tuple[Facts, ...]]) -> None:
    data = {"format": 1, "files": {path: sorted(facts) for path, facts in sorted(files.items())}}
    write_atomically(root / MARK, json.dumps(data, indent=0))
