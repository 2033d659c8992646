"""What a trial or a target says beside its number: JSON of limited size."""

from __future__ import annotations

import json
import math
from collections.abc import Mapping
from typing import Any, Final

from modelops_contracts.errors import ContractViolationError
from modelops_contracts.frozen import read_only

__all__ = ["MAX_DIAG_BYTES", "as_diagnostics"]

#: Largest diagnostics of a trial or of a target, in bytes of JSON.
MAX_DIAG_BYTES: Final = 65536


def as_diagnostics(value: object) -> Mapping[str, Any]:
    """A read-only mapping that JSON can hold: NaN and infinities are null, numpy values plain.

    Raises ContractViolationError, naming the place, for a key that is no text, for a value of
    another type, and for more than MAX_DIAG_BYTES.
    """
    cleaned = _as_json(value, "diagnostics")
    if not isinstance(cleaned, dict):
        raise ContractViolationError(f"diagnostics must be a mapping, not {type(value).__name__}")
    size = len(json.dumps(cleaned, ensure_ascii=False).encode())
    if size > MAX_DIAG_BYTES:
        raise ContractViolationError(
            f"diagnostics too large: {size} bytes, at most {MAX_DIAG_BYTES}",
            hint="keep numbers that sum up; tables belong into an output of the model",
        )
    return read_only(cleaned)


def _as_json(value: object, path: str) -> object:
    if isinstance(value, float):
        return float(value) if math.isfinite(value) else None
    if value is None or isinstance(value, bool | int | str):
        return value
    if isinstance(value, Mapping):
        return {_as_key(key, path): _as_json(v, f"{path}.{key}") for key, v in value.items()}
    if isinstance(value, list | tuple):
        return [_as_json(item, f"{path}[{i}]") for i, item in enumerate(value)]
    plain = getattr(value, "tolist", None)  # scalars and arrays of numpy, without knowing numpy
    if callable(plain):
        return _as_json(plain(), path)
    raise ContractViolationError(f"{path}: {type(value).__name__} is not JSON")


def _as_key(key: object, path: str) -> str:
    if isinstance(key, str):
        return key
    raise ContractViolationError(f"{path}: key {key!r} must be text")
