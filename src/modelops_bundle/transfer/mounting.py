"""Blobs that another repository of the same registry holds already: claimed there, not sent again.

What is known comes from the project's own record of its pushes, so nobody is asked for it.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Protocol, runtime_checkable

from modelops_bundle.oci.reference import is_digest, parse_reference
from modelops_bundle.project.baselines import read_pushes
from modelops_contracts.errors import InvalidInput

if TYPE_CHECKING:
    from modelops_bundle.project.project import Project


@runtime_checkable
class MountingStore(Protocol):
    """A store that can claim a blob of a repository beside it."""

    host: str
    repository: str

    def recall_manifest(self, digest: str) -> bytes | None:
        """Return a manifest that was seen before, from here; None for others."""
        ...

    def tell_elsewhere(self, digest: str, repository: str) -> None:
        """Let the store know which other repository holds a blob."""
        ...


def offer_mounts(project: Project, store: object) -> None:
    """Tell a store which blobs this project pushed to other repositories of the same registry."""
    if not isinstance(store, MountingStore):
        return
    for reference, push in read_pushes(project).items():
        repository = _repository_on(store.host, reference)
        if repository is None or repository == store.repository:
            continue
        for digest in _blobs_of(store.recall_manifest(str(push.get("manifest", "")))):
            store.tell_elsewhere(digest, repository)


def _repository_on(host: str, reference: str) -> str | None:
    try:
        found = parse_reference(reference)
    except InvalidInput:
        return None
    return found.repository if found.layout is None and found.host == host else None


def _blobs_of(manifest: bytes | None) -> list[str]:
    try:
        tree = json.loads(manifest or b"{}")
        digests = [tree["config"]["digest"], *(item["digest"] for item in tree["layers"])]
    except (ValueError, KeyError, TypeError):
        return []
    return [str(digest) for digest in digests if is_digest(str(digest))]
