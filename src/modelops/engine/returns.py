"""Outcomes of this engine as the values of the SimulationService port."""

from __future__ import annotations

from pathlib import Path

from modelops.engine.requests import EvaluationOutcome, SimOutcome
from modelops_contracts.artifacts import INLINE_CAP, TableArtifact
from modelops_contracts.atomic import write_atomically
from modelops_contracts.digests import aggregation_task_id, digest_bytes
from modelops_contracts.errors import SimulationFailed
from modelops_contracts.simulation import AggregationReturn, SimReturn

__all__ = ["as_aggregation", "as_return"]


def as_return(outcome: SimOutcome, spill: Path) -> SimReturn:
    """The tables, or the error with traceback and last printed lines as its details.

    A table too large for a message is written to the folder ``spill`` and passed by its URL.
    """
    task_id = outcome.request.task.task_id()
    metrics = {"wall": outcome.wall, "cpu": outcome.cpu, "peak_bytes": float(outcome.peak_bytes)}
    if outcome.ok:
        outputs = {name: _artifact(table, spill) for name, table in outcome.tables.items()}
        return SimReturn(task_id=task_id, outputs=outputs, metrics=metrics)
    details = f"{outcome.traceback}\n{outcome.stderr_tail}".strip() or outcome.status
    return SimReturn(
        task_id=task_id,
        outputs={},
        error=outcome.error,
        error_details=TableArtifact.of(details.encode(), content_type="text/plain"),
        metrics=metrics,
    )


def _artifact(table: bytes, spill: Path) -> TableArtifact:
    if len(table) <= INLINE_CAP:
        return TableArtifact.of(table)
    checksum = digest_bytes(table)
    path = spill.absolute() / f"{checksum}.arrow"
    write_atomically(path, table)
    small = TableArtifact.of(table[:8])
    return TableArtifact(
        content_type=small.content_type, size=len(table), ref=path.as_uri(), checksum=checksum
    )


def as_aggregation(outcome: EvaluationOutcome, target: str) -> AggregationReturn:
    """A single target's score. Raises SimulationFailed when there is no finite one.

    ``diagnostics`` are what the target itself said; ``evaluation`` among them is how it was scored.
    """
    evaluation = outcome.evaluation
    if evaluation.reason is not None:
        raise SimulationFailed(f"no score of {target}: {evaluation.reason}", code=evaluation.reason)
    said = evaluation.scores[0].diagnostics if evaluation.scores else {}
    task_ids = [sim.request.task.task_id() for sim in outcome.outcomes]
    return AggregationReturn(
        aggregation_id=aggregation_task_id(target, task_ids),
        loss=evaluation.objective,
        diagnostics={**said, "evaluation": evaluation.to_json()},
        outputs={},
        n_replicates=len(evaluation.seeds) - len(evaluation.failures),
    )
