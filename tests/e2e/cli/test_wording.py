"""What the commands say when there is nothing, or when something was mistyped."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from support.consoles import BIN, Consoles


@pytest.mark.parametrize("command", ["mops jobs list", "mops results list"])
def test_an_empty_list_says_how_it_is_filled(eggs: Consoles, command: str) -> None:
    listed = eggs.run(command)
    assert listed.code == 0
    assert listed.out.startswith("JOB ")
    assert listed.err == "no job here yet (mops run SPEC)\n"
    assert eggs.run(f"{command} -q").err == ""
    code, screen = eggs.on_terminal(command)
    assert (code, screen.strip()) == (0, "no job here yet (mops run SPEC)")


def test_a_filter_that_nothing_fits_is_told_apart_from_no_job(eggs: Consoles) -> None:
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 2").code == 0
    assert eggs.run("mops run study.json --no-check").code == 0
    listed = eggs.run("mops jobs list --status failed")
    assert listed.err == "none of 1 job fits (all of them: mops jobs list --all)\n"
    shown = eggs.run("mops results show --table failures")
    assert "table failures of job-" in shown.err
    assert "has no rows" in shown.err


MISTAKES = {
    "mops run study.json --max-failed 120%": "invalid value for '--max-failed': '120%': a",
    "mops jobs resume last --max-failed few": "invalid value for '--max-failed': 'few' is",
    "mops run study.json --tag site": "invalid value for --tag: 'site' is not k=v",
    "mops jobs logs last --since soon": "invalid value for --since: 'soon' is neither",
    "mops jobs logs last --search [": "invalid value for --search: '[' is no regular",
    "mops results show --sort x": "--sort orders a --table",
}


def test_a_mistake_on_the_command_line_names_the_command_and_its_help(eggs: Consoles) -> None:
    assert eggs.run("cb sampling sobol models.eggs:Eggs -n 2").code == 0
    assert eggs.run("mops run study.json --no-check").code == 0
    for command, message in MISTAKES.items():
        refused = eggs.run(command)
        path = " ".join(word for word in command.split()[:3] if word.isalpha() and word != "last")
        assert refused.code == 2, refused
        assert refused.err.startswith(f"error: {path}: {message}")
        assert refused.err.endswith(f"\nhint: {path} --help\n")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="needs /dev/full")
@pytest.mark.parametrize("command", ["jobs list --json", "jobs list", "jobs show --json"])
def test_an_answer_that_cannot_be_written_is_an_error_without_a_traceback(
    eggs: Consoles, command: str
) -> None:
    with Path("/dev/full").open("w") as full:
        done = subprocess.run(
            [BIN / "mops", *command.split()],
            cwd=eggs.folder,
            env=eggs.environment(),
            stdout=full,
            stderr=subprocess.PIPE,
            encoding="utf-8",
            check=False,
        )
    assert done.returncode in {1, 2}
    assert "Traceback" not in done.stderr
    assert "Exception" not in done.stderr
    assert "error: " in done.stderr
