"""How the project stands, read once for `status` and `list`, as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from modelops.cli._call import Call
from modelops.cli.bundle._stores import open_project_store

if TYPE_CHECKING:
    from modelops_bundle.project.project import Project
    from modelops_bundle.status.reading import ProjectStatus


@dataclass(frozen=True, slots=True)
class ReasonRow:
    """One component of an entry that is not as recorded."""

    component: str
    path: str
    chain: list[str]
    recorded: str | None
    current: str | None


@dataclass(frozen=True, slots=True)
class EntryRow:
    """A registered model or target, and whether the registry still says what the code says."""

    id: str
    state: str
    structural: bool
    note: str
    reasons: list[ReasonRow]
    path: str
    entrypoint: str
    outputs: list[str]
    labels: Mapping[str, str]
    weight: float | None
    digest: str | None
    renamed_to: str | None
    similarity: float | None


@dataclass(frozen=True, slots=True)
class SetRow:
    """A target set, with the weight of each member in it."""

    name: str
    targets: list[str]
    weights: Mapping[str, float]


def read_project(call: Call, *, remote: bool = False) -> ProjectStatus:
    """The status of the project here, compared with the last push to this environment.

    With `remote` the tag is looked up where bundles are kept; else nobody is asked.
    """
    from modelops import wiring
    from modelops_bundle.project.project import find_project
    from modelops_bundle.status.reading import read_status

    project = find_project(call.start)
    place = wiring.locate_artifacts(call.config, project.repository)
    store = open_project_store(call, project) if remote else None
    return read_status(project, location=place, store=store)


def warn_of_interruption(call: Call, project: Project) -> None:
    """Say that a pull was interrupted, where an answer shows files that it did not finish."""
    from modelops_bundle.recovery.interruption import find_interruption

    found = find_interruption(project)
    if found is not None:
        call.console.warn(str(found))
        call.console.hint(found.hint)


def entry_row(item: Any) -> EntryRow:
    return EntryRow(
        id=item.id,
        state=item.state,
        structural=item.structural,
        note=item.note,
        reasons=[
            ReasonRow(
                reason.component, reason.path, list(reason.chain), reason.recorded, reason.current
            )
            for reason in item.reasons
        ],
        path=item.path,
        entrypoint=item.entrypoint,
        outputs=list(item.outputs),
        labels=dict(item.labels or {}),
        weight=item.weight,
        digest=item.digest,
        renamed_to=item.renamed_to,
        similarity=item.similarity,
    )


def set_row(item: Any) -> SetRow:
    return SetRow(item.name, list(item.targets), dict(item.weights))
