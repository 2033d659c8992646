"""What readers of a project say about a pull that was interrupted."""

from __future__ import annotations

from modelops_bundle.findings import Finding
from modelops_bundle.project.project import Project
from modelops_contracts.errors import IntegrityError


def find_interruption(project: Project) -> Finding | None:
    """Return what readers tell of a pull that a crash interrupted; None without one."""
    if not (project.storage / "journal.json").exists():
        return None
    from modelops_bundle.recovery.journal import read_journal

    try:
        journal = read_journal(project)
    except IntegrityError as error:
        return Finding(
            f"the record of an interrupted pull cannot be read: {error}", code="pull_interrupted",
            severity="error", fix="decide", hint=error.hint or "",
        )  # fmt: skip
    if journal is None:
        return None
    return Finding(
        f"a pull of {journal.agreement.reference} was interrupted, so files may still be as before "
        "it; mops bundle pull, or any other command that changes the project, finishes it",
        code="pull_interrupted", severity="warning", fix="refresh", hint="mops bundle pull",
    )  # fmt: skip
