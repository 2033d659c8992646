"""Our own packages as a wheel for other environments, made from what is running.

It works alike for an installed wheel and for an editable checkout, needs no build tool, and
asks only for the libraries that a model's process uses.
"""

from __future__ import annotations

import base64
import hashlib
import importlib.metadata
import importlib.util
import io
import zipfile
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from modelops.engine.environments.requirements import normalise
from modelops_contracts.atomic import write_atomically

__all__ = ["guest_digest", "guest_requirements", "write_wheel"]

_PACKAGES = (
    "modelops",
    "modelops_bundle",
    "modelops_calabaria",
    "modelops_contracts",
    "modelops_runner",
)
_NEEDED_BY_MODELS = ("numpy", "polars", "ruamel-yaml", "scipy")
_ENTRY_POINT_GROUPS = ("modelops.wire", "modelops.alignments")
_WHEEL = b"""Wheel-Version: 1.0
Generator: modelops
Root-Is-Purelib: true
Tag: py3-none-any
"""
_EPOCH = (1980, 1, 1, 0, 0, 0)


def write_wheel(folder: Path) -> Path:
    """The wheel, below a folder of its digest; written once."""
    path = folder / guest_digest()[:16] / f"{_stem()}-py3-none-any.whl"
    if not path.exists():
        write_atomically(path, _build())
    return path


@lru_cache(maxsize=1)
def guest_digest() -> str:
    """Digest of what the wheel would hold."""
    digest = hashlib.sha256()
    for name, data in _entries():
        digest.update(f"{name}\0{len(data)}\0".encode())
        digest.update(data)
    return digest.hexdigest()


def guest_requirements() -> list[str]:
    """Our requirements that matter inside a model's process, with their version bounds."""
    return [
        text
        for text in importlib.metadata.requires("modelops") or ()
        if ";" not in text and normalise(_name(text)) in _NEEDED_BY_MODELS
    ]


def _name(requirement: str) -> str:
    import re

    match = re.match(r"[A-Za-z0-9._-]+", requirement)
    return match.group(0) if match else ""


def _stem() -> str:
    return f"modelops-{importlib.metadata.version('modelops')}"


def _build() -> bytes:
    buffer = io.BytesIO()
    record: list[str] = []
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as wheel:
        for name, data in _entries():
            _add(wheel, name, data)
            digest = base64.urlsafe_b64encode(hashlib.sha256(data).digest()).rstrip(b"=").decode()
            record.append(f"{name},sha256={digest},{len(data)}")
        name = f"{_stem()}.dist-info/RECORD"
        _add(wheel, name, "\n".join([*record, f"{name},,", ""]).encode())
    return buffer.getvalue()


def _add(wheel: zipfile.ZipFile, name: str, data: bytes) -> None:
    info = zipfile.ZipInfo(name, _EPOCH)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.external_attr = 0o644 << 16
    wheel.writestr(info, data)


def _entries() -> Iterator[tuple[str, bytes]]:
    for package in _PACKAGES:
        yield from _package_files(package)
    info = f"{_stem()}.dist-info"
    yield f"{info}/METADATA", _metadata().encode()
    yield (
        f"{info}/WHEEL",
        b"Wheel-Version: 1.0\nGenerator: modelops\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    )
    yield f"{info}/entry_points.txt", _entry_points().encode()


def _package_files(package: str) -> Iterator[tuple[str, bytes]]:
    spec = importlib.util.find_spec(package)
    assert spec is not None, f"{package} is part of this installation"
    assert spec.origin is not None, f"{package} has files"
    folder = Path(spec.origin).parent
    for path in sorted(folder.rglob("*")):
        if path.is_file() and "__pycache__" not in path.parts:
            yield f"{package}/{path.relative_to(folder).as_posix()}", path.read_bytes()


def _metadata() -> str:
    own = importlib.metadata.metadata("modelops")
    lines = ["Metadata-Version: 2.1", "Name: modelops", f"Version: {own['Version']}"]
    lines.append(f"Requires-Python: {own['Requires-Python']}")
    lines += [f"Requires-Dist: {text}" for text in guest_requirements()]
    return "\n".join([*lines, ""])


def _entry_points() -> str:
    lines: list[str] = []
    for group in _ENTRY_POINT_GROUPS:
        points = importlib.metadata.distribution("modelops").entry_points.select(group=group)
        if points:
            lines += [f"[{group}]", *(f"{point.name} = {point.value}" for point in points), ""]
    return "\n".join(lines)
