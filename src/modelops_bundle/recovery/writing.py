"""How every command that changes a project begins."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from modelops_bundle.project.project import Project
from modelops_bundle.recovery.journal import finish_journal


@contextmanager
def write_project(project: Project, command: str) -> Iterator[None]:
    """Hold the project's lock, and finish first what a crash interrupted.

    `command` is what others are told who wait for the lock. Raises `Conflict` when it is not to be
    had, and `IntegrityError` for a record of interrupted work that cannot be read.
    """
    with project.lock(command):
        finish_journal(project)
        yield
