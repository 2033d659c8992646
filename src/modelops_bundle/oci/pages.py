"""Lists that a registry gives page by page."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import TYPE_CHECKING, Any

from modelops_bundle.oci.documents import load_document
from modelops_contracts.errors import IntegrityError

if TYPE_CHECKING:
    from modelops_bundle.oci.http import RegistryHttp

_NEXT = re.compile(r"<([^>]*)>\s*;[^,]*rel=\"?next\"?")
_MOST_PAGES = 10_000


def read_pages(
    client: RegistryHttp, place: str, what: str, *, headers: Mapping[str, str] | None = None
) -> Iterator[Any]:
    """Yield what each page holds, from `place` on.

    Raises `IntegrityError` for a page that is no JSON and for a list that leads back to itself,
    and what `RegistryHttp.request` raises.
    """
    seen: set[str] = set()
    while place not in seen and len(seen) < _MOST_PAGES:
        seen.add(place)
        answer = client.request("GET", place, what, expect={200}, headers=headers)
        try:
            yield load_document(answer.data)
        except ValueError:
            raise malformed(client, what) from None
        following = _NEXT.search(answer.headers.get("Link", ""))
        if following is None:
            return
        place = client.follow(answer.url, following.group(1), what)
    raise IntegrityError(f"{client.host}: {what}: the list has no end")


def malformed(client: RegistryHttp, what: str) -> IntegrityError:
    """Return the error of a list that is none."""
    return IntegrityError(f"{client.host}: {what}: the list is malformed")
