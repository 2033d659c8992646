"""Names of things in the author's code.

Two forms: ``module.path.Class/scenario`` for a model, ``module.path:object`` for anything else.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NewType

from modelops_contracts.errors import EntrypointFormatError

__all__ = [
    "ENTRYPOINT_GRAMMAR_VERSION",
    "EntryPointId",
    "EntrypointFormatError",
    "format_entrypoint",
    "is_scenario_slug",
    "nearest_slug",
    "parse_entrypoint",
]

ENTRYPOINT_GRAMMAR_VERSION = 2

EntryPointId = NewType("EntryPointId", str)

_SLUG = re.compile(r"[a-z0-9](?:[a-z0-9\-_.]{0,62}[a-z0-9])?")
_SLUG_RULE = "at most 64 of a-z 0-9 - _ . with a letter or digit at both ends"


def format_entrypoint(path: str, scenario: str) -> EntryPointId:
    """``path/scenario``. Raises EntrypointFormatError when either part is malformed."""
    _check_import_path(path)
    _check_scenario(scenario)
    return EntryPointId(f"{path}/{scenario}")


@lru_cache(maxsize=1024)
def parse_entrypoint(entrypoint: str) -> tuple[str, str]:
    """(import path, scenario) of the ``/`` form, (module, object) of the ``:`` form."""
    slash, colon = "/" in entrypoint, ":" in entrypoint
    if slash and colon:
        raise EntrypointFormatError(
            f"Ambiguous entrypoint format: {entrypoint!r} has both '/' and ':'",
            hint="write a model as module.Class/scenario, anything else as module:object",
        )
    if slash:
        path, _, scenario = entrypoint.partition("/")
        _check_import_path(path)
        _check_scenario(scenario)
        return path, scenario
    if colon:
        module, _, name = entrypoint.partition(":")
        _check_object(module, name)
        return module, name
    raise EntrypointFormatError(
        f"Invalid entrypoint format (must contain '/' or ':'): {entrypoint!r}",
        hint="write a model as module.Class/scenario, anything else as module:object",
    )


def is_scenario_slug(name: str) -> bool:
    """True when a scenario of this name can be part of an entrypoint."""
    return _SLUG.fullmatch(name) is not None


def nearest_slug(name: str) -> str:
    """A legal scenario name that reads like ``name``; ``scenario`` when nothing of it is left."""
    lowered = re.sub(r"[^a-z0-9\-_.]+", "-", name.lower())[:64]
    return lowered.strip("-_.") or "scenario"


def _check_import_path(path: str) -> None:
    parts = path.split(".")
    if len(parts) < 2 or not all(part.isidentifier() for part in parts):
        raise EntrypointFormatError(
            f"Invalid import_path format: {path!r}",
            hint="write it as module.Class, for example models.sir.SIR",
        )


def _check_scenario(scenario: str) -> None:
    if not is_scenario_slug(scenario):
        raise EntrypointFormatError(
            f"Invalid scenario slug: {scenario!r} ({_SLUG_RULE})",
            hint=f"use {nearest_slug(scenario)!r}",
        )


def _check_object(module: str, name: str) -> None:
    if not all(part.isidentifier() for part in module.split(".")):
        raise EntrypointFormatError(f"Invalid module path format: {module!r}")
    if not name.isidentifier():
        raise EntrypointFormatError(f"Invalid Python object name: {name!r}")
