"""Which manifests refer to another one, as a registry knows it."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING
from urllib.parse import quote, urljoin

from modelops_bundle.oci import media_types
from modelops_bundle.oci.reference import is_digest
from modelops_contracts.errors import IntegrityError, InvalidInput, NotFound

if TYPE_CHECKING:
    from modelops_bundle.oci.http import RegistryHttp

_NEXT = re.compile(r"<([^>]*)>\s*;[^,]*rel=\"?next\"?")


def ask_referrers(
    client: RegistryHttp, repository: str, digest: str, artifact_type: str
) -> list[str] | None:
    """Return the digests of what refers to a manifest; None when the registry cannot say.

    The registry may ignore the wish for one type, so the answer is filtered here as well.
    """
    kind = quote(artifact_type, safe="")
    place: str | None = f"/v2/{repository}/referrers/{digest}?artifactType={kind}"
    found: dict[str, None] = {}
    while place is not None:
        what = f"{repository}: referrers of {digest[:19]}"
        headers = {"Accept": media_types.INDEX}
        try:
            answer = client.request("GET", place, what, expect={200}, headers=headers)
        except (NotFound, InvalidInput):  # 404, or the 400 and 405 of older registries
            return None
        try:
            items = json.loads(answer.data)["manifests"] or ()
            for item in items:
                if item.get("artifactType") == artifact_type and is_digest(str(item["digest"])):
                    found[str(item["digest"])] = None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise IntegrityError(f"{client.host}: {what}: the list is malformed") from None
        following = _NEXT.search(answer.headers.get("Link", ""))
        place = urljoin(answer.url, following.group(1)) if following else None
    return list(found)
