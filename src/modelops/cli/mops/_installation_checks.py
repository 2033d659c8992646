"""What `mops doctor --install` looks at: interpreter, consoles, packages, and other programs."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path

from modelops._build import VERSION
from modelops.cli._call import Call
from modelops.cli._damage import describe_repair, find_damage
from modelops.cli._tree import CONSOLES
from modelops.cli.mops._check import Check
from modelops.cli.mops.completion import SHELLS
from modelops.config.paths import Paths
from modelops.config.sources import resolve_home

MIN_GIT, MIN_AZ = (2, 31), (2, 31, 0)
GET_GIT = "Debian: sudo apt-get install git; macOS: xcode-select --install; 2.31 or newer."
AZ_SECONDS = 3.0  # less than what doctor gives a check: az that hangs is no fault


def find_installation_checks(call: Call) -> dict[str, Callable[[], Check]]:
    """Return the checks by name, in the order they are shown."""
    search = call.environment.get("PATH", "")
    receipt = Paths(resolve_home(call.environment)).receipt
    return {
        "python": check_python,
        "consoles": partial(
            check_consoles, Path(sys.executable).parent, search, read_bin_dir(receipt)
        ),
        "packages": check_packages,
        "uv": check_uv,
        "git": partial(check_git, search),
        "az": partial(check_azure, search),
        "kubectl": partial(check_kubectl, search),
        "completion": partial(check_completion, call.environment.get("SHELL", "")),
    }


def check_python() -> Check:
    version = ".".join(map(str, sys.version_info[:3]))
    return Check("python", "ok", f"{version} at {sys.executable}")


def check_consoles(folder: Path, search: str, bin_dir: Path | None = None) -> Check:
    """All three stand beside this interpreter, and PATH finds these before any other.

    `bin_dir` is where install.sh linked them.
    """
    missing = [name for name in CONSOLES if not os.access(folder / name, os.X_OK)]
    if missing:
        detail = f"{', '.join(missing)} missing in {folder}, or not to be run"
        return Check("consoles", "fault", detail, describe_repair([]))
    place = bin_dir or folder
    broken = [fault for name in CONSOLES if (fault := check_link(place / name, folder / name))]
    if broken:
        details, repairs = zip(*broken, strict=True)
        return Check("consoles", "fault", "; ".join(details), " && ".join(repairs))
    found = {name: find_all_on_path(name, search) for name in CONSOLES}
    if not all(found.values()):
        return Check("consoles", "warn", f"{place} is not on PATH", f'export PATH="{place}:$PATH"')
    for name, files in found.items():
        if not files[0].samefile(folder / name):
            detail = f"{files[0]} comes before {place / name} on PATH"
            hint = f"Remove {files[0]}, or put {place} first on PATH."
            return Check("consoles", "warn", detail, hint)
    others = [str(file) for files in found.values() for file in files[1:]]
    also = f"; also on PATH: {', '.join(others)}" if others else ""
    return Check("consoles", "ok", f"{', '.join(CONSOLES)} {VERSION} in {place}{also}")


def check_link(link: Path, target: Path) -> tuple[str, str] | None:
    """What is wrong with install.sh's link and the command that mends it; None if all is well."""
    if link.exists() and link.samefile(target):
        return None
    made = f"ln -sf {shlex.quote(str(target))} {shlex.quote(str(link))}"
    if not link.exists():
        return f"{link} is gone, or leads nowhere", made
    aside = f"{shlex.quote(str(link))} {shlex.quote(f'{link}.before-modelops')}"
    return f"{link} is not ours", f"mv {aside} && {made}"


def find_all_on_path(name: str, search: str) -> list[Path]:
    """The programs of a name on PATH, in its order; a file counts once, whatever leads to it."""
    seen: dict[tuple[int, int], Path] = {}
    for part in search.split(os.pathsep):
        candidate = Path(part or ".") / name
        if candidate.is_file() and os.access(candidate, os.X_OK):
            status = candidate.stat()
            seen.setdefault((status.st_dev, status.st_ino), candidate)
    return list(seen.values())


def read_bin_dir(receipt: Path) -> Path | None:
    """Where install.sh put the commands, when its receipt is about this environment."""
    from modelops.cli.mops.version import read_receipt

    written = read_receipt(receipt)
    return None if written is None else Path(str(written["bin_dir"]))


def check_packages() -> Check:
    """Each of our import packages belongs to one distribution and is as it was installed."""
    damage = find_damage()
    if damage is not None:
        return Check("packages", "fault", damage.detail, damage.repair)
    return Check(
        "packages", "ok", "each owned by one distribution, as installed, with all they need"
    )


def check_uv() -> Check:
    """It starts: isolated environments cannot be built without it."""
    try:
        from uv import find_uv_bin

        path = find_uv_bin()
        said = first_line([path, "--version"])
    except (ImportError, OSError) as error:
        return Check("uv", "fault", f"not in this environment: {error}", describe_repair([]))
    if not said.startswith("uv "):
        return Check("uv", "fault", f"{path} does not tell its version", describe_repair([]))
    return Check("uv", "ok", f"{said} at {path}")


def check_git(search: str) -> Check:
    path = find_on_path("git", search)
    if path is None:
        return Check("git", "warn", "not on PATH", GET_GIT)
    words = first_line([str(path), "--version"]).split()
    version = words[2] if len(words) > 2 else "unknown"
    if read_version(version) < MIN_GIT:
        return Check("git", "warn", f"{version} is older than 2.31", GET_GIT)
    return Check("git", "ok", version)


def check_azure(search: str) -> Check:
    """Nobody needs it but for clusters on Azure."""
    path = find_on_path("az", search)
    if path is None:
        return Check("az", "skipped", "not on PATH; only clusters on Azure need it")
    ask = [str(path), "version", "--query", '"azure-cli"', "-o", "tsv"]
    try:
        version = first_line(ask, AZ_SECONDS) or "unknown"
    except subprocess.TimeoutExpired:
        return Check("az", "warn", f"no answer after {AZ_SECONDS:g} s", "az version")
    if read_version(version) < MIN_AZ:
        return Check("az", "warn", f"{version} is not 2.31.0 or newer", "az upgrade")
    return Check("az", "ok", version)


def check_kubectl(search: str) -> Check:
    """Never called by us, but what people look into a cluster with."""
    path = find_on_path("kubectl", search)
    if path is None:
        return Check("kubectl", "skipped", "not on PATH; only for looking into clusters by hand")
    return Check("kubectl", "ok", str(path))


def check_completion(shell: str) -> Check:
    """Whether it is set up cannot be seen from here: how it is done can be said."""
    name = Path(shell).name
    if name not in SHELLS:
        return Check("completion", "skipped", f"none for {name or 'an unknown shell'}")
    line = (
        "mops completion fish | source" if name == "fish" else f'eval "$(mops completion {name})"'
    )
    return Check("completion", "ok", f"in the start-up file of {name}: {line}")


def read_version(text: str) -> tuple[int, ...]:
    """`2.100.1-rc2` -> (2, 100, 1)."""
    numbers = []
    for part in text.split("."):
        digits = part.partition("-")[0]
        if not digits.isdigit():
            break
        numbers.append(int(digits))
    return tuple(numbers)


def first_line(arguments: Sequence[str], timeout: float | None = None) -> str:
    done = subprocess.run(arguments, capture_output=True, text=True, check=False, timeout=timeout)
    return done.stdout.partition("\n")[0]


def find_on_path(name: str, search: str) -> Path | None:
    return next(iter(find_all_on_path(name, search)), None)
