"""The artifact's two documents, and what they say about the files inside.

Neither holds a time, a user, a host or a tool's version: the same files give the same bytes.
"""

from __future__ import annotations

import hashlib
import json
import re
import unicodedata
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any

from modelops_bundle.oci import media_types
from modelops_bundle.oci.documents import load_document
from modelops_bundle.oci.reference import is_digest
from modelops_bundle.snapshot.index import FileRow
from modelops_contracts.errors import IntegrityError, InvalidInput
from modelops_contracts.formats import BUNDLE_FORMAT
from modelops_contracts.registry import BUNDLE_STORAGE_DIR, REGISTRY_PATH, EnvironmentRecord

FORMAT = BUNDLE_FORMAT
FINGERPRINT_FORMAT = 1
PACKING = 1
LONGEST_PATH = 4096
LARGEST_INDEX = 32 * 1024 * 1024  # bytes; about 250,000 files
LONGEST_PART = 255
_IMAGES = frozenset({
    media_types.CONFIG, "application/vnd.docker.container.image.v1+json",
})  # fmt: skip
_MODES = frozenset({"0644", "0755", "link"})
# Most paths are of this kind and need no closer look.
_PLAIN_PATH = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*(?:/[A-Za-z0-9_][A-Za-z0-9_.-]*)*")


@dataclass(frozen=True, slots=True)
class Layer:
    """One layer: the stored blob, and the digest of the tar inside it."""

    media_type: str
    digest: str
    size: int
    diff_id: str

    def descriptor(self) -> dict[str, Any]:
        """Return the layer as it stands in the manifest."""
        return {"mediaType": self.media_type, "digest": self.digest, "size": self.size}


@dataclass(frozen=True, slots=True)
class BundleIndex:
    """Everything a bundle says about itself.

    `files` are sorted by the bytes of their paths; `layer_of` gives the layer number of each;
    `links` gives the target text of each link; `models` and `targets` give entry digests.
    `external` says where the bytes of layers are that the store does not hold (format 1).
    """

    files: tuple[FileRow, ...]
    layer_of: Mapping[str, int]
    layers: tuple[Layer, ...]
    content: str
    environment: EnvironmentRecord
    links: Mapping[str, str] = field(default_factory=dict)
    models: Mapping[str, str] = field(default_factory=dict)
    targets: Mapping[str, str] = field(default_factory=dict)
    packing: int = PACKING
    format: int = FORMAT
    external: Mapping[str, str] = field(default_factory=dict)

    def state(self) -> dict[str, tuple[str, str]]:
        """Return `path -> (sha256, mode)`."""
        return {row.path: (row.sha256, row.mode) for row in self.files}

    def rows_by_layer(self) -> list[tuple[FileRow, ...]]:
        """Return the files of each layer, sorted."""
        found: list[list[FileRow]] = [[] for _ in self.layers]
        for row in self.files:
            found[self.layer_of[row.path]].append(row)
        return [tuple(rows) for rows in found]


def content_digest(rows: Iterable[FileRow]) -> str:
    """Return the digest of what is in a bundle, the same as `sha256sum` over its own listing."""
    ordered = sorted(rows, key=lambda row: row.path.encode())
    text = "".join(f"{row.sha256}  {row.path}\n" for row in ordered)
    return "sha256:" + hashlib.sha256(text.encode()).hexdigest()


def sha256_of(data: bytes) -> str:
    """Return `sha256:<hex>` of some bytes."""
    return "sha256:" + hashlib.sha256(data).hexdigest()


def build_config(index: BundleIndex) -> bytes:
    """Return the config document."""
    bundle = {
        "format": FORMAT,
        "fp": FINGERPRINT_FORMAT,
        "packing": index.packing,
        "content": index.content,
        "environment": index.environment.to_dict(),
        "files": [
            [row.path, row.size, row.sha256, row.mode, index.layer_of[row.path]]
            for row in index.files
        ],
        "links": dict(index.links),
        "entries": {"models": dict(index.models), "targets": dict(index.targets)},
    }
    config = _compact({
        "architecture": "amd64",
        "os": "linux",
        "rootfs": {"type": "layers", "diff_ids": [layer.diff_id for layer in index.layers]},
        media_types.BUNDLE_KEY: bundle,
    })  # fmt: skip
    if len(config) > LARGEST_INDEX:
        raise InvalidInput(
            f"{len(index.files)} files are too many for one bundle",
            code="too_many_files", hint="mops bundle remove DIRECTORY, or pack many into one file",
        )  # fmt: skip
    return config


def build_manifest(index: BundleIndex, config: bytes) -> bytes:
    """Return the manifest document."""
    return _compact({
        "schemaVersion": 2,
        "mediaType": media_types.MANIFEST,
        "artifactType": media_types.BUNDLE,
        "config": {
            "mediaType": media_types.CONFIG, "digest": sha256_of(config), "size": len(config)
        },
        "layers": [layer.descriptor() for layer in index.layers],
        "annotations": {
            media_types.FORMAT_KEY: str(FORMAT),
            media_types.CONTENT_KEY: index.content,
            media_types.ENVIRONMENT_KEY: index.environment.digest,
        },
    })  # fmt: skip


def config_of(manifest: bytes) -> str:
    """Return the digest of the config that a manifest names.

    Raises `InvalidInput` when the manifest is not that of a bundle, saying what it is.
    """
    try:
        data = load_document(manifest)
        kind = str(data.get("artifactType") or "")
        config = data.get("config") or {}
        media_type, digest = str(config.get("mediaType", "")), str(config.get("digest", ""))
    except (ValueError, TypeError, AttributeError):
        raise InvalidInput("not a bundle: neither manifest nor artifact") from None
    known = kind == media_types.BUNDLE or media_type == media_types.FORMAT_ONE
    if not known or not is_digest(digest):
        raise InvalidInput(f"not a bundle: {_describe(data, kind, media_type)}")
    return digest


def _describe(data: Mapping[str, Any], kind: str, media_type: str) -> str:
    """Say what a document is that is not the manifest of a bundle."""
    if isinstance(data.get("manifests"), list):
        return f"an index of {len(data['manifests'])} manifests, as images for several systems have"
    if kind:
        return f"an artifact of type {kind}"
    if media_type in _IMAGES:
        return "a container image"
    return f"its type is {media_type}" if media_type else "neither manifest nor artifact"


def read_index(manifest: bytes, config: bytes) -> BundleIndex:
    """Read both documents of a bundle, distrusting all of it.

    Raises `InvalidInput` for something that is no bundle or is made by a newer version, and
    `IntegrityError` for paths, links, digests or layers that no honest bundle has.
    """
    if sha256_of(config) != config_of(manifest):
        raise IntegrityError("the bundle's config is not the one its manifest names")
    document = _parsed(config)
    bundle = document[media_types.BUNDLE_KEY]
    with refusing_malformed():
        if int(bundle.get("format", FORMAT)) > FORMAT:
            raise InvalidInput(
                f"bundle format {bundle['format']} was made by a newer version of modelops",
                hint="install the newest modelops",
            )
        index = _read(bundle, load_document(manifest), document)
        check_index(index)
    return index


@contextmanager
def refusing_malformed() -> Iterator[None]:
    """Turn what a document of the wrong shape leads to into `IntegrityError`."""
    try:
        yield
    except (KeyError, TypeError, ValueError, IndexError, AttributeError, OverflowError) as error:
        raise IntegrityError(f"the bundle's index is malformed: {error}") from None


def safe_path(path: str) -> bool:
    """True for a path that may be written below a directory that holds a bundle."""
    if len(path) <= LONGEST_PART and _PLAIN_PATH.fullmatch(path):
        return True
    parts = path.split("/")
    if path.startswith("/") or len(path.encode()) > LONGEST_PATH:
        return False
    if any(part in {"", ".", ".."} or len(part.encode()) > LONGEST_PART for part in parts):
        return False
    if not path.isprintable() and any(ord(char) < 32 or char == "\x7f" for char in path):
        return False
    if parts[0].casefold() == ".git":
        return False
    return parts[0].casefold() != BUNDLE_STORAGE_DIR or path == REGISTRY_PATH


def _compact(data: Mapping[str, Any]) -> bytes:
    text = json.dumps(data, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return text.encode()


def _parsed(config: bytes) -> dict[str, Any]:
    """Return a config as data; `InvalidInput` when it holds no index."""
    try:
        document = load_document(config)
        bundle = document[media_types.BUNDLE_KEY]
    except (ValueError, KeyError, TypeError):
        raise InvalidInput("not a bundle: the config holds no index of files") from None
    if not isinstance(bundle, dict):
        raise InvalidInput("not a bundle: the config holds no index of files")
    return dict(document)


def _read(
    bundle: Mapping[str, Any], manifest: Mapping[str, Any], config: Mapping[str, Any]
) -> BundleIndex:
    rows = [
        (FileRow(str(path), int(size), str(sha256), str(mode)), int(layer))
        for path, size, sha256, mode, layer in bundle["files"]
    ]
    layers = tuple(
        Layer(str(item["mediaType"]), str(item["digest"]), int(item["size"]), str(diff_id))
        for item, diff_id in zip(manifest["layers"], config["rootfs"]["diff_ids"], strict=True)
    )
    environment = bundle["environment"]
    return BundleIndex(
        files=tuple(row for row, _ in rows),
        layer_of={row.path: layer for row, layer in rows},
        layers=layers,
        content=str(bundle["content"]),
        environment=EnvironmentRecord(
            digest=str(environment["digest"]), lock=environment.get("lock")
        ),
        links={str(key): str(value) for key, value in bundle.get("links", {}).items()},
        models=dict(bundle["entries"]["models"]),
        targets=dict(bundle["entries"]["targets"]),
        packing=int(bundle["packing"]),
    )


def check_index(index: BundleIndex) -> None:
    """Raise `IntegrityError` for paths, links or layers that no honest bundle has."""
    paths = [row.path for row in index.files]
    for path in paths:
        if not safe_path(path):
            raise IntegrityError(f"the bundle holds the unsafe path {path!r}")
    folded = {unicodedata.normalize("NFC", path).casefold() for path in paths}
    if len(folded) != len(paths):
        raise IntegrityError("the bundle holds two paths that differ only in spelling")
    clashes = _folders_of(paths) & set(paths)
    if clashes:
        raise IntegrityError(f"the bundle holds {min(clashes)} as a file and as a directory")
    known = frozenset(paths)
    for layer in index.layers:
        _check_layer(layer)
    for row in index.files:
        _check_row(row, index, known)
    if content_digest(index.files) != index.content:
        raise IntegrityError("the bundle's content digest is not that of its files")


def _folders_of(paths: Iterable[str]) -> set[str]:
    found: set[str] = set()
    for path in paths:
        folder = path.rpartition("/")[0]
        while folder and folder not in found:
            found.add(folder)
            folder = folder.rpartition("/")[0]
    return found


def _check_layer(layer: Layer) -> None:
    """Digests become parts of paths in the cache: nothing else may stand there."""
    if not (is_digest(layer.digest) and is_digest(layer.diff_id) and layer.size >= 0):
        raise IntegrityError(f"the bundle's layer {layer.digest!r} is malformed")


def _check_row(row: FileRow, index: BundleIndex, known: Collection[str]) -> None:
    well_formed = (
        row.mode in _MODES
        and row.size >= 0
        and len(row.sha256) == 64
        and not row.sha256.strip("0123456789abcdef")
        and 0 <= index.layer_of[row.path] < len(index.layers)
    )
    if not well_formed:
        raise IntegrityError(f"the bundle's entry for {row.path} is malformed")
    if row.mode == "link":
        _check_link(row.path, index, known)


def _check_link(path: str, index: BundleIndex, known: Collection[str]) -> None:
    target = index.links.get(path)
    if target is None or target.startswith("/"):
        raise IntegrityError(f"the bundle's link {path} has no target inside")
    parts: list[str] = []
    for part in [*path.split("/")[:-1], *target.split("/")]:
        if part == ".." and not parts:
            raise IntegrityError(f"the bundle's link {path} leaves it")
        if part == "..":
            parts.pop()
        elif part not in {"", "."}:
            parts.append(part)
    if "/".join(parts) not in known:
        raise IntegrityError(f"the bundle's link {path} leads to nothing in it")
