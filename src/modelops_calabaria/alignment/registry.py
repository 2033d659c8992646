"""Strategies by name: the built-in ones, registered ones, and those of installed packages."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import timedelta
from typing import Any

import polars as pl

from modelops_calabaria.alignment.aligned import AlignedData
from modelops_calabaria.alignment.join import AsofJoin, ExactJoin, column_names
from modelops_calabaria.alignment.metric import MetricAlignment
from modelops_calabaria.alignment.strategy import (
    AlignmentStrategy,
    align_selected,
    read_observed,
)
from modelops_contracts.errors import Conflict, InvalidValue, nearest

AlignmentFactory = Callable[..., AlignmentStrategy]
ENTRY_POINT_GROUP = "modelops.alignments"
_ASOF = ("nearest", "backward", "forward")


def make_alignment(
    mode: str, on: str | Sequence[str], by: str | Sequence[str] | None = None, **options: Any
) -> AlignmentStrategy:
    """The strategy registered as ``mode``, for the keys ``on`` within equal ``by`` values.

    Raises InvalidValue naming the known strategies when ``mode`` is none of them, or when the
    strategy has no use for what was given.
    """
    return _factory(str(mode))(on, by=by, **options)


def register_alignment(name: str, factory: AlignmentFactory, *, replace: bool = False) -> None:
    """Make ``factory(on, by=None, **options)`` known as ``name``, at once also to JoinAlignment.

    Raises Conflict for a name that is taken, InvalidValue for a name or factory that is none.
    """
    _check_offer(name, factory)
    if name in ALIGNMENT_STRATEGIES and not replace:
        raise Conflict(
            f"an alignment named {name!r} exists already",
            hint="choose another name, or pass replace=True",
        )
    _REGISTERED[name] = factory


def _exact(
    on: str | Sequence[str], by: str | Sequence[str] | None = None, **options: Any
) -> AlignmentStrategy:
    if by:
        raise InvalidValue("mode 'exact' has no use for by", hint="add those columns to the keys")
    if options.pop("tolerance", None) is not None:
        raise InvalidValue(
            "mode 'exact' has no use for tolerance", hint="use nearest, backward or forward"
        )
    return _built("exact", ExactJoin, on, **options)


def _asof(strategy: str) -> AlignmentFactory:
    def factory(
        on: str | Sequence[str], by: str | Sequence[str] | None = None, **options: Any
    ) -> AlignmentStrategy:
        keys = column_names(on, "on_cols")
        if len(keys) != 1:
            raise InvalidValue(
                f"mode {strategy!r} needs exactly one key, got {', '.join(keys)}",
                hint="put the columns that must be equal into by",
            )
        return _built(strategy, AsofJoin, keys[0], by, strategy, **options)

    return factory


def _metric(
    on: str | Sequence[str], by: str | Sequence[str] | None = None, **options: Any
) -> AlignmentStrategy:
    if by:
        raise InvalidValue("mode 'metric' has no use for by", hint="use index_cols")
    return _built("metric", MetricAlignment, on, **options)


def _built(
    mode: str, build: Callable[..., AlignmentStrategy], *args: Any, **options: Any
) -> AlignmentStrategy:
    try:
        return build(*args, **options)
    except TypeError as error:
        raise InvalidValue(f"alignment {mode!r} has no option like that: {error}") from error


def _check_offer(name: object, factory: object) -> None:
    if not isinstance(name, str) or not name.strip():
        raise InvalidValue(f"the name of an alignment is a word, got {name!r}")
    if not callable(factory):
        raise InvalidValue(
            f"alignment {name!r}: {factory!r} is no factory",
            hint="give a function or class: factory(on, by=None, **options) -> strategy",
        )


class _Strategies(Mapping[str, AlignmentFactory]):
    """Read-only view of all names; packages that offer one are loaded when it is asked for."""

    def __getitem__(self, name: str) -> AlignmentFactory:
        if name in _REGISTERED:
            return _REGISTERED[name]
        for point in _entry_points():
            if point.name == name:
                factory: AlignmentFactory = point.load()
                return factory
        raise KeyError(name)

    def __iter__(self) -> Iterator[str]:
        return iter(dict.fromkeys([*_REGISTERED, *(point.name for point in _entry_points())]))

    def __len__(self) -> int:
        return len(list(iter(self)))


def _entry_points() -> Any:
    from importlib.metadata import entry_points

    return entry_points(group=ENTRY_POINT_GROUP)


_REGISTERED: dict[str, AlignmentFactory] = {
    "exact": _exact,
    **{name: _asof(name) for name in _ASOF},
    "metric": _metric,
}
ALIGNMENT_STRATEGIES: Mapping[str, AlignmentFactory] = _Strategies()


def _factory(mode: str) -> AlignmentFactory:
    try:
        return ALIGNMENT_STRATEGIES[mode]
    except KeyError:
        known = list(ALIGNMENT_STRATEGIES)
        close = nearest(mode, known)
        raise InvalidValue(
            f"unknown alignment {mode!r}; known: {', '.join(known)}",
            hint=f"did you mean {close[0]!r}?" if close else "register_alignment adds one",
        ) from None


class JoinAlignment:
    """The strategy of the registry that ``mode`` names.

    ``tolerance`` and ``by`` belong to the asof modes, which need exactly one key; anything the
    chosen strategy has no use for is refused here, not ignored.
    """

    __slots__ = ("mode", "strategy")

    def __init__(
        self,
        on_cols: str | Sequence[str],
        mode: str = "exact",
        *,
        by: str | Sequence[str] | None = None,
        tolerance: float | timedelta | None = None,
        duplicates: str = "error",
        **options: Any,
    ) -> None:
        given = dict(options)
        if tolerance is not None:
            given["tolerance"] = tolerance
        if duplicates != "error":
            given["duplicates"] = duplicates
        self.mode = str(mode)
        self.strategy = make_alignment(self.mode, on_cols, by, **given)

    @property
    def on(self) -> list[str]:
        return self.strategy.on

    def observed_frame(self, data: object) -> pl.DataFrame:
        return read_observed(self.strategy, data)

    def align(self, observed: pl.DataFrame, simulated: object) -> AlignedData:
        return self.strategy.align(observed, simulated)

    def align_columns(
        self, observed: pl.DataFrame, simulated: object, columns: Sequence[str] | None
    ) -> AlignedData:
        return align_selected(self.strategy, observed, simulated, columns)

    def __repr__(self) -> str:
        return f"JoinAlignment(mode={self.mode!r}, on={self.on})"
