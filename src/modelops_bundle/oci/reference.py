"""Bundle references, parsed by one function that everybody uses."""

from __future__ import annotations

import re
from dataclasses import dataclass

from modelops_bundle.project.config import check_tag, is_repository
from modelops_contracts.errors import InvalidInput

_DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
_HOST = re.compile(
    r"(?:[a-zA-Z0-9](?:[a-zA-Z0-9.-]*[a-zA-Z0-9])?|\[[0-9a-fA-F:]+\])(?::[0-9]{1,5})?"
)
LAYOUT_SCHEME = "oci:"
_FORMS = "write name:tag, host/name:tag or oci:/folder:tag; names are in lower case"


@dataclass(frozen=True, slots=True)
class Reference:
    """Where a bundle is: a registry host or a layout directory, a repository, a tag or digest."""

    host: str = ""
    repository: str = ""
    tag: str | None = None
    digest: str | None = None
    layout: str | None = None

    def __str__(self) -> str:
        place = f"{LAYOUT_SCHEME}{self.layout}" if self.layout is not None else self.host
        text = "/".join(part for part in (place, self.repository) if part)
        text += f":{self.tag}" if self.tag else ""
        return f"{text}@{self.digest}" if text and self.digest else text or (self.digest or "")


def is_digest(text: str) -> bool:
    """True for `sha256:` and 64 lower-case hex digits."""
    return _DIGEST.fullmatch(text) is not None


def parse_reference(text: str) -> Reference:
    """Read `host[:port]/repository[:tag][@digest]`, `oci:/dir[:tag][@digest]`, or a bare digest.

    `repository[:tag][@digest]` without a host is accepted too; a first part counts as host when
    it holds a dot or a colon, or is `localhost`. Raises `InvalidInput`.
    """
    if is_digest(text):
        return Reference(digest=text)
    place, at, digest = text.partition("@")
    if at and not is_digest(digest):
        raise InvalidInput(f"{text!r}: after '@' must stand sha256: and 64 hex digits")
    if place.startswith(LAYOUT_SCHEME):
        return _parse_layout(place.removeprefix(LAYOUT_SCHEME), digest or None, text)
    return _parse_remote(place, digest or None, text)


def _split_tag(place: str) -> tuple[str, str | None]:
    head, slash, last = place.rpartition("/")
    name, colon, tag = last.partition(":")
    return head + slash + name, check_tag(tag) if colon else None


def _parse_layout(place: str, digest: str | None, text: str) -> Reference:
    path, tag = _split_tag(place)
    if not path.startswith("/"):
        raise InvalidInput(f"{text!r}: the directory after 'oci:' must be absolute")
    return Reference(layout=path, tag=tag, digest=digest)


def _parse_remote(place: str, digest: str | None, text: str) -> Reference:
    name, tag = _split_tag(place)
    first, slash, rest = name.partition("/")
    looks_like_host = "." in first or ":" in first or first == "localhost"
    host = first if slash and looks_like_host else ""
    repository = rest if host else name
    if host and not _HOST.fullmatch(host):
        raise InvalidInput(f"{text!r}: {host!r} is not a host name", hint=_FORMS)
    if not is_repository(repository):
        raise InvalidInput(f"{text!r}: {repository!r} is not a repository name", hint=_FORMS)
    return Reference(host=host, repository=repository, tag=tag, digest=digest)
