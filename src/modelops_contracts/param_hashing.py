"""Door: ids of parameter sets and the canonical JSON they are made of."""

from __future__ import annotations

import math

from modelops_contracts.digests import canonical_json, digest_bytes, make_param_id, plain_json
from modelops_contracts.errors import ContractViolationError
from modelops_contracts.parameter_set import Scalar

__all__ = [
    "canonical_json",
    "canonical_scalar",
    "digest_bytes",
    "make_param_id",
    "normalize_for_json",
]


def canonical_scalar(value: Scalar) -> Scalar:
    """The value itself when an id can be made of it; ContractViolationError for NaN, infinities
    and anything that is no scalar."""
    if not isinstance(value, bool | int | float | str):
        raise ContractViolationError(f"{type(value).__name__} is not a scalar")
    if isinstance(value, float) and not math.isfinite(value):
        raise ContractViolationError(f"a scalar must be finite, not {value}")
    return value


def normalize_for_json(value: object) -> object:
    """Dicts, lists and scalars that :func:`canonical_json` would write for the value."""
    return plain_json(value)
