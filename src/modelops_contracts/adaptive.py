"""Trials of an adaptive search, and the interface of the algorithm that proposes them."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from typing import Any, Protocol, runtime_checkable

from modelops_contracts.diagnostics import MAX_DIAG_BYTES, as_diagnostics
from modelops_contracts.errors import ContractViolationError
from modelops_contracts.frozen import FrozenValue
from modelops_contracts.parameter_set import UniqueParameterSet

__all__ = [
    "MAX_DIAG_BYTES",
    "AdaptiveAlgorithm",
    "ResumableAlgorithm",
    "TrialResult",
    "TrialStatus",
]


class TrialStatus(StrEnum):
    """How a trial ended."""

    COMPLETED = "completed"
    FAILED = "failed"
    TIMEOUT = "timeout"


@dataclass(frozen=True, slots=True)
class TrialResult(FrozenValue):
    """What an algorithm is told about one parameter set.

    The loss is finite when the trial was completed. Diagnostics are JSON; numbers that JSON
    cannot hold (NaN, infinities) become null.
    """

    param_id: str
    loss: float
    diagnostics: Mapping[str, Any] = field(default_factory=dict, hash=False)
    status: TrialStatus = TrialStatus.COMPLETED

    def __post_init__(self) -> None:
        if not self.param_id:
            raise ContractViolationError("param_id must be non-empty")
        object.__setattr__(self, "status", _as_status(self.status))
        if isinstance(self.loss, bool | str) or not hasattr(self.loss, "__float__"):
            raise ContractViolationError(f"loss must be a number, not {self.loss!r}")
        if self.status is TrialStatus.COMPLETED and not math.isfinite(self.loss):
            raise ContractViolationError(
                f"loss must be finite for COMPLETED status, not {self.loss}"
            )
        object.__setattr__(self, "diagnostics", as_diagnostics(self.diagnostics))


def _as_status(status: object) -> TrialStatus:
    try:
        return TrialStatus(str(status))
    except ValueError:
        known = ", ".join(member.value for member in TrialStatus)
        raise ContractViolationError(f"status must be one of {known}, not {status!r}") from None


@runtime_checkable
class AdaptiveAlgorithm(Protocol):
    """Proposes parameter sets and learns from their results.

    Recognised by ``ask``, ``tell`` and ``finished``. An algorithm that can be interrupted and
    resumed also has ``state() -> JSON value`` and ``restore(state)``, see ResumableAlgorithm.
    """

    def ask(self, n: int) -> list[UniqueParameterSet]:
        """At most ``n`` proposals. Fewer, or none, means: wait for results first."""
        ...

    def tell(self, results: Sequence[TrialResult]) -> None:
        """Take results in any order, also after finished. The same result twice does nothing;
        another result for a known id, or an unknown id, is a Conflict."""
        ...

    def finished(self) -> bool:
        """True when nothing more will be proposed."""
        ...


@runtime_checkable
class ResumableAlgorithm(AdaptiveAlgorithm, Protocol):
    """An AdaptiveAlgorithm whose state can be kept."""

    def state(self) -> Any:
        """A JSON value from which ``restore`` continues with the same proposals."""
        ...

    def restore(self, state: Any) -> None:
        """Continue from a state that ``state`` returned."""
        ...
