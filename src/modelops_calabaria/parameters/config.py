"""Configuration of a model: settings that are not calibrated and have any type."""

from __future__ import annotations

import pickle
from collections.abc import Iterable, Iterator, Mapping
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import date, datetime
from typing import TYPE_CHECKING, Any, ClassVar, Self

from modelops_calabaria.parameters.named import (
    NamedValues,
    Readable,
    did_you_mean,
    find_duplicates,
    refuse_unknown,
)
from modelops_contracts.errors import InvalidValue, MissingKey

__all__ = ["ConfigSpec", "ConfigurationSet", "ConfigurationSpace", "detached"]

#: Types whose values nobody can change.
_FIXED = frozenset({bool, int, float, complex, str, bytes, type(None), date, datetime})


@dataclass(frozen=True, slots=True)
class ConfigSpec:
    """One setting: a name, a default of any type, and what it is for."""

    name: str
    default: Any
    doc: str = ""

    def __post_init__(self) -> None:
        _refuse_empty(self.name)


def _refuse_empty(name: object) -> None:
    if not isinstance(name, str) or not name:
        raise InvalidValue("Configuration name cannot be empty")


@dataclass(frozen=True, slots=True)
class ConfigurationSpace:
    """All settings of a model, in the author's order."""

    specs: tuple[ConfigSpec, ...]
    _by_name: dict[str, ConfigSpec] = field(init=False, repr=False, compare=False)

    if TYPE_CHECKING:

        def __init__(self, specs: Iterable[ConfigSpec]) -> None: ...

    def __post_init__(self) -> None:
        specs = tuple(self.specs)
        repeated = find_duplicates(spec.name for spec in specs)
        if repeated:
            raise InvalidValue(f"Duplicate configuration names: {', '.join(repeated)}")
        object.__setattr__(self, "specs", specs)
        object.__setattr__(self, "_by_name", {spec.name: spec for spec in specs})

    def names(self) -> list[str]:
        return list(self._by_name)

    def get_spec(self, name: str) -> ConfigSpec:
        """The setting of that name. Raises KeyError naming the nearest."""
        try:
            return self._by_name[name]
        except KeyError:
            hint = did_you_mean(name, self._by_name)
            raise MissingKey(f"Unknown configuration: {name}", hint=hint) from None

    def defaults(self) -> dict[str, Any]:
        """Every default, copied: changing the result never changes the model."""
        return {spec.name: deepcopy(spec.default) for spec in self.specs}

    def is_compatible(self, other: ConfigurationSpace) -> bool:
        """True when both have the same names."""
        return self._by_name.keys() == other._by_name.keys()

    def __contains__(self, name: object) -> bool:
        return name in self._by_name

    def __len__(self) -> int:
        return len(self.specs)

    def __iter__(self) -> Iterator[ConfigSpec]:
        return iter(self.specs)


class ConfigurationSet(NamedValues[Any]):
    """A value for every setting of a space, in the space's order."""

    __slots__ = ("_space",)
    _space: ConfigurationSpace
    noun: ClassVar[str] = "Configuration"

    def __init__(self, space: ConfigurationSpace, values: Readable[Any]) -> None:
        given = {name: values[name] for name in values.keys()}  # noqa: SIM118  (sets iterate names)
        refuse_unknown("Unknown configurations", given, space.names())
        missing = [name for name in space.names() if name not in given]
        if missing:
            raise InvalidValue(f"Missing required configurations: {', '.join(missing)}")
        object.__setattr__(self, "_space", space)
        object.__setattr__(self, "_values", {name: given[name] for name in space.names()})

    @property
    def space(self) -> ConfigurationSpace:
        return self._space

    @classmethod
    def new(cls, space: ConfigurationSpace, /, **values: Any) -> Self:
        return cls(space, values)

    @classmethod
    def from_dict(cls, space: ConfigurationSpace, values: Readable[Any]) -> Self:
        return cls(space, values)

    @classmethod
    def from_defaults(cls, space: ConfigurationSpace, /, **overrides: Any) -> Self:
        """The defaults, with some values replaced."""
        return cls(space, {**space.defaults(), **overrides})

    def with_updates(self, /, **updates: Any) -> Self:
        """A new set with some values replaced."""
        refuse_unknown("Unknown configurations", updates, self._space.names())
        return type(self)(self._space, {**self._values, **updates})

    def to_dict(self) -> dict[str, Any]:
        return deepcopy(self._values)

    def changes(self) -> dict[str, Any]:
        """The settings that are not the defaults; one of another type is none, whatever its value.

        Pickled forms are compared, because arrays and tables have no single answer to ``==``.
        """
        return {
            spec.name: self._values[spec.name]
            for spec in self._space
            if not _is_same(self._values[spec.name], spec.default)
        }

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        if self._values.keys() != other._values.keys():
            return False
        return all(_is_equal(value, other._values[name]) for name, value in self._values.items())

    __hash__ = NamedValues.__hash__

    def __reduce__(self) -> tuple[Any, ...]:
        return type(self), (self._space, dict(self._values))


def _is_equal(one: object, two: object) -> bool:
    try:
        return bool(one == two)
    except (TypeError, ValueError):
        return _is_same(one, two)


def _is_same(one: object, two: object) -> bool:
    if one is two:
        return True
    try:
        return pickle.dumps(one) == pickle.dumps(two)
    except (pickle.PicklingError, TypeError, AttributeError):
        return False


def detached(config: ConfigurationSet | Mapping[str, Any]) -> ConfigurationSet | Mapping[str, Any]:
    """The same configuration for one run: what the model does to a list in it stays in that run."""
    if all(type(config[name]) in _FIXED for name in config):
        return config
    if isinstance(config, ConfigurationSet):
        return ConfigurationSet(config.space, config.to_dict())
    return deepcopy(dict(config))
