"""install.sh as a file: what linters say, that a part of it does nothing, and that help, options and rules agree."""

# ruff: noqa: E501 - shell fragments are kept on one line

from __future__ import annotations

import re
import shutil
import subprocess
from pathlib import Path

import pytest

from support.install import SCRIPT, World, run, snapshot
from support.testbed import ROOT, skip_or_fail

STEPS = [
    "check_az_version",
    "install_uv",
    "install_modelops",
    "cleanup_old_installations",
    "configure_path",
    "verify_installation",
    "main",
    "inspect_installations",
    "resolve_source",
    "stage",
    "restore_previous",
    "write_receipt",
    "uninstall",
]


@pytest.mark.parametrize(
    "linter",
    [("shellcheck", "-s", "sh"), ("shfmt", "-i", "4", "-ci", "-ln", "posix", "-d")],
    ids=lambda words: words[0],
)
def test_linters_are_silent(linter: tuple[str, ...]) -> None:
    if shutil.which(linter[0]) is None:
        skip_or_fail(f"there is no {linter[0]} here")
    done = subprocess.run([*linter, SCRIPT], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout) == (0, "")


def test_every_shell_can_parse_it(shell: list[str]) -> None:
    subprocess.run([*shell, "-n", SCRIPT], check=True)


def test_a_part_of_the_file_does_nothing(world: World) -> None:
    whole = SCRIPT.read_bytes()
    offsets = [
        *range(0, len(whole) - 64, 64 if world.shell[0].endswith("dash") else 1024),
        *range(len(whole) - 64, len(whole) - 1),
    ]
    folder = world.root / "parts"
    folder.mkdir()
    for offset in offsets:
        (folder / f"{offset}.sh").write_bytes(whole[:offset])
    before = snapshot(world.home)
    loop = 'for part in "$PARTS"/*.sh; do "$@" "$part" </dev/null >/dev/null 2>&1 || :; done'
    run(
        ["/bin/sh", "-c", loop, "sh", *world.shell],
        env=world.env | {"PARTS": str(folder)},
        cwd=world.root,
        timeout=280,
    )
    assert world.calls == []
    assert snapshot(world.home) == before


def test_a_file_that_grows_while_it_runs_does_nothing_more(world: World) -> None:
    """An editor that writes in place: bash reads on where it was."""
    script = world.write(world.root / "grows.sh", SCRIPT.read_text())
    world.inject("uv-venv", f"printf 'surprise | | (\\n' >>{script}\n")
    done = world.install("--from", str(world.wheel), script=script).expect(0)
    assert "surprise" not in done.err


def test_help_lists_exactly_the_parsed_options(world: World) -> None:
    text = SCRIPT.read_text()
    parser = text[text.index("parse_options() {") : text.index("is_checkout() {")]
    parsed = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*(?= *[|)])", parser))
    helped = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", world.install("--help").expect(0).out))
    helped.discard("--branch fix-x")
    assert parsed - {"--"} == helped
    assert len(parsed) <= 22
    assert world.install("--version").expect(0).out.startswith("install.sh ")


def test_functions_of_the_steps_exist() -> None:
    text = SCRIPT.read_text()
    assert [name for name in STEPS if f"\n{name}() {{" not in text] == []
    assert text.endswith('[ "${INSTALL_SH_LIB:-}" = 1 ] || { main "$@"; }\n')


def test_nothing_beyond_posix_sh() -> None:
    text = SCRIPT.read_text()
    for pattern in (
        r"^\s*local ",
        r"\[\[",
        r"echo -e",
        "pipefail",
        r"<\(",
        r"^function ",
        r"\| *(ba|z)?sh\b",
    ):
        assert re.search(pattern, text, re.MULTILINE) is None, pattern


def test_the_bare_name_is_never_installed() -> None:
    """`modelops` on the public index is somebody else's."""
    pages = [SCRIPT, ROOT / "README.md", *(ROOT / "docs").rglob("*.md")]
    bare = re.compile(
        r"(?:pip|pipx|uv tool|uv add|uvx?)\s+(?:install|upgrade|add|run)\s+(?:-\S+\s+)*modelops(?![\w./@-]| @)"
    )
    found = [
        f"{page.name}: {line}"
        for page in pages
        for line in page.read_text().splitlines()
        if bare.search(line)
    ]
    assert found == []


def test_size() -> None:
    assert len(SCRIPT.read_text().splitlines()) <= 800


def test_no_word_about_secrets_in_urls_reaches_the_log(one_world: World, tmp_path: Path) -> None:
    done = one_world.install("--from", "https://user:s3cret@example.org/x.git").expect(2)
    assert "s3cret" not in done.err + done.out
    assert not one_world.state.exists()
