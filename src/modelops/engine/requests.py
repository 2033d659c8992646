"""What goes into the engine and what comes out, as values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from modelops_contracts.artifacts import ErrorInfo
from modelops_contracts.evaluation import Evaluation, EvaluationRequest
from modelops_contracts.simulation import SimTask

__all__ = [
    "STATUSES",
    "EvaluationOutcome",
    "EvaluationWork",
    "SimOutcome",
    "SimRequest",
    "cancelled",
]

#: ``ok``: tables are there. ``failed``: the author's code raised. ``crashed``: it ended its process
#: twice. ``timed_out``: killed at the limit. ``cancelled``: not finished because somebody stopped.
STATUSES = ("ok", "failed", "crashed", "timed_out", "cancelled")


@dataclass(frozen=True, slots=True)
class SimRequest:
    """One simulation that is wanted, under the key its result is stored by."""

    sim_key: str
    task: SimTask
    replicate: int


@dataclass(frozen=True, slots=True)
class SimOutcome:
    """How one simulation ended.

    ``tables`` holds Arrow IPC bytes per output when ``status`` is ``ok``; otherwise ``error``
    and ``traceback`` say why not, with the last lines the process printed in ``stderr_tail``.
    ``wall`` and ``cpu`` are seconds, ``peak_bytes`` the largest memory of the process so far.
    """

    request: SimRequest
    status: str
    tables: Mapping[str, bytes] = field(default_factory=dict)
    error: ErrorInfo | None = None
    traceback: str = ""
    stderr_tail: str = ""
    wall: float = 0.0
    cpu: float = 0.0
    peak_bytes: int = 0
    worker: str = ""

    @property
    def ok(self) -> bool:
        return self.status == "ok"


@dataclass(frozen=True, slots=True)
class EvaluationWork:
    """Score one parameter set: all its replicates in order, with the tables known already."""

    request: EvaluationRequest
    sims: tuple[SimRequest, ...]
    stored: Mapping[str, Mapping[str, bytes]] = field(default_factory=dict)

    def missing(self) -> tuple[SimRequest, ...]:
        """The replicates that still have to be simulated."""
        return tuple(sim for sim in self.sims if sim.sim_key not in self.stored)


@dataclass(frozen=True, slots=True)
class EvaluationOutcome:
    """The score, and the simulations that ran for it."""

    evaluation: Evaluation
    outcomes: tuple[SimOutcome, ...]


def cancelled(request: SimRequest) -> SimOutcome:
    """The outcome of a simulation that was not finished because somebody stopped."""
    return SimOutcome(request, "cancelled", error=ErrorInfo("Cancelled", "stopped before it ended"))
