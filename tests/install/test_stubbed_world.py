"""install.sh where every other program is a stub: exact calls, failures, and what survives."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import json
import os
import pty
import subprocess
from pathlib import Path

import pytest

from support.install import COMMANDS, COMMIT, SCRIPT, World, run, snapshot

FOREIGN = "#!/bin/sh\necho somebody else\n"


def test_fresh_install_from_a_wheel(world: World) -> None:
    done = world.install_wheel("--json").expect(0)
    world.check_installed()
    receipt = json.loads(done.out)
    assert receipt["schema"] == "mops.install/1"
    assert receipt["version"] == "0.3.0"
    assert [entry["name"] for entry in receipt["commands"]] == list(COMMANDS)
    assert json.loads((world.state / "install.json").read_text())["bin_dir"] == str(world.bin)
    assert (world.state / "install.json").stat().st_mode & 0o777 == 0o600
    stage = [call for call in world.calls if "pip install" in call]
    switch = [call for call in world.calls if "tool install" in call]
    assert len(stage) == len(switch) == 1
    assert "--force --offline --python >=3.11,<3.14" in switch[0]
    assert world.calls.index(stage[0]) < world.calls.index(switch[0])
    assert not any(
        " modelops" in f" {call} ".replace(str(world.root), "").split("modelops @")[0]
        for call in stage
    )
    assert "Next: mops init demo && cd demo" in done.err
    assert [f"[{n}/9]" in done.err for n in range(1, 10)] == [True] * 9


def test_again_reinstalls(world: World) -> None:
    world.install_wheel().expect(0)
    profile = snapshot(world.home)[".profile"]
    world.install_wheel().expect(0)
    world.check_installed()
    assert snapshot(world.home)[".profile"] == profile


@pytest.mark.parametrize(
    ("answer", "warned"),
    [
        ("echo 2.31.0; exit 0", False),
        ("echo 2.100.0; exit 0", False),
        ("echo 2.30.0; exit 0", True),
        ("echo 2.9.1; exit 0", True),
        ("exit 0", True),
        ("echo no; exit 1", True),
        ("sleep 60", True),
        (None, True),
    ],
)
def test_azure_is_a_warning_unless_required(
    one_world: World, answer: str | None, warned: bool
) -> None:
    world = one_world
    script = world.patched(AZ_SECONDS="1")
    if answer is None:
        world.remove_stub("az")
    else:
        world.inject("az", answer)
    done = world.install("--from", str(world.wheel), script=script).expect(0)
    assert ("warning: " in done.err) == warned
    world.forget_calls()
    required = world.install("--from", str(world.wheel), "--require-azure", script=script)
    required.expect(1 if warned else 0)
    assert any(call.startswith("uv") for call in world.calls) != warned


def test_stdin_is_never_read(world: World) -> None:
    text = SCRIPT.read_text()
    environment = world.env | {"MODELOPS_FROM": str(world.wheel)}
    piped = run(world.shell, env=environment, cwd=world.root, stdin=text)
    piped.expect(0)
    world.check_installed()
    read, write = os.pipe()
    os.write(write, b"more\n")
    os.close(write)
    run([*world.shell, SCRIPT], env=environment, cwd=world.root, stdin=read).expect(0)
    assert os.read(read, 10) == b"more\n"
    os.close(read)
    closed = ["/bin/sh", "-c", 'exec "$@" <&-', "sh", *world.shell, str(SCRIPT)]
    run(closed, env=environment, cwd=world.root).expect(0)


def test_on_a_terminal(world: World) -> None:
    ours, theirs = pty.openpty()
    environment = world.env | {"MODELOPS_FROM": str(world.wheel), "TERM": "xterm"}
    world.remove_stub("az")
    with subprocess.Popen(
        [*world.shell, str(SCRIPT)],
        env=environment,
        cwd=world.root,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        shown = b""
        while True:
            try:
                part = os.read(ours, 4096)
            except OSError:
                break
            if not part:
                break
            shown += part
    os.close(ours)
    assert process.returncode == 0, shown
    assert b"\x1b[31mwarning:" in shown
    world.check_installed()


def test_no_escape_byte_without_a_terminal(one_world: World) -> None:
    one_world.remove_stub("az")
    done = one_world.install_wheel(TERM="xterm").expect(0)
    assert "\x1b" not in done.err + done.out
    assert "warning: no Azure CLI" in done.err


@pytest.mark.parametrize("key", ["uv-venv", "uv-pip-install"])
def test_failing_stage_leaves_the_old_one_alone(world: World, key: str) -> None:
    world.old_tool("modelops", "mops")
    before = snapshot(world.tools) | snapshot(world.bin)
    world.inject(key, "echo 'No solution found: numpy is too new' >&2; exit 2\n")
    done = world.install_wheel().expect(1)
    assert "No solution found: numpy is too new" in done.err
    assert done.err.rstrip().splitlines()[-1].startswith("hint: ")
    assert snapshot(world.tools) | snapshot(world.bin) == before
    assert not any("tool" in call for call in world.calls)


@pytest.mark.parametrize(
    ("variable", "value", "said"),
    [
        ("STUB_VERSION", "0.2.0", 'version is "0.2.0" instead of "0.3.0"'),
        ("STUB_COMMANDS", "mops cb", "modelops-bundle"),
        ("STUB_COMMIT", "abc123", f'commit is "abc123" instead of "{COMMIT}"'),
        ("STUB_COMMIT", "", f'commit is "" instead of "{COMMIT}"'),
        ("STUB_PROBE", "echo two owners >&2; exit 1", "two owners"),
    ],
)
def test_self_test_of_the_stage(one_world: World, variable: str, value: str, said: str) -> None:
    world = one_world
    world.old_tool("modelops", "mops")
    before = snapshot(world.tools)
    if variable == "STUB_COMMIT":  # a wheel file promises no commit, the checkout does
        done = world.install(STUB_COMMIT=value).expect(1)
    else:
        done = world.install_wheel(**{variable: value}).expect(1)
    assert said in done.err
    assert "self-test" in done.err
    assert snapshot(world.tools) == before


@pytest.mark.parametrize(
    "harm",
    [
        "echo 'No space left on device' >&2; exit 1\n",
        'rm -rf "$UV_TOOL_DIR/modelops"; mkdir -p "$UV_TOOL_DIR/modelops/bin"; kill -9 $$\n',
        "STUB_VERSION=0.9.9\n",
    ],
)
def test_failing_switch_restores_the_previous(world: World, harm: str) -> None:
    world.install_wheel().expect(0)
    world.old_tool("modelops-calabaria", "cb")
    before = snapshot(world.tools) | snapshot(world.bin)
    world.inject("uv-tool-install", harm)
    done = world.install_wheel().expect(1)
    assert "your previous installation works (mops 0.3.0)" in done.err
    assert snapshot(world.tools) | snapshot(world.bin) == before
    assert not (world.tools.parent / "modelops-previous").exists()
    world.stop_injecting()
    world.install_wheel().expect(0)
    world.check_installed()
    assert not (world.tools / "modelops-calabaria").exists()


def test_failing_first_install_leaves_nothing(one_world: World) -> None:
    one_world.inject("uv-tool-install", "exit 1\n")
    done = one_world.install_wheel().expect(1)
    assert "nothing was installed before" in done.err
    assert list(one_world.bin.iterdir()) == []
    assert not (one_world.tools / "modelops").exists()


def test_offline_cache_missing_goes_online_once(one_world: World) -> None:
    one_world.inject("uv-tool-install", 'case "$*" in *--offline*) exit 1 ;; esac\n')
    one_world.install_wheel().expect(0)
    assert sum("tool install" in call for call in one_world.calls) == 2


@pytest.mark.parametrize("kind", ["script", "binary", "link", "dangling", "tool", "folder"])
def test_foreign_command_survives(world: World, kind: str) -> None:
    cb = world.bin / "cb"
    world.bin.mkdir(parents=True)
    if kind == "script":
        world.write(cb, FOREIGN, 0o755)
    elif kind == "binary":
        cb.write_bytes(b"\x7fELF\x00\x01" * 100)
    elif kind == "link":
        world.write(world.root / "else where" / "cb", FOREIGN, 0o755)
        cb.symlink_to(world.root / "else where" / "cb")
    elif kind == "dangling":
        cb.symlink_to("/nowhere/cb")
    elif kind == "tool":
        world.old_tool("codebase", "cb")
    else:
        world.write(cb / "inside", "x")
    before = snapshot(world.home)
    done = world.install_wheel("--json").expect(3)
    assert str(cb) in done.err
    assert "--overwrite cb" in done.err
    assert "--bin-dir" in done.err
    assert ("uv tool codebase" in done.err) == (kind == "tool")
    assert json.loads(done.out)["error"]["step"] == "inventory"
    after = snapshot(world.home)
    assert {name: after[name] for name in before if ".local" in name and name != ".local"} == {
        name: before[name] for name in before if ".local" in name and name != ".local"
    }
    world.install_wheel(MODELOPS_BIN_DIR=str(world.home / "bin")).expect(0)
    assert (world.home / "bin" / "cb").exists()
    kept = {name: value for name, value in before.items() if name.startswith(".local/bin/")}
    assert kept == {
        name: value
        for name, value in snapshot(world.home).items()
        if name.startswith(".local/bin/")
    }


@pytest.mark.parametrize("kind", ["script", "folder"])
def test_overwrite_keeps_it_aside_and_uninstall_puts_it_back(world: World, kind: str) -> None:
    cb = world.bin / "cb"
    world.write(cb / "inside" if kind == "folder" else cb, FOREIGN, 0o755)
    before = snapshot(world.bin)
    world.inject("uv-tool-install", "exit 1\n")
    world.install_wheel("--overwrite", "cb").expect(1)
    assert snapshot(world.bin) == before
    world.stop_injecting()
    world.install_wheel("--overwrite=cb").expect(0)
    world.check_installed()
    assert (world.bin / "cb.before-modelops").exists()
    receipt = json.loads((world.state / "install.json").read_text())
    assert receipt["overwritten"] == [str(world.bin / "cb.before-modelops")]
    world.install_wheel().expect(0)
    world.install("--uninstall").expect(0)
    assert snapshot(world.bin) == before


def test_dry_run_changes_nothing(world: World) -> None:
    world.old_tool("modelops-calabaria", "cb")
    world.old_tool("modelops", "mops")
    world.write(world.home / ".profile", "# mine\n")
    before = snapshot(world.home, times=True)
    done = world.install_wheel("--dry-run").expect(0)
    assert snapshot(world.home, times=True) == before
    assert "would run:" in done.err
    assert "tool install --force" in done.err
    assert "tool uninstall modelops-calabaria" in done.err
    assert sorted(path.name for path in world.root.iterdir()) == sorted(
        ["calls", "command", "home", "inject", "refs", "stubs", "wheels"]
    )
    world.write(world.bin / "modelops-bundle", FOREIGN, 0o755)
    world.install_wheel(MODELOPS_DRY_RUN="1").expect(3)
    world.install("--uninstall", "--dry-run").expect(0)


@pytest.mark.parametrize("name", ["with blank", 'it\'s "quoted"', "höme-ñ", "semi;colon&$HOME`x`"])
def test_odd_homes(tmp_path: Path, shell: list[str], name: str) -> None:
    world = World(tmp_path, shell, home_name=name)
    world.old_tool("modelops-calabaria", "cb")
    world.install_wheel().expect(0)
    world.check_installed()
    assert not (world.tools / "modelops-calabaria").exists()
    found = run(
        [
            *world.shell,
            "-c",
            '. "$HOME/.profile"; set -u; . "$HOME/.profile"; printf "%s\n" "$PATH"; command -v mops',
        ],
        env=world.env,
        cwd=world.root,
    ).expect(0)
    path, command = found.out.splitlines()
    assert path == f"{world.bin}:{world.stubs}"
    assert command == str(world.bin / "mops")
    world.install("--uninstall").expect(0)
    assert not world.state.exists()
    assert not (world.home / ".profile").exists()


def test_homes_that_cannot_be(one_world: World) -> None:
    world = one_world
    world.install_wheel(HOME="").expect(1)
    world.install_wheel(HOME=str(world.root / "nowhere")).expect(1)
    without = {name: value for name, value in world.env.items() if name != "HOME"}
    done = run([*world.shell, SCRIPT], env=without, cwd=world.root).expect(1)
    assert "HOME" in done.err
    assert world.calls == []


def test_read_only_home(one_world: World) -> None:
    world = one_world
    world.home.chmod(0o555)
    user = 65534 if os.getuid() == 0 else None
    for folder in [world.root, *world.root.parents]:
        if user is not None and folder.stat().st_uid == 0 and not folder.stat().st_mode & 0o001:
            folder.chmod(folder.stat().st_mode | 0o011)
    done = run(
        [*world.shell, SCRIPT, "--from", world.wheel], env=world.env, cwd=world.root, user=user
    ).expect(1)
    assert f"cannot write in {world.home}" in done.err
    world.home.chmod(0o755)


def test_folders_of_uv_are_respected(world: World) -> None:
    data, tools, bin_ = world.root / "data home", world.root / "my tools", world.root / "my bin"
    world.install_wheel(XDG_DATA_HOME=str(data)).expect(0)
    assert (data / "uv" / "tools" / "modelops").exists()
    assert (world.root / "bin" / "mops").exists()
    world.install_wheel(XDG_DATA_HOME=str(data), XDG_BIN_HOME=str(world.root / "xbin")).expect(0)
    assert (world.root / "xbin" / "mops").exists()
    assert not (world.root / "bin" / "mops").exists()
    world.install_wheel(UV_TOOL_DIR=str(tools), UV_TOOL_BIN_DIR=str(bin_)).expect(0)
    assert (bin_ / "cb").resolve() == (tools / "modelops" / "bin" / "cb").resolve()
    assert not world.bin.exists()


def test_old_tools_go_and_links_stay(world: World) -> None:
    world.old_tool("modelops", "mops")
    world.old_tool("modelops-bundle", "modelops-bundle")
    world.old_tool("modelops-calabaria", "cb")
    world.old_tool("calabaria", "cb", receipt=False)
    world.old_tool("black", "black")
    (world.bin / "calabaria").symlink_to(world.tools / "calabaria" / "bin" / "calabaria")
    done = world.install_wheel("--json").expect(0)
    world.check_installed()
    assert sorted(path.name for path in world.tools.iterdir()) == ["black", "modelops"]
    assert sorted(path.name for path in world.bin.iterdir()) == ["black", *sorted(COMMANDS)]
    assert len(json.loads(done.out)["removed"]) >= 3
    assert not any("uninstall modelops-contracts" in call for call in world.calls)


def test_keep_old(one_world: World) -> None:
    one_world.old_tool("modelops-calabaria", "cb")
    one_world.install_wheel("--keep-old").expect(0)
    one_world.check_installed()
    assert (one_world.tools / "modelops-calabaria").exists()


def test_a_tool_that_resists_is_a_warning(one_world: World) -> None:
    one_world.old_tool("modelops-calabaria", "cb")
    one_world.inject("uv-tool-uninstall", "exit 1\n")
    done = one_world.install_wheel().expect(0)
    command = f"{one_world.stubs}/uv tool uninstall modelops-calabaria"
    place = one_world.tools / "modelops-calabaria"
    assert f"warning: uv tool modelops-calabaria ({place}) resists: {command}\n" in done.err
    one_world.check_installed()


def pip_user(world: World, name: str, requires: str = "") -> None:
    site = world.home / ".local" / "lib" / "python3.11" / "site-packages"
    info = site / f"{name}-0.0.1.dist-info"
    world.write(info / "METADATA", f"Name: {name}\nVersion: 0.0.1\n{requires}")
    world.write(info / "RECORD", f"../../../bin/cb,sha256=x,1\n{name}/__init__.py,,\n")


def test_pip_user_is_removed_through_its_interpreter(one_world: World) -> None:
    world = one_world
    pip_user(world, "modelops_calabaria")
    world.write(world.bin / "cb", "#!/usr/bin/python3.11\nold\n", 0o755)
    world.add_stub("python3.11")
    world.install_wheel().expect(0)
    assert "python3.11 -m pip uninstall -y modelops-calabaria" in world.calls
    world.check_installed()
    world.forget_calls()
    world.inject("python3.11", "exit 1\n")
    done = world.install_wheel().expect(0)
    assert "--break-system-packages modelops-calabaria" in done.err
    assert not any("pip uninstall" in call for call in world.calls)


def test_the_strangers_modelops_stays(one_world: World) -> None:
    world = one_world
    pip_user(world, "modelops")
    world.write(world.bin / "cb", "#!/usr/bin/python3.11\nstranger\n", 0o755)
    world.add_stub("python3.11")
    done = world.install_wheel().expect(3)
    assert "pip --user modelops" in done.err
    (world.bin / "cb").unlink()
    world.install_wheel().expect(0)
    assert not any("uninstall" in call for call in world.calls)
    pip_user(world, "modelops", "Requires-Dist: modelops-contracts @ git+https://example.org/x\n")
    world.install_wheel().expect(0)
    assert "python3.11 -m pip uninstall -y modelops" in world.calls


@pytest.mark.parametrize("home", [".local/pipx", ".local/share/pipx", "custom"])
def test_pipx(one_world: World, home: str) -> None:
    world = one_world
    venv = world.home / home / "venvs" / "modelops-bundle"
    world.write(venv / "bin" / "modelops-bundle", "x", 0o755)
    world.bin.mkdir(parents=True)
    (world.bin / "modelops-bundle").symlink_to(venv / "bin" / "modelops-bundle")
    world.add_stub("pipx")
    world.inject(
        "pipx-uninstall-modelops-bundle", f"rm -rf '{venv}' '{world.bin}/modelops-bundle'\n"
    )
    env = {"PIPX_HOME": str(world.home / home)} if home == "custom" else {}
    world.install_wheel(**env).expect(0)
    assert [call for call in world.calls if call.startswith("pipx")] == [
        "pipx uninstall modelops-bundle"
    ]
    world.check_installed()


def test_git_source_is_pinned(one_world: World) -> None:
    world = one_world
    fix = "2e" * 20
    world.install(MODELOPS_BRANCH="fix-x", STUB_COMMIT=fix, script=copy_alone(world)).expect(0)
    asked = [call for call in world.calls if "install" in call and "@" in call]
    assert len(asked) == 2
    assert all(
        f"modelops @ git+https://github.com/modelops/modelops.git@{fix}" in call for call in asked
    )
    world.forget_calls()
    world.install(STUB_COMMIT=COMMIT, script=copy_alone(world)).expect(0)
    assert any(f"modelops.git@{COMMIT}" in call for call in world.calls)
    done = world.install("--branch", "fixx", script=copy_alone(world)).expect(1)
    assert "hint: nearest: fix-x" in done.err
    world.write(world.root / "refs", f"{COMMIT}\trefs/heads/two\n{fix}\trefs/tags/two\n")
    both = world.install("--branch", "two", script=copy_alone(world)).expect(2)
    assert COMMIT in both.err
    assert fix in both.err
    world.write(world.root / "refs", f"{COMMIT}\trefs/tags/v1\n{fix}\trefs/tags/v1^{{}}\n")
    world.forget_calls()
    world.install("--ref", "v1", STUB_COMMIT=fix, script=copy_alone(world)).expect(0)
    assert any(f"modelops.git@{fix}" in call for call in world.calls)
    world.forget_calls()
    world.install("--ref", "3d" * 20, STUB_COMMIT="3d" * 20, script=copy_alone(world)).expect(0)
    assert not any("ls-remote" in call for call in world.calls)


def copy_alone(world: World) -> Path:
    """The script as somebody gets it who has no checkout."""
    return world.write(world.root / "alone" / "install.sh", SCRIPT.read_text(), 0o755)


def test_git_missing_or_refusing(one_world: World) -> None:
    world = one_world
    world.inject(
        "git", "echo 'fatal: could not read Username for https://github.com' >&2; exit 128\n"
    )
    done = world.install("--branch", "main").expect(1)
    assert "could not read Username" in done.err
    world.remove_stub("git")
    done = world.install("--branch", "main").expect(1)
    assert "git is missing" in done.err


def test_checkout_is_built_into_a_fresh_folder(one_world: World) -> None:
    world = one_world
    world.install().expect(0)
    first = list((world.state / "dist").iterdir())
    world.install().expect(0)
    second = list((world.state / "dist").iterdir())
    assert len(first) == len(second) == 1
    assert first != second
    assert any(
        f"build --wheel --out-dir {second[0]} {SCRIPT.parent}" in call for call in world.calls
    )


@pytest.mark.parametrize(
    ("options", "variables"),
    [
        (["--brnach", "x"], {}),
        (["--branch"], {}),
        (["--branch="], {}),
        (["--branch", "--json"], {}),
        (["--json=yes"], {}),
        (["surprise"], {}),
        (["--branch", "a", "--ref", "b"], {}),
        (["--purge"], {}),
        (["--uninstall", "--branch", "x"], {}),
        (["--uninstall", "--uv", "/usr/bin/uv"], {}),
        (["--require-azure", "--uninstall"], {}),
        (["--overwrite", "python"], {}),
        (["--python", "3.10"], {}),
        (["--python", "3.14"], {}),
        (["--python", "/nowhere/python"], {}),
        (["--from", "/nowhere.whl"], {}),
        (["--from", "/"], {}),
        (["--from", "https://example.org/modelops-0.3.0-py3-none-any.whl"], {}),
        (["--from", "https://user:token@example.org/x.git"], {}),
        (["--from", "https://token@example.org/x.git"], {}),
        (["--from", "ssh://git:secret@example.org/x.git"], {}),
        (["--offline", "/nowhere"], {}),
        ([], {"MODELOPS_DRY_RUN": "yes"}),
        ([], {"MODELOPS_BRANCH": "a", "MODELOPS_REF": "b"}),
        ([], {"MODELOPS_OVERWRITE": "ls"}),
        ([], {"MODELOPS_PYTHON": "2.7"}),
    ],
)
def test_wrong_usage_changes_nothing(
    one_world: World, options: list[str], variables: dict[str, str]
) -> None:
    before = snapshot(one_world.home)
    done = one_world.install(*options, **variables).expect(2)
    assert done.err.startswith("error: ")
    assert "token" not in done.err.replace("or a token", "")
    assert snapshot(one_world.home) == before
    assert one_world.calls == []


def test_nearest_option_is_named(world: World) -> None:
    assert "did you mean --branch?" in world.install("--brnach", "x").expect(2).err


def test_option_beats_variable(one_world: World) -> None:
    world = one_world
    world.install("--ref", "3d" * 20, MODELOPS_BRANCH="fix-x", STUB_COMMIT="3d" * 20).expect(0)
    assert any("3d3d" in call for call in world.calls)
    other = world.root / "elsewhere"
    world.install_wheel("--bin-dir", str(other), MODELOPS_BIN_DIR=str(world.root / "no")).expect(0)
    assert (other / "mops").exists()
    assert not (world.root / "no").exists()


def test_offline_folder(one_world: World) -> None:
    world = one_world
    world.install("--offline", str(world.wheels)).expect(0)
    calls = [call for call in world.calls if call.startswith("uv ") and "--version" not in call]
    assert all(f"--offline --no-index --find-links {world.wheels}" in call for call in calls)
    world.write(world.wheels / "modelops-0.4.0-py3-none-any.whl", "")
    world.install("--offline", str(world.wheels)).expect(2)
    world.install("--offline", str(world.wheels), "--ref", "0.4.0", STUB_VERSION="0.4.0").expect(0)
    world.install("--offline", str(world.wheels), "--from", "https://example.org/x.git").expect(2)


INSTALLER = """#!/bin/sh
main() { mkdir -p "$UV_UNMANAGED_INSTALL"; cp "$WORLD/spare-uv" "$UV_UNMANAGED_INSTALL/uv"; }
main "$@" || exit 1
"""


def without_uv(world: World) -> None:
    (world.stubs / "uv").rename(world.root / "spare-uv")
    for name in ("curl", "wget", "python3"):
        world.add_stub(name)
    world.inject("curl", "exit 7\n")
    world.inject("wget", "exit 7\n")


@pytest.mark.parametrize("tool", ["curl", "wget"])
def test_private_uv_by_the_official_installer(world: World, tool: str) -> None:
    without_uv(world)
    world.write(world.root / "installer", INSTALLER)
    world.inject(
        tool,
        'for word; do case $word in */uv.sh) cp "$WORLD/installer" "$word" ;; esac; done; exit 0\n',
    )
    (world.stubs / "sh").symlink_to("/bin/sh")
    world.install_wheel().expect(0)
    assert (world.state / "uv" / "uv").exists()
    assert json.loads((world.state / "install.json").read_text())["uv"]["private"] is True
    assert not (world.bin / "uv").exists()
    world.forget_calls()
    world.install_wheel().expect(0)
    assert not any(call.startswith(("curl", "wget")) for call in world.calls)
    world.install("--uninstall").expect(0)
    assert not world.state.exists()


def test_private_uv_by_pip(one_world: World) -> None:
    world = one_world
    without_uv(world)
    world.inject(
        "python3",
        'case "$*" in "-m venv "*) mkdir -p "$3/bin"; cp "$WORLD/stubs/python3" "$3/bin/python"; exit 0 ;; esac\n',
    )
    world.inject("python", 'cp "$WORLD/spare-uv" "${0%/*}/uv"; exit 0\n')
    world.install_wheel().expect(0)
    world.check_installed()


def test_no_way_to_get_uv_names_three_causes(one_world: World) -> None:
    world = one_world
    without_uv(world)
    world.inject("curl", 'echo "could not resolve astral.sh" >&2; exit 6\n')
    world.remove_stub("wget")
    world.inject("python3", 'echo "no module named venv" >&2; exit 1\n')
    done = world.install_wheel().expect(1)
    for cause in (
        "\n  wheel: only with --offline DIR",
        "\n  installer: could not resolve astral.sh",
        "\n  pip: no module named venv\nhint: ",
    ):
        assert cause in done.err
    for name in ("curl", "python3"):
        world.remove_stub(name)
    done = world.install_wheel().expect(1)
    assert "\n  installer: there is no curl\n  pip: there is no python3\n" in done.err
    assert not (world.state / "uv").exists()


def test_a_truncated_uv_installer_is_not_run(one_world: World) -> None:
    world = one_world
    without_uv(world)
    world.write(world.root / "installer", "#!/bin/sh\ntouch $WORLD/ran\nmain() {\n")
    world.inject(
        "curl",
        'for word; do case $word in */uv.sh) cp "$WORLD/installer" "$word" ;; esac; done; exit 0\n',
    )
    done = world.install_wheel().expect(1)
    assert "not complete" in done.err
    assert not (world.root / "ran").exists()


def test_an_old_uv_is_not_used_and_not_changed(one_world: World) -> None:
    world = one_world
    done = world.install_wheel("--uv", str(world.stubs / "uv"), STUB_UV="0.4.30").expect(1)
    assert "is not uv" in done.err


def test_shadowed_command_is_exit_3(world: World) -> None:
    first = world.root / "first"
    world.write(first / "cb", FOREIGN, 0o755)
    path = f"{first}:{world.bin}:{world.stubs}"
    done = world.install_wheel("--json", PATH=path).expect(3)
    assert f"`cb` runs {first / 'cb'}" in done.err
    world.check_installed()
    assert snapshot(first)["cb"][1] == FOREIGN.encode()
    later = world.install_wheel(PATH=f"{world.bin}::{first}:{first}:{world.stubs}").expect(0)
    assert later.err.count(f"{first}/cb (") == 1
    (first / "cb").unlink()
    (first / "cb").symlink_to(world.bin / "cb")
    world.install_wheel(PATH=path).expect(0)


def test_path_files(world: World) -> None:
    world.write(
        world.home / ".bashrc", 'echo "$HOME/.local/bin is mentioned"\r\nlast line without newline'
    )
    world.write(world.root / "dotfiles" / "zshrc", "# mine\n")
    (world.home / ".zshrc").symlink_to("../dotfiles/zshrc")
    (world.home / ".config" / "fish").mkdir(parents=True)
    done = world.install_wheel().expect(0)
    block = '# >>> modelops >>>\n. "$HOME/.modelops/env"\n# <<< modelops <<<\n'
    assert (world.home / ".profile").read_text() == block
    text = (world.home / ".bashrc").read_bytes().decode()
    assert text == f'echo "$HOME/.local/bin is mentioned"\r\nlast line without newline\n{block}'
    assert (world.root / "dotfiles" / "zshrc").read_text() == f"# mine\n{block}"
    assert (world.home / ".zshrc").is_symlink()
    assert "env.fish" in (world.home / ".config/fish/conf.d/modelops.fish").read_text()
    assert not (world.home / ".bash_profile").exists()
    assert '. "$HOME/.modelops/env"' in done.err
    world.install("--uninstall").expect(0)
    assert not (world.home / ".profile").exists()
    assert (world.root / "dotfiles" / "zshrc").read_text() == "# mine\n"
    assert not (world.home / ".config/fish/conf.d/modelops.fish").exists()
    assert "modelops" not in (world.home / ".bashrc").read_text()


def test_no_modify_path(one_world: World) -> None:
    world = one_world
    done = world.install_wheel("--no-modify-path").expect(0)
    assert "export PATH=" in done.err
    assert not (world.home / ".profile").exists()
    quiet = world.install_wheel("--no-modify-path", PATH=f"{world.bin}:{world.stubs}").expect(0)
    assert "export PATH=" not in quiet.err


def test_github_path(one_world: World) -> None:
    file = one_world.write(one_world.root / "github", "")
    for _ in range(2):
        one_world.install_wheel(GITHUB_PATH=str(file)).expect(0)
    assert file.read_text() == f"{one_world.bin}\n"


def test_doctor_fault_is_shown(one_world: World) -> None:
    text = (
        (one_world.root / "command")
        .read_text()
        .replace("echo '{\"healthy\": true}'", "echo consoles missing; exit 1")
    )
    one_world.write(one_world.root / "command", text)
    done = one_world.install_wheel().expect(1)
    assert "consoles missing" in done.err


def test_uninstall_leaves_what_the_user_made(world: World) -> None:
    world.write(world.home / ".profile", "# mine\n")
    world.write(world.home / "notes", "x")
    world.bin.mkdir(parents=True)  # an empty folder is the user's too
    before = snapshot(world.home)
    world.install_wheel().expect(0)
    world.write(world.state / "jobs" / "job-1" / "spec.json", "{}")
    world.write(world.state / "secrets" / "token", "s")
    world.write(world.state / "config.yaml", "a: 1\n")
    done = world.install("--uninstall").expect(0)
    assert "config.yaml" in done.err
    assert sorted(path.name for path in world.state.iterdir()) == ["config.yaml", "jobs", "secrets"]
    world.install("--uninstall").expect(0)
    refused = world.install("--uninstall", "--purge").expect(3)
    assert "--purge=.modelops" in refused.err
    assert (world.state / "config.yaml").exists()
    world.install("--uninstall", "--purge=wrong").expect(3)
    purged = world.install("--uninstall", "--purge=.modelops").expect(0)
    assert sorted(path.name for path in world.state.iterdir()) == ["jobs", "secrets"]
    assert f"rm -r {world.state / 'jobs'} {world.state / 'secrets'}" in purged.err
    after = {
        name: value
        for name, value in snapshot(world.home).items()
        if not name.startswith(".modelops")
    }
    assert after == before


@pytest.mark.parametrize(("answer", "code"), [(".modelops", 0), ("yes", 3)])
def test_purge_asks_for_the_name_on_a_terminal(one_world: World, answer: str, code: int) -> None:
    world = one_world
    world.write(world.state / "config.yaml", "a: 1\n")
    ours, theirs = pty.openpty()
    with subprocess.Popen(
        [*world.shell, str(SCRIPT), "--uninstall", "--purge"],
        env=world.env,
        cwd=world.root,
        stdin=theirs,
        stdout=theirs,
        stderr=theirs,
    ) as process:
        os.close(theirs)
        os.write(ours, f"{answer}\n".encode())
        assert process.wait(30) == code
    os.close(ours)
    assert (world.state / "config.yaml").exists() == (code == 3)
