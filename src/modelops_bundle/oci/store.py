"""What push and pull ask of a store beyond the port."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from modelops_contracts.ports import ArtifactStore


class BundleStore(ArtifactStore, Protocol):
    """An `ArtifactStore` of one repository."""

    @property
    def location(self) -> str:
        """The reference of the repository, without tag and digest."""
        ...

    def find(self, reference: str) -> str | None:
        """As `resolve`, but None for what is not there."""
        ...

    def forget_blobs(self) -> None:
        """Ask again for blobs that were believed to be there because a manifest names them."""
        ...

    def blob_size(self, digest: str) -> int | None:
        """Return the size of a blob as stored, -1 when the store does not say, None without it."""
        ...

    def tag_names(self) -> Sequence[str]:
        """Return the sorted names of all tags; nothing is asked about what they point to."""
        ...

    def referrers(self, digest: str, artifact_type: str) -> Sequence[str] | None:
        """Return the digests of the manifests of a type that name this one as their subject.

        None when the store cannot say: it lacks the capability `referrers`.
        """
        ...
