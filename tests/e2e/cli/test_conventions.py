"""What holds for every command there is, on an empty home and outside any project."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

import pytest

from modelops.cli._tree import CONSOLES, TREE, command_line
from support.consoles import BIN, Consoles, check_against_schema, files_below, make_consoles

LEAVES = sorted(path for path, entry in TREE.items() if entry.target is not None)
EVERYTHING = sorted(TREE)


@pytest.fixture
def consoles(tmp_path: Path) -> Consoles:
    return make_consoles(tmp_path)


def no_terminal_codes(text: str) -> bool:
    return "\x1b" not in text


@pytest.mark.parametrize("path", EVERYTHING)
def test_help(consoles: Consoles, path: str) -> None:
    done = consoles.run(f"{path} --help")
    assert (done.code, done.err) == (0, "")
    assert done.out.startswith(f"Usage: {path}")
    assert TREE[path].help in " ".join(done.out.split())
    assert "Options everywhere:" in done.out


@pytest.mark.parametrize("path", ["cb", "mops jobs", "mops bundle register-model"])
def test_h_is_help_always(consoles: Consoles, path: str) -> None:
    assert consoles.run(f"{path} -h").out == consoles.run(f"{path} --help").out


@pytest.mark.parametrize("path", LEAVES)
def test_json_is_one_value_and_fits_its_schema(consoles: Consoles, path: str) -> None:
    consoles.home.chmod(0o500)  # an empty home that cannot be written: nothing here needs it
    try:
        done = consoles.run(f"{path} --json")
    finally:
        consoles.home.chmod(0o700)
    check_against_schema(done.json)
    if done.code == 0:
        assert done.json["schema"] == f"{path.replace(' ', '.')}/1"
    else:
        assert done.json["schema"] == "mops.error/1"
        assert done.json["error"]["exit_code"] == done.code
        assert done.json["error"]["code"] != "internal", done
        assert f"error: {done.json['error']['message']}" in done.err


@pytest.mark.parametrize("path", EVERYTHING)
def test_an_unknown_option_is_named_with_the_nearest(consoles: Consoles, path: str) -> None:
    before = files_below(consoles.home)
    done = consoles.run(f"{path} --jsno")
    assert (done.code, done.out) == (2, "")
    first, *rest = done.err.splitlines()
    assert first == f"error: {path} has no option --jsno"
    assert any("--json" in line for line in rest)
    assert rest[-1] == f"hint: {path} --help"
    assert files_below(consoles.home) == before


@pytest.mark.parametrize("path", LEAVES)
def test_nobody_waits_for_an_answer_and_nothing_is_coloured(consoles: Consoles, path: str) -> None:
    done = consoles.run(path, extra={"CI": "1", "NO_COLOR": "1"}, timeout=60)
    assert no_terminal_codes(done.out + done.err)
    assert "Traceback" not in done.err


@pytest.mark.parametrize("path", ["mops env list", "mops config show", "cb version", "mops doctor"])
def test_a_reader_that_goes_away_is_no_failure(consoles: Consoles, path: str) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    console, *words = path.split()
    done = subprocess.run(
        [BIN / console, *words],
        cwd=consoles.folder,
        env=consoles.environment(),
        stdout=writing,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    os.close(writing)
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("path", ["mops env list", "mops config show --json", "cb --help"])
def test_closed_streams(consoles: Consoles, path: str) -> None:
    script = f"exec {BIN / path.split(maxsplit=1)[0]} {' '.join(path.split()[1:])} <&- >&-"
    done = subprocess.run(
        ["/bin/sh", "-c", script],
        cwd=consoles.folder,
        env=consoles.environment(),
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize(
    "line", ["mops --json env list", "mops env --json list", "mops env list --json"]
)
def test_options_everywhere_stand_on_either_side(consoles: Consoles, line: str) -> None:
    check_against_schema(consoles.run(line).json)


def test_the_project_may_be_named_from_anywhere(consoles: Consoles) -> None:
    project = consoles.folder / "there"
    assert consoles.run("mops bundle init there").code == 0
    for line in (f"cb --project {project} models --json", "cb models --project-root there --json"):
        assert consoles.run(line).json["project"] == str(project)
    missing = consoles.run("cb models --project nowhere")
    assert (missing.code, missing.out) == (1, "")
    assert missing.err == "error: --project nowhere: no such folder\n"


def test_a_home_with_blanks_and_accents(tmp_path: Path) -> None:
    home = tmp_path / "mon répertoire"
    home.mkdir()
    (tmp_path / "work").mkdir()
    consoles = Consoles(tmp_path / "work", home)
    listed = consoles.run("mops env list --json").json["environments"]
    assert listed[0]["artifacts"] == str(home / ".modelops" / "artifacts")


def test_output_that_is_no_utf8_is_still_text(consoles: Consoles) -> None:
    home = consoles.home / "é"
    home.mkdir()
    odd = Consoles(consoles.folder, home, {"PYTHONIOENCODING": "ascii"})
    assert "\\xe9" in odd.run("mops env list").out
    assert "é" in odd.run("mops env list --json").out


def test_commands_that_moved_say_where(consoles: Consoles) -> None:
    done = consoles.run("mops jobs submit-calibration x.json")
    assert done.code == 2
    assert done.err.splitlines()[-1] == "hint: mops jobs submit"


def test_the_two_bundle_consoles_have_one_help(consoles: Consoles) -> None:
    assert CONSOLES["modelops-bundle"] == "mops bundle"
    for path in [path for path in EVERYTHING if path.startswith("mops bundle")]:
        one = consoles.run(f"{path} --help").out
        two = consoles.run(f"{command_line(path, 'modelops-bundle')} --help").out
        one = one.replace("mops bundle", "modelops-bundle")
        if path == "mops bundle":  # the root of a console also has --version
            one, two = one.partition("Commands:")[2], two.partition("Commands:")[2]
        assert two == one


def test_a_command_is_missing(consoles: Consoles) -> None:
    done = consoles.run("mops jobs")
    assert (done.code, done.out) == (2, "")
    assert done.err.startswith("Usage: mops jobs")
    assert "error: mops jobs needs a command" in done.err
    assert consoles.run("mops jobs --json").json["error"]["code"] == "usage"


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_completion_scripts(consoles: Consoles, shell: str) -> None:
    done = consoles.run(f"mops completion {shell}")
    assert done.code == 0
    for console in CONSOLES:
        assert console in done.out


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("mops j", "jobs"),
        ("mops jobs l", "list"),
        ("cb s", "sampling"),
        ("mops env list --js", "--json"),
    ],
)
def test_completions(consoles: Consoles, words: str, expected: str) -> None:
    console = words.split(maxsplit=1)[0]
    extra = {
        f"_{console.upper()}_COMPLETE": "bash_complete",
        "COMP_WORDS": words,
        "COMP_CWORD": str(len(words.split()) - 1),
    }
    done = consoles.run(console, extra=extra)
    assert done.code == 0
    assert expected in [line.partition(",")[2] for line in done.out.splitlines()]


def test_an_option_that_moved_says_where(consoles: Consoles) -> None:
    done = consoles.run("mops jobs list -h 24")
    assert done.code == 2
    assert done.err.splitlines()[-1] == "hint: mops jobs list --hours 24"
    assert consoles.run("mops jobs list -h").code == 0


@pytest.mark.parametrize("path", ["mops config show", "cb version", "mops bundle target-set list"])
def test_an_environment_that_is_not_there_is_refused_everywhere(
    consoles: Consoles, path: str
) -> None:
    done = consoles.run(f"{path} --env nowhere")
    assert (done.code, done.out) == (1, "")
    assert done.err.splitlines()[-1] == "hint: mops env list"


def test_an_error_is_coloured_on_a_terminal_only(consoles: Consoles) -> None:
    code, screen = consoles.on_terminal("mops env show nowhere")
    assert code == 1
    assert "\x1b[31merror:\x1b[0m" in screen
    code, screen = consoles.on_terminal("mops env show nowhere --no-color")
    assert "\x1b[31m" not in screen
