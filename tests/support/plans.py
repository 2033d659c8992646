"""A small job plan, without a project behind it."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from modelops.jobs.documents import ChosenTarget, JobPlan
from modelops_contracts.models import ModelDescription, TargetDescription

MANIFEST = "sha256:" + "e" * 64


def chosen(target_id: str = "counts", **changes: Any) -> ChosenTarget:
    described = TargetDescription(f"targets:{target_id}", target_id, ("inc",), "loglik")
    target = ChosenTarget(target_id, described.entrypoint, "sha256:" + "d" * 64, 1.0, described)
    return replace(target, **changes)


def make_plan(**changes: Any) -> JobPlan:
    plan = JobPlan(
        kind="study",
        model_id="sir",
        model="models.sir:Sir",
        code="sha256:" + "c" * 64,
        scenario="baseline",
        environment="f" * 64,
        outputs=("inc",),
        config={},
        description=ModelDescription("models.sir:Sir", outputs=("inc", "prev")),
        targets=(chosen(),),
        policy={"replicates": "logmeanexp", "failed_replicates": "fail"},
    )
    return replace(plan, **changes)
