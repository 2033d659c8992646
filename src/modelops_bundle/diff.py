"""Which files differ between two states of a bundle; pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class FileChanges:
    """Paths that differ, each list sorted."""

    added: tuple[str, ...] = ()
    modified: tuple[str, ...] = ()
    deleted: tuple[str, ...] = ()

    def __len__(self) -> int:
        return len(self.added) + len(self.modified) + len(self.deleted)

    def to_json(self) -> Mapping[str, list[str]]:
        """Return plain data for programs."""
        return {
            "added": list(self.added),
            "modified": list(self.modified),
            "deleted": list(self.deleted),
        }


State = Mapping[str, tuple[str, str]]


def compare_files(before: State, after: State) -> FileChanges:
    """Compare `path -> (sha256, mode)` of two states."""
    return FileChanges(
        added=tuple(sorted(path for path in after if path not in before)),
        modified=tuple(sorted(p for p in after if p in before and after[p] != before[p])),
        deleted=tuple(sorted(path for path in before if path not in after)),
    )


def undone_by(local: State, remote: State, base: State | None) -> tuple[str, ...]:
    """Return the paths where replacing `remote` by `local` loses what somebody else did.

    `base` is the state both last agreed on; without one every difference counts.
    """
    if base is None:
        changes = compare_files(local, remote)
        return tuple(sorted({*changes.added, *changes.modified, *changes.deleted}))
    paths = {*remote, *base}
    return tuple(
        sorted(p for p in paths if remote.get(p) != base.get(p) and remote.get(p) != local.get(p))
    )
