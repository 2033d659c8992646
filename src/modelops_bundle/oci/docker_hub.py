"""The one registry that is reached under another name than the one people write."""

from __future__ import annotations

_NAMES = frozenset({"docker.io", "index.docker.io", "registry-1.docker.io"})
_SERVER = "registry-1.docker.io"
#: What docker calls it where it keeps logins.
_LOGIN = "https://index.docker.io/v1/"


def serving_host(host: str) -> str:
    """Return the host that requests for a registry are sent to."""
    return _SERVER if host.lower() in _NAMES else host


def full_repository(host: str, repository: str) -> str:
    """Return the whole name of a repository: one of a single part is below `library/` there."""
    short = host.lower() in _NAMES and "/" not in repository
    return f"library/{repository}" if short else repository


def login_names(host: str) -> tuple[str, ...]:
    """Return the names that a registry's login may be kept under, docker's own first."""
    return (_LOGIN, *sorted(_NAMES)) if host.lower() in _NAMES else (host,)
