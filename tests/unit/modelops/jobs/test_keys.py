"""Requests and keys of what a job wants."""

from __future__ import annotations

from dataclasses import replace

import pytest

from modelops.jobs.documents import JobPlan
from modelops.jobs.keys import evaluation_key, evaluation_request, requests_for, wanted_of
from modelops_contracts.digests import study_seed
from modelops_contracts.parameter_set import UniqueParameterSet
from modelops_contracts.study import SimulationStudy
from support.plans import MANIFEST, chosen, make_plan

PARAMS = UniqueParameterSet.from_dict({"beta": 0.5})


def key(plan: JobPlan, params: UniqueParameterSet = PARAMS, seed: int = 1) -> str:
    return requests_for(plan, MANIFEST, params, (seed,))[0].sim_key


@pytest.mark.parametrize(
    "other",
    [
        make_plan(code="sha256:" + "0" * 64),
        make_plan(model="models.sir:Other"),
        make_plan(scenario="closed"),
        make_plan(config={"days": 3}),
        make_plan(outputs=("inc", "prev")),
        make_plan(environment="0" * 64),
    ],
)
def test_whatever_may_change_a_result_changes_its_key(other: JobPlan) -> None:
    assert key(other) != key(make_plan())


def test_parameters_and_seed_change_the_key() -> None:
    assert key(make_plan(), UniqueParameterSet.from_dict({"beta": 0.6})) != key(make_plan())
    assert key(make_plan(), seed=2) != key(make_plan())


def test_the_bundle_and_the_targets_do_not_change_the_key() -> None:
    elsewhere = requests_for(make_plan(), "sha256:" + "9" * 64, PARAMS, (1,))[0].sim_key
    assert elsewhere == key(make_plan())
    assert key(make_plan(targets=())) == key(make_plan())


def test_the_seeds_that_run_are_those_of_the_study() -> None:
    study = SimulationStudy(
        "models.sir", "baseline", ({"beta": 0.5}, {"params": {"beta": 0.7}, "seed": 9}),
        n_replicates=3,
    )  # fmt: skip
    rows = wanted_of(make_plan(), MANIFEST, study)
    assert [sim.task.seed for sim in rows[0].sims] == [
        study_seed(PARAMS.param_id, i) for i in range(3)
    ]
    assert [sim.replicate for sim in rows[0].sims] == [0, 1, 2]
    assert [sim.task.seed for sim in rows[1].sims] == [9]
    assert rows[0].sims[0].task.outputs == ("inc",)
    assert rows[0].sims[0].task.entrypoint == "models.sir.Sir/baseline"


def test_a_row_that_stands_there_twice_is_wanted_once() -> None:
    study = SimulationStudy("models.sir", "baseline", ({"beta": 0.5}, {"beta": 0.5}))
    assert len(wanted_of(make_plan(), MANIFEST, study)) == 1


def test_rows_that_differ_in_their_seed_are_replicates_of_one_set() -> None:
    rows = tuple({"params": {"beta": 0.5}, "seed": seed} for seed in (7, 3, 7))
    study = SimulationStudy("models.sir", "baseline", rows, n_replicates=9)
    (wanted,) = wanted_of(make_plan(), MANIFEST, study)
    assert [(sim.replicate, sim.task.seed) for sim in wanted.sims] == [(0, 7), (1, 3)]


def test_evaluations_are_keyed_by_targets_weights_policy_and_simulations() -> None:
    plan = make_plan()
    sims = requests_for(plan, MANIFEST, PARAMS, (1, 2))
    first = evaluation_key(plan, sims)
    assert evaluation_key(plan, sims[::-1]) == first
    for other in (
        make_plan(targets=(chosen(digest="sha256:" + "0" * 64),)),
        make_plan(targets=(chosen(weight=2.0),)),
        make_plan(policy={"replicates": "mean_loglik", "failed_replicates": "fail"}),
    ):
        assert evaluation_key(other, sims) != first
    assert evaluation_key(plan, sims[:1]) != first


def test_an_evaluation_asks_for_all_targets_and_seeds() -> None:
    plan = replace(make_plan(), targets=(chosen("a", weight=2.0), chosen("b")))
    request = evaluation_request(plan, requests_for(plan, MANIFEST, PARAMS, (5, 6)))
    assert request.seeds == (5, 6)
    assert request.targets == ("targets:a", "targets:b")
    assert dict(request.weights) == {"targets:a": 2.0, "targets:b": 1.0}
    assert dict(request.policy) == dict(plan.policy)
