"""What is written at submission is read back as it was."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from modelops.jobs.documents import JobPlan, RunChoices, joint_digest
from modelops_contracts.errors import IntegrityError
from support.plans import chosen, make_plan


def test_round_trip_through_json() -> None:
    plan = make_plan(config={"days": 3}, choices=RunChoices(workers=2, max_failed="5%"))
    assert JobPlan.from_json(json.loads(json.dumps(plan.to_json()))) == plan


def test_another_schema_is_refused() -> None:
    with pytest.raises(IntegrityError, match=r"mops\.plan/9"):
        JobPlan.from_json({**make_plan().to_json(), "schema": "mops.plan/9"})


def test_a_damaged_plan_is_named() -> None:
    data = make_plan().to_json()
    del data["code"]
    with pytest.raises(IntegrityError, match="code"):
        JobPlan.from_json(data)


def test_the_joint_digest_depends_on_content_not_on_order() -> None:
    a, b = chosen("a"), chosen("b")
    assert joint_digest((a, b)) == joint_digest((b, a))
    assert joint_digest((a,)) != joint_digest((a, b))
    assert joint_digest((a,)) != joint_digest((replace(a, digest="sha256:" + "0" * 64),))
    assert joint_digest(()) == ""


def test_the_entrypoint_names_class_and_scenario() -> None:
    assert make_plan().entrypoint == "models.sir.Sir/baseline"
