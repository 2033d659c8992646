"""What parameter sets and configuration sets share: frozen values that read like a mapping."""

from __future__ import annotations

from collections.abc import ItemsView, Iterable, Iterator, KeysView, Mapping
from types import MappingProxyType
from typing import Any, ClassVar, Generic, NoReturn, Protocol, TypeVar, overload

from modelops_contracts.errors import InvalidValue, MissingKey, nearest

__all__ = ["NamedValues", "Readable", "did_you_mean", "find_duplicates"]

V = TypeVar("V")
V_co = TypeVar("V_co", covariant=True)
D = TypeVar("D")


class Readable(Protocol[V_co]):
    """Anything ``dict()`` accepts by name: mappings, and our own sets."""

    def keys(self) -> Iterable[str]: ...
    def __getitem__(self, key: str, /) -> V_co: ...


class NamedValues(Generic[V]):
    """Immutable named values. ``values`` is a read-only mapping, not a method."""

    __slots__ = ("_values",)
    _values: dict[str, V]
    #: How a single value is called in messages.
    noun: ClassVar[str] = "Value"

    @property
    def values(self) -> Mapping[str, V]:
        return MappingProxyType(self._values)

    def __getitem__(self, name: str, /) -> V:
        try:
            return self._values[name]
        except KeyError:
            raise MissingKey(
                f"{self.noun} {name} not in set", hint=did_you_mean(name, self._values)
            ) from None

    @overload
    def get(self, name: str) -> V | None: ...
    @overload
    def get(self, name: str, default: V | D) -> V | D: ...
    def get(self, name: str, default: object = None) -> object:
        return self._values.get(name, default)

    def keys(self) -> KeysView[str]:
        return self._values.keys()

    def items(self) -> ItemsView[str, V]:
        return self.values.items()

    def __contains__(self, name: object) -> bool:
        return name in self._values

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __len__(self) -> int:
        return len(self._values)

    def __eq__(self, other: object) -> bool:
        if type(other) is not type(self):
            return NotImplemented
        return self._values == other._values

    def __hash__(self) -> int:
        return hash(frozenset(self._values.items()))

    def __setattr__(self, name: str, value: Any) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot set {name}")

    def __delattr__(self, name: str) -> NoReturn:
        raise AttributeError(f"{type(self).__name__} is immutable: cannot delete {name}")

    def __repr__(self) -> str:
        inside = ", ".join(f"{name}={value!r}" for name, value in self._values.items())
        return f"{type(self).__name__}({inside})"


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """Hint for a name that is not there: the nearest ones, else all there are."""
    names = list(known)
    close = nearest(str(name), names)
    if close:
        return f"did you mean {', '.join(close)}?"
    return f"known: {', '.join(names)}" if names else "there are none"


def find_duplicates(names: Iterable[str]) -> list[str]:
    """Names that occur more than once, in order of first occurrence."""
    counts: dict[str, int] = {}
    for name in names:
        counts[name] = counts.get(name, 0) + 1
    return [name for name, count in counts.items() if count > 1]


def refuse_unknown(text: str, given: Iterable[str], known: Iterable[str]) -> None:
    """Raise InvalidValue ``<text>: <names>`` for given names that are not known."""
    names = list(known)
    unknown = [name for name in given if name not in names]
    if unknown:
        hint = did_you_mean(unknown[0], names)
        raise InvalidValue(f"{text}: {', '.join(map(str, unknown))}", hint=hint)
