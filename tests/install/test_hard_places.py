"""install.sh on machines of other kinds, on full disks, with files it may not write, over files it wrote."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import os
import shlex
import shutil
from pathlib import Path

import pytest

from support.install import SCRIPT, World, run, snapshot
from support.install_machine import Machine
from support.install_wheels import toy_wheel
from support.testbed import skip_or_fail

NOBODY = 65534


def let_in(world: World, user: int) -> None:
    """Give the home to a user and let them reach it."""
    for path in [world.root, *world.root.rglob("*")]:
        if not path.is_symlink():
            os.chown(path, user, user)
    for folder in world.root.parents:
        if folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)


def test_a_read_only_start_up_file_is_a_warning_with_the_line(one_world: World) -> None:
    world = one_world
    profile = world.write(world.home / ".profile", "# mine\n", 0o444)
    user = None
    if os.getuid() == 0:
        user = NOBODY
        let_in(world, user)
    command = [*world.shell, SCRIPT, "--from", world.wheel]
    done = run(command, env=world.env, cwd=world.root, user=user).expect(0)
    expected = (
        f'warning: {profile} cannot be written; add this line yourself: . "$HOME/.modelops/env"'
    )
    assert expected in done.err
    assert profile.read_text() == "# mine\n"
    world.check_installed()
    removed = run([*world.shell, SCRIPT, "--uninstall"], env=world.env, cwd=world.root, user=user)
    assert "cannot be written" not in removed.expect(0).err  # there is nothing of ours in it


@pytest.mark.parametrize(
    ("answer", "code", "said"),
    [
        ("Darwin", 0, ""),
        ("MINGW64_NT-10.0", 1, "WSL"),
        ("CYGWIN_NT-10.0", 1, "WSL"),
        ("FreeBSD", 1, "only Linux and macOS"),
    ],
)
def test_systems(one_world: World, answer: str, code: int, said: str) -> None:
    one_world.remove_stub("uname")
    one_world.write(one_world.stubs / "uname", f"#!/bin/sh\necho {answer}\n", 0o755)
    assert said in one_world.install_wheel().expect(code).err
    assert (one_world.state.exists()) == (code == 0)


@pytest.mark.parametrize("kind", ["file", "dangling"])
@pytest.mark.parametrize("place", [".modelops", ".local/bin", ".local/share/uv/tools"])
def test_a_file_where_a_folder_must_be_is_seen_before_anything_is_done(
    one_world: World, place: str, kind: str
) -> None:
    path = one_world.home / place
    path.parent.mkdir(parents=True, exist_ok=True)
    if kind == "file":
        path.write_text("")
    else:
        path.symlink_to("/nowhere")
    before = snapshot(one_world.home)
    done = one_world.install_wheel().expect(1)
    assert f"error: {path} is not a folder\nhint: " in done.err
    assert snapshot(one_world.home) == before
    assert one_world.calls == []


def shadow(world: World, place: Path) -> str:
    """What is said about a `cb` that comes first on PATH."""
    if not place.is_symlink():
        world.write(place, "#!/bin/sh\n", 0o755)
    done = world.install_wheel(PATH=f"{place.parent}:{world.bin}:{world.stubs}").expect(3)
    before = place.lstat()
    assert place.lstat() == before
    return next(line for line in done.err.splitlines() if line.strip().startswith(f"{place} ("))


def test_owners_of_a_command_that_comes_first(one_world: World) -> None:
    world = one_world
    conda = world.root / "mini conda"
    (conda / "conda-meta").mkdir(parents=True)
    assert f"(conda environment {conda}; removed by: conda list -p '{conda}'" in shadow(
        world, conda / "bin" / "cb"
    )
    venv = world.root / "venv"
    world.write(venv / "pyvenv.cfg", "")
    assert f"(virtual environment {venv}; removed by: {venv}/bin/python -m pip" in shadow(
        world, venv / "bin" / "cb"
    )
    cellar = world.write(
        world.root / "brew" / "Cellar" / "codebase" / "1.0" / "bin" / "cb", "#!/bin/sh\n", 0o755
    )
    link = world.root / "brew" / "bin" / "cb"
    link.parent.mkdir()
    link.symlink_to(os.path.relpath(cellar, link.parent))
    assert "(brew codebase; removed by: brew uninstall codebase)" in shadow(world, link)
    plain = world.root / "sbin" / "cb"
    assert f"(unknown; removed by: rm {plain})" in shadow(world, plain)
    world.add_stub("rpm")
    world.inject("rpm", "echo codebase-1.0-1.noarch; exit 0\n")
    assert (
        "(package codebase-1.0-1.noarch; removed by: sudo dnf remove codebase-1.0-1.noarch)"
        in shadow(world, plain)
    )
    world.add_stub("dpkg")
    world.inject("dpkg", f"echo codebase: {plain}; exit 0\n")
    assert "(Debian package codebase; removed by: sudo apt-get remove codebase)" in shadow(
        world, plain
    )


def test_a_file_of_our_receipt_is_ours_while_it_is_unchanged(one_world: World) -> None:
    """A folder that knows no links: the commands are files there."""
    world = one_world
    world.install_wheel().expect(0)
    cb = world.bin / "cb"
    text = cb.read_bytes()
    cb.unlink()
    cb.write_bytes(text)
    cb.chmod(0o755)
    world.install_wheel().expect(0)
    world.check_installed()
    cb.unlink()
    cb.write_bytes(text)
    world.install("--uninstall").expect(0)
    assert not cb.exists()
    world.install_wheel().expect(0)
    cb.unlink()
    cb.write_bytes(text + b"# changed\n")
    world.install_wheel().expect(3)
    assert cb.read_bytes() == text + b"# changed\n"
    world.install("--uninstall").expect(0)
    assert cb.read_bytes() == text + b"# changed\n"


OPTIONS = [
    (["--branch", "fix-x"], {"MODELOPS_BRANCH": "fix-x"}, {"STUB_COMMIT": "2e" * 20}),
    (["--ref", "3d" * 20], {"MODELOPS_REF": "3d" * 20}, {"STUB_COMMIT": "3d" * 20}),
    (["--from", "{wheel}"], {"MODELOPS_FROM": "{wheel}"}, {}),
    (["--offline", "{wheels}"], {"MODELOPS_OFFLINE": "{wheels}"}, {}),
    (["--python", "3.12"], {"MODELOPS_PYTHON": "3.12"}, {}),
    (["--uv", "{stubs}/uv"], {"MODELOPS_UV": "{stubs}/uv"}, {}),
    (["--bin-dir", "{root}/b"], {"MODELOPS_BIN_DIR": "{root}/b"}, {}),
    (["--require-azure"], {"MODELOPS_REQUIRE_AZURE": "1"}, {}),
    (["--no-modify-path"], {"MODELOPS_NO_MODIFY_PATH": "1"}, {}),
    (["--keep-old"], {"MODELOPS_KEEP_OLD": "1"}, {}),
    (["--overwrite", "cb"], {"MODELOPS_OVERWRITE": "cb"}, {}),
    (["--overwrite", "cb", "--overwrite", "mops"], {"MODELOPS_OVERWRITE": "cb mops"}, {}),
    (["--dry-run"], {"MODELOPS_DRY_RUN": "1"}, {}),
    (["--json"], {"MODELOPS_JSON": "1"}, {}),
    (["-q"], {"MODELOPS_QUIET": "1"}, {}),
    (["-v"], {"MODELOPS_VERBOSE": "1"}, {}),
]


@pytest.mark.parametrize(
    ("options", "variables", "env"),
    OPTIONS,
    ids=lambda part: " ".join(part) if isinstance(part, list) else "",
)
def test_an_option_and_its_variable_do_the_same(
    tmp_path: Path, options: list[str], variables: dict[str, str], env: dict[str, str]
) -> None:
    """Same calls, same result, same files: in two worlds of one name."""
    seen = []
    for given, more in ((options, {}), ([], variables)):
        shutil.rmtree(tmp_path / "world", ignore_errors=True)
        (tmp_path / "world").mkdir()
        world = World(tmp_path / "world", ["/bin/sh"])
        world.old_tool("modelops-calabaria", "calabaria")
        if any("verwrite" in word or "OVERWRITE" in word for word in [*given, *more]):
            world.write(world.bin / "cb", "theirs", 0o755)
        places = {
            "wheel": world.wheel,
            "wheels": world.wheels,
            "stubs": world.stubs,
            "root": world.root,
        }
        words = [word.format(**places) for word in given]
        named = {name: value.format(**places) for name, value in more.items()}
        done = world.install(*words, **named, **env).expect(0)
        calls = [without_numbers(call) for call in world.calls]
        tree = {without_numbers(name) for name in snapshot(world.home)}
        seen.append((calls, tree, bool(done.out), len(done.err.splitlines())))
    assert seen[0] == seen[1]


def without_numbers(text: str) -> str:
    """Process numbers and times differ between two runs."""
    return "".join(letter for letter in text if not letter.isdigit())


FULL = """
set -eu
mount -t tmpfs -o size={size} tmpfs {folder}
cp -a {backup}/. {folder}/
status=0
{env} sh {script} {options} || status=$?
{bin}/mops || echo gone
rm -rf {backup}.after
cp -a {folder} {backup}.after
exit $status
"""


def test_a_home_where_no_program_may_run_is_said_before_anything_is_done(one_world: World) -> None:
    world = one_world
    if os.getuid() != 0 or shutil.which("unshare") is None:
        skip_or_fail("a disk of its own needs root and unshare")
    text = 'mount -t tmpfs -o noexec tmpfs "$HOME" && "$@"'
    command = ["/bin/sh", "-c", text, "sh", *world.shell, SCRIPT, "--from", world.wheel]
    env = world.env | {"PATH": f"{world.stubs}:/usr/bin:/bin"}
    done = run(["/usr/bin/unshare", "--mount", *command], env=env, cwd=world.root).expect(1)
    assert f"error: no program may run in {world.state}\nhint: " in done.err
    assert "noexec" in done.err
    assert world.calls == []


def test_uninstalling_makes_room_on_a_full_disk(one_world: World) -> None:
    world = one_world
    if os.getuid() != 0 or shutil.which("unshare") is None:
        skip_or_fail("a disk of its own needs root and unshare")
    text = f"""mount -t tmpfs -o size=1m tmpfs "$HOME" && echo "# mine" >"$HOME/.profile"
{shlex.join(world.shell)} {world.root}/roomy.sh --from {world.wheel} -q || exit 1
dd if=/dev/zero bs=1k of={world.tools}/modelops/big 2>/dev/null
{shlex.join(world.shell)} {SCRIPT} --uninstall && cat "$HOME/.profile" && find "$HOME" -type f"""
    roomy = SCRIPT.read_text().replace("SPACE_KIB=1048576", "SPACE_KIB=1")
    world.write(world.root / "roomy.sh", roomy)
    env = world.env | {"PATH": f"{world.stubs}:/usr/bin:/bin"}
    command = ["/usr/bin/unshare", "--mount", "/bin/sh", "-c", text]
    done = run(command, env=env, cwd=world.root).expect(0)
    assert done.out == f"# mine\n{world.home}/.profile\n"
    assert "ModelOps is removed" in done.err


def on_a_small_disk(machine: Machine, size: str, script: Path) -> tuple[int, str]:
    """Run the script where the tool folder lies on a disk of its own; what `mops` answers after it."""
    if os.getuid() != 0 or shutil.which("unshare") is None:
        skip_or_fail("a disk of its own needs root and unshare")
    folder = machine.root / "small disk"
    folder.mkdir()
    toy = toy_wheel(machine.root / "toys", "modelops", "modelops", "mops")
    machine.env["UV_TOOL_DIR"] = str(folder)
    machine.uv("tool", "install", toy)
    backup = machine.root / "backup"
    shutil.copytree(folder, backup, symlinks=True)
    quoted = {
        name: f"'{path}'"
        for name, path in (
            ("folder", folder),
            ("backup", backup),
            ("bin", machine.bin),
            ("script", script),
        )
    }
    text = FULL.format(size=size, env="", options=f"--offline '{machine.wheels.folder}'", **quoted)
    done = run(
        ["unshare", "--mount", "--propagation", "private", "sh", "-c", text],
        env=machine.env,
        cwd=machine.root,
    )
    assert done.out.strip() == "old", done.err
    for path in [*backup.rglob("__pycache__"), *Path(f"{backup}.after").rglob("__pycache__")]:
        shutil.rmtree(path)
    before, after = snapshot(backup), snapshot(Path(f"{backup}.after"))
    assert after == before | {".": after["."]}  # a disk's own folder has a mode of its own
    return done.code, done.err


def test_too_little_space_is_seen_before_anything_is_done(machine: Machine) -> None:
    code, said = on_a_small_disk(machine, "100m", SCRIPT)
    assert code == 1
    assert "MiB free in" in said


def test_a_disk_that_fills_up_during_the_switch(machine: Machine) -> None:
    text = SCRIPT.read_text()
    assert "SPACE_KIB=1048576" in text
    script = machine.root / "patched.sh"
    script.write_text(text.replace("SPACE_KIB=1048576", "SPACE_KIB=1"))
    code, said = on_a_small_disk(machine, "100m", script)
    assert code == 1
    assert "No space left on device" in said
    assert (
        "your previous installation works" in said or "previous installation was put back" in said
    )
