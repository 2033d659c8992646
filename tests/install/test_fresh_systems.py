"""install.sh in throw-away Debian systems, as a new user with an empty home, over the network."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from support.install_machine import GitServer
from support.install_wheels import commit_all, copy_checkout, toy_wheel
from support.testbed import ROOT, data_folder, skip_or_fail, start_part

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


LOGIN_SHELLS = r"""
set -eu
exec 2>&1
apt-get -q update >/tmp/apt.log
apt-get install -q -y --no-install-recommends python3-venv git dash zsh mksh busybox fish >>/tmp/apt.log
printf '#!/bin/sh\nexec busybox ash -l "$@"\n' >/usr/local/bin/ash && chmod 755 /usr/local/bin/ash
cp -r /mops/checkout /checkout && chmod -R a+rX /checkout
for shell in /bin/bash /bin/dash /bin/zsh /bin/mksh /usr/local/bin/ash /usr/bin/fish; do
    name=$(basename $shell)
    echo "== $name"
    useradd -m -s $shell $name
    mkdir -p /home/$name/.cache && [ ! -e /tmp/cache ] || cp -r /tmp/cache /home/$name/.cache/uv
    [ $name != zsh ] || echo '# mine' >/home/zsh/.zshrc
    chown -R $name:$name /home/$name
    as_user() { su - $name -c "$1"; }
    cp -r /checkout /home/$name/checkout && chown -R $name:$name /home/$name/checkout
    as_user 'cd checkout; and ./install.sh -q' 2>/dev/null || as_user 'cd checkout && ./install.sh -q'
    [ -e /tmp/cache ] || cp -r /home/$name/.cache/uv /tmp/cache
    # What a terminal opens: a login shell that reads commands from a person.
    new_shell() { su - $name -s /bin/sh -c "SHELL=$shell; export SHELL; printf '%s\nexit\n' \"$1\" | $shell -l -i" 2>/tmp/said; }
    new_shell 'command -v mops' | grep "/home/$name/.local/bin/mops"
    [ $name = zsh ] || as_user 'command -v mops' | grep "^/home/$name/.local/bin/mops"
    new_shell 'mops init demo' >/dev/null
    new_shell 'cd demo; mops bundle register-model models/sir.py; mops bundle register-target targets; cb sampling sobol models.sir:StochasticSIR -n 2 -r 1 -o explore.json; mops run explore.json' || cat /tmp/said
    new_shell 'cd demo; mops jobs list --json' | grep '"state": "succeeded"'
    as_user "sh checkout/install.sh -q --uninstall"
    if grep -rs "modelops >>>" /home/$name --include=".*" --exclude-dir=.cache --exclude-dir=checkout; then exit 1; fi
    ! ls /home/$name/.modelops/env /home/$name/.local/bin/mops /home/$name/.config/fish/conf.d/modelops.fish 2>/dev/null
done
echo "== well"
"""


def run_fresh(base: str, shared: Path, script: str) -> None:
    """Run a script as root in a throw-away system that sees a folder as /mops; it must end well."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        skip_or_fail("throw-away systems need root and unshare")
    (shared / "run.sh").write_text(script)
    start_part("fresh", base, "true", timeout=600)
    fresh = data_folder() / "lib" / "fresh.sh"
    system = data_folder() / "chroots" / f"{base}-min"
    start = ["bash", fresh, "-b", f"{shared}:/mops", system, "bash", "/mops/run.sh"]
    done = subprocess.run(start, capture_output=True, text=True, check=False)
    assert done.stdout.rstrip().endswith("== well"), done.stdout[-6000:] + done.stderr[-2000:]


@pytest.fixture
def shared() -> Iterator[Path]:
    """A folder below /tmp: what the throw-away system sees must have a plain name."""
    with tempfile.TemporaryDirectory(prefix="modelops-install-", dir="/tmp") as folder:
        Path(folder).chmod(0o755)  # its users are not who runs this
        yield Path(folder)


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(("base", "extra", "left"), [("bookworm", "pipx", ""), ("trixie", "", "")])
def test_a_fresh_debian(
    tmp_path: Path, shared: Path, server: Branch, base: str, extra: str, left: str
) -> None:
    no_git = shutil.ignore_patterns(".git")
    shutil.copytree(tmp_path / "checkout", shared / "checkout", ignore=no_git)
    no_state = shutil.ignore_patterns("__pycache__", ".modelops*")
    shutil.copytree(ROOT / "examples" / "boarding-school", shared / "example", ignore=no_state)
    toys = shared / "toys"
    toy_wheel(toys, "modelops", "modelops", "mops")
    toy_wheel(toys, "modelops-bundle", "modelops_bundle", "modelops-bundle")
    toy_wheel(toys, "calabaria", "calabaria", "cb")
    toy_wheel(toys, "modelops-calabaria", "modelops_calabaria", "cb")
    text = SCRIPT.replace("@EXTRA@", extra).replace("@LEFT@", left)
    run_fresh(
        base, shared, text.replace("@SERVER@", server.address).replace("@COMMIT@", server.commit)
    )


@pytest.mark.nightly
@pytest.mark.timeout(1800)
def test_every_login_shell(shared: Path) -> None:
    """A new user for each; a shell that is opened afterwards finds the commands, and they work."""
    copy_checkout(shared / "checkout")
    shutil.copytree(ROOT / "examples", shared / "checkout" / "examples")
    run_fresh("bookworm", shared, LOGIN_SHELLS)
