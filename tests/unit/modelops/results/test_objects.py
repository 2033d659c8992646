"""What is said, and what is not passed over, when an object cannot be written."""

from __future__ import annotations

import errno
import os
import stat
from pathlib import Path

import pytest

from modelops.results.objects import open_objects
from modelops_contracts.errors import Unavailable


def test_a_full_disk_is_told_with_its_remedy(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from obstore import exceptions

    def put(*args: object, **given: object) -> None:
        raise exceptions.BaseError(
            "Generic LocalFileSystem error: Unable to copy data to file: "
            "No space left on device (os error 28)\n\nDebug source: ..."
        )

    monkeypatch.setattr("obstore.put", put)
    with pytest.raises(Unavailable) as caught:
        open_objects(tmp_path).put_new("sims/a.parquet", b"x")
    assert str(caught.value) == f"{tmp_path}/sims/a.parquet: No space left on device"
    assert caught.value.hint is not None
    assert "free some space" in caught.value.hint
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("number", [errno.ENOSPC, errno.EIO, errno.EDQUOT])
def test_a_disk_that_fails_at_the_last_moment_is_not_passed_over(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, number: int
) -> None:
    def fsync(descriptor: int) -> None:
        raise OSError(number, os.strerror(number))

    monkeypatch.setattr("os.fsync", fsync)
    with pytest.raises(Unavailable, match=r"sims/a\.parquet"):
        open_objects(tmp_path).put_new("sims/a.parquet", b"x")


def test_a_folder_that_cannot_be_synced_is(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    real = os.fsync

    def fsync(descriptor: int) -> None:
        if stat.S_ISDIR(os.fstat(descriptor).st_mode):
            raise OSError(errno.EINVAL, "no such thing here")
        real(descriptor)

    monkeypatch.setattr("os.fsync", fsync)
    open_objects(tmp_path).put_new("sims/a.parquet", b"x")
    assert (tmp_path / "sims" / "a.parquet").read_bytes() == b"x"
