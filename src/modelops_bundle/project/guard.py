"""The secret guard: files that look like credentials never enter a bundle unasked."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass
from fnmatch import fnmatchcase, translate
from pathlib import Path

from modelops_contracts.errors import Detail, InvalidInput

LARGEST_TEXT = 1024 * 1024

_NAMES = (
    "id_rsa", "id_dsa", "id_ecdsa", "id_ed25519", "*.pem", "*.key", "*.p12", "*.pfx", "*.kdbx",
    ".netrc", ".pypirc", ".npmrc", ".git-credentials", "credentials.json", ".aws/credentials",
    ".azure/*", ".docker/config.json", "kubeconfig", ".kube/config", ".env", ".env.*", "*.tfstate",
)  # fmt: skip

_ANY_NAME = {
    depth: re.compile("|".join(translate(item) for item in _NAMES if item.count("/") == depth - 1))
    for depth in (1, 2)
}

_CONTENT: tuple[tuple[str, re.Pattern[bytes]], ...] = (
    ("private-key", re.compile(rb"-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY(?: BLOCK)?-----")),
    ("azure-account-key", re.compile(
        rb"AccountKey=[A-Za-z0-9+/]{20,}|(?i:AccountKey[\"']?\s?[:=]\s?[\"']?[a-z0-9+/]{60,})"
    )),
    ("azure-shared-access", re.compile(rb"SharedAccessSignature[= ][^\s=]{1,40}=\S{5,}")),
    ("signed-url", re.compile(rb"[?&;]sig=[A-Za-z0-9%+/]{20,}")),
    ("aws-key-id", re.compile(rb"\b(?:AKIA|ASIA)[0-9A-Z]{16}\b")),
    ("aws-secret", re.compile(
        rb"(?i)secret_?access_?key[\"']?\s{0,9}[:=]\s{0,9}[\"']?[a-z0-9/+]{40}"
    )),
    ("github-token", re.compile(rb"\b(?:gh[pousr]_[A-Za-z0-9]{36,}|github_pat_[A-Za-z0-9_]{22,})")),
    ("gitlab-token", re.compile(rb"\bglpat-[A-Za-z0-9_-]{20,}")),
    ("slack-token", re.compile(
        rb"\b(?:xox[abeoprs]-(?=[A-Za-z-]{0,99}\d)|xapp-\d-)[A-Za-z0-9-]{10,}"
    )),
    # All repeats are bounded: a text of a megabyte without blanks is looked through in one go.
    ("url-password", re.compile(
        rb"(?i)\b[a-z][a-z0-9+.-]{0,30}://[^\s/:@'\"]{0,200}:"
        rb"(?!%[sd(]|(?:pass|passwd|password|pwd|pw|secret|token|x+|\.+)@)"
        rb"[^\s/@'\",${<*]{1,500}@[^\s/'\"]"
    )),
)  # fmt: skip


# What must be in a text, in small letters, for a rule to apply: looked for first, since that is
# much faster than the patterns.
_MARKS: dict[str, tuple[bytes, ...]] = {
    "private-key": (b"private key",),
    "azure-account-key": (b"accountkey",),
    "azure-shared-access": (b"sharedaccesssignature",),
    "signed-url": (b"sig=",),
    "aws-key-id": (b"akia", b"asia"),
    "aws-secret": (b"accesskey", b"access_key"),
    "github-token": (b"ghp_", b"gho_", b"ghu_", b"ghs_", b"ghr_", b"github_pat_"),
    "gitlab-token": (b"glpat-",),
    "slack-token": (b"xox", b"xapp-"),
    "url-password": (b"://",),
}


@dataclass(frozen=True, slots=True)
class SecretFinding:
    """A file that looks like it holds a secret; the value itself is never kept."""

    path: str
    rule: str
    line: int | None = None

    def __str__(self) -> str:
        where = f"{self.path}:{self.line}" if self.line else self.path
        return f"{where} looks like a secret (rule {self.rule})"


def check_name(path: str) -> str | None:
    """Return the rule that a root-relative path falls under, if any."""
    parts = path.lower().split("/")
    tails = {depth: "/".join(parts[-depth:]) for depth in _ANY_NAME}
    if not any(_ANY_NAME[depth].match(tail) for depth, tail in tails.items()):
        return None
    for pattern in _NAMES:
        if fnmatchcase(tails[pattern.count("/") + 1], pattern):
            return f"name:{pattern}"
    return None


def check_content(data: bytes) -> list[tuple[str, int]]:
    """Return `(rule, line)` of the first hit of each rule, by line; binary data has none."""
    if b"\0" in data[:8192] or len(data) > LARGEST_TEXT:
        return []
    small = data.lower()
    likely = [item for item in _CONTENT if any(mark in small for mark in _MARKS[item[0]])]
    hits = [(match.start(), rule) for rule, pattern in likely if (match := pattern.search(data))]
    return [(rule, data.count(b"\n", 0, start) + 1) for start, rule in sorted(hits)]


def find_secrets(
    root: Path, paths: Iterable[str], exceptions: Collection[tuple[str, str]] = ()
) -> list[SecretFinding]:
    """Look at names and contents of root-relative files; excepted `(path, rule)` pairs pass."""
    found: list[SecretFinding] = []
    for path in paths:
        rule = check_name(path)
        if rule is not None and (path, rule) not in exceptions:
            found.append(SecretFinding(path, rule))
        hits = _content_of(root / path)
        found += [SecretFinding(path, *hit) for hit in hits if (path, hit[0]) not in exceptions]
    return found


def refuse_secrets(
    root: Path, paths: Iterable[str], exceptions: Collection[tuple[str, str]] = ()
) -> None:
    """Raise `InvalidInput` that names each file, rule and line, never the value."""
    found = find_secrets(root, paths, exceptions)
    if found:
        raise InvalidInput(
            "; ".join(str(item) for item in found),
            code="secret_found",
            hint="remove the secret from the file; if it is none: "
            f"mops bundle add --allow-secret {found[0].path}",
            details=[Detail(item.path, item.rule) for item in found],
        )


def _content_of(path: Path) -> list[tuple[str, int]]:
    if path.is_symlink() or not path.is_file() or path.stat().st_size > LARGEST_TEXT:
        return []
    return check_content(path.read_bytes())
