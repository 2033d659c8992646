"""Finds an installation whose files are no longer ours, and says how to repair it.

An older distribution with packages of our names, installed into the same environment, overwrites
them; and what we need may be gone. What is asked here must work even then: standard library only.
"""

from __future__ import annotations

import base64
import hashlib
import json
import re
import shlex
import shutil
import sys
from importlib import metadata
from pathlib import Path
from typing import NamedTuple
from urllib.parse import urlsplit
from urllib.request import url2pathname

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
    """None if every package belongs to us alone, is as installed, and has all that it needs."""
    owners = metadata.packages_distributions()
    strangers: set[str] = set()
    details = []
    for package in PACKAGES:
        names = sorted(set(owners.get(package, [])))
        if names != ["modelops"] and len(names) > 1:
            details.append(f"{package} is owned by {' and '.join(names)}")
        strangers.update(name for name in names if name != "modelops")
    ours = metadata.distribution("modelops")
    unmet = find_unmet(ours)
    details += [*describe_changes(find_changed(ours)), *unmet]
    repair = describe_repair(sorted(strangers), dependencies=bool(unmet))
    return Damage("; ".join(details), repair) if details else None


def find_unmet(ours: metadata.Distribution) -> list[str]:
    """What we need that is not there, lost its files, or came in a version that will not do."""
    needs = [text for text in ours.requires or () if "extra ==" not in text]
    return [said for text in needs if (said := describe_need(text))]


def describe_need(requirement: str) -> str | None:
    """None if it is met."""
    name = re.split(r"[^\w.-]", requirement, maxsplit=1)[0]
    try:
        found = metadata.distribution(name)
    except metadata.PackageNotFoundError:
        return f"{name} is not installed"
    inits = re.findall(r"^([^,\n]*__init__\.py),", found.read_text("RECORD") or "", re.MULTILINE)
    top = min(inits, key=len, default=None)
    if top is not None and not Path(str(found.locate_file(top))).is_file():
        return f"{top} of {name} is gone"
    return (
        None
        if admits(requirement, found.version)
        else f"{name} {found.version} is not {requirement}"
    )


def admits(requirement: str, version: str) -> bool:
    try:
        from packaging.requirements import Requirement
    except ImportError:  # told as not installed
        return True
    return Requirement(requirement).specifier.contains(version, prereleases=True)


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


def describe_repair(strangers: list[str], *, dependencies: bool = False) -> str:
    """Uninstalling the stranger also deletes our files of the same names: ours come again after."""
    uv = find_uv()
    if (Path(sys.prefix) / "uv-receipt.toml").is_file():
        return f"Run install.sh again; if that does not help, {uv} cache clean modelops before it."
    python = shlex.quote(sys.executable)
    # The files are links into uv's cache: what was edited here was edited there.
    anew = "--no-cache --reinstall" if dependencies else "--no-cache --no-deps --reinstall"
    again = f"{uv} pip install --python {python} {anew} {find_requirement()}"
    if not strangers:
        return again
    return f"{uv} pip uninstall --python {python} {' '.join(strangers)} && {again}"


def find_uv() -> str:
    """As one types it: the one on PATH, else ours if it is there."""
    ours = Path(sys.prefix) / "bin" / "uv"
    return "uv" if shutil.which("uv") or not ours.is_file() else shlex.quote(str(ours))


def find_requirement() -> str:
    """What this installation was made from: never the bare name, which is somebody else's."""
    ours = metadata.distribution("modelops")
    origin = json.loads(ours.read_text("direct_url.json") or "{}")
    if origin.get("dir_info", {}).get("editable"):
        return f"--editable {shlex.quote(url2pathname(urlsplit(origin['url']).path))}"
    if "vcs_info" in origin:
        return shlex.quote(f"modelops @ git+{origin['url']}@{origin['vcs_info']['commit_id']}")
    name = f"modelops-{ours.version}-py3-none-any.whl"
    return shlex.quote(f"modelops @ {origin['url']}" if origin else name)
