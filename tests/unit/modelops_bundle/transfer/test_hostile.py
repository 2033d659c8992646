"""Bundles that no honest program makes: refused, and nothing is written outside of staging."""

from __future__ import annotations

import hashlib
import io
import json
import tarfile
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from zstandard import ZstdCompressor

from modelops_bundle.artifact.manifest import Layer
from modelops_bundle.artifact.unpacking import unpack_layer
from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.oci import media_types
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.project.project import init_project, open_project
from modelops_bundle.snapshot.index import FileRow
from modelops_bundle.transfer.clone import clone
from modelops_bundle.transfer.pull import pull
from modelops_contracts.errors import IntegrityError, InvalidInput


def sha(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


@dataclass
class Item:
    """One file as the index declares it, and as the archive holds it."""

    path: str
    data: bytes = b"data"
    mode: str = "0644"
    link: str | None = None
    archived: tarfile.TarInfo | None = None
    content: bytes | None = None
    size: int | None = None
    digest: str | None = None


@dataclass
class Bundle:
    """A bundle made by hand, with every lie that is wanted."""

    items: list[Item] = field(default_factory=lambda: [Item("ok.txt")])
    extra: Sequence[tuple[tarfile.TarInfo, bytes]] = ()
    change: Callable[[dict[str, Any]], None] = lambda bundle: None
    repack: Callable[[bytes], bytes] = lambda tar: tar
    kind: str = media_types.LAYER_TAR

    def tar(self) -> bytes:
        buffer = io.BytesIO()
        with tarfile.open(fileobj=buffer, mode="w", format=tarfile.PAX_FORMAT) as archive:
            for item in self.items:
                info = item.archived or self._info(item)
                content = item.data if item.content is None else item.content
                archive.addfile(info, io.BytesIO(content) if info.isreg() else None)
            for info, data in self.extra:
                archive.addfile(info, io.BytesIO(data))
        return buffer.getvalue()

    def _info(self, item: Item) -> tarfile.TarInfo:
        info = tarfile.TarInfo(item.path)
        if item.link is not None:
            info.type, info.linkname = tarfile.SYMTYPE, item.link
        else:
            info.size = len(item.data if item.content is None else item.content)
        return info

    def index(self) -> dict[str, Any]:
        rows = []
        for item in sorted(self.items, key=lambda item: item.path.encode("utf-8", "surrogatepass")):
            data = item.link.encode() if item.link is not None else item.data
            size = len(data) if item.size is None else item.size
            rows.append([item.path, size, item.digest or sha(data), item.mode, 0])
        listing = "".join(f"{row[2]}  {row[0]}\n" for row in rows)
        return {
            "format": 2, "fp": 1, "packing": 1,
            "content": f"sha256:{sha(listing.encode('utf-8', 'surrogatepass'))}",
            "environment": {"digest": "", "lock": None},
            "files": rows,
            "links": {item.path: item.link for item in self.items if item.link is not None},
            "entries": {"models": {}, "targets": {}},
        }  # fmt: skip

    def store(self, folder: Path) -> LayoutStore:
        store = LayoutStore(folder, "hostile")
        tar = self.tar()
        layer = self.repack(tar)
        bundle = self.index()
        self.change(bundle)
        config = json.dumps({
            "architecture": "amd64", "os": "linux",
            "rootfs": {"type": "layers", "diff_ids": [f"sha256:{sha(tar)}"]},
            media_types.BUNDLE_KEY: bundle,
        }).encode()  # fmt: skip
        for data in (layer, config):
            store.put_blob(f"sha256:{sha(data)}", io.BytesIO(data))
        manifest = json.dumps({
            "schemaVersion": 2, "mediaType": media_types.MANIFEST,
            "artifactType": media_types.BUNDLE,
            "config": {"mediaType": media_types.CONFIG, "digest": f"sha256:{sha(config)}",
                       "size": len(config)},
            "layers": [{"mediaType": self.kind, "digest": f"sha256:{sha(layer)}",
                        "size": len(layer)}],
        }).encode()  # fmt: skip
        store.put_manifest(manifest, media_type=media_types.MANIFEST, tag="latest")
        return store


def tar_info(name: str, kind: bytes = tarfile.REGTYPE, target: str = "") -> tarfile.TarInfo:
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


def compressed(tar: bytes) -> bytes:
    return ZstdCompressor().compress(tar)


def declares(**values: Any) -> Callable[[dict[str, Any]], None]:
    return lambda bundle: bundle.update(values)


def with_layer(number: int) -> Callable[[dict[str, Any]], None]:
    def change(bundle: dict[str, Any]) -> None:
        bundle["files"][0][4] = number

    return change


BOMB = b"\0" * (64 * 1024 * 1024)

PATHS = {
    "traversal": "../evil.txt",
    "traversal inside": "a/../../evil.txt",
    "absolute": "/tmp/evil.txt",
    "dot": "a/./b.txt",
    "empty part": "a//b.txt",
    "empty": "",
    "NUL": "a\0b",
    "newline": "a\nb",
    "git hook": ".git/hooks/post-checkout",
    "GIT": ".GIT/config",
    "bundle config": ".modelops-bundle/config.yaml",
    "bundle env": ".modelops-bundle/env",
    "bundle state": ".Modelops-Bundle/state.json",
    "long part": "a" * 256,
    "long path": "/".join(["a" * 200] * 21),
    "parent": "..",
}

CORPUS: dict[str, Bundle] = {
    **{f"path: {name}": Bundle([Item(path)]) for name, path in PATHS.items()},
    "case collision": Bundle([Item("a.txt"), Item("A.txt")]),
    "spelling collision": Bundle([Item("caf\u00e9"), Item("cafe\u0301")]),
    "file and directory": Bundle([Item("a"), Item("a/b")]),
    "twice": Bundle([Item("a"), Item("a")]),
    "link outside": Bundle([Item("l", mode="link", link="../../etc/passwd")]),
    "link absolute": Bundle([Item("l", mode="link", link="/etc/passwd")]),
    "link to nothing declared": Bundle([Item("l", mode="link", link="other")]),
    "link to a directory": Bundle([Item("d/x"), Item("l", mode="link", link="d")]),
    "link loop": Bundle(
        [Item("a", mode="link", link="b"), Item("b", mode="link", link="../a/b")]
    ),
    "link hides another": Bundle(
        [Item("ok"), Item("l", mode="link", link="ok",
                          archived=tar_info("l", tarfile.SYMTYPE, "/etc/passwd"))]
    ),
    "file is a link": Bundle([Item("f", archived=tar_info("f", tarfile.SYMTYPE, "/etc/passwd"))]),
    "file is a hard link": Bundle([Item("f", archived=tar_info("f", tarfile.LNKTYPE, "/etc/x"))]),
    "file is a device": Bundle([Item("f", archived=tar_info("f", tarfile.CHRTYPE))]),
    "file is a fifo": Bundle([Item("f", archived=tar_info("f", tarfile.FIFOTYPE))]),
    "file is a directory": Bundle([Item("f", archived=tar_info("f", tarfile.DIRTYPE))]),
    "undeclared file": Bundle(extra=[(tar_info("../evil.txt"), b"")]),
    "undeclared link": Bundle(extra=[(tar_info("x", tarfile.SYMTYPE, "/"), b"")]),
    "same file twice in the archive": Bundle(extra=[(tar_info("ok.txt"), b"")]),
    "other content": Bundle([Item("f", content=b"DATA")]),
    "longer content": Bundle([Item("f", content=b"data and more")]),
    "size lie": Bundle([Item("f", size=3)]),
    "negative size": Bundle([Item("f", size=-1)]),
    "digest lie": Bundle([Item("f", digest="0" * 64)]),
    "no digest": Bundle([Item("f", digest="latest")]),
    "content lie": Bundle(change=declares(content="sha256:" + "0" * 64)),
    "mode with setuid": Bundle([Item("f", mode="4755")]),
    "layer that is not there": Bundle(change=with_layer(7)),
    "negative layer": Bundle(change=with_layer(-1)),
    "missing from the archive": Bundle([Item("f"), Item("g")]),
    "bomb": Bundle([Item("f", data=b"x", content=BOMB, archived=None)],
                   repack=compressed, kind=media_types.LAYER_ZSTD),
    "bomb after the end": Bundle(repack=lambda tar: compressed(tar + BOMB),
                                 kind=media_types.LAYER_ZSTD),
    "garbage for an archive": Bundle(repack=lambda tar: b"garbage", kind=media_types.LAYER_ZSTD),
    "cut archive": Bundle(repack=lambda tar: compressed(tar)[:40], kind=media_types.LAYER_ZSTD),
    "other archive": Bundle(repack=lambda tar: tar[:512]),
    "unknown layer type": Bundle(kind="application/x-shell"),
    "files that are no list": Bundle(change=declares(files="all")),
}  # fmt: skip
CORPUS["missing from the archive"].tar = Bundle([Item("f")]).tar  # type: ignore[method-assign]


def listing(folder: Path) -> list[str]:
    return sorted(path.relative_to(folder).as_posix() for path in folder.rglob("*"))


@pytest.mark.parametrize("name", CORPUS)
def test_hostile_bundles_are_refused(name: str, tmp_path: Path) -> None:
    store = CORPUS[name].store(tmp_path / "artifacts")
    home = tmp_path / "home"
    home.mkdir()
    with pytest.raises(IntegrityError):
        clone(store, "latest", home / "inside/new", repository="hostile")
    assert set(listing(home)) <= {"inside"}
    (home / "project").mkdir()
    init_project(home / "project", name="hostile", bare=True)
    before = listing(home)
    with pytest.raises(IntegrityError):
        pull(open_project(home / "project"), store, "latest")
    grown = set(listing(home)) - set(before)
    assert all(path.startswith("project/.modelops-bundle/") for path in grown)
    assert not any("evil" in path for path in listing(tmp_path))
    assert not (home / "project/.modelops-bundle/journal.json").exists()
    cache = BundleCache(tmp_path / "cache")
    with pytest.raises(IntegrityError):
        cache.ensure(store, store.resolve("latest"))
    trees = tmp_path / "cache/trees"
    assert not trees.exists() or list(trees.iterdir()) == []


def test_the_honest_one_is_taken(tmp_path: Path) -> None:
    items = [Item("a/b.txt"), Item("l", mode="link", link="a/b.txt"), Item("run", mode="0755")]
    store = Bundle(items).store(tmp_path / "artifacts")
    clone(store, "latest", tmp_path / "new", repository="hostile")
    assert (tmp_path / "new/l").read_text() == "data"


@pytest.mark.parametrize(
    ("manifest", "text"),
    [
        ({"schemaVersion": 2, "manifests": []}, "not a bundle"),
        ({"config": {"mediaType": "application/x-other", "digest": "x"}}, "application/x-other"),
    ],
)
def test_other_artifacts_are_named(manifest: dict[str, Any], text: str) -> None:
    from modelops_bundle.artifact.manifest import config_of

    with pytest.raises(InvalidInput, match=text):
        config_of(json.dumps(manifest).encode())


def test_a_newer_format_is_named(tmp_path: Path) -> None:
    store = Bundle(change=declares(format=3)).store(tmp_path / "artifacts")
    with pytest.raises(InvalidInput, match="newer version"):
        clone(store, "latest", tmp_path / "new", repository="hostile")


def test_many_files_are_checked_without_effort(tmp_path: Path) -> None:
    items = [Item(f"d{number % 100}/{number}", b"") for number in range(20_000)]
    bundle = Bundle([Item("ok.txt")])
    bundle.index = Bundle(items).index  # type: ignore[method-assign]
    with pytest.raises(IntegrityError, match=r"lacks|undeclared"):
        clone(bundle.store(tmp_path / "artifacts"), "latest", tmp_path / "new", repository="h")


class Endless(io.RawIOBase):
    """What a registry sends that does not stop after a layer."""

    def __init__(self, beginning: bytes, again: bytes) -> None:
        super().__init__()
        self._again = again
        self._beginning = io.BytesIO(beginning)
        self.given = 0

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        data = self._beginning.read(len(buffer)) or (self._again * len(buffer))[: len(buffer)]
        self.given += len(data)
        assert self.given < 4 * 1024 * 1024, "read on and on"
        buffer[: len(data)] = data
        return len(data)


# A frame of zstd that is skipped and holds nothing, and zeros as they may follow a tar.
@pytest.mark.parametrize("again", [b"\x50\x2a\x4d\x18\0\0\0\0", b"\0"])
def test_a_layer_that_does_not_end_is_not_read_to_it(tmp_path: Path, again: bytes) -> None:
    tar = Bundle([Item("f")]).tar()
    packed, kind = compressed(tar), media_types.LAYER_ZSTD
    if again == b"\0":
        packed, kind = tar, media_types.LAYER_TAR
    layer = Layer(kind, f"sha256:{sha(packed)}", len(packed), f"sha256:{sha(tar)}")
    stream = io.BufferedReader(Endless(packed, again))
    rows = [FileRow("f", 4, sha(b"data"), "0644")]
    with pytest.raises(IntegrityError, match="more than"):
        unpack_layer(stream, layer, rows, {}, tmp_path, verified=True)
