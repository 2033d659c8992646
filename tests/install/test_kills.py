"""install.sh killed, interrupted, started twice: the next run ends well, the old works on."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

from support.install import COMMANDS, SCRIPT, Outcome, World, run, snapshot

CHANGING = ("mv", "ln", "rm", "cp", "mkdir")


def count_changes(world: World) -> None:
    """Let also the programs that change files go through the counting stub."""
    (world.root / "real").mkdir()
    for name in CHANGING:
        (world.stubs / name).unlink()
        (world.root / "real" / name).symlink_to(str(shutil.which(name)))
        world.add_stub(name)


def install_until_killed(world: World, at: int, then: str) -> int:
    """Run the script; the stub that is called as number `at` kills it. Return its exit code."""
    (world.root / "count").unlink(missing_ok=True)
    env = world.env | {"KILL_AT": str(at), "KILL_THEN": then}
    starter = 'echo $$ >"$WORLD/victim"; exec "$@"'
    command = [
        "/bin/sh",
        "-c",
        starter,
        "sh",
        *world.shell,
        str(SCRIPT),
        "--from",
        str(world.wheel),
    ]
    return run(command, env=env, cwd=world.root).code


def with_old_suite(world: World) -> None:
    world.old_tool("modelops", "mops")
    world.old_tool("modelops-calabaria", "cb")


@pytest.mark.slow
@pytest.mark.parametrize(
    ("before", "then"), [("nothing", "stop"), ("old suite", "go-on"), ("ours", "stop")]
)
def test_killed_at_every_command_then_run_again(one_world: World, before: str, then: str) -> None:
    world = one_world
    count_changes(world)
    at = 0
    while True:
        at += 1
        shutil.rmtree(world.home)
        world.home.mkdir()
        if before == "old suite":
            with_old_suite(world)
        elif before == "ours":
            world.old_tool("modelops", *COMMANDS)
        code = install_until_killed(world, at, then)
        if code == 0:
            break
        assert code == -signal.SIGKILL
        answer = run(
            ["/bin/sh", "-c", f"'{world.bin}/mops' --version"], env=world.env, cwd=world.root
        )
        in_window = (world.state / "switch").exists()
        assert before == "nothing" or answer.code == 0 or in_window, f"killed at call {at}"
        world.install_wheel().expect(0)
        world.check_installed()
        assert [path.name for path in world.tools.iterdir()] == ["modelops"], f"killed at call {at}"
    assert at > 20


def test_a_run_that_was_killed_in_the_switch_restores_before_anything_can_fail(
    world: World,
) -> None:
    with_old_suite(world)
    before = snapshot(world.tools) | snapshot(world.bin)
    world.inject(
        "uv-tool-install",
        'rm -rf "$UV_TOOL_DIR/modelops"; kill -9 "$(cat "$WORLD/victim")"; exit 1\n',
    )
    assert install_until_killed(world, 10_000, "stop") == -signal.SIGKILL
    assert not (world.tools / "modelops").exists()
    world.stop_injecting()
    world.inject("uv-pip-install", "exit 1\n")
    done = world.install_wheel().expect(1)
    assert "repairing" in done.err
    assert snapshot(world.tools) | snapshot(world.bin) == before


@pytest.mark.parametrize(
    ("sent", "code"), [(signal.SIGINT, 130), (signal.SIGTERM, 143), (signal.SIGHUP, 129)]
)
def test_a_signal_is_answered_at_once(world: World, sent: signal.Signals, code: int) -> None:
    with_old_suite(world)
    before = snapshot(world.tools) | snapshot(world.bin)
    world.inject(
        "uv-tool-install", 'rm -rf "$UV_TOOL_DIR/modelops"; : >"$WORLD/reached"; exec sleep 100\n'
    )
    with subprocess.Popen(
        [*world.shell, str(SCRIPT), "--from", str(world.wheel)],
        env=world.env,
        cwd=world.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        wait_for(world.root / "reached")
        process.send_signal(sent)
        _, err = process.communicate(timeout=30)
    assert process.returncode == code, err
    assert snapshot(world.tools) | snapshot(world.bin) == before
    assert not (world.state / "install.lock").exists()
    assert list(world.state.glob("stage.*")) == []


@pytest.mark.parametrize(
    "where", ["uv", "az", "uv-venv", "uv-pip-install", "uv-tool-install", "uv-tool-uninstall"]
)
def test_ctrl_c_anywhere_leaves_what_works(one_world: World, where: str) -> None:
    """As a terminal does it: the whole group of processes gets the signal."""
    world = one_world
    with_old_suite(world)
    world.inject(where, ': >"$WORLD/reached"; exec sleep 100\n')
    with start(world, own_group=True) as process:
        wait_for(world.root / "reached")
        os.killpg(process.pid, signal.SIGINT)
        _, err = process.communicate(timeout=30)
    assert process.returncode == 130, err
    assert "interrupted during" in err
    answer = run([world.bin / "mops", "--version"], env=world.env, cwd=world.root).expect(0)
    assert answer.out.startswith("mops")
    assert not (world.state / "install.lock").exists()
    world.stop_injecting()
    world.install_wheel().expect(0)
    world.check_installed()


def wait_for(file: Path, seconds: float = 30) -> None:
    end = time.monotonic() + seconds
    while not file.exists():
        assert time.monotonic() < end, f"{file} did not come"
        time.sleep(0.02)


def start(world: World, *, own_group: bool = False) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [*world.shell, str(SCRIPT), "--from", str(world.wheel)],
        env=world.env,
        cwd=world.root,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=own_group,
    )


def finish(process: subprocess.Popen[str]) -> Outcome:
    with process:
        out, err = process.communicate(timeout=120)
    return Outcome(process.returncode, out, err)


@pytest.mark.parametrize("stale", [False, True])
def test_ten_at_once(one_world: World, stale: bool) -> None:
    world = one_world
    if stale:
        world.write(world.state / "install.lock" / "pid", "999999 1\n")
    world.inject(
        "uv-pip-install",
        '[ ! -e "$WORLD/inside" ] || echo overlap >>"$WORLD/overlap"; : >"$WORLD/inside"; sleep 0.2; rm -f "$WORLD/inside"\n',
    )
    running = [start(world) for _ in range(10)]
    for process in running:
        finish(process).expect(0)
    assert not (world.root / "overlap").exists()
    world.check_installed()


def test_a_living_lock_is_waited_for_and_named(one_world: World) -> None:
    world = one_world
    script = world.patched(LOCK_SECONDS="2")
    with subprocess.Popen(["sleep", "60"]) as holder:
        started = Path(f"/proc/{holder.pid}/stat").read_text().rpartition(") ")[2].split()[19]
        world.write(world.state / "install.lock" / "pid", f"{holder.pid} {started}\n")
        done = world.install("--from", str(world.wheel), script=script).expect(1)
        assert f"process {holder.pid}" in done.err
        assert (world.state / "install.lock").exists()
        holder.kill()
    world.install_wheel().expect(0)
    world.check_installed()


@pytest.mark.parametrize("content", [None, "", "999999 1\n", "1 5\n"])
def test_a_stale_lock_is_replaced(one_world: World, content: str | None) -> None:
    lock = one_world.state / "install.lock"
    lock.mkdir(parents=True)
    if content is not None:
        (lock / "pid").write_text(content)
    one_world.install_wheel().expect(0)
    one_world.check_installed()
