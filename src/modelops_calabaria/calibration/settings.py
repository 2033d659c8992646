"""Reading the settings of a calibration file: every mistake at once, each with its path."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from modelops_contracts.errors import Detail, InvalidInput, nearest
from modelops_contracts.study import CalibrationSpec

__all__ = ["SAMPLERS", "RescoreSettings", "Settings", "StopRules", "read_settings"]

#: The engines, each with the settings it takes.
SAMPLERS: Mapping[str, tuple[str, ...]] = {
    "tpe": ("n_startup_trials", "n_ei_candidates"),
    "cmaes": ("population", "sigma", "restarts"),
    "random": (),
    "qmc": (),
    "grid": ("points",),
}

_KEYS = (
    "max_trials", "batch_size", "n_replicates", "seed", "parameter_specs", "fixed", "sampler",
    "replicates", "config", "crn", "schedule", "failed_replicates", "warm_start", "rescore",
    "simulation_entrypoint", "early_stopping_patience", "model", "scenario", "target_entrypoints",
)  # fmt: skip
_STOP_KEYS = ("max_loss", "patience", "min_delta", "max_seconds")
_RESCORE_KEYS = ("top_k", "n_replicates", "confirm")


@dataclass(frozen=True, slots=True)
class StopRules:
    """When a search ends before its trials are used up. None switches a rule off."""

    max_trials: int
    max_iterations: int
    max_loss: float | None = None
    patience: int | None = None
    min_delta: float = 0.0
    max_seconds: float | None = None


@dataclass(frozen=True, slots=True)
class RescoreSettings:
    """``top_k`` candidates get ``n_replicates`` fresh ones each, the winner then ``confirm``."""

    top_k: int
    n_replicates: int
    confirm: int


@dataclass(frozen=True, slots=True)
class Settings:
    """The settings of a calibration, checked one by one but not yet against a model."""

    batch_size: int
    n_replicates: int
    seed: int
    sampler: str
    sampler_options: Mapping[str, Any]
    replicates: str
    crn: str
    schedule: str
    failed_replicates: str
    warm_start: str | None
    stop: StopRules
    rescore: RescoreSettings
    parameter_specs: Mapping[str, Mapping[str, Any]]
    fixed: Mapping[str, Any]
    config: Mapping[str, Any]


@dataclass(slots=True)
class _Reader:
    """Takes values out of one mapping and writes down what is wrong with them."""

    values: Mapping[str, Any]
    path: str
    mistakes: list[Detail] = field(default_factory=list)

    def wrong(self, key: str, message: str) -> None:
        self.mistakes.append(Detail(f"{self.path}.{key}", message))

    def refuse_unknown(self, known: Iterable[str]) -> None:
        names = tuple(known)
        for key in self.values:
            if key not in names:
                close = nearest(key, names, n=1)
                hint = f"; did you mean {close[0]}?" if close else f"; known: {', '.join(names)}"
                self.wrong(key, f"unknown setting{hint}" if names else "takes no settings")

    def integer(self, key: str, default: int, *, least: int = 1) -> int:
        value = self.values.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int) or value < least:
            self.wrong(key, f"must be a whole number >= {least}, not {value!r}")
            return default
        return value

    def optional_integer(self, key: str) -> int | None:
        return None if self.values.get(key) is None else self.integer(key, 1)

    def number(self, key: str, *, positive: bool = False) -> float | None:
        value = self.values.get(key)
        if value is None:
            return None
        bad = isinstance(value, bool) or not isinstance(value, int | float) or math.isnan(value)
        if bad or (positive and value <= 0):
            self.wrong(key, f"must be a number{' > 0' if positive else ''}, not {value!r}")
            return None
        return float(value)

    def choice(self, key: str, allowed: tuple[str, ...]) -> str:
        value = self.values.get(key, allowed[0])
        if value not in allowed:
            self.wrong(key, f"must be one of {', '.join(allowed)}, not {value!r}")
            return allowed[0]
        return str(value)

    def mapping(self, key: str) -> Mapping[str, Any]:
        value = self.values.get(key)
        if value is None:
            return {}
        if not isinstance(value, Mapping):
            self.wrong(key, f"must be an object, not {value!r}")
            return {}
        return value

    def inner(self, key: str) -> _Reader:
        return _Reader(self.mapping(key), f"{self.path}.{key}", self.mistakes)


def read_settings(spec: CalibrationSpec, *, deterministic: bool) -> Settings:
    """Settings of ``spec`` with the defaults filled in.

    Raises InvalidInput that lists every unknown key and every bad value.
    """
    reader = _Reader(spec.algorithm_config, "$.algorithm_config")
    if "pruner" in reader.values:
        reader.wrong("pruner", "pruner: not supported; remove it")
    reader.refuse_unknown((*_KEYS, "pruner"))
    settings = _read(reader, spec, deterministic)
    if reader.mistakes:
        raise InvalidInput(_summary(reader.mistakes), details=reader.mistakes)
    return settings


def _summary(mistakes: list[Detail]) -> str:
    if len(mistakes) == 1:
        return f"calibration settings: {mistakes[0]}"
    lines = "\n".join(f"  {mistake}" for mistake in mistakes)
    return f"calibration settings: {len(mistakes)} mistakes\n{lines}"


def _read(reader: _Reader, spec: CalibrationSpec, deterministic: bool) -> Settings:
    sampler, options = _sampler(reader)
    n_replicates = reader.integer("n_replicates", 3)
    stop = _stop_rules(reader, spec)
    return Settings(
        batch_size=reader.integer("batch_size", 4),
        n_replicates=1 if deterministic else n_replicates,
        seed=reader.integer("seed", 0, least=0),
        sampler=sampler,
        sampler_options=options,
        replicates=reader.choice("replicates", ("logmeanexp", "mean_loglik", "mean_signal")),
        crn=reader.choice("crn", ("none", "per-replicate-index")),
        schedule=reader.choice("schedule", ("ordered", "async")),
        failed_replicates=reader.choice("failed_replicates", ("fail", "worst")),
        warm_start=_path(reader, "warm_start"),
        stop=stop,
        rescore=_rescore(reader, stop.max_trials, n_replicates, deterministic),
        parameter_specs=reader.mapping("parameter_specs"),
        fixed=reader.mapping("fixed"),
        config=reader.mapping("config"),
    )


def _path(reader: _Reader, key: str) -> str | None:
    value = reader.values.get(key)
    if value is not None and not isinstance(value, str):
        reader.wrong(key, f"must be the path of an earlier result, not {value!r}")
        return None
    return value


def _sampler(reader: _Reader) -> tuple[str, Mapping[str, Any]]:
    inner = reader.inner("sampler")
    name = inner.values.get("type", "tpe")
    if name not in SAMPLERS:
        inner.wrong("type", f"unknown sampler {name!r}; known: {', '.join(SAMPLERS)}")
        return "tpe", {}
    inner.refuse_unknown(("type", *SAMPLERS[name]))
    return name, {key: _OPTIONS[key](inner, key) for key in inner.values if key in _OPTIONS}


def _grid_points(inner: _Reader, key: str) -> Any:
    value = inner.values[key]
    if not isinstance(value, Mapping):
        return inner.integer(key, 3)
    counts = inner.inner(key)
    return {name: counts.integer(name, 3) for name in value}


_OPTIONS: Mapping[str, Callable[[_Reader, str], Any]] = {
    "n_startup_trials": lambda inner, key: inner.integer(key, 10),
    "n_ei_candidates": lambda inner, key: inner.integer(key, 24),
    "population": lambda inner, key: inner.integer(key, 8, least=4),
    "sigma": lambda inner, key: inner.number(key, positive=True),
    "restarts": lambda inner, key: inner.integer(key, 3, least=0),
    "points": _grid_points,
}


def _stop_rules(reader: _Reader, spec: CalibrationSpec) -> StopRules:
    criteria = _Reader(spec.convergence_criteria, "$.convergence_criteria", reader.mistakes)
    criteria.refuse_unknown(_STOP_KEYS)
    older = reader.optional_integer("early_stopping_patience")
    newer = criteria.optional_integer("patience")
    if None not in {older, newer} and older != newer:
        criteria.wrong("patience", f"{newer}, but early_stopping_patience says {older}")
    whole = _Reader({"max_iterations": spec.max_iterations}, "$", reader.mistakes)
    return StopRules(
        max_trials=reader.integer("max_trials", 100),
        max_iterations=whole.integer("max_iterations", 1_000_000),
        max_loss=criteria.number("max_loss"),
        patience=newer if older is None else older,
        min_delta=criteria.number("min_delta") or 0.0,
        max_seconds=criteria.number("max_seconds", positive=True),
    )


def _rescore(
    reader: _Reader, max_trials: int, n_replicates: int, deterministic: bool
) -> RescoreSettings:
    inner = reader.inner("rescore")
    inner.refuse_unknown(_RESCORE_KEYS)
    top_k = inner.integer("top_k", min(20, max(5, math.ceil(0.05 * max_trials))))
    again = inner.integer(
        "n_replicates", max(20, 4 * n_replicates), least=1 if deterministic else 2
    )
    confirm = inner.integer("confirm", 2 * again, least=1 if deterministic else 2)
    return RescoreSettings(top_k, 1, 1) if deterministic else RescoreSettings(top_k, again, confirm)
