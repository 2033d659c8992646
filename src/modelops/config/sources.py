"""The only module that reads the process environment: flags, variables and files become a Config.

Strongest first: flag, ``MODELOPS_*`` variable, project (the environment pin and ``[tool.modelops]``
of pyproject.toml), user (``~/.modelops/config.yaml``), default.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType
from typing import Any

from modelops.config.model import (
    Config,
    JobSettings,
    Origin,
    RunSettings,
    known_settings,
)
from modelops.config.paths import Paths
from modelops_contracts.errors import Detail, InvalidInput, InvalidValue, nearest

__all__ = [
    "PIN_FILE",
    "find_project_root",
    "load_config",
    "read_cache_dir",
    "read_environ",
    "resolve_home",
    "resolve_paths",
    "set_user_value",
    "unset_user_value",
    "variable_name",
]

PIN_FILE = Path(".modelops-bundle") / "env"
SCHEMA = "mops.config/1"
_CACHE_DIR = re.compile(r"""^cache_dir:[ \t]*['"]?([^'"#\n]*?)['"]?[ \t]*(?:#.*)?$""", re.MULTILINE)
#: Keys of ``[tool.modelops]`` that other readers honour.
_KEYS_OF_OTHERS = frozenset({"import_roots", "bundle"})


@dataclass(frozen=True, slots=True)
class _Given:
    """One value somebody wrote, before it is checked."""

    key: str
    value: object
    origin: Origin


def read_environ() -> dict[str, str]:
    """A copy of the process environment, to be handed on as a value."""
    return dict(os.environ)


def variable_name(key: str) -> str:
    """The variable of a setting: ``run.workers`` -> ``MODELOPS_RUN_WORKERS``."""
    return "MODELOPS_ENV" if key == "environment" else f"MODELOPS_{key.upper().replace('.', '_')}"


def resolve_home(environ: Mapping[str, str]) -> Path:
    """``MODELOPS_HOME``, else ``.modelops`` in the user's home."""
    moved = environ.get("MODELOPS_HOME")
    if moved:
        return Path(moved).expanduser().absolute()
    return Path(environ.get("HOME") or Path.home()) / ".modelops"


def resolve_paths(environ: Mapping[str, str], root: Path | None = None) -> Paths:
    """Where files are: below the home. Bundles are cached where ``MODELOPS_BUNDLES_CACHE_DIR``
    says, else ``cache_dir`` of the project, else there too."""
    given = environ.get("MODELOPS_BUNDLES_CACHE_DIR")
    if given:
        return Paths(resolve_home(environ), Path(given).expanduser().absolute())
    chosen = read_cache_dir(root) if root is not None else None
    return Paths(resolve_home(environ), chosen)


def read_cache_dir(root: Path) -> Path | None:
    """``cache_dir`` of ``.modelops-bundle/config.yaml``, relative to the project; None without.

    A value on one line, as everybody writes it, is read without the YAML library.
    """
    try:
        text = (root / PIN_FILE.parent / "config.yaml").read_text(encoding="utf-8")
    except (OSError, UnicodeDecodeError):
        return None  # the command that reads the project says what is wrong with it
    found = _CACHE_DIR.search(text)
    value = found.group(1) if found is not None else None
    if value in {None, "", "null", "~"}:
        return None
    return (root / Path(str(value)).expanduser()).absolute()


def find_project_root(start: Path) -> Path | None:
    """The nearest folder at or above ``start`` that holds ``.modelops-bundle/``."""
    here = start.absolute()
    for folder in (here, *here.parents):
        if (folder / PIN_FILE.parent).is_dir():
            return folder
    return None


def load_config(
    flags: Mapping[str, object] | None = None,
    environ: Mapping[str, str] | None = None,
    cwd: Path | None = None,
) -> Config:
    """Resolve every setting once.

    ``flags`` maps dotted keys (and ``project``: the project folder) to what was given on the
    command line; None means not given. Raises InvalidInput with all mistakes of all sources.
    """
    variables = read_environ() if environ is None else environ
    chosen = {key: value for key, value in (flags or {}).items() if value is not None}
    start = Path(str(chosen.pop("project", cwd or Path.cwd())))
    root = find_project_root(start)
    paths = resolve_paths(variables, root)
    mistakes: list[Detail] = []
    notes: list[str] = []
    given = [
        *_from_user(paths, mistakes, notes),
        *_from_project(root, mistakes),
        *_from_variables(variables, mistakes),
        *(_Given(key, value, Origin("flag", _flag_name(key))) for key, value in chosen.items()),
    ]
    values, origins = _settle(given, mistakes, paths)
    if mistakes:
        raise _refuse(mistakes)
    return _build(values, origins, paths, root, notes)


def _flag_name(key: str) -> str:
    return "--env" if key == "environment" else f"--{key.rsplit('.', 1)[-1].replace('_', '-')}"


def _settle(
    given: Iterable[_Given], mistakes: list[Detail], paths: Paths
) -> tuple[dict[str, object], dict[str, Origin]]:
    """Defaults, overwritten by what was given, weakest first."""
    settings = known_settings()
    values = {key: item.default for key, item in settings.items()}
    origins = {key: Origin("default", "") for key in settings}
    older = paths.older_environments / "dev.yaml"
    if older.is_file():
        values["environment"], origins["environment"] = "dev", Origin("user", str(older))
    for item in given:
        if item.key not in settings:
            mistakes.append(_unknown(item, settings))
            continue
        try:
            values[item.key] = settings[item.key].metadata["read"](item.value)
            origins[item.key] = item.origin
        except InvalidValue as error:
            mistakes.append(Detail(item.origin.where, f"{item.key}: {error}"))
    return values, origins


def _unknown(item: _Given, settings: Iterable[str]) -> Detail:
    near = nearest(item.key, settings)
    meant = f"did you mean {' or '.join(near)}?" if near else "see mops config show --defaults"
    return Detail(item.origin.where, f"unknown setting {item.key}; {meant}")


def _refuse(mistakes: list[Detail]) -> InvalidInput:
    first = str(mistakes[0])
    more = f" (and {len(mistakes) - 1} more)" if len(mistakes) > 1 else ""
    return InvalidInput(
        f"configuration: {first}{more}",
        hint="mops config show --defaults lists every setting with its meaning",
        code="config.invalid",
        details=mistakes,
    )


def _build(
    values: Mapping[str, Any],
    origins: Mapping[str, Origin],
    paths: Paths,
    root: Path | None,
    notes: Iterable[str],
) -> Config:
    def section(prefix: str) -> dict[str, Any]:
        return {k.split(".", 1)[1]: v for k, v in values.items() if k.startswith(f"{prefix}.")}

    return Config(
        environment=values["environment"],
        progress=values["progress"],
        run=RunSettings(**section("run")),
        jobs=JobSettings(**section("jobs")),
        paths=paths,
        project_root=root,
        origins=MappingProxyType(dict(origins)),
        notes=tuple(notes),
    )


# ---------------------------------------------------------------- variables


def _from_variables(environ: Mapping[str, str], mistakes: list[Detail]) -> Iterator[_Given]:
    names = {variable_name(key): key for key in known_settings()}
    sections = {name.rsplit("_", 1)[0] + "_" for name in ("MODELOPS_RUN_X", "MODELOPS_JOBS_X")}
    for name in sorted(environ):
        if name in names and environ[name]:
            yield _Given(names[name], environ[name], Origin("variable", name))
        elif name not in names and name.startswith(tuple(sections)):
            near = nearest(name, names, 1)
            meant = f"; did you mean {near[0]}?" if near else ""
            mistakes.append(Detail(name, f"no setting has this variable{meant}"))


# ---------------------------------------------------------------- project


def _from_project(root: Path | None, mistakes: list[Detail]) -> Iterator[_Given]:
    if root is None:
        return
    yield from _from_pyproject(root / "pyproject.toml", mistakes)
    pin = root / PIN_FILE
    if pin.is_file():
        name = pin.read_text(encoding="utf-8").strip()
        if name:
            yield _Given("environment", name, Origin("project", str(pin)))


def _from_pyproject(path: Path, mistakes: list[Detail]) -> Iterator[_Given]:
    if not path.is_file():
        return
    text = path.read_text(encoding="utf-8")
    if "tool.modelops" not in text and "modelops" not in text:
        return
    import tomllib

    try:
        table = tomllib.loads(text).get("tool", {}).get("modelops", {})
    except tomllib.TOMLDecodeError as error:
        mistakes.append(Detail(str(path), f"is no TOML: {error}"))
        return
    for key, value in _flatten(table):
        if key.split(".", 1)[0] not in _KEYS_OF_OTHERS:
            yield _Given(key, value, Origin("project", f"{path} [tool.modelops]"))


def _flatten(table: Mapping[str, Any], prefix: str = "") -> Iterator[tuple[str, object]]:
    for key, value in table.items():
        if isinstance(value, Mapping):
            yield from _flatten(value, f"{prefix}{key}.")
        else:
            yield f"{prefix}{key}", value


# ---------------------------------------------------------------- user file


def _from_user(paths: Paths, mistakes: list[Detail], notes: list[str]) -> Iterator[_Given]:
    path = paths.config_file
    if not path.is_file():
        return
    tree = _read_yaml(path, mistakes)
    if tree is None:
        return
    found = list(_flatten_yaml(tree, path))
    if _is_of_older_suite(tree, found):
        notes.append(f"{path} holds no setting of this version; it was not read")
        return
    yield from found


def _is_of_older_suite(tree: Mapping[str, Any], found: Iterable[_Given]) -> bool:
    """The existing suite kept a file of this name with a different content."""
    roots = {key.split(".", 1)[0] for key in known_settings()}
    keys = {item.key.split(".", 1)[0] for item in found}
    return bool(keys) and "schema" not in tree and not any(nearest(key, roots) for key in keys)


def _read_yaml(path: Path, mistakes: list[Detail]) -> Mapping[str, Any] | None:
    from ruamel.yaml import YAML
    from ruamel.yaml.error import YAMLError

    try:
        tree = YAML(typ="rt").load(path.read_text(encoding="utf-8"))
    except YAMLError as error:
        mistakes.append(Detail(str(path), f"is no YAML: {' '.join(str(error).split())}"))
        return None
    if tree is None:
        return None
    if not isinstance(tree, Mapping):
        mistakes.append(Detail(str(path), "must hold keys and values"))
        return None
    if tree.get("schema", SCHEMA) != SCHEMA:
        mistakes.append(
            Detail(
                str(path), f"schema {tree['schema']!r} needs another version; this reads {SCHEMA}"
            )
        )
        return None
    return tree


def _flatten_yaml(tree: Any, path: Path, prefix: str = "") -> Iterator[_Given]:
    for key, value in tree.items():
        if not prefix and key == "schema":
            continue
        if isinstance(value, Mapping):
            yield from _flatten_yaml(value, path, f"{prefix}{key}.")
        else:
            line = tree.lc.key(key)[0] + 1
            yield _Given(f"{prefix}{key}", value, Origin("user", f"{path}:{line}"))


def set_user_value(paths: Paths, key: str, text: str) -> object:
    """Write one setting into the user's file, comments kept; returns the value as it is read.

    Raises InvalidInput for an unknown key or a value that cannot be read; nothing is written then.
    """
    settings = known_settings()
    item = _Given(key, text, Origin("flag", key))
    if key not in settings:
        raise _refuse([_unknown(item, settings)])
    try:
        value: object = settings[key].metadata["read"](text)
    except InvalidValue as error:
        raise _refuse([Detail(key, str(error))]) from None
    with _locked(paths):
        tree = _load_for_writing(paths)
        section, _, last = key.rpartition(".")
        place = tree.setdefault(section, {}) if section else tree
        place[last] = value
        _store_yaml(paths, tree)
    return value


def unset_user_value(paths: Paths, key: str) -> bool:
    """Remove one setting from the user's file; False when it was not there."""
    settings = known_settings()
    if key not in settings:
        raise _refuse([_unknown(_Given(key, None, Origin("flag", key)), settings)])
    with _locked(paths):
        tree = _load_for_writing(paths)
        section, _, last = key.rpartition(".")
        place = tree.get(section, {}) if section else tree
        if last not in place:
            return False
        del place[last]
        if section and not place:
            del tree[section]
        _store_yaml(paths, tree)
    return True


def _locked(paths: Paths) -> Any:
    from modelops_contracts.atomic import FileLock

    return FileLock(paths.home / "config.lock", command="mops config")


def _load_for_writing(paths: Paths) -> Any:
    if not paths.config_file.is_file():
        return {"schema": SCHEMA}
    mistakes: list[Detail] = []
    tree = _read_yaml(paths.config_file, mistakes)
    if mistakes:
        raise _refuse(mistakes)
    return {"schema": SCHEMA} if tree is None else tree


def _store_yaml(paths: Paths, tree: Any) -> None:
    from io import StringIO

    from ruamel.yaml import YAML

    from modelops_contracts.atomic import write_atomically

    stream = StringIO()
    YAML(typ="rt").dump(tree, stream)
    write_atomically(paths.config_file, stream.getvalue(), mode=0o600)
