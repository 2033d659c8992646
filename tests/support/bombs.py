"""Opens bundles that would fill memory or disk, and prints how much memory that took.

Run as a program: `python bombs.py FOLDER NAME`. It prints one JSON value.
"""

from __future__ import annotations

import hashlib
import io
import json
import sys
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from zstandard import ZstdCompressor

from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.oci import media_types
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import init_project, open_project
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_contracts.errors import IntegrityError, ModelOpsError
from modelops_runner.execute import peak_bytes

GIGABYTE = 1024**3
MEGABYTE = 1024**2
EMPTY = hashlib.sha256(b"").hexdigest()


def put(store: LayoutStore, rows: str, layer: bytes, diff_id: str, content: str = EMPTY) -> None:
    """Store a bundle whose list of files is this JSON text."""
    bundle = (
        f'{{"format":2,"fp":1,"packing":1,"content":"sha256:{content}",'
        f'"environment":{{"digest":"","lock":null}},"files":[{rows}],"links":{{}},'
        '"entries":{"models":{},"targets":{}}}'
    )
    config = (
        f'{{"architecture":"amd64","os":"linux","rootfs":{{"type":"layers","diff_ids":["{diff_id}"]}},"{media_types.BUNDLE_KEY}":{bundle}}}'
    ).encode()
    for data in (layer, config):
        store.put_blob(digest(data), io.BytesIO(data))
    manifest = json.dumps({
        "schemaVersion": 2, "mediaType": media_types.MANIFEST, "artifactType": media_types.BUNDLE,
        "config": {"mediaType": media_types.CONFIG, "digest": digest(config), "size": len(config)},
        "layers": [{"mediaType": media_types.LAYER_ZSTD, "digest": digest(layer),
                    "size": len(layer)}],
    }).encode()  # fmt: skip
    store.put_manifest(manifest, media_type=media_types.MANIFEST, tag="latest")


def digest(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def zeros(size: int) -> Iterator[bytes]:
    for _ in range(size // MEGABYTE):
        yield bytes(MEGABYTE)


def inflated(store: LayoutStore, declared: int) -> None:
    """A gigabyte of zeros from a few kilobytes, declared as a file of another size."""
    packed, whole = io.BytesIO(), hashlib.sha256()
    with ZstdCompressor(level=19).stream_writer(packed, closefd=False) as out:
        for chunk in zeros(GIGABYTE):
            out.write(chunk)
            whole.update(chunk)
    row = json.dumps(["f", declared, EMPTY, "0644", 0])
    content = hashlib.sha256(f"{EMPTY}  f\n".encode()).hexdigest()
    put(store, row, packed.getvalue(), f"sha256:{whole.hexdigest()}", content)


def small_lie(store: LayoutStore) -> None:
    inflated(store, 10)


def big_lie(store: LayoutStore) -> None:
    inflated(store, GIGABYTE - 10_240)


def million(store: LayoutStore) -> None:
    rows = ",".join(f'["d/{number:07}",0,"{EMPTY}","0644",0]' for number in range(1_000_000))
    put(store, rows, b"x", digest(b"x"))


BOMBS: Mapping[str, Callable[[LayoutStore], None]] = {
    "small lie": small_lie, "big lie": big_lie, "million": million,
}  # fmt: skip


def refuse(action: Callable[[], object]) -> None:
    try:
        action()
    except IntegrityError as error:
        print(error, file=sys.stderr)
        return
    except ModelOpsError as error:
        raise AssertionError(f"refused for another reason: {error!r}") from error
    raise AssertionError("it was taken")


def main() -> None:
    folder, name = Path(sys.argv[1]), sys.argv[2]
    store = LayoutStore(folder / "store", "hostile")
    if len(sys.argv) > 3:  # making it takes memory too, so that is another process
        BOMBS[name](store)
        return
    init_project(folder / "project", name="hostile", bare=True)
    project = open_project(folder / "project")
    refuse(lambda: clone(store, "latest", folder / "new", repository="hostile"))
    refuse(lambda: pull(project, store))
    refuse(lambda: BundleCache(folder / "cache").ensure(store, store.resolve("latest")))
    left = [
        path for path in folder.rglob("*")
        if path.is_file() and path.parts[len(folder.parts)] not in {"store", "project"}
        and path.parent.name != "locks"
    ]  # fmt: skip
    print(
        json.dumps({"peak_kilobytes": peak_bytes() // 1024, "left": [str(path) for path in left]})
    )


if __name__ == "__main__":
    main()
