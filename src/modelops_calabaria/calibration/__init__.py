"""Calibration: propose parameter sets, have them evaluated, report a value that was confirmed.

The names below are loaded when they are first used.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOME = {
    "AlgorithmAdapter": "base",
    "CalibrationFailed": "loop",
    "CalibrationResult": "result",
    "CalibrationSpecBuilder": "builders",
    "InfrastructureRequirements": "base",
    "OptunaAdapter": "optuna_adapter",
    "OptunaCalibrationBuilder": "builders",
    "build_calibration": "builders",
    "calibrate": "api",
    "calibration_wire": "wire",
    "check_convergence": "wire",
    "convert_to_trial_result": "wire",
    "create_algorithm_adapter": "factory",
    "create_engine": "algorithms.registry",
    "generate_seed_info": "wire",
    "get_connection_info": "wire",
    "parse_parameter_specs": "factory",
    "plan_calibration": "plan",
    "run_calibration": "loop",
    "save_calibration_results": "wire",
}

__all__ = list(_HOME)


def __getattr__(name: str) -> Any:
    home = _HOME.get(name)
    if home is None:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{home}"), name)


def __dir__() -> list[str]:
    return sorted({*globals(), *_HOME})
