from __future__ import annotations

import ast
import json
import os
import pwd
import shutil
import subprocess
from pathlib import Path
from textwrap import dedent

import pytest

import modelops_bundle
from modelops_bundle.code.fingerprint import (
    FIELDS,
    body_fingerprint,
    canonical_form,
    file_fingerprint,
    similarity,
    token_pairs,
)
from modelops_bundle.code.slicing import slice_fingerprint

# The form is fixed: another digest of this sample means a new fingerprint format.
SAMPLE = '''
"""A docstring."""
import os, sys
from . import a as b
from math import *
CONST: float = 1_000.5
async def f(x, /, y: int = 1, *args, z=..., **kw) -> None:
    """Doc."""
    async with a as b, c:
        await g(x)
    for i in range(3):
        yield i
    else:
        pass
    return [n for n in x if n], {**x, "k": b"v"}, f"{x!r:>{y}} a" "b", 1j, -0.0
class C(B, metaclass=M):
    @property
    def p(self): return lambda q: q[1:2, ::3]
try:
    del x
except (A, B) as e:
    raise X from e
finally:
    assert x, "m"
match x:
    case {"a": 1, **rest} | [1, *_] if y: pass
    case P(x=1) as q: pass
    case None: pass
while (w := f()) is not None: break
'''


def parse(text: str) -> ast.Module:
    return ast.parse(dedent(text))


def same(left: str, right: str) -> bool:
    return file_fingerprint(parse(left)) == file_fingerprint(parse(right))


def test_golden_value() -> None:
    assert file_fingerprint(parse(SAMPLE)) == (
        "fp1:d4a35156b29034b865580ebb219a9ffc0c25392b7fedfbabadba2be9b4131bd1"
    )


PRINT_FINGERPRINTS = """
import ast, json, sys
sys.path.insert(0, sys.argv[1])
from modelops_bundle.code.fingerprint import file_fingerprint
print(json.dumps([file_fingerprint(ast.parse(text)) for text in json.load(sys.stdin)]))
"""


def find_python(version: str) -> str | None:
    """Return an interpreter that starts: a shim on PATH may have nothing behind it."""
    home = Path(pwd.getpwuid(os.getuid()).pw_dir)  # tests have another HOME
    kept = home.glob(f".pyenv/versions/{version}.*/bin/python")
    for path in (shutil.which(f"python{version}"), *sorted(map(str, kept))):
        if path is not None:
            tried = subprocess.run([path, "-c", ""], capture_output=True, check=False)
            if tried.returncode == 0:
                return path
    return None


@pytest.mark.parametrize("version", ["3.11", "3.12", "3.13"])
def test_every_python_sees_the_same(version: str) -> None:
    python = find_python(version)
    if python is None:
        pytest.skip(f"no python{version} here")
    sources = Path(modelops_bundle.__file__).parent.parent
    texts = [SAMPLE, *F_STRINGS]
    texts += [path.read_text("utf-8") for path in sorted(sources.glob("modelops_bundle/**/*.py"))]
    done = subprocess.run(
        [python, "-c", PRINT_FINGERPRINTS, str(sources)],
        input=json.dumps(texts), capture_output=True, text=True, check=True,
    )  # fmt: skip
    assert json.loads(done.stdout) == [file_fingerprint(ast.parse(text)) for text in texts]


# Where the parsers of these versions differ most.
F_STRINGS = (
    "f'a' 'b' f'{c}' f''",
    "f'{x:{y}}{z!r:>{w}.{p}}'",
    "f'{{}}{x}{{'",
    "f'' ''",
    "f'{f\"{x}\"}'",
    "f'{x=}'",
    "f'{x = !s}'",
    "f'\\N{DEGREE SIGN}{x}\\n'",
    "rf'\\d{x}' 'tail'",
    "f'''{\nx\n}'''",
)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x=1", "x = 1  # a comment"),
        ("x = 1000", "x = 1_000"),
        ("x = 'a'", 'x = "a"'),
        ("x = 'ab'", "x = 'a' 'b'"),
        ("def f():\n  'doc'\n  return 1", "def f():\n  return 1"),
        ("def f():\n  pass", "def f():\n  ..."),
        ("import b, a", "import a\nimport b"),
        ("from m import b, a", "from m import a\nfrom m import b"),
        ("x = (1,\n 2)", "x = 1, 2"),
        ("x = f'a{y}b'", "x = f'a' f'{y}' 'b'"),
    ],
)
def test_how_it_is_written_does_not_count(left: str, right: str) -> None:
    assert same(left, right)


@pytest.mark.parametrize(
    ("left", "right"),
    [
        ("x = 1", "x = 1.0"),
        ("x = 1", "x = True"),
        ("x = 0.0", "x = -0.0"),
        ("x = 'a'", "x = b'a'"),
        ("x = None", "x = ..."),
        ("def f(a, b): pass", "def f(b, a): pass"),
        ("def f(a, /, b): pass", "def f(a, b): pass"),
        ("def f(*, a=1, b): pass", "def f(*, a, b=1): pass"),
        ("def f(a: int): pass", "def f(a: float): pass"),
        ("import a\nx = 1\nimport b", "import b\nx = 1\nimport a"),
        ("x = {1: 2, **y}", "x = {**y, 1: 2}"),
        ("x = y if z else w", "x = w if z else y"),
        ("if a: x = 1\nelse: x = 2", "if a: x = 2\nelse: x = 1"),
        ("x = f'{a}'", "x = f'{a!r}'"),
        ("x = f'{a}'", "x = f'{a:3}'"),
        ("for i in x: y()\nelse: z()", "for i in x:\n  y()\n  z()"),
        ("@d\ndef f(): return 1", "def f(): return 1"),
        ("x[1:2]", "x[1:None:2]"),
        ("match x:\n  case None: y()", "match x:\n  case True: y()"),
    ],
)
def test_what_it_means_counts(left: str, right: str) -> None:
    assert not same(left, right)


def test_the_field_table_covers_this_python() -> None:
    silent = {"Pass", "Constant", "JoinedStr", "Interactive", "Expression", "FunctionType",
              "TypeIgnore", "TemplateStr", "Interpolation"}  # fmt: skip
    dropped = {"ctx", "type_comment", "type_ignores", "kind"}
    deprecated = {"Num", "Str", "Bytes", "NameConstant", "Ellipsis", "Index", "ExtSlice",
                  "AugLoad", "AugStore", "Param", "Suite"}  # fmt: skip
    for name, node in vars(ast).items():
        if not (isinstance(node, type) and issubclass(node, ast.AST)) or name in deprecated:
            continue
        fields = getattr(node, "_fields", ())
        if fields and name not in silent:
            assert set(fields) - dropped <= set(FIELDS[name]), name


def test_docstrings_count_where_they_are_read() -> None:
    left, right = parse("def f():\n  'a'\nx = f.__doc__"), parse("def f():\n  'b'\nx = f.__doc__")
    assert file_fingerprint(left) == file_fingerprint(right)
    assert file_fingerprint(left, keep_docstrings=True) != file_fingerprint(
        right, keep_docstrings=True
    )


FILE = """
import json
LIMIT = 3
def helper(x): return x + LIMIT
def other(x): return json.loads(x)
def target(y): return helper(y)
"""


def slice_of(text: str, symbol: str = "target") -> str:
    return slice_fingerprint(parse(text), symbol)


def test_a_slice_is_what_can_be_reached() -> None:
    start = slice_of(FILE)
    assert slice_of(FILE.replace("json.loads(x)", "json.dumps(x)")) == start
    assert slice_of(FILE.replace("x + LIMIT", "x - LIMIT")) != start
    assert slice_of(FILE.replace("LIMIT = 3", "LIMIT = 4")) != start
    assert slice_of(FILE + "other('1')\n") != start


def test_definitions_that_register_themselves_belong_to_every_slice() -> None:
    registered = FILE.replace("def other", "@register\ndef other")
    edited = registered.replace("json.loads", "json.dumps")
    assert slice_of(registered) != slice_of(edited)
    suite = FILE.replace("def other", "@cb.calibration_target(model_output='x')\ndef other")
    assert slice_of(suite) == slice_of(suite.replace("json.loads", "json.dumps"))


@pytest.mark.parametrize(
    "line",
    ["x = globals()", "from m import *", "import inspect", "import sys\ny = sys.modules",
     "def __getattr__(n): ..."],
)  # fmt: skip
def test_files_that_look_at_themselves_count_whole(line: str) -> None:
    text = f"{line}\n{FILE}"
    assert slice_of(text) != slice_of(text.replace("json.loads", "json.dumps"))


def test_the_body_does_not_know_its_own_name() -> None:
    old = parse("def inc(x): return inc(x - 1)")
    new = parse("def weekly(x): return weekly(x - 1)")
    assert body_fingerprint(old, "inc") == body_fingerprint(new, "weekly")
    assert body_fingerprint(new, "inc") is None
    assert body_fingerprint(parse("def weekly(x): return inc(x - 1)"), "weekly") != (
        body_fingerprint(new, "weekly")
    )


def test_similarity() -> None:
    first = parse("def f(a): return a + 1 + b * 2").body[0]
    second = parse("def g(a): return a + 1 + b * 3").body[0]
    third = parse("class C: x = 'y'").body[0]
    left = token_pairs(first, "f")
    assert similarity(left, token_pairs(first, "f")) == 1.0
    assert 0.5 < similarity(left, token_pairs(second, "g")) < 1.0
    assert similarity(left, token_pairs(third, "C")) < 0.2


def test_odd_text_has_a_form() -> None:
    assert "Constant" in canonical_form(parse("x = '\\ud800'").body)
    assert file_fingerprint(parse("x = '\\ud800'")).startswith("fp1:")
