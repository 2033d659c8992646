"""Logins for Azure's registries: an identity's token, exchanged at the registry for one of its own.

The identity is that of a workload (a file with a token, as Kubernetes mounts it) or that of the
person who is logged in to the program `az`.
"""

from __future__ import annotations

import json
import re
import subprocess
from collections.abc import Callable, Mapping
from pathlib import Path
from urllib.parse import urlsplit

from modelops_bundle.oci.auth import HELPER_SECONDS, is_loopback
from modelops_contracts.auth import Credential
from modelops_contracts.errors import AccessDenied

AZURE_USER = "00000000-0000-0000-0000-000000000000"
_HOST = re.compile(r"[a-z0-9][a-z0-9-]*\.azurecr\.(?:io|cn|us)")
_AUTHORITY = "https://login.microsoftonline.com"
_SCOPE = "https://containerregistry.azure.net/.default"
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"

# Sends a form to a URL and returns the JSON that comes back; AccessDenied, Unavailable.
PostForm = Callable[[str, Mapping[str, str]], Mapping[str, object]]


def is_azure(host: str) -> bool:
    """True for a registry of Azure; a name that only looks like one is none."""
    return _HOST.fullmatch(host.lower()) is not None


class _Exchanged:
    """A login that an identity's token is exchanged for, once for each registry."""

    def __init__(self, post: PostForm) -> None:
        self._post = post
        self._answers: dict[str, Credential | None] = {}

    def find(self, host: str) -> Credential | None:
        """Return the login of one of Azure's registries, None for others or without an identity."""
        if not is_azure(host):
            return None
        if host not in self._answers:
            found = self._identity()
            self._answers[host] = None if found is None else self._exchange(host, *found)
        return self._answers[host]

    def _identity(self) -> tuple[str, str | None] | None:
        """Return a token and its tenant."""
        raise NotImplementedError

    def _exchange(self, host: str, token: str, tenant: str | None) -> Credential:
        form = {"grant_type": "access_token", "service": host, "access_token": token}
        if tenant:
            form["tenant"] = tenant
        answer = self._post(f"https://{host}/oauth2/exchange", form)
        refresh = answer.get("refresh_token")
        if not isinstance(refresh, str):
            raise _unusable(f"{host} gave no token for that of the identity")
        return Credential(AZURE_USER, refresh)


class AzureWorkload(_Exchanged):
    """The identity of a workload: `token_file` is exchanged at the authority for a token."""

    def __init__(
        self, post: PostForm, *, token_file: Path, client: str, tenant: str,
        authority: str = _AUTHORITY,
    ) -> None:  # fmt: skip
        super().__init__(post)
        self._token_file = token_file
        self._client = client
        self._tenant = tenant
        self._authority = authority.rstrip("/")

    def _identity(self) -> tuple[str, str | None] | None:
        parts = urlsplit(self._authority)
        if parts.scheme != "https" and not is_loopback(parts.netloc):
            raise _unusable(f"the authority {parts.hostname} is not encrypted")
        try:
            assertion = self._token_file.read_text(encoding="utf-8").strip()
        except OSError:
            raise _unusable(f"{self._token_file} cannot be read") from None
        answer = self._post(
            f"{self._authority}/{self._tenant}/oauth2/v2.0/token",
            {
                "grant_type": "client_credentials", "client_id": self._client, "scope": _SCOPE,
                "client_assertion_type": _ASSERTION, "client_assertion": assertion,
            },
        )  # fmt: skip
        token = answer.get("access_token")
        if not isinstance(token, str):
            raise _unusable("the authority gave no token for the workload")
        return token, self._tenant


class AzureProgram(_Exchanged):
    """The identity of the person who is logged in to `az`; none when there is no such program."""

    def _identity(self) -> tuple[str, str | None] | None:
        try:
            done = subprocess.run(
                ["az", "account", "get-access-token", "--output", "json"],
                stdin=subprocess.DEVNULL, capture_output=True, text=True,
                timeout=HELPER_SECONDS, check=False,
            )  # fmt: skip
        except OSError:
            return None
        except subprocess.TimeoutExpired:
            raise _unusable(f"az did not answer within {HELPER_SECONDS:g} s") from None
        if done.returncode != 0:
            return None
        try:
            answer = json.loads(done.stdout)
            tenant = answer.get("tenant")
            return str(answer["accessToken"]), str(tenant) if tenant else None
        except (ValueError, KeyError, TypeError, AttributeError):
            raise _unusable("az gave no usable answer") from None


def _unusable(why: str) -> AccessDenied:
    return AccessDenied(
        f"no login for Azure's registry: {why}", hint="az login", code="credential_helper"
    )
