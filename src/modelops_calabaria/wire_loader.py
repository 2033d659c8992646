"""Finds an author's class or function by reference, inside the author's project.

A project's files are imported under their own module names, so that a class is the same class
wherever it comes from: a reference, another module of the project, or a pickle.
"""

from __future__ import annotations

import importlib
import sys
import tomllib
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any, Final

from modelops_calabaria.parameters.named import did_you_mean
from modelops_contracts.digests import digest_bytes
from modelops_contracts.errors import InvalidInput, NotFound

__all__ = ["CannotImportError", "MissingPackageError", "import_roots", "load_symbol"]

_OURS: Final = frozenset(
    {
        "modelops",
        "modelops_bundle",
        "modelops_calabaria",
        "modelops_contracts",
        "modelops_runner",
    }
)


class CannotImportError(NotFound, ImportError):
    """A reference that leads to nothing."""

    default_code = "import_failed"


class MissingPackageError(CannotImportError, ModuleNotFoundError):
    """The author's file was found and imports a package that is not installed."""

    default_code = "package_missing"


def load_symbol(
    qualified: str, project_root: str | Path | None = None, allow_cwd_import: bool = True
) -> Any:
    """The object that ``module:Symbol`` or ``path/file.py:Symbol`` names; dots in Symbol allowed.

    The project is ``project_root``, else the working directory; with ``allow_cwd_import=False`` and
    no root, only installed modules are found. Raises ImportError; what the author's code itself
    raises passes through.
    """
    place, colon, symbol = qualified.strip().rpartition(":")
    if not colon or not place or not symbol:
        raise CannotImportError(
            f"Expected 'module_or_file:Symbol' format, got {qualified!r}",
            hint="for example models.sir:Sir or models/sir.py:Sir",
        )
    root = _root(project_root, allow_cwd_import)
    roots = _enter(root) if root is not None else ()
    if place.endswith(".py"):
        module = _load_file(Path(place), root, roots)
    else:
        module = _load_module(place, root, roots)
    return _attribute(module, symbol)


def _root(project_root: str | Path | None, allow_cwd_import: bool) -> Path | None:
    if project_root is not None:
        return Path(project_root).resolve()
    return Path.cwd() if allow_cwd_import else None


def _attribute(module: ModuleType, symbol: str) -> Any:
    found: Any = module
    for part in symbol.split("."):
        if not hasattr(found, part):
            raise CannotImportError(
                f"Cannot import '{symbol}': {module.__name__} has no '{part}'",
                hint=did_you_mean(part, _public_names(found, module)),
            )
        found = getattr(found, part)
    return found


def _public_names(holder: Any, module: ModuleType) -> list[str]:
    """What the module defines itself; all it holds when it only passes on what others define."""
    public = [name for name in vars(holder) if not name.startswith("_")]
    own = [n for n in public if getattr(vars(holder)[n], "__module__", None) == module.__name__]
    return own or public


# ---------------------------------------------------------------- projects


#: Modules of projects that are not the current one, kept so that coming back finds them again.
_parked: dict[Path, dict[str, ModuleType]] = {}
_current: list[tuple[Path, tuple[Path, ...]]] = []
#: What stands on the path because of us; the same folder may stand there by itself as well.
_added: list[str] = []


def _enter(root: Path) -> tuple[Path, ...]:
    """Make ``root`` the project modules come from: its folders first on the path, its modules in.

    Two projects may both have a module ``models``; each finds its own.
    """
    roots = import_roots(root)
    if not _current or _current[0] != (root, roots):
        if _current:
            _leave(*_current.pop())
        _current.append((root, roots))
        sys.modules.update(_parked.pop(root, {}))
    wanted = [str(folder) for folder in roots]
    if sys.path[: len(roots)] != wanted:
        _take_back_paths()
        sys.path[:0] = _added[:] = wanted
    return roots


def _leave(root: Path, roots: tuple[Path, ...]) -> None:
    mine = {
        name: module for name, module in list(sys.modules.items()) if _belongs(name, module, roots)
    }
    for name in mine:
        del sys.modules[name]
    _parked[root] = mine
    _take_back_paths()


def _take_back_paths() -> None:
    for entry in _added:
        if entry in sys.path:
            sys.path.remove(entry)
    _added.clear()


def _belongs(name: str, module: ModuleType, roots: tuple[Path, ...]) -> bool:
    """True for a module that was imported from one of these folders under its own name."""
    if name.partition(".")[0] in _OURS or name == "__main__":
        return False
    relative = name.replace(".", "/")
    source = getattr(module, "__file__", None)
    if source is None:  # a folder without __init__.py
        paths = [Path(entry) for entry in getattr(module, "__path__", ())]
        return any(folder / relative in paths for folder in roots)
    candidates = (f"{relative}.py", f"{relative}/__init__.py")
    return any(Path(source) == folder / end for folder in roots for end in candidates)


def import_roots(root: Path) -> tuple[Path, ...]:
    """Folders modules are imported from, deepest first: configured ones, ``src/``, the root."""
    found = {Path(*Path(item).parts) for item in _configured_roots(root)} | {Path()}
    if (root / "src").is_dir() and not (root / "src/__init__.py").exists():
        found.add(Path("src"))
    ordered = sorted(found, key=lambda item: (-len(item.as_posix()), item.as_posix()))
    return tuple(root / item for item in ordered)


def _configured_roots(root: Path) -> list[str]:
    return [*_roots_of_pyproject(root / "pyproject.toml"), *_roots_of_config(root)]


def _roots_of_pyproject(path: Path) -> list[str]:
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    if "import_roots" not in text:
        return []
    try:
        settings = tomllib.loads(text).get("tool", {}).get("modelops", {})
    except tomllib.TOMLDecodeError as error:
        raise InvalidInput(f"{path}: {error}") from error
    return [str(item) for item in settings.get("import_roots", ())]


def _roots_of_config(root: Path) -> list[str]:
    path = root / ".modelops-bundle" / "config.yaml"
    if not path.is_file():
        return []
    text = path.read_text(encoding="utf-8")
    if "import_roots" not in text and "code_roots" not in text:
        return []
    from modelops_contracts.yaml_file import parse_yaml

    settings = parse_yaml(text, str(path)) or {}
    automatic = settings.get("auto_code") or {}
    named = (*(settings.get("import_roots") or ()), *(automatic.get("code_roots") or ()))
    return [str(item).strip("/") for item in named]


# ---------------------------------------------------------------- modules and files


def _load_module(name: str, root: Path | None, roots: tuple[Path, ...]) -> ModuleType:
    _evict_stranger(name.partition(".")[0], roots)
    if name not in sys.modules:
        importlib.invalidate_caches()  # the file may be younger than the import system's notes
    try:
        return importlib.import_module(name)
    except ModuleNotFoundError as error:
        raise _explained(error, name, root) from error


def _evict_stranger(top: str, roots: tuple[Path, ...]) -> None:
    """Drop a loaded module that stands in the way of the project's own of the same name."""
    loaded = sys.modules.get(top)
    if loaded is None or top in _OURS or not _is_local(top, roots):
        return
    if not _belongs(top, loaded, roots):
        for name in [key for key in sys.modules if key == top or key.startswith(f"{top}.")]:
            del sys.modules[name]


def _is_local(top: str, roots: tuple[Path, ...]) -> bool:
    return any((folder / f"{top}.py").is_file() or (folder / top).is_dir() for folder in roots)


def _explained(error: ModuleNotFoundError, name: str, root: Path | None) -> CannotImportError:
    missing = error.name or name
    if name == missing or name.startswith(f"{missing}."):
        where = f" in {root} or among the installed packages" if root else " among installed ones"
        return CannotImportError(
            f"Cannot import '{name}': no module '{missing}'{where}",
            hint="references are module:Symbol from the project's root, or path/file.py:Symbol",
        )
    explained = MissingPackageError(
        f"{_importing_file(error, root)} imports '{missing}', which is not installed here",
        hint=f"add the package that provides '{missing}' to the project's dependencies",
    )
    explained.name = missing
    return explained


def _importing_file(error: BaseException, root: Path | None) -> str:
    """The author's file that asked for the module: the last one of the traceback in the project."""
    files: list[Path] = []
    traceback = error.__traceback__
    while traceback is not None:
        files.append(Path(traceback.tb_frame.f_code.co_filename))
        traceback = traceback.tb_next
    mine = [file for file in files if root is not None and file.is_relative_to(root)]
    if mine:
        assert root is not None
        return mine[-1].relative_to(root).as_posix()
    return str(next((file for file in reversed(files) if file.is_file()), "the module"))


def _load_file(path: Path, root: Path | None, roots: tuple[Path, ...]) -> ModuleType:
    full = (path if path.is_absolute() else (root or Path.cwd()) / path).resolve()
    if not full.is_file():
        raise CannotImportError(f"Cannot import {path}: there is no such file: {full}")
    name = _module_name(full, roots)
    if name is not None:
        return _load_module(name, root, roots)
    return _load_loose(full, root)


def _module_name(file: Path, roots: tuple[Path, ...]) -> str | None:
    for folder in roots:
        if file.is_relative_to(folder):
            parts = list(file.relative_to(folder).with_suffix("").parts)
            if parts[-1] == "__init__":
                parts.pop()
            return ".".join(parts) if parts and all(map(str.isidentifier, parts)) else None
    return None


def _load_loose(file: Path, root: Path | None) -> ModuleType:
    """A file outside of the project, or one whose path is no module name."""
    name = f"_modelops_file_{digest_bytes(str(file).encode())[:16]}"
    if name in sys.modules:
        return sys.modules[name]
    spec = spec_from_file_location(name, file)
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    sys.modules[name] = module
    complete = False
    try:
        spec.loader.exec_module(module)
        complete = True
    except ModuleNotFoundError as error:
        raise _explained(error, name, root or file.parent) from error
    finally:
        if not complete:
            del sys.modules[name]
    return module
