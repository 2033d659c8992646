"""The set-up of `make demo` and `make test`, with a stub for the interpreter: no network, no waiting."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from support.testbed import ROOT, skip_or_fail

# Makes an environment whose python is itself, and writes down what pip was asked for.
PYTHON = r"""#!/bin/sh
case "$*" in
    -V) echo "${STUB_VERSION:-Python 3.11.9}" ;;
    -c*) exit ${STUB_OLD:-0} ;;
    "-m venv "*)
        [ -z "${STUB_NO_VENV:-}" ] || { echo "no ensurepip" >&2; exit 1; }
        mkdir -p "$3/bin" && cp "$0" "$3/bin/python"
        printf 'command = %s -m venv %s/%s\n' "$0" "$(pwd -P)" "$3" >"$3/pyvenv.cfg"
        ;;
    "-m pip --version") echo pip ;;
    "-m pip "*)
        echo "$*" >>"$CALLS"
        [ -z "${STUB_PIP:-}" ] || { echo "$STUB_PIP" >&2; exit 1; }
        ;;
esac
"""


class Checkout:
    """What make reads of a checkout, in a folder with a blank."""

    def __init__(self, root: Path) -> None:
        self.root = root
        self.folder = root / "a clone"
        (self.folder / "scripts").mkdir(parents=True)
        shutil.copy2(ROOT / "scripts" / "setup.sh", self.folder / "scripts")
        (self.folder / "requirements").mkdir()
        for name in ("requirements/run.txt", "requirements/dev.txt", "pyproject.toml"):
            (self.folder / name).touch()
        (self.folder / "src").mkdir()
        text = (ROOT / "Makefile").read_text()
        assert "python scripts/demo.py" in text
        (self.folder / "Makefile").write_text(
            text.replace("@$(BIN)/python scripts/demo.py", "@echo DEMO")
        )
        self.python = root / "python"
        self.python.write_text(PYTHON)
        self.python.chmod(0o755)

    @property
    def calls(self) -> int:
        file = self.root / "calls"
        return len(file.read_text().splitlines()) if file.exists() else 0

    def make(
        self, folder: Path | None = None, *, python: Path | str | None = None, **env: str
    ) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            ["make", "demo", f"PYTHON={python or self.python}"],
            cwd=folder or self.folder,
            env={"PATH": os.environ["PATH"], "CALLS": str(self.root / "calls")} | env,
            capture_output=True,
            text=True,
            check=False,
        )


@pytest.fixture
def checkout(tmp_path: Path) -> Checkout:
    return Checkout(tmp_path)


def test_the_second_time_there_is_nothing_to_do(checkout: Checkout) -> None:
    first = checkout.make()
    assert (first.returncode, first.stdout) == (0, "DEMO\n")
    assert checkout.calls == 2
    second = checkout.make()
    assert (second.returncode, second.stdout, second.stderr) == (0, "DEMO\n", "")
    assert checkout.calls == 2


def test_a_copied_or_moved_checkout_gets_an_environment_of_its_own(checkout: Checkout) -> None:
    """The copied one would run the code of the first."""
    checkout.make()
    copied = checkout.root / "copied"
    shutil.copytree(checkout.folder, copied, symlinks=True)
    done = checkout.make(copied)
    assert "was made for" in done.stderr
    assert str(copied) in (copied / ".venv" / "pyvenv.cfg").read_text()
    assert checkout.make(copied).stderr == ""
    assert checkout.make().stderr == ""


def test_a_wrong_interpreter_is_named_with_what_it_says(checkout: Checkout) -> None:
    old = checkout.make(STUB_OLD="1", STUB_VERSION="Python 3.10.4")
    assert old.returncode == 2
    assert f"{checkout.python} is not Python 3.11 or newer; it says: Python 3.10.4" in old.stderr
    assert "hint: run make again with PYTHON=" in old.stderr
    assert "no interpreter called nowhere" in checkout.make(python="nowhere").stderr
    assert not (checkout.folder / ".venv").exists()


def test_what_fails_is_shown_and_goes_on_the_next_time(checkout: Checkout) -> None:
    no_venv = checkout.make(STUB_NO_VENV="1")
    assert no_venv.returncode == 2
    assert "no ensurepip\nerror: " in no_venv.stderr
    assert "apt-get install python3-venv" in no_venv.stderr
    no_network = checkout.make(STUB_PIP="Temporary failure in name resolution")
    assert no_network.returncode == 2
    assert (
        "Temporary failure in name resolution\nerror: setting up failed at: " in no_network.stderr
    )
    assert "PIP_FIND_LINKS" in no_network.stderr
    assert checkout.make().stdout == "DEMO\n"


def test_an_environment_that_was_half_made_is_made_anew(checkout: Checkout) -> None:
    (checkout.folder / ".venv" / "bin").mkdir(parents=True)
    (checkout.folder / ".venv" / "bin" / "python").write_text("#!/bin/sh\nexit 1\n")
    (checkout.folder / ".venv" / "bin" / "python").chmod(0o755)
    assert checkout.make().stdout == "DEMO\n"


def test_a_checkout_that_cannot_be_written_is_said(checkout: Checkout) -> None:
    if os.getuid() != 0 or shutil.which("unshare") is None:
        skip_or_fail("mounting needs root and unshare")
    text = f'mount --bind "$1" "$1" && mount -o remount,ro,bind "$1" && cd "$1" && make demo PYTHON="{checkout.python}"'
    done = subprocess.run(
        ["unshare", "--mount", "sh", "-c", text, "sh", checkout.folder],
        env={"PATH": os.environ["PATH"], "CALLS": str(checkout.root / "calls")},
        capture_output=True,
        text=True,
        check=False,
    )
    assert f"error: cannot write in {checkout.folder}\nhint: " in done.stderr
