"""Which files share a layer: a pure function of paths and sizes.

A file of 1 MiB or more is a layer of its own. Smaller ones are grouped by directory, so that an
edit of one of them changes one small layer only.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

LARGE_FILE = 1024 * 1024
BUCKET_BYTES = 4 * 1024 * 1024
BUCKET_FILES = 512
MOST_LAYERS = 120


@dataclass(frozen=True, slots=True)
class Bucket:
    """The sorted paths of one layer; `single` for a large file that stands alone."""

    paths: tuple[str, ...]
    single: bool = False


@dataclass(frozen=True, slots=True)
class _Limits:
    large: int = LARGE_FILE
    size: int = BUCKET_BYTES
    count: int = BUCKET_FILES

    def fits(self, files: Mapping[str, int]) -> bool:
        return len(files) <= self.count and sum(files.values()) <= self.size

    def grown(self, files: Mapping[str, int]) -> _Limits:
        """Doubled; the bound for single files moves only when all small ones share a layer."""
        small = {path: size for path, size in files.items() if size < self.large}
        if self.fits(small):
            return _Limits(self.large * 2, self.size * 2, self.count * 2)
        return _Limits(self.large, self.size * 2, self.count * 2)


def place_files(sizes: Mapping[str, int]) -> tuple[Bucket, ...]:
    """Distribute files over at most 120 layers, ordered by their first path."""
    limits = _Limits()
    while len(buckets := _place(sizes, limits)) > MOST_LAYERS:
        limits = limits.grown(sizes)
    return buckets


def _place(sizes: Mapping[str, int], limits: _Limits) -> tuple[Bucket, ...]:
    small = {path: size for path, size in sizes.items() if size < limits.large}
    buckets = [Bucket((path,), single=True) for path in sizes if path not in small]
    buckets += [Bucket(tuple(paths)) for paths in _group(small, "", limits)]
    return tuple(sorted(buckets, key=lambda bucket: bucket.paths[0].encode()))


def _group(files: Mapping[str, int], prefix: str, limits: _Limits) -> list[list[str]]:
    if not files:
        return []
    if limits.fits(files):
        return [_sorted(files)]
    own: dict[str, int] = {}
    children: dict[str, dict[str, int]] = {}
    for path, size in files.items():
        head, slash, _ = path[len(prefix) :].partition("/")
        if slash:
            children.setdefault(f"{prefix}{head}/", {})[path] = size
        else:
            own[path] = size
    groups = [group for name in sorted(children) for group in _group(children[name], name, limits)]
    return groups + _split(own, limits)


def _split(files: Mapping[str, int], limits: _Limits) -> list[list[str]]:
    if not files:
        return []
    bits = 0
    while not all(limits.fits(part) for part in _by_bits(files, bits)):
        if bits == 16 or all(len(part) <= 1 for part in _by_bits(files, bits)):
            break
        bits += 1
    return [_sorted(part) for part in _by_bits(files, bits)]


def _by_bits(files: Mapping[str, int], bits: int) -> Sequence[Mapping[str, int]]:
    parts: dict[int, dict[str, int]] = {}
    for path, size in files.items():
        head = int.from_bytes(hashlib.sha256(path.encode()).digest()[:2], "big")
        parts.setdefault(head >> (16 - bits), {})[path] = size
    return [parts[key] for key in sorted(parts)]


def _sorted(paths: Iterable[str]) -> list[str]:
    return sorted(paths, key=str.encode)
