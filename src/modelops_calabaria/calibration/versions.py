"""Which software a calibration was made with."""

from __future__ import annotations

import platform
from importlib.metadata import PackageNotFoundError, version

__all__ = ["current_versions"]

_PACKAGES = ("modelops", "numpy", "scipy", "polars", "optuna", "cma")


def current_versions() -> dict[str, str]:
    """Version by name of the interpreter and of the packages that touch the numbers."""
    found = {"python": platform.python_version()}
    for name in _PACKAGES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            found[name] = "not installed"
    return found
