from __future__ import annotations

import polars as pl
import pytest

import modelops_calabaria as cb
from modelops_calabaria.describe import describe_model, describe_target
from modelops_calabaria.sampling.study import space_from_description
from modelops_contracts.errors import InvalidInput
from modelops_contracts.models import ModelDescription, TargetDescription


class Described(cb.BaseModel):
    """What it is."""

    PARAMS = cb.ParameterSpace(
        [
            cb.ParameterSpec("a", 0.1, 1, transform="log", prior=cb.Prior("normal", 0, 1)),
            cb.ParameterSpec("p", 0, 1, transform="logit", default=0.5),
        ]
    )
    DETERMINISTIC = True

    def build_sim(self, params, config): ...

    def run_sim(self, state, seed): ...


class Heir(Described):
    pass


class NeedsArguments(Described):
    def __init__(self, size):
        self.size = size


def test_a_description_carries_the_space():
    description = describe_model(Described)
    assert space_from_description(description) == Described.PARAMS
    assert description.deterministic
    assert description.scenarios["baseline"] == {
        "doc": "", "param_patches": {}, "config_patches": {},
    }  # fmt: skip
    assert ModelDescription.from_json(description.to_json()) == description


def test_a_class_does_not_borrow_its_parents_words():
    assert describe_model(Described).doc == "What it is."
    assert describe_model(Heir).doc == ""


def test_what_cannot_be_described():
    class Local(Described):
        pass

    with pytest.raises(InvalidInput, match="cannot be imported"):
        describe_model(Local)
    with pytest.raises(TypeError, match="is not a model"):
        describe_model(int)
    with pytest.raises(TypeError, match="Can't instantiate abstract class"):
        describe_model(cb.BaseModel)
    with pytest.raises(TypeError, match="size"):
        describe_model(NeedsArguments)


def test_targets_describe_themselves():
    target = cb.LikelihoodTarget(
        name="cases",
        model_output="inc",
        data=pl.DataFrame({"day": [1, 2], "n": [3, 4]}),
        alignment=cb.ExactJoin(["day"]),
        evaluator=cb.poisson_loglik_per_rep("n"),
        coverage="zero",
    )
    description = describe_target(target, "targets:cases")
    assert description == TargetDescription(
        entrypoint="targets:cases",
        name="cases",
        model_outputs=("inc",),
        kind="loglik",
        columns=("n",),
        n_observed=2,
        coverage="zero",
        family=description.family,
    )
    assert "oisson" in description.family


class NeedsSeveral(cb.BaseModel):
    PARAMS = cb.ParameterSpace([cb.ParameterSpec("x", 0.0, 1.0)])

    def __init__(self, population, *, network, seed_cases=1):
        self.population = population

    def build_sim(self, params, config): ...

    def run_sim(self, state, seed): ...


def test_a_model_that_cannot_be_made_without_arguments_says_which():
    with pytest.raises(
        TypeError, match="NeedsSeveral cannot be made without arguments: population, network"
    ) as caught:
        describe_model(NeedsSeveral)
    assert "CONFIG" in caught.value.hint


def test_a_type_error_of_the_authors_constructor_is_the_authors():
    class Broken(NeedsSeveral):
        def __init__(self):
            raise TypeError("no such licence")

    with pytest.raises(TypeError, match="no such licence"):
        describe_model(Broken, address="x:Broken")
