"""Algorithm adapters by name, and parameter specifications from a file's mapping."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from modelops_calabaria.calibration.base import AlgorithmAdapter
from modelops_calabaria.calibration.optuna_adapter import OptunaAdapter
from modelops_calabaria.parameters.types import ParameterSpec
from modelops_contracts.errors import InvalidValue, nearest

__all__ = ["create_algorithm_adapter", "parse_parameter_specs"]

_KEYS = ("lower", "upper", "kind", "transform", "prior", "doc", "unit", "default")
_ALGORITHMS = ("optuna",)


def create_algorithm_adapter(
    type: str,  # noqa: A002
    specs: Mapping[str, Mapping[str, Any]] | Sequence[ParameterSpec],
    config: Mapping[str, Any] | None = None,
) -> AlgorithmAdapter:
    """An adapter for ``algorithm_config``-like settings. Raises ValueError for an unknown type."""
    if type not in _ALGORITHMS:
        raise InvalidValue(
            f"unknown algorithm {type!r}", hint=f"algorithms: {', '.join(_ALGORITHMS)}"
        )
    settings = dict(config or {})
    parsed = parse_parameter_specs(specs) if isinstance(specs, Mapping) else list(specs)
    adapter = OptunaAdapter(parsed, max_trials=settings.get("max_trials", 100))
    adapter.configure(settings)
    return adapter


def parse_parameter_specs(specs: Mapping[str, Mapping[str, Any]]) -> list[ParameterSpec]:
    """Parameters from ``{name: {lower, upper, kind, transform}}``; kind and transform are kept."""
    return [_parse(name, dict(values)) for name, values in specs.items()]


def _parse(name: str, values: dict[str, Any]) -> ParameterSpec:
    for key in values:
        if key not in _KEYS:
            close = nearest(key, _KEYS, n=1)
            raise InvalidValue(
                f"{name}: unknown key {key!r}", hint=f"did you mean {close[0]}?" if close else None
            )
    missing = [key for key in ("lower", "upper") if key not in values]
    if missing:
        raise InvalidValue(f"{name}: {' and '.join(missing)} missing")
    return ParameterSpec.from_dict({"name": name, **values})
