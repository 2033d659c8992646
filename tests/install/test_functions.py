"""Single functions of install.sh, sourced into every shell."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from support.install import SCRIPT, Outcome, World, run


def call(world: World, text: str, *arguments: str) -> Outcome:
    """Run shell text after sourcing the script's functions."""
    program = f'. "{SCRIPT}"\n{text}\n'
    env = world.env | {"INSTALL_SH_LIB": "1"}
    return run([*world.shell, "-c", program, "sh", *arguments], env=env, cwd=world.root)


VERSIONS = [
    ("2.31.0", True),
    ("2.31", True),
    ("2.31.0.1", True),
    ("2.30.9", False),
    ("2.9.1", False),
    ("2.100.0", True),
    ("10.0.0", True),
    ("2.31.0b1", True),
    ("3", True),
    ("2", False),
    ("", False),
    ("azure", False),
    ("v2.40.0", False),
    ("2.40.0 extra", False),
]


def test_version_comparison(world: World) -> None:
    words = [version for version, _ in VERSIONS]
    loop = 'for v; do if version_at_least "$v" 2.31.0; then echo yes; else echo no; fi; done'
    answers = call(world, loop, *words).expect(0).out.split()
    expected = ["yes" if good else "no" for _, good in VERSIONS]
    assert dict(zip(words, answers, strict=True)) == dict(zip(words, expected, strict=True))


TEXTS = [
    "plain",
    'a "quoted" \\ path',
    "tab\there",
    "two\nlines",
    "bell\x07",
    "höme ñ",
    "$HOME `x` %s",
]


def test_json_escaping(world: World) -> None:
    out = call(world, 'for t; do json_string "$t"; echo; done', *TEXTS).expect(0).out
    assert [json.loads(line) for line in out.splitlines()] == TEXTS


def test_quoting_survives_the_shell(world: World) -> None:
    words = ["plain", "it's", 'a "b" $c `d` \\', "", "two  blanks", "*"]
    out = call(world, 'eval "set -- $(quote "$@")"; for w; do printf "<%s>" "$w"; done', *words)
    assert out.expect(0).out == "".join(f"<{word}>" for word in words)


def test_nearest(world: World) -> None:
    out = call(
        world, "printf '%s\\n' main fix-x release | nearest fixx; printf 'main\\n' | nearest zzzz"
    )
    assert out.expect(0).out == "fix-x\n"


OWNERS = {
    "link to our tool": "ours",
    "dangling link to our tool": "ours",
    "link to an old tool": "ours",
    "link to another tool": "other",
    "link to a tool with a longer name": "other",
    "link that climbs out": "other",
    "relative link": "other",
    "loop": "other",
    "script of our tool": "ours",
    "script of our tool, long form": "ours",
    "script of our tool, long form with double quotes": "ours",
    "script of another tool": "other",
    "script that only mentions it": "other",
    "script of pipx": "ours",
    "script of another pipx environment": "other",
    "empty": "other",
    "binary": "other",
    "folder": "other",
    "nothing": "none",
}


def make_owned(world: World, kind: str) -> Path:
    file = world.bin / "cb"
    tools, pipx = world.tools, world.home / ".local" / "share" / "pipx" / "venvs"
    links = {
        "link to our tool": tools / "modelops/bin/cb",
        "dangling link to our tool": tools / "modelops/bin/gone",
        "link to an old tool": tools / "modelops-calabaria/bin/cb",
        "link to another tool": tools / "codebase/bin/cb",
        "link to a tool with a longer name": tools / "modelops-extra/bin/cb",
        "link that climbs out": f"{tools}/modelops/../codebase/bin/cb",
        "relative link": "../share/uv/tools/modelops/bin/cb",
        "loop": file,
    }
    ours = f"{tools}/modelops/bin/python"
    rest = " \"$0\" \"$@\"\n' '''\n"
    scripts = {
        "script of our tool": f"#!{tools}/modelops/bin/python\nimport sys\n",
        "script of our tool, long form": f"#!/bin/sh\n'''exec' '{ours}'{rest}",
        "script of our tool, long form with double quotes": f"#!/bin/sh\n'''exec' \"{ours}\"{rest}",
        "script of another tool": f"#!{tools}/codebase/bin/python\n",
        "script that only mentions it": f"#!/bin/sh\n# {tools}/modelops/bin/python\n",
        "script of pipx": f"#!{pipx}/modelops-bundle/bin/python\n",
        "script of another pipx environment": f"#!{pipx}/codebase/bin/python\n",
        "empty": "",
    }
    world.write(tools / "modelops" / "bin" / "cb", "x")
    world.bin.mkdir(parents=True)
    if kind in links:
        file.symlink_to(links[kind])
    elif kind in scripts:
        world.write(file, scripts[kind])
    elif kind == "binary":
        file.write_bytes(bytes(range(256)) * 8)
    elif kind == "folder":
        file.mkdir()
    return file


@pytest.mark.parametrize("kind", OWNERS)
def test_ownership(tmp_path: Path, shell: list[str], kind: str) -> None:
    world = World(tmp_path, shell, home_name="home of ada")
    file = make_owned(world, kind)
    text = 'UNINSTALL=0 BIN_DIR="" PYTHON="" UV=""; set_places; find_owner "$1"; echo "$OWNER"'
    assert call(world, text, str(file)).expect(0).out == f"{OWNERS[kind]}\n"


BLOCK = "# >>> modelops >>>\nnew\n# <<< modelops <<<\n"
OLD = BLOCK.replace("new", "old")
FILES = {
    "absent": (None, BLOCK),
    "empty": ("", BLOCK),
    "other lines": ("a\nb\n", f"a\nb\n{BLOCK}"),
    "no final newline": ("a", f"a\n{BLOCK}"),
    "present": (f"a\n{OLD}b\n", f"a\n{BLOCK}b\n"),
    "same": (f"a\n{BLOCK}", f"a\n{BLOCK}"),
    "doubled": (f"{OLD}a\n{OLD}", f"{BLOCK}a\n"),
    "end mark lost": ("# >>> modelops >>>\nmine\nmore\n", f"mine\nmore\n{BLOCK}"),
    "carriage returns": (OLD.replace("\n", "\r\n") + "a\r\n", f"{BLOCK}a\r\n"),
}


@pytest.mark.parametrize("kind", FILES)
def test_start_up_block(world: World, kind: str) -> None:
    before, after = FILES[kind]
    file = world.home / "rc"
    if before is not None:
        file.write_bytes(before.encode())
    world.state.mkdir()
    text = (
        f'STATE="{world.state}" WORK="{world.root}"; rewrite_file "$1" new; rewrite_file "$1" new'
    )
    call(world, text, str(file)).expect(0)
    assert file.read_bytes().decode() == after
    call(world, text.replace('"$1" new', '"$1" ""'), str(file)).expect(0)
    assert not file.exists() if before is None else "modelops" not in file.read_text()
