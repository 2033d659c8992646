"""`mops version`."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._console import Screen, pairs
from modelops.cli._version import COMMIT, DIRTY, VERSION


@dataclass(frozen=True, slots=True)
class Version:
    """What is installed, and where it runs."""

    version: str
    commit: str | None
    dirty: bool
    contracts: str
    formats: Mapping[str, int]
    python: str
    platform: str
    executable: str
    install: Mapping[str, str | None]


def find_version() -> Version:
    from modelops_contracts import CONTRACTS_VERSION
    from modelops_contracts.digests import WIRE_VERSION

    return Version(
        version=VERSION,
        commit=COMMIT or None,
        dirty=DIRTY,
        contracts=CONTRACTS_VERSION,
        formats={"wire": WIRE_VERSION, "bundle": 2, "registry": 1, "results": 1},
        python=".".join(map(str, sys.version_info[:3])),
        platform=sys.platform,
        executable=sys.executable,
        install={"prefix": sys.prefix, "method": "environment" if in_environment() else "system"},
    )


def in_environment() -> bool:
    return sys.prefix != sys.base_prefix


def render(answer: Version, screen: Screen) -> Iterator[str]:
    commit = f" ({answer.commit[:7]})" if answer.commit else ""
    yield f"mops {answer.version}{commit}"
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
    return find_version()
