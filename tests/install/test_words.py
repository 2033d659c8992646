"""What install.sh says, in which order, and to whom: a person, a program, an open shell."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import json

import pytest

from support.install import World


def test_only_what_the_failed_command_said_is_shown(one_world: World) -> None:
    """Not what the commands before it said, which went well."""
    world = one_world
    world.inject("uv-venv", "echo all is well here\n")
    world.inject("uv-pip-install", "echo no matching distribution >&2; exit 1\n")
    said = world.install_wheel().expect(1).err
    shown = [line for line in said.splitlines() if line.startswith("  | ")]
    assert len(shown) == 2
    assert shown[0].startswith(f"  | $ {world.stubs}/uv pip install ")
    assert shown[1] == "  | no matching distribution"
    world.stop_injecting()
    world.install_wheel().expect(0)
    world.inject("uv-tool-install", "echo no space left >&2; exit 1\n")
    said = world.install_wheel().expect(1).err
    assert "  | no space left\nerror: uv could not install" in said


def test_a_default_source_that_cannot_be_read_says_how_to_name_another(one_world: World) -> None:
    world = one_world
    world.inject("git", "echo 'fatal: repository not found' >&2; exit 128\n")
    hint = world.install("--branch", "fix-x").expect(1).err.splitlines()[-1]
    assert hint.startswith("hint: if you have it elsewhere: --from URL")
    assert "MODELOPS_FROM" in hint
    assert "git's credentials for github.com" in hint
    own = world.install("--from", "https://example.org/a.git").expect(1).err.splitlines()[-1]
    assert own == "hint: a private repository needs git's credentials for example.org"


def test_nothing_can_ask_on_the_terminal(one_world: World) -> None:
    world = one_world
    world.inject(
        "git",
        '[ "$1" = config ] || echo "${GIT_TERMINAL_PROMPT:-}|${GIT_SSH_COMMAND:-}" >>"$WORLD/asked"\n',
    )
    world.install("--branch", "main").expect(0)
    world.install("--branch", "main", GIT_SSH_COMMAND="ssh -i key").expect(0)
    seen = (world.root / "asked").read_text().splitlines()
    assert set(seen) == {"0|ssh -oBatchMode=yes", "0|ssh -i key -oBatchMode=yes"}


@pytest.mark.parametrize(
    "stale",
    [
        {"MODELOPS_FROM": "/gone.whl"},
        {"MODELOPS_OFFLINE": "/gone"},
        {"MODELOPS_PYTHON": "3.10"},
        {"MODELOPS_BRANCH": "a", "MODELOPS_REF": "b"},
        {"MODELOPS_FROM": "https://user:token@example.org/x.git"},
    ],
    ids="-".join,
)
def test_uninstalling_needs_no_source(one_world: World, stale: dict[str, str]) -> None:
    one_world.install_wheel().expect(0)
    one_world.install("--uninstall", **stale).expect(0)
    assert not one_world.tools.joinpath("modelops").exists()


def test_start_up_files_that_are_changed_are_named(one_world: World) -> None:
    world = one_world
    said = world.install_wheel().expect(0).err
    assert f"  {world.bin} on PATH by: {world.home}/.profile {world.home}/.bashrc\n" in said


@pytest.mark.parametrize("shell", ["/bin/tcsh", "/bin/csh"])
def test_shells_that_read_none_of_the_start_up_files_get_their_line(
    one_world: World, shell: str
) -> None:
    said = one_world.install_wheel(SHELL=shell).expect(0).err
    line = f"set path = ({one_world.bin} $path)"
    assert f"warning: {shell} reads none of these files; add to ~/.cshrc: {line}" in said
    assert f"In this shell, once: {line}" in said


def test_a_slash_at_the_end_is_the_same_folder(one_world: World) -> None:
    world = one_world
    world.install_wheel(PATH=f"{world.bin}/:{world.stubs}").expect(0)
    assert not (world.home / ".profile").exists()
    other = world.root / "other"
    said = world.install_wheel("--bin-dir", f"{other}/", PATH=f"{other}:{world.stubs}").expect(0)
    assert "In this shell" not in said.err
    assert f'"bin_dir": "{other}"' in (world.state / "install.json").read_text()


def test_json_is_one_value_whatever_happens(one_world: World) -> None:
    world = one_world
    first = world.write(world.root / "first" / "cb", "#!/bin/sh\n", 0o755)
    path = f"{first.parent}:{world.bin}:{world.stubs}"
    shadowed = json.loads(world.install_wheel("--json", PATH=path).expect(3).out)
    assert shadowed["error"]["step"] == "verify"
    assert shadowed["duplicates"] == [f"{first} (unknown; removed by: rm {first})"]
    dry = json.loads(world.install_wheel("--json", "--dry-run").expect(0).out)
    assert dry["dry_run"] is True
    dry = json.loads(world.install("--json", "--dry-run", "--uninstall").expect(0).out)
    assert dry["dry_run"] is True
    unknown = json.loads(world.install("--surprise", "--json").expect(2).out)
    assert unknown["error"]["message"] == "unknown option --surprise"
    installed = json.loads(world.install_wheel("--json").expect(0).out)
    assert installed["version"] == "0.3.0"
    assert installed["warnings"] == []


def test_settings_of_pip_and_uv_for_projects_are_not_for_us(one_world: World) -> None:
    world = one_world
    world.inject(
        "uv",
        'echo "${PIP_USER:-}|${PIP_REQUIRE_VIRTUALENV:-}|${PIP_TARGET-unset}|${UV_OVERRIDE-unset}" >>"$WORLD/seen"\n',
    )
    theirs = {"PIP_USER": "1", "PIP_REQUIRE_VIRTUALENV": "1", "PIP_TARGET": "t", "UV_OVERRIDE": "o"}
    world.install_wheel(**theirs).expect(0)
    assert set((world.root / "seen").read_text().split()) == {"0|0|unset|unset"}
