"""Which job a person means."""

from __future__ import annotations

from collections.abc import Sequence

from modelops.jobs.record import JobRecord
from modelops_contracts.errors import InvalidInput, NotFound, nearest

__all__ = ["SHORTEST_PREFIX", "select_job"]

SHORTEST_PREFIX = 4


def select_job(records: Sequence[JobRecord], selector: str) -> JobRecord:
    """The job of a full id, a unique prefix, ``last``, or ``@name`` (the newest of that name).

    ``records`` newest first. Raises NotFound with the nearest ids or names, InvalidInput with the
    candidates when a prefix fits several.
    """
    if selector == "last":
        if records:
            return records[0]
        raise NotFound("no job here yet", hint="mops run SPEC", code="job.not_found")
    if selector.startswith("@"):
        return _by_name(records, selector[1:])
    for record in records:
        if record.job_id == selector:
            return record
    return _by_prefix(records, selector)


def _by_name(records: Sequence[JobRecord], name: str) -> JobRecord:
    for record in records:
        if record.name == name:
            return record
    near = nearest(name, {record.name for record in records if record.name})
    raise _missing(f"no job is named {name}", [f"@{item}" for item in near])


def _by_prefix(records: Sequence[JobRecord], selector: str) -> JobRecord:
    found = [record for record in records if record.job_id.startswith(selector)]
    if len(selector) < SHORTEST_PREFIX and found:
        raise InvalidInput(
            f"{selector} is too short to name a job; give at least {SHORTEST_PREFIX} characters",
            hint="mops jobs list",
            code="job.ambiguous",
        )
    if len(found) == 1:
        return found[0]
    if found:
        ids = ", ".join(f"{record.job_id} ({record.state})" for record in found[:5])
        raise InvalidInput(
            f"{selector} fits {len(found)} jobs: {ids}", hint="mops jobs list", code="job.ambiguous"
        )
    names = {record.job_id for record in records}
    raise _missing(f"job {selector} not found", nearest(selector, names))


def _missing(what: str, near: Sequence[str]) -> NotFound:
    more = f"; nearest: {', '.join(near)}" if near else ""
    return NotFound(what + more, hint="mops jobs list", code="job.not_found")
