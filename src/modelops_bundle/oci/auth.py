"""Logging in to a registry: who provides names and secrets, and what the registry asks for.

Nothing here reads an environment variable: sources are handed in, in the order they are asked.
"""

from __future__ import annotations

import base64
import binascii
import json
import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Protocol
from urllib.parse import urlencode

from modelops_bundle.oci.docker_hub import login_names
from modelops_contracts.auth import Credential
from modelops_contracts.errors import AccessDenied, InvalidInput

HELPER_SECONDS = 20.0
TOKEN_USER = "<token>"  # noqa: S105  (the user name that marks an identity token)
_AZURE_TOKEN_USER = "00000000-0000-0000-0000-000000000000"  # noqa: S105
_DEFAULT_LIFETIME = 60.0
_EARLY = 60.0
_CHALLENGE = re.compile(
    r'([A-Za-z][A-Za-z0-9_-]*)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s",=]+))'
    r"|([A-Za-z]+)\s+(?=[A-Za-z])"
)
_LOOPBACK = re.compile(r"localhost|127(?:\.[0-9]{1,3}){3}|::1")


class CredentialSource(Protocol):
    """Somewhere a login may be found."""

    def find(self, host: str) -> Credential | None:
        """Return the login of a registry (`host` or `host:port`), None when there is none here."""
        ...


@dataclass(frozen=True, slots=True)
class GivenCredential:
    """One login, for whatever registry is asked about."""

    credential: Credential

    def find(self, host: str) -> Credential | None:
        """Return it."""
        return self.credential


class DockerLogins:
    """Logins that docker or podman keep in one JSON file, or behind a helper program."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._answers: dict[str, Credential | None] = {}

    def find(self, host: str) -> Credential | None:
        """Return the login of a registry; a helper program is asked once.

        Raises `InvalidInput` for a file that cannot be read and `AccessDenied` for a helper that
        does not answer.
        """
        if host not in self._answers:
            self._answers[host] = self._look(host)
        return self._answers[host]

    def _look(self, host: str) -> Credential | None:
        try:
            data = json.loads(self._path.read_text(encoding="utf-8"))
        except (FileNotFoundError, NotADirectoryError):
            return None
        except (OSError, ValueError):
            raise InvalidInput(f"{self._path} is not a readable docker configuration") from None
        if not isinstance(data, Mapping):
            raise InvalidInput(f"{self._path} is not a readable docker configuration")
        names = login_names(host)
        helpers = _section(data, "credHelpers")
        for name in names:
            if helpers.get(name):
                return _ask_helper(str(helpers[name]), name)
        found = _from_auths(_section(data, "auths"), names)
        if found is None and data.get("credsStore"):
            return _ask_helper(str(data["credsStore"]), names[0])
        return found


def _section(data: Mapping[str, Any], name: str) -> Mapping[str, Any]:
    found = data.get(name)
    return found if isinstance(found, Mapping) else {}


def _from_auths(auths: Mapping[str, Any], names: Sequence[str]) -> Credential | None:
    """Return the login kept under one of these names, the whole name before its host alone."""
    hosts = {_host_of(name) for name in names}
    likely = [*names, *(key for key in auths if _host_of(key) in hosts)]
    for name in likely:
        found = _read_login(auths.get(name), name)
        if found is not None:
            return found
    return None


def _host_of(name: str) -> str:
    return re.sub(r"^https?://", "", name).split("/")[0]


def _read_login(entry: object, name: str) -> Credential | None:
    if not isinstance(entry, Mapping):
        return None
    if entry.get("identitytoken"):
        return Credential(TOKEN_USER, str(entry["identitytoken"]))
    if not entry.get("auth"):
        return None
    try:
        user, _, secret = base64.b64decode(str(entry["auth"])).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        raise InvalidInput(f"the docker login of {_host_of(name)} cannot be read") from None
    return Credential(user, secret)


def _ask_helper(name: str, host: str) -> Credential | None:
    if not re.fullmatch(r"[A-Za-z0-9._-]+", name):
        raise InvalidInput(f"{name!r} is not the name of a docker credential helper")
    program = f"docker-credential-{name}"
    try:
        done = subprocess.run(
            [program, "get"], input=host, capture_output=True, text=True,
            timeout=HELPER_SECONDS, check=False,
        )  # fmt: skip
    except FileNotFoundError:
        raise AccessDenied(f"{program} is not installed", code="credential_helper") from None
    except subprocess.TimeoutExpired:
        raise AccessDenied(
            f"{program} did not answer within {HELPER_SECONDS:g} s", code="credential_helper"
        ) from None
    if done.returncode != 0:
        return None
    try:
        answer = json.loads(done.stdout)
        return Credential(str(answer["Username"]), str(answer["Secret"]))
    except (ValueError, KeyError, TypeError):
        raise AccessDenied(f"{program} gave no usable answer", code="credential_helper") from None


@dataclass(frozen=True, slots=True)
class Challenge:
    """One way a registry offers to log in."""

    scheme: str
    parameters: Mapping[str, str]


def parse_challenges(header: str) -> tuple[Challenge, ...]:
    """Read a `WWW-Authenticate` header, schemes in lower case."""
    found: list[tuple[str, dict[str, str]]] = []
    for match in _CHALLENGE.finditer(header):
        key, quoted, bare, scheme = match.groups()
        if scheme:
            found.append((scheme.lower(), {}))
        elif found:
            found[-1][1][key.lower()] = re.sub(r"\\(.)", r"\1", quoted) if bare is None else bare
    if not found and header.strip():
        found.append((header.split(maxsplit=1)[0].lower(), {}))
    return tuple(Challenge(scheme, parameters) for scheme, parameters in found)


def is_loopback(host: str) -> bool:
    """True for a host, with or without port, that is this machine."""
    name = host[1:].partition("]")[0] if host.startswith("[") else host.partition(":")[0]
    return _LOOPBACK.fullmatch(name.lower()) is not None


@dataclass(frozen=True, slots=True)
class _Token:
    header: str
    expires_at: float | None = None


# Sends one request (verb, url, headers, form) to a token service and returns its JSON.
AskTokenService = Callable[[str, str, Mapping[str, str], str | None], Mapping[str, object]]


class Authenticator:
    """Answers a registry's challenges and remembers the answers, for all threads.

    `encrypted` says whether the registry is reached through TLS, or is this machine; no secret is
    sent otherwise. With `required` nothing is asked before a login is known.
    """

    def __init__(
        self, host: str, sources: Sequence[CredentialSource], ask: AskTokenService,
        *, encrypted: bool, required: bool = False,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:  # fmt: skip
        self._host = host
        self._sources = sources
        self._ask = ask
        self._encrypted = encrypted
        self._required = required
        self._clock = clock
        self._lock = threading.Lock()
        self._tokens: dict[str, _Token] = {}
        self._challenges: dict[str, Challenge] = {}
        self._password: str | None = None  # of Basic: the same for every action
        self._secrets: set[str] = set()

    def header(self, action: str) -> str | None:
        """Return the value of `Authorization` for an action (`pull` or `push`), if one is known."""
        with self._lock:
            token = self._tokens.get(action)
            if token is None:
                self._insist()
                return self._password
            if token.expires_at is not None and self._clock() >= token.expires_at:
                token = self._tokens[action] = self._log_in(self._challenges[action], action)
            return token.header

    def answer(self, header: str, action: str, *, refused: str | None) -> None:
        """Log in as a 401's `WWW-Authenticate` asks; `refused` is what it would not take.

        Raises `AccessDenied` when there is nothing left to try.
        """
        with self._lock:
            token = self._tokens.get(action)
            if token is not None and token.header != refused:
                return  # another thread was faster
            challenge = self._choose(header)
            if refused is not None and challenge.scheme == "basic":
                raise self._denied("the user name or the password is wrong")
            self._challenges[action] = challenge
            self._tokens[action] = self._log_in(challenge, action)

    def conceal(self, text: str) -> str:
        """Return a text without the secrets that were sent, or are contained in what was."""
        for secret in sorted(self._secrets, key=len, reverse=True):
            text = text.replace(secret, "***")
        return text

    def _insist(self) -> None:
        if self._required and self._login() is None:
            raise self._denied("the environment says requires_auth, and no login is known")
        self._required = False

    def _choose(self, header: str) -> Challenge:
        offered = parse_challenges(header)
        for scheme in ("bearer", "basic"):
            for challenge in offered:
                if challenge.scheme == scheme:
                    return challenge
        names = ", ".join(item.scheme for item in offered) or "nothing"
        raise self._denied(f"it offers {names}; known are Basic and Bearer")

    def _log_in(self, challenge: Challenge, action: str) -> _Token:
        login = self._login()
        if challenge.scheme == "bearer":
            return self._fetch_token(challenge, login)
        if login is None:
            raise self._denied("it asks for a user name and a password, and none is known")
        self._password = _basic(login)
        return _Token(self._password)

    def _login(self) -> Credential | None:
        for source in self._sources:
            found = source.find(self._host)
            if found is None:
                continue
            if not self._encrypted:
                raise AccessDenied(
                    f"{self._host} is reached without encryption: no secret is sent there",
                    hint="use https, or a registry on this machine",
                    code="plain_http_login",
                )
            self._secrets |= {found.secret, _basic(found).removeprefix("Basic ")} - {""}
            return found
        return None

    def _fetch_token(self, challenge: Challenge, login: Credential | None) -> _Token:
        realm = challenge.parameters.get("realm", "")
        if not realm:
            raise self._denied("it asks for a token and names no service that gives one")
        place = re.match(r"(https?)://([^/@?#]+)(?:[/?#]|$)", realm)
        if place is None or (
            login and place.group(1) != "https" and not is_loopback(place.group(2))
        ):
            raise self._denied(f"its token service {realm} is not encrypted")
        wanted = {key: challenge.parameters.get(key) for key in ("service", "scope")}
        fields = {key: value for key, value in wanted.items() if value}
        answer = self._ask(*_token_request(realm, fields, login))
        token = answer.get("token") or answer.get("access_token")
        if not isinstance(token, str):
            raise self._denied(f"its token service {realm} gave no token")
        self._secrets |= {token} - {""}
        lifetime = answer.get("expires_in")
        seconds = float(lifetime) if isinstance(lifetime, int | float) else _DEFAULT_LIFETIME
        early = _EARLY if seconds > 2 * _EARLY else seconds / 4
        return _Token(f"Bearer {token}", self._clock() + seconds - early)

    def _denied(self, why: str) -> AccessDenied:
        return AccessDenied(
            f"{self._host} does not let us in: {why}",
            hint=f"docker login {self._host}, or MODELOPS_REGISTRY_USERNAME and _PASSWORD",
            code="registry_login",
        )


def _token_request(
    realm: str, fields: Mapping[str, str], login: Credential | None
) -> tuple[str, str, Mapping[str, str], str | None]:
    if login is not None and login.username in {TOKEN_USER, _AZURE_TOKEN_USER}:
        form = {"grant_type": "refresh_token", "refresh_token": login.secret, **fields}
        kind = {"Content-Type": "application/x-www-form-urlencoded"}
        return "POST", realm, kind, urlencode(form)
    query = urlencode(fields)
    url = realm + ("&" if "?" in realm else "?") + query if query else realm
    return "GET", url, {"Authorization": _basic(login)} if login else {}, None


def _basic(login: Credential) -> str:
    text = f"{login.username}:{login.secret}".encode()
    return f"Basic {base64.b64encode(text).decode()}"
