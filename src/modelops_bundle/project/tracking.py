"""`tracked.txt`: the explicit list of files that make up the bundle."""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterable
from pathlib import Path

from modelops_contracts.atomic import write_atomically
from modelops_contracts.errors import InvalidInput
from modelops_contracts.places import BUNDLE_STORAGE_DIR, REGISTRY_PATH

TRACKED_FILE = f"{BUNDLE_STORAGE_DIR}/tracked.txt"
_CONFLICT = ("<<<<<<< ", "=======", ">>>>>>> ", "||||||| ")


def read_tracked(root: Path) -> tuple[str, ...]:
    """Return the tracked paths, sorted; a missing list is empty."""
    try:
        text = (root / TRACKED_FILE).read_text(encoding="utf-8")
    except FileNotFoundError:
        return ()
    paths = [_decode(line, number) for number, line in enumerate(text.split("\n"), start=1) if line]
    return tuple(sorted(set(paths)))


def write_tracked(root: Path, paths: Iterable[str]) -> bool:
    """Write the list atomically; say whether it had to change."""
    wanted = sorted(set(paths))
    if tuple(wanted) == read_tracked(root) and (root / TRACKED_FILE).exists():
        return False
    write_atomically(root / TRACKED_FILE, "".join(f"{_encode(path)}\n" for path in wanted))
    return True


def relative_path(root: Path, path: str | Path, *, cwd: Path | None = None) -> str:
    """Return a path argument relative to the project root, with `/` between its parts.

    It is resolved against the working directory; `InvalidInput` when it leaves the project.
    Symbolic links in it are kept as they are written.
    """
    start = cwd if cwd is not None else Path.cwd()
    absolute = Path(os.path.normpath(start / path))
    for base in (root, root.resolve()):
        if absolute.is_relative_to(base):
            return absolute.relative_to(base).as_posix()
    resolved = absolute.resolve()
    if resolved.is_relative_to(root.resolve()):
        return resolved.relative_to(root.resolve()).as_posix()
    raise InvalidInput(
        f"{path} is outside the project {root}",
        code="path_outside",
        hint=f"copy it below {root} and name it there",
    )


def refuse_untrackable(root: Path, path: str) -> None:
    """Raise `InvalidInput` for a path that can never be part of a bundle."""
    refuse_bad_name(path)
    try:
        mode = os.lstat(f"{root}/{path}").st_mode
    except OSError:
        return
    if stat.S_ISLNK(mode):
        refuse_bad_link(root, path)
    elif not stat.S_ISREG(mode):
        raise InvalidInput(f"{path}: neither a file nor a link to one")


def refuse_bad_name(path: str) -> None:
    """Raise `InvalidInput` for a name that can never be part of a bundle."""
    first = path.partition("/")[0]
    if first == ".git":
        raise InvalidInput(f"{path}: git's own files cannot be tracked")
    if first == BUNDLE_STORAGE_DIR and path != REGISTRY_PATH:
        raise InvalidInput(f"{path}: of {BUNDLE_STORAGE_DIR} only {REGISTRY_PATH} is tracked")
    try:
        path.encode("utf-8")
    except UnicodeEncodeError:
        shown = os.fsencode(path)
        raise InvalidInput(f"{shown!r}: the name is not UTF-8; rename the file") from None


def refuse_bad_link(root: Path, path: str) -> None:
    """Raise `InvalidInput` for a link that leaves the project or leads to no file."""
    link = root / path
    target = os.readlink(link)  # noqa: PTH115  (the text of the link, not a resolved path)
    goal = link.resolve()
    if Path(target).is_absolute() or not goal.is_relative_to(root.resolve()):
        raise InvalidInput(f"{path}: link to {target}, which leaves the project")
    if not goal.is_file():
        raise InvalidInput(f"{path}: link to {target}, which is not a file")


def _encode(path: str) -> str:
    odd = (
        path != path.strip() or path.startswith(('"', *_CONFLICT)) or any(ord(c) < 32 for c in path)
    )
    return json.dumps(path, ensure_ascii=False) if odd else path


def _decode(line: str, number: int) -> str:
    if line.startswith(_CONFLICT):
        raise InvalidInput(
            f"{TRACKED_FILE}:{number}: unresolved git conflict",
            hint="keep the lines of both sides, then: mops bundle status",
        )
    if not line.startswith('"'):
        return line.rstrip("\r")
    try:
        return str(json.loads(line))
    except ValueError:
        raise InvalidInput(f"{TRACKED_FILE}:{number}: not a path or a JSON string") from None
