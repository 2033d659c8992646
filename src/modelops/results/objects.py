"""Objects on a disk or in a bucket: obstore, with its errors in our words."""

from __future__ import annotations

import contextlib
import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Any

from modelops_contracts.errors import (
    AccessDenied,
    Conflict,
    NotFound,
    Unavailable,
    explain_file_error,
)

__all__ = ["Objects", "open_objects"]


def open_objects(root: Path | str) -> Objects:
    """A folder (made when the first object is written) or a URL that obstore knows."""
    if isinstance(root, str) and "://" in root:
        from obstore.store import from_url

        return Objects(root, store=from_url(root))
    return Objects(str(root), folder=Path(root))


class Objects:
    """Whole objects by path. A put is visible completely or not at all, also after a crash."""

    def __init__(self, where: str, *, store: Any = None, folder: Path | None = None) -> None:
        self.where = where
        self.folder = folder
        self._store = store

    def put_new(self, path: str, data: bytes) -> None:
        """Write an object that is not there yet, and have it on the disk before this returns.

        Raises Conflict when the path is taken.
        """
        import obstore

        with self._mapped(path):
            obstore.put(self._opened(), path, data, mode="create")
            if self.folder is not None:
                _sync(self.folder / path)

    def get(self, path: str) -> bytes:
        """The object's content. Raises NotFound."""
        import obstore

        if self._is_absent():
            raise NotFound(f"{self.where} holds no {path}")
        with self._mapped(path):
            return bytes(obstore.get(self._opened(), path).bytes())

    def list(self, folder: str) -> list[tuple[str, int]]:
        """Path and size of everything below a folder, sorted by path."""
        import obstore

        if self._is_absent():
            return []
        with self._mapped(folder):
            pages = obstore.list(self._opened(), folder)
            return sorted((meta["path"], meta["size"]) for page in pages for meta in page)

    def delete(self, paths: Iterable[str]) -> None:
        """Remove objects; those that are gone already do not matter."""
        import obstore

        for path in paths:
            with contextlib.suppress(NotFound), self._mapped(path):
                obstore.delete(self._opened(), path)

    def _is_absent(self) -> bool:
        return self.folder is not None and not self.folder.is_dir()

    def _opened(self) -> Any:
        if self._store is None:
            from obstore.store import LocalStore

            assert self.folder is not None
            self.folder.mkdir(parents=True, exist_ok=True)
            self._store = LocalStore(self.folder)
        return self._store

    @contextlib.contextmanager
    def _mapped(self, path: str) -> Iterator[None]:
        from obstore import exceptions

        try:
            yield
        except FileNotFoundError as error:
            raise NotFound(f"{self.where} holds no {path}") from error
        except exceptions.AlreadyExistsError as error:
            raise Conflict(f"{path} exists in {self.where}") from error
        except (
            exceptions.PermissionDeniedError,
            exceptions.UnauthenticatedError,
            PermissionError,
        ) as error:
            raise AccessDenied(f"no access to {path} in {self.where}") from error
        except (exceptions.BaseError, OSError) as error:
            raise _explained(path, self.where, error) from error


def _explained(path: str, where: str, error: Exception) -> Unavailable:
    """A full disk with its remedy, anything else in the vendor's words."""
    number = _error_number(error)
    if number is None:
        first_line = str(error).partition("\n")[0]
        return Unavailable(f"{path} in {where}: {first_line}")
    known = OSError(number, os.strerror(number), f"{where}/{path}")
    message, hint = explain_file_error(known)
    return Unavailable(message, hint=hint, code="file_access", exit_code=1)


def _error_number(error: Exception) -> int | None:
    """errno; of obstore's errors it stands in their text only."""
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = re.search(r"\(os error (\d+)\)", str(error))
    return int(found[1]) if found else None


def _sync(path: Path) -> None:
    """Raises OSError: a network filesystem may find out only now that the disk is full."""
    _sync_one(path)
    # Some network filesystems refuse to sync a directory; the rename has happened anyway.
    with contextlib.suppress(OSError):
        _sync_one(path.parent)


def _sync_one(path: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
