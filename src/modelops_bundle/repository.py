"""Bundles of one repository as local directories, for callers that know only a reference."""

from __future__ import annotations

from pathlib import Path

from modelops_bundle.cache import BundleCache
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.reference import parse_reference
from modelops_contracts.errors import InvalidInput, InvalidValue, NotFound


class ModelOpsBundleRepository:
    """Fetches bundles into a cache directory and hands out their verified trees.

    `registry_ref` is `oci:/absolute/directory/of/one/repository`. Raises `InvalidInput` for the
    reference of a registry on the network and for arguments that it could not honour.
    """

    def __init__(
        self,
        registry_ref: str,
        cache_dir: str | Path,
        cache_structure: str = "digest_full",
        default_tag: str = "latest",
        insecure: bool = False,
    ) -> None:
        if cache_structure != "digest_full":
            raise InvalidInput(f"cache_structure {cache_structure!r}: only 'digest_full' is kept")
        place = parse_reference(registry_ref)
        if place.layout is None:
            raise InvalidInput(
                f"{registry_ref}: registries on the network are not supported by this version",
                hint="use an OCI layout directory: oci:/path/to/artifacts/REPOSITORY",
            )
        if insecure:
            raise InvalidInput("insecure has no meaning for a layout directory")
        layout = Path(place.layout)
        self.default_tag = default_tag
        self._store = LayoutStore(layout.parent, layout.name)
        self._cache = BundleCache(Path(cache_dir))

    def ensure_local(self, bundle_ref: str) -> tuple[str, Path]:
        """Return digest and directory of a bundle; only digest references are taken.

        Raises `InvalidInput` (a `ValueError`) for a tag, `NotFound`, and `IntegrityError`.
        """
        digest = parse_reference(bundle_ref).digest
        if digest is None:
            raise InvalidValue(f"{bundle_ref!r}: a digest reference is needed, tags move")
        tree, _ = self._cache.ensure(self._store, digest)
        return digest, tree

    def exists(self, bundle_ref: str) -> bool:
        """True when the tag or digest is there."""
        place = parse_reference(bundle_ref)
        try:
            self._store.resolve(place.digest or place.tag or self.default_tag)
        except NotFound:
            return False
        return True
