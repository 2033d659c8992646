"""What installer tests install: toy wheels of the older suite, and checkouts of this repository."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import os
import shutil
import subprocess
import zipfile
from pathlib import Path

from support.testbed import ROOT

GIT_ENV = {
    "GIT_CONFIG_GLOBAL": "/dev/null",
    "GIT_CONFIG_SYSTEM": "/dev/null",
    "GIT_AUTHOR_NAME": "t",
    "GIT_AUTHOR_EMAIL": "t@example.org",
    "GIT_COMMITTER_NAME": "t",
    "GIT_COMMITTER_EMAIL": "t@example.org",
}


def toy_wheel(
    folder: Path, name: str, package: str, command: str | None, *, requires: str = ""
) -> Path:
    """A wheel of the older suite: one package, one command."""
    folder.mkdir(exist_ok=True)
    stem = f"{name.replace('-', '_')}-0.1.0"
    info = f"{stem}.dist-info"
    files = {
        f"{package}/__init__.py": "def main(): print('old')\n",
        f"{info}/METADATA": f"Metadata-Version: 2.1\nName: {name}\nVersion: 0.1.0\n",
        f"{info}/WHEEL": "Wheel-Version: 1.0\nGenerator: toy\nRoot-Is-Purelib: true\nTag: py3-none-any\n",
    }
    if name == "modelops":
        files[f"{info}/METADATA"] += (
            "Requires-Dist: modelops-contracts; extra == 'full'\nProvides-Extra: full\n"
        )
    if requires:
        files[f"{info}/METADATA"] += f"Requires-Dist: {requires}\n"
    if command:
        files[f"{info}/entry_points.txt"] = f"[console_scripts]\n{command} = {package}:main\n"
    files[f"{info}/RECORD"] = "".join(f"{path},,\n" for path in [*files, f"{info}/RECORD"])
    path = folder / f"{stem}-py3-none-any.whl"
    with zipfile.ZipFile(path, "w") as archive:
        for member, text in files.items():
            archive.writestr(member, text)
    return path


def copy_checkout(checkout: Path) -> Path:
    """A repository with the files that make a wheel, committed on main."""
    shutil.copytree(ROOT / "src", checkout / "src", ignore=shutil.ignore_patterns("__pycache__"))
    (checkout / "scripts").mkdir()
    for name in (
        "pyproject.toml",
        "README.md",
        "LICENSE",
        "install.sh",
        "scripts/build_backend.py",
    ):
        shutil.copy2(ROOT / name, checkout / name)
    git(checkout, "init", "--quiet", "--initial-branch", "main")
    commit_all(checkout)
    return checkout


def git(folder: Path, *arguments: str) -> str:
    env = {**os.environ, **GIT_ENV}
    command = ["git", "-C", folder, *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, env=env)
    return done.stdout.strip()


def commit_all(folder: Path) -> str:
    """Commit everything there is; return the commit."""
    (folder / ".gitignore").write_text("__pycache__/\n")
    git(folder, "add", "-A")
    git(folder, "commit", "--quiet", "-m", "state")
    return git(folder, "rev-parse", "HEAD")
