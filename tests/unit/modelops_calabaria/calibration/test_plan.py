"""Plans: each parameter is resolved once, and nothing is accepted and ignored."""

from __future__ import annotations

from typing import Any

import pytest

from modelops_calabaria.calibration.fingerprint import fingerprint
from modelops_calabaria.calibration.plan import plan_calibration
from modelops_contracts.errors import InvalidInput
from modelops_contracts.study import CalibrationSpec
from support.toy_calibration import make_description, make_plan, make_spec, make_target

DECLARED = {
    "beta": {"lower": 0.1, "upper": 2.0},
    "gamma": {"lower": 0.05, "upper": 1.0},
    "n0": {"lower": 1, "upper": 9, "kind": "int", "default": 2},
}
FREE = {"beta": {"lower": 0.2, "upper": 1.0, "transform": "log"}}


def plan(free: Any = FREE, *, declared: Any = DECLARED, target: Any = None, **config: Any) -> Any:
    changes = config.pop("description", {})
    return plan_calibration(
        make_spec(free, **config), make_description(declared, **changes), [target or make_target()]
    )


def test_free_fixed_and_default_make_the_complete_set_in_the_models_order() -> None:
    made = plan(fixed={"gamma": 0.25})
    assert made.space.names == ("beta",)
    assert dict(made.fixed) == {"gamma": 0.25, "n0": 2}
    assert list(made.complete({"beta": 0.5}).params) == ["beta", "gamma", "n0"]


def test_a_parameter_that_is_none_of_them_is_named() -> None:
    with pytest.raises(InvalidInput, match=r"gamma is neither free nor fixed and has no default"):
        plan()


def test_constant_bounds_fix_a_parameter() -> None:
    made = plan({**FREE, "gamma": {"lower": 0.3, "upper": 0.3}})
    assert made.space.names == ("beta",)
    assert made.fixed["gamma"] == 0.3


@pytest.mark.parametrize(
    ("free", "message"),
    [
        ({"beta": {"lower": 0.0, "upper": 1.0}}, r"beta.*outside bounds"),
        ({"beta": {"lower": 0.2, "upper": 3.0}}, r"beta.*outside bounds"),
        ({"beta": {"lower": 0.9, "upper": 0.3}}, r"beta.*lower 0\.9 > upper 0\.3"),
        ({"bata": {"lower": 0.2, "upper": 1.0}}, r"no parameter 'bata'; did you mean beta"),
        ({"n0": {"lower": 1.5, "upper": 3}}, "n0"),
        ({"n0": {"lower": 1, "upper": 3, "kind": "float"}}, "n0: kind 'float'"),
        (
            {"beta": {"lower": 0.2, "upper": 1.0, "transform": "lug"}},
            "beta: Unknown transform 'lug'; did you",
        ),
        ({"beta": {"lower": 0.2, "upper": 1.0, "lowr": 1}}, r"beta: unknown key 'lowr'.*lower"),
        ({"gamma": {"lower": 0.1, "upper": 0.5}, **FREE}, "gamma is both free and fixed"),
    ],
)
def test_bad_parameters_are_refused_by_name(free: Any, message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        plan(free, fixed={"gamma": 0.25})


@pytest.mark.parametrize(
    ("config", "message"),
    [
        ({"max_trails": 5}, r"max_trails: unknown setting; did you mean max_trials"),
        ({"max_trials": 0}, r"max_trials: must be a whole number >= 1"),
        ({"batch_size": True}, "batch_size"),
        ({"sampler": {"type": "annealing"}}, r"known: tpe, cmaes, random, qmc, grid"),
        ({"sampler": {"type": "qmc", "n_startup_trials": 5}}, r"sampler\.n_startup_trials"),
        ({"sampler": {"type": "cmaes"}}, "at least two free parameters"),
        ({"pruner": {"type": "median"}}, "pruner: not supported; remove it"),
        ({"schedule": "random"}, "schedule: must be one of ordered, async"),
        ({"crn": "yes"}, "crn"),
        ({"replicates": "median"}, "replicates"),
        ({"rescore": {"top_k": 0}}, r"rescore\.top_k"),
        ({"rescore": {"n_replicates": 1}}, r"rescore\.n_replicates"),
        ({"convergence_criteria": {"max_los": 1}}, r"max_los: unknown setting; did you mean"),
        ({"early_stopping_patience": 3, "convergence_criteria": {"patience": 4}}, "patience"),
        ({"config": {"dt": 1}}, "has no configuration 'dt'"),
        ({"sampler": {"type": "grid", "points": {"gamma": 3}}}, "grid points"),
    ],
)
def test_bad_settings_are_refused_by_name(config: dict[str, Any], message: str) -> None:
    with pytest.raises(InvalidInput, match=message):
        plan(fixed={"gamma": 0.25}, **config)


def test_all_mistakes_come_at_once_with_their_paths() -> None:
    with pytest.raises(InvalidInput) as caught:
        plan(fixed={"gamma": 0.25}, max_trials=0, batch_size=-1, nonsense=1)
    paths = {detail.path for detail in caught.value.details}
    assert paths == {
        "$.algorithm_config.max_trials",
        "$.algorithm_config.batch_size",
        "$.algorithm_config.nonsense",
    }


def test_a_scenario_decides_about_its_parameters() -> None:
    scenarios = {"baseline": {}, "closed": {"param_patches": {"gamma": 0.5}}}
    spec = make_spec(FREE).to_dict()
    closed = CalibrationSpec.from_dict({**spec, "scenario": "closed"})
    description = make_description(DECLARED, scenarios=scenarios)
    assert plan_calibration(closed, description, [make_target()]).fixed["gamma"] == 0.5
    searched = CalibrationSpec.from_dict(
        {**make_spec({"gamma": {"lower": 0.1, "upper": 0.9}}, fixed={"beta": 1.0}).to_dict(),
         "scenario": "closed"}
    )  # fmt: skip
    with pytest.raises(InvalidInput, match="gamma is set by the scenario"):
        plan_calibration(searched, description, [make_target()])
    held = make_spec({"beta": {"lower": 0.1, "upper": 0.9}}, fixed={"gamma": 0.5}).to_dict()
    agreeing = CalibrationSpec.from_dict({**held, "scenario": "closed"})
    assert plan_calibration(agreeing, description, [make_target()]).fixed["gamma"] == 0.5
    held = make_spec({"beta": {"lower": 0.1, "upper": 0.9}}, fixed={"gamma": 0.3}).to_dict()
    ignored = CalibrationSpec.from_dict({**held, "scenario": "closed"})
    with pytest.raises(InvalidInput, match=r"gamma is fixed at 0\.3, but the scenario sets it to"):
        plan_calibration(ignored, description, [make_target()])
    unknown = CalibrationSpec.from_dict({**spec, "scenario": "close"})
    with pytest.raises(InvalidInput, match="no scenario 'close'") as caught:
        plan_calibration(unknown, description, [make_target()])
    assert "closed" in str(caught.value.hint)


def test_targets_must_fit_the_model() -> None:
    with pytest.raises(InvalidInput, match=r"reads output 'deaths', which .* does not produce"):
        plan(fixed={"gamma": 0.25}, target=make_target(model_outputs=("deaths",)))
    with pytest.raises(InvalidInput, match="needs a likelihood target"):
        plan(fixed={"gamma": 0.25}, replicates="mean_loglik", target=make_target(kind="loss"))


def test_weights_are_those_of_the_study_else_the_targets_own() -> None:
    assert plan(fixed={"gamma": 0.25}, target=make_target(weight=2.0)).weights == {
        "toy.targets:cases": 2.0
    }
    spec = make_spec(FREE, fixed={"gamma": 0.25}).to_dict()
    for key in ("cases", "toy.targets:cases"):
        data = {**spec["target_data"], "weights": {key: 0.5}}
        weighted = CalibrationSpec.from_dict({**spec, "target_data": data})
        made = plan_calibration(weighted, make_description(DECLARED), [make_target()])
        assert made.weights == {"toy.targets:cases": 0.5}
    silent = CalibrationSpec.from_dict(
        {**spec, "target_data": {**spec["target_data"], "weights": {"cases": 0.0}}}
    )
    with pytest.raises(InvalidInput, match="every target has weight 0"):
        plan_calibration(silent, make_description(DECLARED), [make_target()])
    data = {**spec["target_data"], "weights": {"deaths": 0.5}}
    stray = CalibrationSpec.from_dict({**spec, "target_data": data})
    with pytest.raises(InvalidInput, match="weight for 'deaths'"):
        plan_calibration(stray, make_description(DECLARED), [make_target()])


@pytest.mark.parametrize(("weight", "kind"), [(0.0, "loglik"), (1.0, "loss")])
def test_a_target_without_weight_does_not_decide_what_the_objective_is(
    weight: float, kind: str
) -> None:
    spec = make_spec(FREE, fixed={"gamma": 0.25}).to_dict()
    data = {"target_entrypoints": ["toy.targets:cases", "toy.targets:mse"],
            "target_ids": ["cases", "mse"], "weights": {"mse": weight}}  # fmt: skip
    both = CalibrationSpec.from_dict({**spec, "target_data": data})
    mse = make_target(entrypoint="toy.targets:mse", name="mse", kind="loss")
    made = plan_calibration(both, make_description(DECLARED), [make_target(), mse])
    assert made.objective_kind == kind


def test_the_fingerprint_leaves_out_what_may_change_on_resume() -> None:
    def of(**config: Any) -> dict[str, Any]:
        return fingerprint(plan(fixed={"gamma": 0.25}, **config), code="c", data={})

    same = [{"max_trials": 7}, {"rescore": {"top_k": 3}}, {"max_iterations": 4},
            {"convergence_criteria": {"patience": 3}}]  # fmt: skip
    other = [{"seed": 1}, {"n_replicates": 9}, {"batch_size": 9}, {"crn": "per-replicate-index"}]
    assert all(of(**config) == of() for config in same)
    assert all(of(**config) != of() for config in other)


def test_a_deterministic_model_has_one_replicate_everywhere() -> None:
    made = make_plan({"a": {"lower": 0.0, "upper": 1.0}}, deterministic=True, n_replicates=5)
    assert (made.n_replicates, made.rescore.n_replicates, made.rescore.confirm) == (1, 1, 1)


@pytest.mark.parametrize(("trials", "top_k"), [(10, 5), (100, 5), (200, 10), (9999, 20)])
def test_the_number_of_candidates_follows_the_trials(trials: int, top_k: int) -> None:
    assert plan(fixed={"gamma": 0.25}, max_trials=trials).rescore.top_k == top_k
