"""What `mops doctor` looks at. A check is a function without arguments that returns a Check."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from functools import partial
from pathlib import Path

from modelops.cli._call import Call
from modelops.cli._console import size
from modelops.cli.mops._check import Check, Status
from modelops.cli.mops._installation_checks import find_installation_checks
from modelops_contracts.errors import ModelOpsError

LOW_DISK, NO_DISK = 1 << 30, 100 << 20
FEW_FILES = 256

Look = Callable[[], Check]


def find_checks(call: Call, *, install_only: bool) -> dict[str, Look]:
    """Return the checks by name, in the order they are shown."""
    checks = find_installation_checks(call)
    if not install_only:
        checks |= {
            "configuration": partial(check_configuration, call),
            "environment": partial(check_environment, call),
            **({"registry": partial(check_registry, call)} if call.flags.get("env") else {}),
            "home": partial(check_home, call),
            "secrets": partial(check_secrets, call),
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
        except ModelOpsError as error:
            found[name] = Check(name, "fault", str(error), error.hint)
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
    except ModelOpsError:
        return Check("environment", "skipped", "the settings that name it cannot be read")
    try:
        found = load_environment(config.environment, config.paths)
    except ModelOpsError as error:
        return Check("environment", "fault", str(error), error.hint)
    return Check("environment", "ok", f"{found.name} ({found.kind}), bundles in {found.artifacts}")


def check_registry(call: Call) -> Check:
    """The registry of the environment that was asked about answers, and knows us."""
    from modelops.wiring import open_artifacts, open_environment

    try:
        registry = open_environment(call.config).registry
        if registry is None:
            return Check("registry", "skipped", "this environment keeps bundles in a folder")
        open_artifacts(call.config, "modelops-doctor").tags()
    except ModelOpsError as error:
        return Check("registry", "fault", str(error), error.hint)
    return Check("registry", "ok", str(registry))


def check_secrets(call: Call) -> Check:
    """Nobody else can read what is in the folder of secrets."""
    folder = home_of(call) / "secrets"
    if not folder.exists():
        return Check("secrets", "ok", "none are kept here")
    open_ones = [path for path in (folder, *folder.rglob("*")) if path.stat().st_mode & 0o077]
    if open_ones:
        detail = f"others may read {open_ones[0]}"
        return Check("secrets", "fault", detail, f"chmod -R go-rwx {shlex.quote(str(folder))}")
    return Check("secrets", "ok", f"only you can read {folder}")


def check_home(call: Call) -> Check:
    """Our folder in the home can be written, and by nobody else."""
    home = home_of(call)
    place = nearest_existing(home)
    shown = shlex.quote(str(place))
    if not place.is_dir():
        return Check("home", "fault", f"{place} is not a folder", f"mv {shown} {shown}.aside")
    inside = [path for path in home.glob("*") if path.is_dir()]
    for path in (place, *inside):
        if not os.access(path, os.W_OK | os.X_OK):
            return Check("home", "fault", f"{path} cannot be written", open_again(path))
    if not home.exists():
        return Check("home", "ok", f"{home} will be made when it is needed")
    if home.stat().st_mode & 0o022:
        return Check("home", "warn", f"others may write in {home}", f"chmod go-w {shown}")
    return Check("home", "ok", str(home))


def open_again(path: Path) -> str:
    """The command that lets this user write there: `sudo` may have made it somebody else's."""
    shown = shlex.quote(str(path))
    if path.stat().st_uid == os.geteuid():
        return f"chmod u+rwX {shown}"
    return f'sudo chown -R "$(id -un)" {shown}'


def check_project(call: Call) -> Check:
    from modelops_bundle.project.project import find_project

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
