"""`mops version`."""

from __future__ import annotations

import json
import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from modelops._build import VERSION
from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, pairs
from modelops.provenance import find_commit, is_dirty, version_line


@dataclass(frozen=True, slots=True)
class Version:
    """What is installed, and where it runs."""

    version: str
    commit: str | None
    dirty: bool | None
    contracts: str
    formats: Mapping[str, int]
    python: str
    platform: str
    executable: str
    install: Mapping[str, str | None]


def find_version(receipt: Path) -> Version:
    """``receipt`` is the file install.sh leaves; it counts when it is about this environment."""
    from modelops_contracts import CONTRACTS_VERSION
    from modelops_contracts.formats import BUNDLE_FORMAT, WIRE_VERSION

    return Version(
        version=VERSION,
        commit=find_commit(),
        dirty=is_dirty(),
        contracts=CONTRACTS_VERSION,
        formats={"wire": WIRE_VERSION, "bundle": BUNDLE_FORMAT, "registry": 1, "results": 1},
        python=".".join(map(str, sys.version_info[:3])),
        platform=sys.platform,
        executable=sys.executable,
        install=describe_installation(receipt),
    )


def describe_installation(receipt: Path) -> dict[str, str | None]:
    known: dict[str, str | None] = {
        "prefix": sys.prefix,
        "method": "environment" if in_environment() else "system",
        "source": None,
        "receipt": None,
    }
    written = read_receipt(receipt)
    if written is not None:
        known.update(method=written["method"], source=written["source"], receipt=str(receipt))
    return known


def read_receipt(receipt: Path) -> dict[str, Any] | None:
    """What install.sh wrote down, if it is about this environment."""
    try:
        written: dict[str, Any] = json.loads(receipt.read_text(encoding="utf-8"))
        mine = any(
            Path(one["path"]).resolve().is_relative_to(sys.prefix) for one in written["commands"]
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return written if mine else None


def in_environment() -> bool:
    return sys.prefix != sys.base_prefix


def render(answer: Version, screen: Screen) -> Iterator[str]:
    yield version_line("mops")
    yield from pairs(
        [
            ("Python", f"{answer.python} ({answer.executable})"),
            ("Platform", answer.platform),
            ("Contracts", answer.contracts),
        ]
    )


@command(answer=Version, render=render)
def version(call: Call) -> Version:
    """Say which version this is, and where it runs."""
    return find_version(call.config.paths.receipt)
