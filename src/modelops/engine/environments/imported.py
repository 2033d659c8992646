"""Which installed distributions a project's code imports, whether it declares them or not."""

from __future__ import annotations

import importlib.metadata
import re
import sys
from collections.abc import Iterable, Iterator
from pathlib import Path

__all__ = ["find_imported"]

# Text that only looks like an import adds a distribution too many, which does no harm.
_IMPORT = re.compile(rb"^[ \t]*(?:from[ \t]+(\w+)|import[ \t]+([\w., \t]+))", re.MULTILINE)

#: Provided by whoever runs the models; their version is part of no key.
_OURS = {"modelops", "modelops_bundle", "modelops_calabaria", "modelops_contracts"}


def find_imported(root: Path, roots: Iterable[str], known: Iterable[str]) -> list[str]:
    """Names of distributions that files below ``root`` import from.

    Our own packages, modules of the standard library, those below ``roots``, and distributions in
    ``known`` are left out, as are modules that nothing installed provides.
    """
    own = {entry.stem for folder in roots for entry in Path(folder).iterdir()}
    modules = {name for path in _python_files(root) for name in _imports(path.read_bytes())}
    waiting = modules - own - _OURS - sys.stdlib_module_names - set(known)
    return sorted({name for module in waiting for name in _providers(module)})


def _python_files(root: Path) -> Iterator[Path]:
    for path in root.rglob("*.py"):
        if not any(part.startswith(".") for part in path.relative_to(root).parts):
            yield path


def _imports(source: bytes) -> Iterator[str]:
    """Top-level module of every import statement at the beginning of a line."""
    for from_one, several in _IMPORT.findall(source):
        for piece in (from_one, *several.split(b",")):
            words = piece.replace(b".", b" ").split()
            if words:
                yield words[0].decode("utf-8", "replace")


def _providers(module: str) -> list[str]:
    try:
        return [importlib.metadata.distribution(module).metadata["Name"]]
    except (importlib.metadata.PackageNotFoundError, ValueError):
        return importlib.metadata.packages_distributions().get(module, [])
