"""install.sh in throw-away Debian systems, as a new user with an empty home, over the network."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import os
import pwd
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.install import ROOT, find_testbed, skip_or_fail
from support.install_machine import GitServer
from support.install_wheels import commit_all, copy_checkout, toy_wheel

SCRIPT = r"""
set -eu
exec 2>&1
apt-get -q update >/tmp/apt.log
apt-get install -q -y --no-install-recommends python3-venv python3-pip git @EXTRA@ >>/tmp/apt.log
useradd -m -s /bin/bash ada
cp -r /mops/checkout /home/ada/checkout && chown -R ada:ada /home/ada
as_ada() { su - ada -c "$1"; }

echo "== fresh, from the checkout, with no uv anywhere"
as_ada 'cd checkout && ./install.sh'
as_ada 'mops version; cb --version; modelops-bundle --version; mops doctor --install; command -v mops cb modelops-bundle'
test "$(as_ada 'find / -name cb -path "*bin/cb" 2>/dev/null | xargs readlink -f | sort -u | wc -l')" = 1

echo "== the example runs"
cp -r /mops/example /home/ada/study && chown -R ada:ada /home/ada/study
as_ada 'cd study && mops bundle init && mops bundle register-model models/sir.py && mops bundle register-target targets'
as_ada 'cd study && cb sampling sobol models.sir:StochasticSIR -n 8 -r 2 -o explore.json && mops run explore.json'

echo "== over every old layout"
as_ada 'uv=~/.modelops/uv/uv; for wheel in /mops/toys/*.whl; do $uv tool install -q --force "$wheel"; done'
as_ada 'rm -f ~/.local/bin/cb && python3 -m pip install -q --user --break-system-packages --no-index /mops/toys/modelops_calabaria-*.whl'
as_ada '! command -v pipx || pipx install --force /mops/toys/modelops_bundle-*.whl'
as_ada '! command -v pipx || pipx list --short | grep -q modelops-bundle'
as_ada 'ln -s ~/.local/share/uv/tools/calabaria/bin/calabaria ~/.local/bin/calabaria; echo mine >~/.local/bin/mine'
as_ada 'cd checkout && ./install.sh --json >~/result.json; cat ~/result.json'
as_ada 'ls ~/.local/bin ~/.local/share/uv/tools; ~/.modelops/uv/uv tool list; mops doctor --install'
test "$(as_ada 'ls ~/.local/bin | tr "\n" " "')" = "cb mine modelops-bundle mops @LEFT@"
test "$(as_ada 'ls ~/.local/share/uv/tools')" = modelops
as_ada '! command -v pipx || ! pipx list --short | grep -q modelops'
test "$(as_ada 'mops --version | cut -d " " -f 2')" = "$(as_ada 'cb --version | cut -d " " -f 2')"

echo "== a branch, from the private server under its public name"
as_ada 'git config --global url.@SERVER@/.insteadOf https://github.com/'
as_ada 'git config --global credential.@SERVER@.helper "!f() { echo username=x; echo password=s3cret; }; f"'
as_ada 'cp checkout/install.sh alone.sh && MODELOPS_BRANCH=fix-x sh alone.sh'
as_ada '~/.local/share/uv/tools/modelops/bin/python -c "import modelops_runner.mark as m; print(m.MARK)"' | grep -x fix
as_ada 'grep @COMMIT@ ~/.modelops/install.json && mops doctor --install'
if grep -rs s3cret /home/ada/.modelops /home/ada/.local/share/uv/tools/modelops/uv-receipt.toml; then exit 1; fi

echo "== uninstalled"
as_ada 'sh alone.sh --uninstall && ! command -v mops && ls -A ~ ~/.local/bin && cat ~/.bashrc ~/.profile'
test "$(as_ada 'ls ~/.local/bin | tr "\n" " "')" = "mine @LEFT@"
if grep -s modelops /home/ada/.bashrc /home/ada/.profile; then exit 1; fi
echo "== well"
"""


@dataclass(frozen=True, slots=True)
class Branch:
    """Where a git server asks for a token, and the newest commit of its branch fix-x."""

    address: str
    commit: str


@pytest.fixture
def server(tmp_path: Path, git_server: GitServer) -> Branch:
    bare = git_server.add("modelops/modelops", copy_checkout(tmp_path / "checkout"))
    branch = tmp_path / "branch"
    subprocess.run(["git", "clone", "--quiet", bare, branch], check=True)
    (branch / "src" / "modelops_runner" / "mark.py").write_text('MARK = "fix"\n')
    commit = commit_all(branch)
    subprocess.run(["git", "push", "--quiet", "origin", "HEAD:fix-x"], check=True, cwd=branch)
    return Branch(git_server.address, commit)


def find_testbed_data() -> str:
    """Where the testbed keeps its systems: a new one takes minutes, so the one of the account is used."""
    given = os.environ.get("MOPS_TESTBED")
    account = Path(pwd.getpwuid(os.getuid()).pw_dir) / ".cache" / "mops-testbed"
    return given or str(account)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("base", "extra", "left"), [("bookworm", "pipx", ""), ("trixie", "", "")])
def test_a_fresh_debian(tmp_path: Path, server: Branch, base: str, extra: str, left: str) -> None:
    testbed = find_testbed()
    if os.getuid() != 0 or shutil.which("unshare") is None:
        skip_or_fail("throw-away systems need root and unshare")
    shared = Path("/tmp") / f"modelops-install-{os.getpid()}-{base}"
    toys = shared / "toys"
    shutil.copytree(
        tmp_path / "checkout", shared / "checkout", ignore=shutil.ignore_patterns(".git")
    )
    shutil.copytree(
        ROOT / "examples" / "boarding-school",
        shared / "example",
        ignore=shutil.ignore_patterns("__pycache__", ".modelops*"),
    )
    toy_wheel(toys, "modelops", "modelops", "mops")
    toy_wheel(toys, "modelops-bundle", "modelops_bundle", "modelops-bundle")
    toy_wheel(toys, "calabaria", "calabaria", "cb")
    toy_wheel(toys, "modelops-calabaria", "modelops_calabaria", "cb")
    text = SCRIPT.replace("@EXTRA@", extra).replace("@LEFT@", left)
    text = text.replace("@SERVER@", server.address).replace("@COMMIT@", server.commit)
    (shared / "run.sh").write_text(text)
    env = {**os.environ, "MOPS_TESTBED": find_testbed_data()}
    try:
        prepared = subprocess.run(
            [testbed / "testbed", "fresh", base, "true"],
            env=env,
            capture_output=True,
            text=True,
            check=False,
        )
        if prepared.returncode:
            skip_or_fail(f"no throw-away {base}: {prepared.stderr[-300:]}")
        fresh = Path(env["MOPS_TESTBED"]) / "lib" / "fresh.sh"
        system = Path(env["MOPS_TESTBED"]) / "chroots" / f"{base}-min"
        done = subprocess.run(
            ["bash", fresh, "-b", f"{shared}:/mops", system, "bash", "/mops/run.sh"],
            capture_output=True,
            text=True,
            check=False,
        )
    finally:
        shutil.rmtree(shared)
    assert done.stdout.rstrip().endswith("== well"), done.stdout[-6000:] + done.stderr[-2000:]
