"""A parameter space with some parameters held fixed."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Self

from modelops_calabaria.parameters.named import refuse_unknown
from modelops_calabaria.parameters.types import ParameterSet, ParameterSpace, Scalar
from modelops_contracts.errors import InvalidValue

__all__ = ["ParameterView"]


@dataclass(frozen=True, slots=True)
class ParameterView:
    """Which parameters are free, and the values of those that are not.

    ``fixed`` is checked at once: ValueError for unknown names and for values that do not fit.
    """

    space: ParameterSpace
    fixed: Mapping[str, Scalar] = field(default_factory=dict)

    if TYPE_CHECKING:

        def __init__(
            self, space: ParameterSpace, fixed: Mapping[str, object] = MappingProxyType({})
        ) -> None: ...

    def __post_init__(self) -> None:
        given: Mapping[str, object] = self.fixed
        refuse_unknown("Unknown fixed parameters", given, self.space.names())
        checked = {
            spec.name: spec.checked(given[spec.name]) for spec in self.space if spec.name in given
        }
        object.__setattr__(self, "fixed", MappingProxyType(checked))

    @classmethod
    def all_free(cls, space: ParameterSpace) -> Self:
        return cls(space)

    @classmethod
    def from_fixed(cls, space: ParameterSpace, /, **fixed: object) -> Self:
        return cls(space, fixed)

    def fix(self, /, **fixed: object) -> Self:
        """A view with more parameters fixed; an already fixed one takes the new value."""
        return type(self)(self.space, {**self.fixed, **fixed})

    @property
    def free(self) -> tuple[str, ...]:
        """Names that are not fixed, in the space's order."""
        return tuple(name for name in self.space.names() if name not in self.fixed)

    def bind(self, /, **free: object) -> ParameterSet:
        """The complete set for these free values: every free name once, no other."""
        missing = [name for name in self.free if name not in free]
        unexpected = [name for name in free if name not in self.free]
        if missing or unexpected:
            parts = [f"missing {', '.join(missing)}"] if missing else []
            parts += [f"unexpected {', '.join(unexpected)}"] if unexpected else []
            raise InvalidValue(f"bind() error: {'; '.join(parts)}")
        return ParameterSet(self.space, {**self.fixed, **free})

    def project(self, pset: ParameterSet) -> dict[str, Scalar]:
        """The free values of a set of this space (or of a compatible one)."""
        if not self.space.is_compatible(pset.space):
            raise InvalidValue("the parameter set belongs to a different space")
        return {name: pset[name] for name in self.free}

    def __hash__(self) -> int:
        return hash((self.space, frozenset(self.fixed.items())))

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self.space, dict(self.fixed))
