"""Files that entries name: their digests, and what is missing or changed."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from pathlib import Path


def file_digest(path: Path) -> str | None:
    """Return `sha256:<hex>` of a file's bytes, or None when there is no such file."""
    if not path.is_file():
        return None
    with path.open("rb") as stream:
        return "sha256:" + hashlib.file_digest(stream, "sha256").hexdigest()


def module_name(path: Path | str) -> str:
    """Return the importable module name of a Python file.

    The suffix and one leading `src/` are dropped; an absolute path is first made relative to
    the working directory, and outside of it only the file's stem is used.
    """
    file = Path(str(path).replace("\\", "/"))
    if file.is_absolute():
        here = Path.cwd()
        file = file.relative_to(here) if file.is_relative_to(here) else Path(file.name)
    parts = [part for part in file.with_suffix("").parts if part != "."]
    if len(parts) > 1 and parts[0] == "src":
        parts = parts[1:]
    if len(parts) > 1 and parts[-1] == "__init__":
        parts = parts[:-1]
    return ".".join(parts)


def under(base: Path | None, path: Path) -> Path:
    return (base or Path.cwd()) / path


def digests(paths: Iterable[Path], base: Path | None) -> dict[str, str]:
    found = ((path.as_posix(), file_digest(under(base, path))) for path in paths)
    return {name: digest for name, digest in found if digest is not None}


def _invalidation(label: str, path: Path, recorded: str | None, base: Path | None) -> str | None:
    current = file_digest(under(base, path))
    if current is None:
        return f"{label} {path.as_posix()}: file missing"
    if recorded is None:
        return f"{label} {path.as_posix()}: no digest stored"
    return None if current == recorded else f"{label} {path.as_posix()}: content changed"


def invalidations(
    own_label: str,
    own: Path,
    own_digest: str | None,
    data: Iterable[Path],
    data_digests: Mapping[str, str],
    code: Iterable[Path],
    code_digests: Mapping[str, str],
    base: Path | None,
) -> list[str]:
    found = [_invalidation(own_label, own, own_digest, base)]
    for label, paths, digests in (("DATA", data, data_digests), ("CODE", code, code_digests)):
        found += [_invalidation(label, item, digests.get(item.as_posix()), base) for item in paths]
    return [text for text in found if text is not None]
