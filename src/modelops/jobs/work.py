"""What carrying a job needs, opened: passed to the study and to the calibration alike."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

from modelops.engine.requests import SimOutcome, SimRequest
from modelops.engine.service import EngineService
from modelops.jobs.documents import BundleFacts, JobPlan
from modelops.jobs.folder import JobFolder
from modelops.jobs.ledger import Ledger
from modelops.jobs.lifecycle import Event
from modelops.results.store import ResultsStore, StoredSim
from modelops_contracts.atomic import write_atomically
from modelops_contracts.ports import Reporter

if TYPE_CHECKING:
    import polars as pl

__all__ = ["Carried", "UseOfSims", "Work", "write_table"]


@dataclass(frozen=True, slots=True)
class Work:
    """A job with its plan, its store and its engine."""

    folder: JobFolder
    plan: JobPlan
    bundle: BundleFacts
    store: ResultsStore
    engine: EngineService
    ledger: Ledger
    reporter: Reporter
    should_stop: Callable[[], bool]

    @property
    def job_id(self) -> str:
        return self.folder.job_id


@dataclass(frozen=True, slots=True)
class Carried:
    """How the work ended, in one line for people."""

    verdict: Event
    message: str


@dataclass(slots=True)
class UseOfSims:
    """Which simulations a job wanted, and where each came from."""

    requests: dict[str, SimRequest] = field(default_factory=dict)
    status: dict[str, str] = field(default_factory=dict)
    origin: dict[str, str] = field(default_factory=dict)

    def want(self, requests: Iterable[SimRequest]) -> None:
        for request in requests:
            self.requests.setdefault(request.sim_key, request)

    def found(self, known: Iterable[StoredSim], job_id: str) -> int:
        """Stored already; gives how many of them are new here and were stored by another job."""
        reused = 0
        for sim in known:
            reused += sim.sim_key not in self.origin and sim.job != job_id
            self.status.setdefault(sim.sim_key, sim.status)
            self.origin.setdefault(sim.sim_key, sim.job)
        return reused

    def computed(self, outcomes: Sequence[SimOutcome], job_id: str) -> None:
        for outcome in outcomes:
            self.status[outcome.request.sim_key] = outcome.status
            self.origin[outcome.request.sim_key] = job_id

    def frame(self, job_id: str) -> pl.DataFrame:
        """sim_key, param_id, replicate, seed, status (missing, ok, failed ...), reused, job."""
        import polars as pl

        rows = [
            {
                "sim_key": key,
                "param_id": request.task.params.param_id,
                "replicate": request.replicate,
                "seed": request.task.seed,
                "status": self.status.get(key, "missing"),
                "reused": self.origin.get(key, job_id) != job_id,
                "job": self.origin.get(key),
            }
            for key, request in self.requests.items()
        ]
        return pl.DataFrame(
            rows,
            schema={
                "sim_key": pl.String,
                "param_id": pl.String,
                "replicate": pl.Int64,
                "seed": pl.UInt64,
                "status": pl.String,
                "reused": pl.Boolean,
                "job": pl.String,
            },
        )

    def write(self, work: Work) -> None:
        """Write reuse.parquet, and failures.parquet when something failed."""
        write_table(self.frame(work.job_id), work.folder.reuse)
        failed = [key for key, status in self.status.items() if status not in {"ok", "cancelled"}]
        if failed:
            write_table(work.store.failures(work.plan.code, failed), work.folder.failures)
        else:
            work.folder.failures.unlink(missing_ok=True)


def write_table(frame: pl.DataFrame, path: Path) -> None:
    """A parquet file, replaced whole."""
    from io import BytesIO

    buffer = BytesIO()
    frame.write_parquet(buffer, compression="zstd")
    write_atomically(path, buffer.getvalue())
