"""The layout store beside its contract: what killed writers leave."""

from __future__ import annotations

import io
import os
import time
from pathlib import Path

from modelops_bundle.oci.layout import LayoutStore
from modelops_contracts.testing.artifact_store import digest_of


def test_what_a_killed_push_left_goes_with_a_later_one(tmp_path: Path) -> None:
    """A push of a large file that was killed left all of it in the store, for ever."""
    store = LayoutStore(tmp_path, "team/seir")
    store.put_blob(digest_of(b"a"), io.BytesIO(b"a"))
    blobs = tmp_path / "team/seir/blobs/sha256"
    old, new, other = (
        blobs / f".{'a' * 64}.0123456789ab.tmp", blobs / f".{'b' * 64}.0123456789ab.tmp",
        blobs / ("c" * 64),
    )  # fmt: skip
    for path in (old, new, other):
        path.write_bytes(b"half of it")
    hours_ago = time.time() - 2 * 3600
    for path in (old, other):
        os.utime(path, (hours_ago, hours_ago))
    LayoutStore(tmp_path, "team/seir").put_blob(digest_of(b"b"), io.BytesIO(b"b"))
    assert [path.exists() for path in (old, new, other)] == [False, True, True]
