"""Finds an installation whose files are no longer ours, and says how to repair it.

An older distribution with packages of our names, installed into the same environment, overwrites
them. What is asked here must work even then: standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import shlex
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple

PACKAGES = (
    "modelops",
    "modelops_bundle",
    "modelops_calabaria",
    "modelops_contracts",
    "modelops_runner",
)


class Damage(NamedTuple):
    """What is wrong, and the commands that repair it."""

    detail: str
    repair: str


def find_damage() -> Damage | None:
    """None if every package belongs to us alone and every file is as it was installed."""
    owners = metadata.packages_distributions()
    strangers: set[str] = set()
    details = []
    for package in PACKAGES:
        names = sorted(set(owners.get(package, [])))
        if names != ["modelops"] and len(names) > 1:
            details.append(f"{package} is owned by {' and '.join(names)}")
        strangers.update(name for name in names if name != "modelops")
    details += describe_changes(find_changed(metadata.distribution("modelops")))
    return Damage("; ".join(details), describe_repair(sorted(strangers))) if details else None


def find_changed(ours: metadata.Distribution) -> list[str]:
    """Files of our packages that are missing or differ from what was installed."""
    return [
        str(file)
        for file in ours.files or ()
        if file.hash is not None
        and file.parts[0] in PACKAGES
        and read_hash(Path(str(file.locate())), file.hash.mode) != file.hash.value
    ]


def read_hash(path: Path, algorithm: str) -> str:
    """The digest as RECORD spells it; empty for a file that is not there."""
    if not path.is_file():
        return ""
    digest = hashlib.new(algorithm, path.read_bytes()).digest()
    return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


def describe_changes(changed: list[str]) -> list[str]:
    more = f" and {len(changed) - 1} more" if len(changed) > 1 else ""
    return [f"{changed[0]}{more} not as installed"] if changed else []


def describe_repair(strangers: list[str]) -> str:
    """Uninstalling the stranger also deletes our files of the same names: ours come again after."""
    if (Path(sys.prefix) / "uv-receipt.toml").is_file():
        uv = shlex.quote(str(Path(sys.prefix) / "bin" / "uv"))
        return f"Run install.sh again; if that does not help, {uv} cache clean modelops before it."
    python = shlex.quote(sys.executable)
    # The files are links into uv's cache: what was edited here was edited there.
    anew = "--no-cache --no-deps --reinstall"
    again = f"uv pip install --python {python} {anew} {shlex.quote(find_requirement())}"
    if not strangers:
        return again
    return f"uv pip uninstall --python {python} {' '.join(strangers)} && {again}"


def find_requirement() -> str:
    """What this installation was made from: never the bare name, which is somebody else's."""
    ours = metadata.distribution("modelops")
    origin = json.loads(ours.read_text("direct_url.json") or "{}")
    if "vcs_info" in origin:
        return f"modelops @ git+{origin['url']}@{origin['vcs_info']['commit_id']}"
    return f"modelops @ {origin['url']}" if origin else f"modelops-{ours.version}-py3-none-any.whl"
