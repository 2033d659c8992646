"""Which digests something still refers to: what a collection of the store must keep."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from modelops import wiring
from modelops.config.model import Config
from modelops.jobs.documents import JobPlan
from modelops.jobs.folder import JobFolder
from modelops.jobs.record import JobRecord
from modelops_contracts.errors import Conflict
from modelops_contracts.job_state import JobState

__all__ = ["Kept", "find_kept"]


@dataclass(frozen=True, slots=True)
class Kept:
    """Digests of code and of targets that jobs or bundles refer to."""

    codes: frozenset[str]
    targets: frozenset[str]


def find_kept(
    records: Sequence[JobRecord], folders: Sequence[JobFolder], config: Config, project_root: Path
) -> Kept:
    """Digests of every job, of the registry, and of every tagged bundle of the project.

    Raises Conflict while a job is active, IntegrityError for a job that cannot be read: what it
    refers to is unknown then.
    """
    active = [
        record for record in records if not (record.state.ended or record.state is JobState.LOST)
    ]
    if active:
        raise Conflict(
            f"{', '.join(record.job_id for record in active)} may need what would be removed",
            hint=f"mops jobs wait {active[0].job_id}",
            code="job.running",
        )
    plans = [JobPlan.from_json(folder.read_document(folder.plan)) for folder in folders]
    codes = {plan.code for plan in plans} | set(_bundle_codes(config, project_root))
    targets = {plan.target_digest for plan in plans if plan.target_digest}
    return Kept(frozenset(codes), frozenset(targets))


def _bundle_codes(config: Config, project_root: Path) -> Iterator[str]:
    from modelops_bundle.project.project import open_project
    from modelops_bundle.registry import load_registry

    registry = load_registry(project_root)
    yield from (entry.digest for entry in registry.models.values() if entry.digest)
    store = wiring.open_artifacts(config, open_project(project_root).repository)
    for manifest in sorted(set(store.tags().values())):
        with wiring.open_bundle_tree(config, store, manifest) as bundle:
            yield from bundle.model_digests.values()
