"""What is said when a disk is full: where, how much is needed, and how much is free."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from modelops_contracts.errors import ModelOpsError, is_disk_full


class DiskFull(ModelOpsError):  # noqa: N818  (named as its parent)
    """There is no room for what was to be written; what was there before is as it was."""

    default_code = "disk_full"


@contextmanager
def naming_room(folder: Path, needed: int, what: str, *beside: Path) -> Iterator[None]:
    """Turn an error about a full disk or quota into `DiskFull` that names bytes needed and free.

    `folder` is where is written, `needed` how many bytes that takes at most. Of it and the folders
    `beside` it, where the same bytes may stay a while, the one with the least room is named.
    """
    try:
        yield
    except OSError as error:
        if not is_disk_full(error):
            raise
        full = min((folder, *beside), key=free_bytes)
        raise DiskFull(
            f"{what} needs up to {needed} bytes in {full}, where {free_bytes(full)} are free: "
            f"{error.strerror}",
            hint="free some space there and do it again",
        ) from error


def free_bytes(folder: Path) -> int:
    """Return the bytes that are free where a folder is, or would be."""
    place = next(item for item in (folder, *folder.absolute().parents) if item.exists())
    return shutil.disk_usage(place).free
