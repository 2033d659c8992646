"""The rules of ARCHITECTURE.md that import-linter cannot say."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[2]
SRC = ROOT / "src"
PACKAGES = (
    "modelops",
    "modelops_bundle",
    "modelops_calabaria",
    "modelops_contracts",
    "modelops_runner",
)

# A vendor's library is known to its own adapter alone: first path part(s) below src -> allowed.
VENDORS = {
    "click": ("modelops/cli/",),
    "rich": ("modelops/cli/",),
    "optuna": ("modelops_calabaria/calibration/",),
    "cma": ("modelops_calabaria/calibration/algorithms/cmaes.py",),
    "matplotlib": ("modelops_calabaria/diagnostics/",),
    "jinja2": ("modelops_calabaria/diagnostics/",),
    "obstore": ("modelops/results/", "modelops_bundle/oci/external.py"),
    "uv": ("modelops/engine/environments/", "modelops/cli/"),
    "urllib3": ("modelops_bundle/oci/",),
    "zstandard": ("modelops_bundle/",),
    "pathspec": ("modelops_bundle/",),
}


def python_files() -> list[Path]:
    return sorted(SRC.rglob("*.py"))


def parse(path: Path) -> ast.Module:
    return ast.parse(path.read_text(encoding="utf-8"), filename=str(path))


def imported_roots(tree: ast.Module) -> Iterator[tuple[str, int]]:
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            for alias in node.names:
                yield alias.name.split(".")[0], node.lineno
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.split(".")[0], node.lineno


def offences(check: object) -> list[str]:
    found: list[str] = []
    for path in python_files():
        name = path.relative_to(SRC).as_posix()
        found += [f"{name}:{line} {what}" for what, line in check(name, parse(path))]  # type: ignore[operator]
    return found


def test_the_import_contracts_hold() -> None:
    done = subprocess.run(
        [Path(sys.executable).parent / "lint-imports"],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout


def test_no_circle_of_modules_anywhere() -> None:
    import grimp

    graph = grimp.build_graph(*PACKAGES, cache_dir=None)
    edges = {
        module: set(graph.find_modules_directly_imported_by(module)) for module in graph.modules
    }
    circles = [sorted(group) for group in strongly_connected(edges) if len(group) > 1]
    assert circles == []


def strongly_connected(edges: dict[str, set[str]]) -> list[set[str]]:
    """Tarjan's algorithm, without recursion limits in the way for a graph of this size."""
    index: dict[str, int] = {}
    low: dict[str, int] = {}
    stack: list[str] = []
    groups: list[set[str]] = []

    def visit(node: str) -> None:
        index[node] = low[node] = len(index)
        stack.append(node)
        for target in edges[node]:
            if target not in index:
                visit(target)
                low[node] = min(low[node], low[target])
            elif target in stack:
                low[node] = min(low[node], index[target])
        if low[node] == index[node]:
            cut = stack.index(node)
            groups.append(set(stack[cut:]))
            del stack[cut:]

    for node in edges:
        if node not in index:
            visit(node)
    return groups


def test_a_circle_would_be_seen() -> None:
    assert {"a", "b"} in strongly_connected({"a": {"b"}, "b": {"a"}, "c": {"a"}})


@pytest.mark.parametrize("vendor", sorted(VENDORS))
def test_a_vendor_is_known_to_its_adapter_alone(vendor: str) -> None:
    def check(name: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
        if name.startswith(VENDORS[vendor]):
            return
        for root, line in imported_roots(tree):
            if root == vendor:
                yield f"imports {vendor}", line

    assert offences(check) == []


def test_only_the_configuration_reads_the_environment() -> None:
    allowed = (
        "modelops/config/sources.py",
        "modelops_calabaria/calibration/wire.py",  # POSTGRES_URL, where existing users expect it
        "modelops_runner/",  # the guest sets the environment of its own process
    )

    def check(name: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
        if name.startswith(allowed):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.Attribute) and node.attr in {"environ", "getenv", "environb"}:
                yield f"reads os.{node.attr}", node.lineno

    assert offences(check) == []


def test_only_the_consoles_print() -> None:
    def check(name: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
        if name.startswith("modelops/cli/"):
            return
        for node in ast.walk(tree):
            if (
                isinstance(node, ast.Call)
                and isinstance(node.func, ast.Name)
                and node.func.id == "print"
            ):
                yield "prints", node.lineno

    assert offences(check) == []


def test_broad_excepts_stand_at_the_top_only() -> None:
    allowed = ("modelops/cli/", "modelops/driver.py", "modelops_runner/")

    def check(name: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
        if name.startswith(allowed):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.ExceptHandler) and not raises_again(node):
                caught = ast.unparse(node.type) if node.type else "everything"
                if re.search(r"\b(Base)?Exception\b|everything", caught):
                    yield f"catches {caught}", node.lineno

    assert offences(check) == []


def raises_again(handler: ast.ExceptHandler) -> bool:
    """Tidying up on the way out swallows nothing."""
    last = handler.body[-1]
    return isinstance(last, ast.Raise) and last.exc is None


def test_the_runner_is_standard_library_only() -> None:
    def check(name: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
        if not name.startswith("modelops_runner/"):
            return
        for root, line in imported_roots(tree):
            if root not in sys.stdlib_module_names and root != "modelops_runner":
                yield f"imports {root}", line

    assert offences(check) == []


def test_nobody_but_wiring_imports_an_adapter() -> None:
    adapters = re.compile(r"modelops\.(jobs\.backends|engine\.executors)\.\w+")

    def check(name: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
        if name == "modelops/wiring.py" or adapters.match(name.replace("/", ".")):
            return
        for node in ast.walk(tree):
            if isinstance(node, ast.ImportFrom) and adapters.match(f"{node.module}."[:-1]):
                yield f"imports {node.module}", node.lineno

    assert offences(check) == []


FORBIDDEN_NAMES = re.compile(r"(Manager|Helper|Impl)$")


def test_names_say_what_a_thing_is() -> None:
    def check(_name: str, tree: ast.Module) -> Iterator[tuple[str, int]]:
        for node in ast.walk(tree):
            if isinstance(node, ast.ClassDef) and FORBIDDEN_NAMES.search(node.name):
                yield node.name, node.lineno

    assert offences(check) == []
    stems = {path.stem for path in python_files()}
    assert stems.isdisjoint({"utils", "util", "helpers", "common", "misc"})


def test_public_names_exist_and_are_listed() -> None:
    code = (
        "import importlib, sys\n"
        "for name in sys.argv[1:]:\n"
        "    module = importlib.import_module(name)\n"
        "    names = getattr(module, '__all__', [])\n"
        "    assert len(names) == len(set(names)), name\n"
        "    for public in names:\n"
        "        getattr(module, public)\n"
    )
    subprocess.run(
        [sys.executable, "-c", code, "modelops_contracts", "modelops_calabaria"], check=True
    )
