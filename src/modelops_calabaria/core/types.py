"""Door: type names of the science."""

from __future__ import annotations

from modelops_calabaria.parameters.types import Scalar, SimOutput, TableIPC

__all__ = ["Scalar", "SimOutput", "TableIPC"]
