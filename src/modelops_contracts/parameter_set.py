"""A parameter set with its id, and the seeds of a trial."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeAlias

from modelops_contracts.digests import make_param_id
from modelops_contracts.errors import ContractViolationError, IntegrityError
from modelops_contracts.frozen import FrozenValue, as_seed, is_name, read_only

__all__ = ["Scalar", "SeedInfo", "TableIPC", "UniqueParameterSet"]

Scalar: TypeAlias = bool | int | float | str
TableIPC: TypeAlias = bytes


@dataclass(frozen=True, slots=True, eq=False)
class UniqueParameterSet(FrozenValue):
    """Parameter values and their id. ``params`` is a read-only copy of finite scalars.

    Two sets are equal when id and values are; an id made elsewhere is believed until
    :meth:`verify`.
    """

    params: Mapping[str, Scalar]
    param_id: str

    def __post_init__(self) -> None:
        _check_values(self.params)
        if not is_name(self.param_id):
            raise ContractViolationError("param_id must be non-empty")
        object.__setattr__(self, "params", read_only(self.params))

    @classmethod
    def from_dict(cls, params: Mapping[str, Scalar]) -> UniqueParameterSet:
        """A set with the id of its values."""
        _check_values(params)
        return cls(params=params, param_id=make_param_id(params))

    def verify(self) -> None:
        """Raise IntegrityError when the id is not the one of the values."""
        expected = make_param_id(self.params)
        if expected != self.param_id:
            raise IntegrityError(
                f"param_id {self.param_id} does not belong to these values (theirs is {expected})"
            )

    def __eq__(self, other: object) -> bool:
        if not isinstance(other, UniqueParameterSet):
            return NotImplemented
        return self.param_id == other.param_id and self.params == other.params

    def __hash__(self) -> int:
        return hash(self.param_id)


def _check_values(params: object) -> None:
    if not isinstance(params, Mapping):
        raise ContractViolationError("params must be a mapping of name to value")
    for name, value in params.items():
        _check_scalar(name, value)


def _check_scalar(name: object, value: object) -> None:
    if not isinstance(name, str):
        raise ContractViolationError(f"parameter name {name!r} must be text")
    if not isinstance(value, bool | int | float | str):
        raise ContractViolationError(
            f"parameter {name!r} must be a bool, int, float or str, not {type(value).__name__}"
        )
    if isinstance(value, float) and not math.isfinite(value):
        raise ContractViolationError(f"parameter {name!r} must be finite, not {value}")


@dataclass(frozen=True, slots=True)
class SeedInfo(FrozenValue):
    """Seeds of one calibration trial; all in [0, 2^64-1]."""

    base_seed: int
    trial_seed: int
    replicate_seeds: tuple[int, ...]

    def __post_init__(self) -> None:
        object.__setattr__(self, "base_seed", as_seed_field(self.base_seed, "base_seed"))
        object.__setattr__(self, "trial_seed", as_seed_field(self.trial_seed, "trial_seed"))
        seeds = as_seeds(self.replicate_seeds, "replicate_seeds")
        object.__setattr__(self, "replicate_seeds", seeds)


def as_seed_field(value: object, name: str) -> int:
    """Like as_seed, with the wording for one of several seeds."""
    if isinstance(value, bool) or not hasattr(value, "__index__"):
        raise ContractViolationError(
            f"{name} must be integers: {value!r} is {type(value).__name__}"
        )
    return as_seed(value, name)


def as_seeds(values: object, name: str) -> tuple[int, ...]:
    """A tuple of seeds. Text and single numbers are refused."""
    if isinstance(values, str | bytes) or not isinstance(values, Iterable):
        raise ContractViolationError(f"{name} must be integers in a sequence, not {values!r}")
    return tuple(as_seed_field(value, name) for value in values)
