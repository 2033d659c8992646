"""Targets of the older form: a function of what the simulations returned that gives a loss.

``f(sim_returns, target_data) -> {"loss": x, "diagnostics": {...}}``. It sees the values that a
service would hand it: one SimReturn per replicate, whose outputs are Arrow IPC files.
"""

from __future__ import annotations

import math
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar

from modelops_calabaria.alignment.errors import EvaluationError
from modelops_calabaria.tables import frame_to_ipc
from modelops_contracts.artifacts import ARROW_FILE, INLINE_CAP, TableArtifact
from modelops_contracts.diagnostics import as_diagnostics
from modelops_contracts.digests import digest_bytes
from modelops_contracts.errors import ContractViolationError, InvalidType, InvalidValue
from modelops_contracts.simulation import SimReturn

if TYPE_CHECKING:
    import polars as pl

__all__ = ["FunctionTarget", "FunctionTargetResult"]


@dataclass(frozen=True, slots=True)
class FunctionTargetResult:
    """The loss a function gave, and whatever it said beside it, as JSON."""

    name: str
    loss: float
    weight: float
    weighted_loss: float
    diagnostics: Mapping[str, Any] = field(default_factory=dict)
    target_name: str = ""


@dataclass(frozen=True, slots=True)
class FunctionTarget:
    """Such a function as a target. ``outputs`` empty: it is given every output of the model.

    ``target_data`` is handed to the function as it is: {key: Path} of the declared files, or None.
    """

    name: str
    function: Callable[..., Any]
    outputs: tuple[str, ...] = ()
    target_data: Mapping[str, Any] | None = None
    weight: float = 1.0
    kind: ClassVar[str] = "loss"

    @property
    def model_output(self) -> str | list[str]:
        return self.outputs[0] if len(self.outputs) == 1 else list(self.outputs)

    def reweighted(self, weight: float) -> FunctionTarget:
        return replace(self, weight=float(weight))

    def renamed(self, name: str) -> FunctionTarget:
        return replace(self, name=name)

    def evaluate(
        self,
        sim_outputs: Sequence[Mapping[str, pl.DataFrame]],
        params: Mapping[str, Any] | None = None,
        *,
        seeds: Sequence[int] | None = None,
    ) -> FunctionTargetResult:
        """Call the function once with all replicates. Raises InvalidType, EvaluationError when what
        it gives is no loss; what the function raises passes."""
        if not sim_outputs:
            raise InvalidValue(f"target {self.name}: there are no simulated replicates")
        with tempfile.TemporaryDirectory(prefix="modelops-target-") as spill:
            returns = [
                SimReturn(task_id=self._task_id(r, seeds), outputs=self._artifacts(tables, spill))
                for r, tables in enumerate(sim_outputs)
            ]
            given = self.function(returns, self.target_data)
        loss, diagnostics = _read(given, f"target {self.name}: {self.function.__name__}")
        weighted = loss * self.weight if self.weight else 0.0
        return FunctionTargetResult(
            self.function.__name__, loss, self.weight, weighted, diagnostics, self.name
        )

    def _task_id(self, replicate: int, seeds: Sequence[int] | None) -> str:
        """The function cannot ask for its tasks; the id only tells replicates apart."""
        return f"replicate-{replicate}" + ("" if seeds is None else f"-seed-{seeds[replicate]}")

    def _artifacts(
        self, tables: Mapping[str, pl.DataFrame], spill: str
    ) -> dict[str, TableArtifact]:
        return {name: _artifact(tables[name], Path(spill)) for name in self.outputs or tables}


def _artifact(frame: pl.DataFrame, spill: Path) -> TableArtifact:
    """Inline as far as a message may be; a larger table lies in a file while the call lasts."""
    content = frame_to_ipc(frame)
    if len(content) <= INLINE_CAP:
        return TableArtifact.of(content, content_type=ARROW_FILE)
    checksum = digest_bytes(content)
    path = spill / f"{checksum}.arrow"
    path.write_bytes(content)
    return TableArtifact(ARROW_FILE, size=len(content), ref=path.as_uri(), checksum=checksum)


def _read(given: object, label: str) -> tuple[float, Mapping[str, Any]]:
    if not isinstance(given, Mapping) or "loss" not in given:
        raise InvalidType(
            f"{label} must return a mapping with 'loss', not {given!r:.200}",
            hint='return {"loss": x, "diagnostics": {...}}',
        )
    loss = given["loss"]
    if isinstance(loss, bool) or not hasattr(loss, "__float__"):
        raise InvalidType(f"{label}: loss must be a number, not {loss!r}")
    if math.isnan(float(loss)):
        raise EvaluationError(f"{label}: the loss is NaN")
    try:
        return float(loss), as_diagnostics(given.get("diagnostics") or {})
    except ContractViolationError as error:
        raise InvalidValue(f"{label}: {error}", hint=error.hint) from error
