"""What `mops doctor` looks at. Every check is a function without arguments that returns a Check."""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Literal

from modelops._build import VERSION
from modelops.cli._call import Call
from modelops.cli._console import size
from modelops.cli._damage import find_damage
from modelops.cli._tree import CONSOLES
from modelops_contracts.errors import ModelOpsError

Status = Literal["ok", "warn", "fault", "skipped"]
MIN_GIT = (2, 31)
LOW_DISK, NO_DISK = 1 << 30, 100 << 20
FEW_FILES = 256


@dataclass(frozen=True, slots=True)
class Check:
    """One thing that was looked at. `hint` says what to do when it is not ok."""

    name: str
    status: Status
    detail: str
    hint: str | None = None


Look = Callable[[], Check]


def find_checks(call: Call, *, install_only: bool) -> dict[str, Look]:
    """Return the checks by name, in the order they are shown."""
    search = call.environment.get("PATH", "")
    checks: dict[str, Look] = {
        "python": check_python,
        "consoles": partial(check_consoles, Path(sys.executable).parent, search),
        "packages": check_packages,
        "uv": check_uv,
        "git": partial(check_git, search),
    }
    if not install_only:
        checks |= {
            "configuration": partial(check_configuration, call),
            "environment": partial(check_environment, call),
            "home": partial(check_home, call),
            "project": partial(check_project, call),
            "disk": partial(check_disk, call),
            "open files": check_open_files,
        }
    return checks


def run_checks(checks: dict[str, Look], timeout: float) -> list[Check]:
    """Run all checks side by side; one that is not back after `timeout` seconds is a fault."""
    from threading import Thread
    from time import monotonic

    found: dict[str, Check] = {}

    def look(name: str, check: Look) -> None:
        try:
            found[name] = check()
        except Exception as error:  # noqa: BLE001 - a check that breaks is itself a finding
            found[name] = Check(name, "fault", f"{type(error).__name__}: {error}")

    threads = [
        Thread(target=look, args=(name, check), daemon=True) for name, check in checks.items()
    ]
    for thread in threads:
        thread.start()
    end = monotonic() + timeout
    for thread in threads:
        thread.join(max(0.0, end - monotonic()))
    late = f"no answer after {timeout:g} s"
    return [found.get(name, Check(name, "fault", late)) for name in checks]


def check_python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", "ok", f"{version} at {sys.executable}")


def check_consoles(folder: Path, search: str) -> Check:
    """All three stand beside this interpreter, and PATH finds these before any other."""
    missing = [name for name in CONSOLES if not (folder / name).is_file()]
    if missing:
        return Check(
            "consoles",
            "fault",
            f"{', '.join(missing)} missing in {folder}",
            "Install modelops anew.",
        )
    for name in CONSOLES:
        first = find_on_path(name, search)
        if first is None:
            return Check(
                "consoles", "warn", f"{folder} is not on PATH", f'export PATH="{folder}:$PATH"'
            )
        if not first.samefile(folder / name):
            return Check(
                "consoles",
                "warn",
                f"{first} comes before {folder / name} on PATH",
                f"Remove {first}, or put {folder} first on PATH.",
            )
    return Check("consoles", "ok", f"{', '.join(CONSOLES)} {VERSION} in {folder}")


def find_on_path(name: str, search: str) -> Path | None:
    for part in search.split(os.pathsep):
        candidate = Path(part or ".") / name
        if candidate.is_file() and os.access(candidate, os.X_OK):
            return candidate
    return None


def check_packages() -> Check:
    """Each of our import packages belongs to one distribution and is as it was installed."""
    damage = find_damage()
    if damage is not None:
        return Check("packages", "fault", damage.detail, damage.repair)
    return Check("packages", "ok", "each owned by one distribution, as installed")


def check_uv() -> Check:
    try:
        from uv import find_uv_bin

        path = find_uv_bin()
    except (ImportError, FileNotFoundError):
        return Check(
            "uv",
            "fault",
            "not in this environment; isolated environments cannot be built",
            "Install modelops anew.",
        )
    return Check("uv", "ok", f"{first_line([path, '--version'])} at {path}")


def check_git(search: str) -> Check:
    path = find_on_path("git", search)
    if path is None:
        return Check("git", "warn", "not on PATH", "Install git 2.31 or newer.")
    words = first_line([str(path), "--version"]).split()
    version = words[2] if len(words) > 2 else "unknown"
    if read_version(version) < MIN_GIT:
        return Check("git", "warn", f"{version} is older than 2.31", "Install git 2.31 or newer.")
    return Check("git", "ok", version)


def read_version(text: str) -> tuple[int, ...]:
    """`2.100.1-rc2` -> (2, 100, 1)."""
    numbers = []
    for part in text.split("."):
        digits = part.partition("-")[0]
        if not digits.isdigit():
            break
        numbers.append(int(digits))
    return tuple(numbers)


def first_line(arguments: Sequence[str]) -> str:
    import subprocess

    done = subprocess.run(arguments, capture_output=True, text=True, check=False)
    return done.stdout.partition("\n")[0]


def check_configuration(call: Call) -> Check:
    try:
        config = call.config
    except ModelOpsError as error:
        return Check("configuration", "fault", str(error), error.hint)
    if config.notes:
        return Check("configuration", "warn", "; ".join(config.notes))
    given = sum(origin.kind != "default" for origin in config.origins.values())
    return Check("configuration", "ok", f"{given} of {len(config.origins)} settings given")


def check_environment(call: Call) -> Check:
    from modelops.config.environments import load_environment

    try:
        config = call.config
        found = load_environment(config.environment, config.paths)
    except ModelOpsError as error:
        return Check("environment", "fault", str(error), error.hint)
    return Check("environment", "ok", f"{found.name} ({found.kind}), bundles in {found.artifacts}")


def check_home(call: Call) -> Check:
    """Our folder in the home can be written, and by nobody else."""
    home = home_of(call)
    place = nearest_existing(home)
    if not os.access(place, os.W_OK | os.X_OK):
        return Check("home", "fault", f"{place} cannot be written", f"chmod u+wx {place}")
    if not home.exists():
        return Check("home", "ok", f"{home} will be made when it is needed")
    if home.stat().st_mode & 0o022:
        return Check("home", "warn", f"others may write in {home}", f"chmod go-w {home}")
    return Check("home", "ok", str(home))


def check_project(call: Call) -> Check:
    from modelops_bundle.project import find_project

    try:
        project = find_project(call.start)
    except ModelOpsError as error:
        if error.code == "no_project":
            return Check("project", "skipped", "no project here", error.hint)
        return Check("project", "fault", str(error), error.hint)
    return Check("project", "ok", f"{project.repository} in {project.root}")


def check_disk(call: Call) -> Check:
    from shutil import disk_usage

    home = nearest_existing(home_of(call))
    places = {str(place): disk_usage(place).free for place in {home, call.start}}
    place, free = min(places.items(), key=lambda item: item[1])
    status: Status = "fault" if free < NO_DISK else "warn" if free < LOW_DISK else "ok"
    hint = None if status == "ok" else f"Free space on the disk of {place}."
    return Check("disk", status, f"{size(free)} free at {place}", hint)


def check_open_files() -> Check:
    import resource

    soft, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    if soft != resource.RLIM_INFINITY and soft < FEW_FILES:
        return Check("open files", "warn", f"at most {soft} at once", "ulimit -n 1024")
    shown = "no limit" if soft == resource.RLIM_INFINITY else f"at most {soft} at once"
    return Check("open files", "ok", shown)


def home_of(call: Call) -> Path:
    from modelops.config.sources import resolve_home

    return resolve_home(call.environment)


def nearest_existing(path: Path) -> Path:
    return next(folder for folder in (path, *path.parents) if folder.exists())
