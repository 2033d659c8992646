"""Which manifests refer to another one, as a registry knows it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from modelops_bundle.oci import media_types
from modelops_bundle.oci.pages import malformed, read_pages
from modelops_bundle.oci.reference import is_digest
from modelops_contracts.errors import InvalidInput, NotFound

if TYPE_CHECKING:
    from modelops_bundle.oci.http import RegistryHttp


def ask_referrers(
    client: RegistryHttp, repository: str, digest: str, artifact_type: str
) -> list[str] | None:
    """Return the digests of what refers to a manifest; None when the registry cannot say.

    The registry may ignore the wish for one type, so the answer is filtered here as well.
    """
    kind = quote(artifact_type, safe="")
    place = f"/v2/{repository}/referrers/{digest}?artifactType={kind}"
    what = f"{repository}: referrers of {digest[:19]}"
    try:
        pages = list(read_pages(client, place, what, headers={"Accept": media_types.INDEX}))
    except (NotFound, InvalidInput):  # 404, or the 400 and 405 of older registries
        return None
    try:
        items = [item for page in pages for item in page["manifests"] or ()]
        wanted = [str(item["digest"]) for item in items if item["artifactType"] == artifact_type]
    except (KeyError, TypeError):
        raise malformed(client, what) from None
    return [digest for digest in dict.fromkeys(wanted) if is_digest(digest)]
