"""`mops jobs explain`."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import click

from modelops.cli._call import Call
from modelops.cli._click import command
from modelops.cli._complete import jobs
from modelops.cli._console import Screen, plural
from modelops.cli.mops.jobs._jobs import Job, as_job, find_job, job_lines, open_backend
from modelops_contracts.errors import NotFound

REASONS = {
    "stored": "stored already by {job}",
    "code": "the code has changed since {job}",
    "environment": "the software environment has changed since {job}",
    "settings": "what is asked of the model has changed since {job}",
    "new_seeds": "seeds that {job} did not have",
    "new_parameters": "parameter sets that no earlier job had",
    "failed_before": "without a result in {job}",
    "not_run": "not run yet",
}


@dataclass(frozen=True, slots=True)
class GroupRow:
    """Simulations with one origin. `changes` name files, definitions and settings that differ."""

    outcome: str
    reason: str
    count: int
    job: str | None
    changes: list[str]


@dataclass(frozen=True, slots=True)
class Explained:
    """A job, and where each of its simulations came from."""

    job: Job
    groups: list[GroupRow]


def render(answer: Explained, screen: Screen) -> Iterator[str]:
    yield from job_lines(answer.job, screen)
    if not answer.groups:
        yield "It has asked for no simulation yet."
    for group in answer.groups:
        why = REASONS[group.reason].format(job=group.job)
        yield f"{plural(group.count, 'simulation')} {group.outcome}: {why}"
        for change in group.changes:
            yield f"  {change}"


@command(answer=Explained, render=render)
@click.argument("job", default="last", shell_complete=jobs)
@click.argument("sim", required=False)
def explain(call: Call, job: str, sim: str | None) -> Explained:
    """Say what a job reused and what it computed, and why.

    SIM is the beginning of a simulation's key: then it is about that one alone.
    """
    from modelops.jobs.explain import explain_job

    backend = open_backend(call)
    record = find_job(backend, job)
    before = [item for item in backend.records() if item.created < record.created]
    groups = explain_job(
        backend.folder(record.job_id),
        [backend.folder(item.job_id) for item in before],
        call.config,
        sim=sim,
    )
    if sim is not None and not groups:
        raise NotFound(
            f"{record.job_id} has no simulation {sim}",
            hint=f"mops results show {record.job_id} --table failures",
            code="sim.not_found",
        )
    rows = [GroupRow(g.outcome, g.reason, g.count, g.job, list(g.changes)) for g in groups]
    return Explained(as_job(record), rows)
