"""Taking a blob over from another repository of the same registry, without sending it."""

from __future__ import annotations

from typing import TYPE_CHECKING
from urllib.parse import quote

from modelops_contracts.errors import AccessDenied, InvalidInput, NotFound

if TYPE_CHECKING:
    from modelops_bundle.oci.http import RegistryHttp


def mount_blob(client: RegistryHttp, repository: str, digest: str, other: str) -> bool:
    """Ask for a blob of another repository; False when the registry wants it sent instead.

    The login for it is one of its own: it has to cover both repositories.
    """
    place = f"/v2/{repository}/blobs/uploads/?mount={digest}&from={quote(other, safe='')}"
    what = f"{repository}: blob {digest[:19]} of {other}"
    try:
        answer = client.request(
            "POST", place, what, expect={201, 202}, action=f"push from {other}",
            headers={"Content-Length": "0"},
        )  # fmt: skip
    except (AccessDenied, InvalidInput, NotFound):
        return False  # no right to read there, or no such thing as a mount here
    return answer.status == 201
