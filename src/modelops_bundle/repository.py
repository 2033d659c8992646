"""Bundles of one repository as local directories, for callers that know only a reference."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from modelops_bundle.cache.bundle_cache import BundleCache
from modelops_bundle.oci.layout import LayoutStore
from modelops_bundle.oci.reference import parse_reference
from modelops_contracts.errors import InvalidInput, InvalidValue, NotFound
from modelops_contracts.ports import ArtifactStore

if TYPE_CHECKING:
    from modelops_bundle.oci.auth import CredentialSource


class ModelOpsBundleRepository:
    """Fetches bundles into a cache directory and hands out their verified trees.

    `registry_ref` is `host[:port]/repository`, or `oci:/absolute/directory/of/one/repository`.
    `insecure` reaches a registry without encryption. Logins come from `sources`, else from docker's
    own file. Raises `InvalidInput` for arguments that it could not honour.
    """

    def __init__(
        self,
        registry_ref: str,
        cache_dir: str | Path,
        cache_structure: str = "digest_full",
        default_tag: str = "latest",
        insecure: bool = False,
        *,
        sources: Sequence[CredentialSource] | None = None,
    ) -> None:
        if cache_structure != "digest_full":
            raise InvalidInput(f"cache_structure {cache_structure!r}: only 'digest_full' is kept")
        place = parse_reference(registry_ref)
        self.default_tag = default_tag
        self._cache = BundleCache(Path(cache_dir))
        self._store: ArtifactStore
        if place.layout is not None:
            if insecure:
                raise InvalidInput("insecure has no meaning for a layout directory")
            layout = Path(place.layout)
            self._store = LayoutStore(layout.parent, layout.name)
            return
        if not place.host:
            raise InvalidInput(
                f"{registry_ref!r} names no registry",
                hint="host/repository, or oci:/folder/repository",
            )
        from modelops_bundle.oci.auth import DockerLogins
        from modelops_bundle.oci.remote import RemoteStore

        logins = [DockerLogins(Path.home() / ".docker" / "config.json")]
        self._store = RemoteStore(
            place.host, place.repository, sources=logins if sources is None else sources,
            plain_http=True if insecure else None, cache_dir=Path(cache_dir),
        )  # fmt: skip

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
