"""The engines by name, with the settings each one takes."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

from modelops_calabaria.calibration.algorithms.base import SearchEngine
from modelops_calabaria.calibration.plan import CalibrationPlan

__all__ = ["create_engine"]


def create_engine(plan: CalibrationPlan) -> SearchEngine:
    """A fresh engine for a plan. The plan has already refused unknown names and settings."""
    engine = _ENGINES[plan.sampler](plan, dict(plan.sampler_options))
    engine.ask_first(plan.warm_points)
    return engine


def _tpe(plan: CalibrationPlan, options: dict[str, Any]) -> SearchEngine:
    from modelops_calabaria.calibration.algorithms.tpe import TpeEngine

    return TpeEngine(plan.space, seed=plan.seed, **options)


def _cmaes(plan: CalibrationPlan, options: dict[str, Any]) -> SearchEngine:
    from modelops_calabaria.calibration.algorithms.cmaes import CmaesEngine

    return CmaesEngine(
        plan.space,
        seed=plan.seed,
        batch_size=plan.batch_size,
        objective=plan.objective_kind,
        **options,
    )


def _random(plan: CalibrationPlan, options: dict[str, Any]) -> SearchEngine:
    from modelops_calabaria.calibration.algorithms.random import RandomEngine

    return RandomEngine(plan.space, seed=plan.seed, **options)


def _qmc(plan: CalibrationPlan, options: dict[str, Any]) -> SearchEngine:
    from modelops_calabaria.calibration.algorithms.qmc import QmcEngine

    return QmcEngine(plan.space, seed=plan.seed, **options)


def _grid(plan: CalibrationPlan, options: dict[str, Any]) -> SearchEngine:
    from modelops_calabaria.calibration.algorithms.grid import GridEngine

    return GridEngine(plan.space, **options)


_ENGINES: Mapping[str, Callable[[CalibrationPlan, dict[str, Any]], SearchEngine]] = (
    MappingProxyType({"tpe": _tpe, "cmaes": _cmaes, "random": _random, "qmc": _qmc, "grid": _grid})
)
