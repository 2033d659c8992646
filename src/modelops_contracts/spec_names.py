"""Names as people write them in specification files, brought to the form entrypoints use."""

from __future__ import annotations

from pathlib import PurePosixPath, PureWindowsPath

from modelops_contracts.errors import ContractViolationError, InvalidValue
from modelops_contracts.simulation import check_bundle_ref

__all__ = ["import_path_of", "valid_bundle_ref"]


def import_path_of(reference: str) -> str:
    """``module.Class`` from ``module:Class``, ``module.Class`` or ``src/module.py:Class``.

    Of a file path, a leading ``./`` and one ``src/`` are dropped; it must be relative.
    """
    head, colon, name = reference.strip().rpartition(":")
    if not colon:
        head, name = name, ""
    if "/" in head or "\\" in head or head.endswith(".py"):
        head = _module_of_file(reference, head.replace("\\", "/"))
    return f"{head}.{name}" if name else head


def _module_of_file(reference: str, path: str) -> str:
    if PurePosixPath(path).is_absolute() or PureWindowsPath(path).is_absolute():
        raise InvalidValue(
            f"{reference!r}: the file must be given relative to the project",
            hint="for example src/models/sir.py:Sir",
        )
    parts = [part for part in path.removesuffix(".py").split("/") if part not in {"", "."}]
    if len(parts) > 1 and parts[0] == "src":
        parts = parts[1:]
    return ".".join(parts)


def valid_bundle_ref(bundle_ref: str) -> str:
    """The reference itself. Raises a ValueError when it is malformed."""
    try:
        check_bundle_ref(bundle_ref)
    except ContractViolationError as error:
        raise InvalidValue(error.message, hint=error.hint) from error
    return bundle_ref
