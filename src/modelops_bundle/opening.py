"""A bundle, opened: its files in a directory, its registry, and the digests results go by."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path

from modelops_bundle.artifact.format_one import FORMAT as FORMAT_ONE
from modelops_bundle.artifact.manifest import BundleIndex
from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.oci.reference import parse_reference
from modelops_contracts.errors import InvalidInput
from modelops_contracts.ports import ArtifactStore
from modelops_contracts.registry import REGISTRY_PATH, BundleRegistry


@dataclass(frozen=True, slots=True)
class OpenBundle:
    """A bundle whose files can be read.

    `root` is a verified, read-only directory; `manifest` says where the bundle is, `content` what
    is in it; `environment` is the digest of what it declares about its dependencies;
    `model_digests` and `target_digests` are the entry digests by id.
    """

    root: Path
    registry: BundleRegistry
    manifest: str
    content: str
    environment: str
    model_digests: Mapping[str, str]
    target_digests: Mapping[str, str]


@contextmanager
def open_bundle(
    reference: str,
    *,
    store: ArtifactStore,
    cache_dir: Path,
    tell: Callable[[str], None] | None = None,
) -> Iterator[OpenBundle]:
    """Open a bundle of a store by digest: `sha256:…` or `repository@sha256:…`.

    `tell` hears of what the cache had to mend or to remove.

    Raises `InvalidInput` for a tag (tags move; resolve it first) and for what is not a bundle,
    `NotFound`, and `IntegrityError`.
    """
    digest = parse_reference(reference).digest
    if digest is None:
        raise InvalidInput(
            f"{reference!r} names a tag, which may move; a digest is needed",
            hint="mops bundle push prints the digest",
        )
    with BundleCache(cache_dir, tell=tell).use(store, digest) as (root, said):
        path = root / REGISTRY_PATH
        registry = BundleRegistry.load(path) if path.is_file() else BundleRegistry()
        index = said if said.format != FORMAT_ONE else _with_digests(said, registry, root)
        yield OpenBundle(
            root=root,
            registry=registry,
            manifest=digest,
            content=index.content,
            environment=index.environment.digest,
            model_digests=dict(index.models),
            target_digests=dict(index.targets),
        )


def _with_digests(index: BundleIndex, registry: BundleRegistry, root: Path) -> BundleIndex:
    """Compute what a bundle of the existing suite does not say, from its files; none is written."""
    from modelops_bundle.code.codebase import Codebase
    from modelops_bundle.drift.checking import check_registry

    codebase = Codebase(root)
    found: dict[str, dict[str, str]] = {"model": {}, "target": {}}
    for item in check_registry(codebase, registry).entries:
        if item.record is not None and item.record.entry.digest is not None:
            found[item.kind][item.id] = item.record.entry.digest
    return replace(
        index, environment=codebase.environment.record,
        models=found["model"], targets=found["target"],
    )  # fmt: skip
