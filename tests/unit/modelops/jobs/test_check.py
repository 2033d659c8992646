"""A study against its model: completed, or refused with every mistake."""

from __future__ import annotations

from typing import Any

import pytest

from modelops.jobs.check import complete_study, find_study_warnings, fits_outputs, needed_outputs
from modelops_contracts.errors import InvalidInput
from modelops_contracts.models import ModelDescription, TargetDescription
from modelops_contracts.study import SimulationStudy

SIR = ModelDescription(
    class_path="models.sir:Sir",
    parameters=(
        {"name": "beta", "lower": 0.1, "upper": 1.0, "kind": "float"},
        {"name": "n0", "lower": 1, "upper": 9, "kind": "int", "default": 5},
        {"name": "cut", "lower": 0.0, "upper": 1.0, "kind": "float"},
    ),
    scenarios={
        "baseline": {"param_patches": {}, "config_patches": {}},
        "closed": {"param_patches": {"cut": 0.5}, "config_patches": {}},
    },
    outputs=("inc", "prev"),
    config={"days": "40"},
)


def study(*rows: dict[str, Any], scenario: str = "closed", **more: Any) -> SimulationStudy:
    return SimulationStudy(
        model="models.sir", scenario=scenario, parameter_sets=rows or ({"beta": 0.5},), **more
    )


def test_rows_get_every_parameter_in_the_models_order_and_kind() -> None:
    complete = complete_study(study({"n0": 2.0, "beta": 1}, {"beta": 0.5}), SIR)
    assert [dict(entry.params) for entry in complete.parameter_sets] == [
        {"beta": 1.0, "n0": 2, "cut": 0.5},
        {"beta": 0.5, "n0": 5, "cut": 0.5},
    ]
    assert list(complete.parameter_sets[0].params) == ["beta", "n0", "cut"]
    assert type(complete.parameter_sets[0].params["beta"]) is float
    assert type(complete.parameter_sets[0].params["n0"]) is int


def test_seeds_of_rows_are_kept() -> None:
    row = {"params": {"beta": 0.5}, "seed": 7}
    assert complete_study(study(row), SIR).parameter_sets[0].seed == 7


def test_all_mistakes_are_told_at_once() -> None:
    wrong = study(
        {"beta": 1.5, "cut": 0.1},
        {"betta": 0.5},
        scenario="baseline",
        outputs=["incc"],
        metadata={"config": {"day": 3}},
    )
    with pytest.raises(InvalidInput) as caught:
        complete_study(wrong, SIR)
    told = {detail.path: detail.message for detail in caught.value.details}
    assert "did you mean inc" in told["$.outputs"]
    assert "did you mean days" in told["$.metadata.config"]
    assert told["$.parameter_sets[0].params.beta"] == "beta = 1.5 is outside its bounds [0.1, 1.0]"
    texts = [detail.message for detail in caught.value.details]
    assert "models.sir:Sir has no parameter 'betta'; did you mean beta?" in texts
    assert "beta is missing and has no default" in texts
    assert "cut is missing and has no default" in texts


@pytest.mark.parametrize("value", [True, "high"])
def test_values_that_are_no_numbers(value: object) -> None:
    with pytest.raises(InvalidInput, match="must be a number"):
        complete_study(study({"beta": value}), SIR)


def test_more_simulations_than_a_study_can_hold_are_refused_at_once() -> None:
    with pytest.raises(InvalidInput, match="1,000,000,000 simulations; one study may hold"):
        complete_study(study(n_replicates=10**9), SIR)


def test_half_an_integer_is_refused() -> None:
    with pytest.raises(InvalidInput, match="whole number"):
        complete_study(study({"beta": 0.5, "n0": 3.5}), SIR)


def test_an_unknown_scenario_names_the_nearest() -> None:
    with pytest.raises(InvalidInput, match="no scenario 'closd'; did you mean closed"):
        complete_study(study(scenario="closd"), SIR)


def test_a_scenario_that_overrides_what_is_sampled_is_worth_a_word() -> None:
    rows = ({"beta": 0.5, "cut": 0.1}, {"beta": 0.5, "cut": 0.2})
    complete = complete_study(study(*rows), SIR)
    assert "closed sets cut" in find_study_warnings(complete, SIR)[0]
    same = complete_study(study(rows[0], {"beta": 0.6, "cut": 0.1}), SIR)
    assert find_study_warnings(same, SIR) == []


def test_outputs_that_targets_need() -> None:
    targets = [
        TargetDescription("t:a", "a", ("prev", "inc"), "loss"),
        TargetDescription("t:b", "b", ("inc",), "loglik"),
    ]
    assert needed_outputs(targets, ["inc", "prev", "more"]) == ["inc", "prev"]
    assert not fits_outputs(targets[0], ["inc"])
    assert fits_outputs(targets[1], ["inc"])
