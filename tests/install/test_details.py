"""Smaller promises of install.sh: where it looks, what it refuses, and what it never does."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import os
from pathlib import Path

import pytest

from modelops._build import VERSION
from support.install import SCRIPT, World, run, snapshot

SOURCES = [
    ([], "git https://github.com/modelops/modelops.git"),
    (["--branch", "x"], "git https://github.com/modelops/modelops.git"),
    (["--from", "git+https://example.org/a.git"], "git https://example.org/a.git"),
    (["--from", "https://example.org/a.git", "--ref", "v1"], "git https://example.org/a.git"),
    (["--from", "git@example.org:us/a.git"], "git ssh://git@example.org/us/a.git"),
    (["--from", "ssh://git@example.org/us/a.git"], "git ssh://git@example.org/us/a.git"),
    (["--from", "{root}/checkout"], "checkout {root}/checkout"),
    (["--from", "checkout"], "checkout {root}/checkout"),
    (["--from", "{wheel}"], "wheel {wheel}"),
    (["--from", "wheels/{wheel.name}"], "wheel {wheel}"),
    (["--offline", "wheels"], "wheel {wheel}"),
    (["--offline", "wheels", "--ref", "0.3.0"], "wheel {wheel}"),
    (["--offline", "wheels", "--from", "checkout"], "checkout {root}/checkout"),
]


def test_the_choice_of_the_source(world: World) -> None:
    world.write(world.root / "checkout" / "pyproject.toml", '[project]\nname = "modelops"\n')
    (world.root / "checkout" / "src" / "modelops_contracts").mkdir(parents=True)
    env = world.env | {"INSTALL_SH_LIB": "1"}
    for options, expected in SOURCES:
        words = [word.format(root=world.root, wheel=world.wheel) for word in options]
        text = f'. "{SCRIPT}"; parse_options "$@"; choose_source; echo "$KIND $SOURCE"'
        done = run([*world.shell, "-c", text, "sh", *words], env=env, cwd=world.root)
        assert done.expect(0).out == expected.format(root=world.root, wheel=world.wheel) + "\n"


def test_the_checkout_it_stands_in_unless_something_else_is_asked_for(one_world: World) -> None:
    said = one_world.install("--dry-run").expect(0).err
    assert f"source: checkout {SCRIPT.parent}" in said
    said = one_world.install("--dry-run", "--branch", "main").expect(0).err
    assert "source: git https://github.com/modelops/modelops.git at " in said


def test_a_folder_of_wheels_named_by_their_public_version(one_world: World) -> None:
    world = one_world
    world.wheel.unlink()
    name = "modelops-0.3.0+g1f1f1f1-py3-none-any.whl"
    world.write(world.wheels / name, "")
    world.write(world.wheels / "modelops-0.4.0-py3-none-any.whl", "")
    done = world.install("--offline", "wheels", "--ref", "0.3.0", STUB_VERSION="0.3.0+g1f1f1f1")
    assert f"source: wheel {world.wheels / name}" in done.expect(0).err


def test_sudo_with_somebody_elses_home(one_world: World) -> None:
    one_world.remove_stub("id")
    one_world.write(one_world.stubs / "id", "#!/bin/sh\necho 0\n", 0o755)
    if os.getuid() == 0:
        os.chown(one_world.home, 65534, 65534)
    refused = one_world.install_wheel(SUDO_USER="ada").expect(1)
    assert "sudo with the home of ada" in refused.err
    assert one_world.calls == []
    assert list(one_world.home.iterdir()) == []


def test_a_missing_program_is_named(one_world: World) -> None:
    one_world.remove_stub("sleep")
    assert "the program sleep is missing" in one_world.install_wheel().expect(1).err
    assert not one_world.state.exists()


@pytest.mark.parametrize(
    ("program", "advice"),
    [("brew", "brew install azure-cli"), ("apt-get", "sudo apt-get install azure-cli")],
)
def test_how_to_get_azure_depends_on_the_system(
    one_world: World, program: str, advice: str
) -> None:
    one_world.remove_stub("az")
    one_world.add_stub(program)
    assert advice in one_world.install_wheel().expect(0).err
    assert not any(call.startswith(program) for call in one_world.calls)


@pytest.mark.parametrize("place", [".local/bin", ".cargo/bin", "xdg"])
def test_uv_is_found_where_its_installers_put_it(one_world: World, place: str) -> None:
    """Also when the one on PATH is too old: that one is left alone."""
    world = one_world
    good = world.write(
        world.home / place / "uv", '#!/bin/sh\nunset STUB_UV\nexec "$WORLD/stubs/uv" "$@"\n', 0o755
    )
    old = (world.stubs / "uv").read_bytes()
    env = {"STUB_UV": "0.4.30"} | ({"XDG_BIN_HOME": str(good.parent)} if place == "xdg" else {})
    done = world.install_wheel(**env).expect(0)
    assert f"at {good}\n" in done.err
    assert (world.stubs / "uv").read_bytes() == old
    assert not (world.state / "uv").exists()


def test_certificates_of_the_system_are_used_unless_others_are_given(one_world: World) -> None:
    world = one_world
    world.inject("uv", 'echo "${SSL_CERT_FILE:-none}" >>"$WORLD/certificates"\n')
    world.install_wheel().expect(0)
    known = [
        path
        for path in ("/etc/ssl/certs/ca-certificates.crt", "/etc/pki/tls/certs/ca-bundle.crt")
        if Path(path).exists()
    ]
    seen = set((world.root / "certificates").read_text().split())
    assert not known or seen == {known[0]}
    (world.root / "certificates").unlink()
    world.install_wheel(SSL_CERT_FILE="/my/own.pem").expect(0)
    assert set((world.root / "certificates").read_text().split()) == {"/my/own.pem"}


def test_no_cache_is_said_once(one_world: World) -> None:
    said = one_world.install_wheel(UV_NO_CACHE="1").expect(0).err
    assert said.count("UV_NO_CACHE is set") == 1


def test_open_shells_are_told_to_forget(one_world: World) -> None:
    one_world.old_tool("modelops-calabaria", "cb")
    assert "hash -r (zsh: rehash)" in one_world.install_wheel().expect(0).err
    assert "hash -r" not in one_world.install_wheel().expect(0).err


def test_uninstall_lists_what_is_still_on_path_and_may_be_run_twice(one_world: World) -> None:
    world = one_world
    world.install_wheel().expect(0)
    other = world.write(world.root / "other" / "cb", "#!/bin/sh\n", 0o755)
    for _ in range(2):
        done = world.install("--uninstall", PATH=f"{other.parent}:{world.stubs}").expect(0)
        assert f"Still on PATH:\n{other} (unknown; removed by: rm {other})" in done.err
    assert other.exists()


def test_what_cannot_be_removed_is_an_error_and_not_called_removed(one_world: World) -> None:
    world = one_world
    world.install_wheel().expect(0)
    world.remove_stub("rm")
    refuse = "echo rm: Permission denied >&2; exit 1"
    world.write(
        world.stubs / "rm",
        f'#!/bin/sh\ncase "$*" in *tools/modelops*) {refuse} ;; esac\nexec /bin/rm "$@"\n',
        0o755,
    )
    done = world.install("--uninstall").expect(1)
    assert "  | rm: Permission denied\nerror: not everything could be removed\n" in done.err
    assert "ModelOps is removed" not in done.err
    world.remove_stub("rm")
    (world.stubs / "rm").symlink_to("/bin/rm")
    world.install("--uninstall").expect(0)
    assert not world.state.exists()


def test_purging_asks_before_anything_is_removed_and_leaves_nothing(one_world: World) -> None:
    world = one_world
    before = snapshot(world.home)
    world.install_wheel().expect(0)
    world.write(world.state / "config.yaml", "a: 1\n")
    installed = snapshot(world.home)
    world.install("--uninstall", "--purge").expect(3)
    world.check_installed()
    after = snapshot(world.home)
    assert {name for name in installed if "logs" not in name} == {
        name for name in after if "logs" not in name
    }
    world.install("--uninstall", "--purge=.modelops").expect(0)
    assert snapshot(world.home) == before


def test_fish_gets_its_own_words(one_world: World) -> None:
    world = one_world
    (world.home / ".config" / "fish").mkdir(parents=True)
    done = world.install_wheel(SHELL="/usr/bin/fish").expect(0)
    text = (world.state / "env.fish").read_text()
    assert "export" not in text + (world.home / ".config/fish/conf.d/modelops.fish").read_text()
    assert "contains -- " in text
    assert 'source "$HOME/.modelops/env.fish"' in done.err
    assert not (world.home / ".bashrc").exists()


def test_only_its_own_programs_are_called_and_nothing_of_the_user_is_configured(
    one_world: World,
) -> None:
    world = one_world
    for name in (
        "pipx",
        "conda",
        "brew",
        "docker",
        "kubectl",
        "apt-get",
        "curl",
        "wget",
        "sudo",
        "pulumi",
    ):
        world.add_stub(name)
    before = snapshot(world.stubs)
    world.install().expect(0)
    world.install("--branch", "fix-x", STUB_COMMIT="2e" * 20).expect(0)
    assert {call.split()[0] for call in world.calls} == {"az", "git", "uv"}
    assert {call for call in world.calls if call.startswith("az")} == {
        'az version --query "azure-cli" -o tsv'
    }
    assert {call.split()[1] for call in world.calls if call.startswith("git")} <= {
        "-C",
        "config",  # asked, not changed
        "ls-remote",
    }
    assert "git config core.sshCommand" in world.calls
    verbs = {" ".join(call.split()[1:3]) for call in world.calls if call.startswith("uv")}
    assert not {verb for verb in verbs if verb.split()[0] in {"self", "python", "cache"}}
    assert snapshot(world.stubs) == before


def test_what_programs_say_is_kept_for_the_user_alone(one_world: World) -> None:
    one_world.inject("uv-pip-install", "echo what uv said\n")
    one_world.install_wheel().expect(0)
    (log,) = (one_world.state / "logs").iterdir()
    assert "what uv said" in log.read_text()
    assert log.stat().st_mode & 0o777 == 0o600


def test_the_last_lines_of_a_failure_are_shown_then_one_hint(one_world: World) -> None:
    one_world.inject("uv-pip-install", "for n in $(seq 30); do echo line $n; done; exit 1\n")
    (one_world.stubs / "seq").symlink_to("/usr/bin/seq")
    said = one_world.install_wheel().expect(1).err
    shown = [line for line in said.splitlines() if line.startswith("  | line")]
    assert shown == [f"  | line {number}" for number in range(11, 31)]
    assert said.count("\nhint: ") == 1


def test_a_system_program_that_fails_is_an_error_with_its_step(one_world: World) -> None:
    """Not every command has words of its own: the step, the log and the next command always come."""
    one_world.remove_stub("cmp")
    one_world.write(one_world.stubs / "cmp", "#!/bin/sh\nexit 1\n", 0o755)
    one_world.remove_stub("cat")
    one_world.write(
        one_world.stubs / "cat",
        '#!/bin/sh\ncase ${1:-} in */file) echo "cat: disk is broken" >&2; exit 1 ;; esac\nexec /bin/cat "$@"\n',
        0o755,
    )
    done = one_world.install_wheel("--json").expect(1)
    assert "cat: disk is broken" in done.err
    assert "error: step path failed" in done.err
    assert '"step": "path"' in done.out


def test_the_version_of_the_script_is_that_of_the_wheel(one_world: World) -> None:
    assert one_world.install("--version").expect(0).out == f"install.sh {VERSION}\n"


def test_everything_is_configured_above_the_first_function() -> None:
    head = SCRIPT.read_text().partition("usage() {")[0]
    for name in ("REPOSITORY", "MIN_AZ", "MIN_UV", "PYTHONS", "COMMANDS", "OLD_TOOLS"):
        assert f"{name}=" in head
