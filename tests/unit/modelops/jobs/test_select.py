"""Selectors: full id, prefix, last, @name."""

from __future__ import annotations

import pytest

from modelops.jobs.select import select_job
from modelops_contracts.errors import InvalidInput, NotFound
from support.jobs import make_record

JOBS = [
    make_record("job-12345678", name="late"),
    make_record("job-1234ffff", name="early"),
    make_record("calib-3fa81c20", name="early"),
]


@pytest.mark.parametrize(
    ("selector", "job_id"),
    [
        ("job-12345678", "job-12345678"),
        ("calib-3f", "calib-3fa81c20"),
        ("job-1234f", "job-1234ffff"),
        ("last", "job-12345678"),
        ("@early", "job-1234ffff"),
    ],
)
def test_found(selector: str, job_id: str) -> None:
    assert select_job(JOBS, selector).job_id == job_id


def test_ambiguous_prefixes_name_the_candidates() -> None:
    with pytest.raises(InvalidInput, match=r"job-12345678.*job-1234ffff"):
        select_job(JOBS, "job-1234")


def test_short_prefixes_are_refused() -> None:
    with pytest.raises(InvalidInput, match="at least 4"):
        select_job(JOBS, "cal")


def test_near_misses_are_named() -> None:
    with pytest.raises(NotFound, match="nearest: calib-3fa81c20"):
        select_job(JOBS, "calib-3fa81c02")
    with pytest.raises(NotFound, match="nearest: @early"):
        select_job(JOBS, "@erly")


def test_no_job_at_all_says_how_to_get_one() -> None:
    with pytest.raises(NotFound) as caught:
        select_job([], "last")
    assert caught.value.hint == "mops run SPEC"
