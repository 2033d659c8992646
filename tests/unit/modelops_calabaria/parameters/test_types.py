from __future__ import annotations

import copy
import math
import pickle

import numpy as np
import pytest

from modelops_calabaria.parameters import ParameterSet, ParameterSpace, ParameterSpec, Prior
from modelops_calabaria.parameters.transforms import LogTransform
from modelops_contracts.digests import make_param_id
from modelops_contracts.errors import ModelOpsError

BETA = ParameterSpec("beta", 0.1, 0.9)
N0 = ParameterSpec("n0", 1, 9, "int")
SPACE = ParameterSpace([BETA, N0])


class TestSpec:
    @pytest.mark.parametrize(
        ("arguments", "kind", "fragment"),
        [
            (("x", 0, 1, "bool"), ValueError, "Parameter kind must be"),
            (("x", 2, 1), ValueError, r"lower .* > upper"),
            (("x", 0.5, 2, "int"), ValueError, "must have integer bounds"),
            (("x", 1.0, 2, "int"), ValueError, "must have integer bounds"),
            (("x", math.nan, 1), ValueError, "NaN"),
            (("x", 0, math.inf), ValueError, "infinite"),
            (("x", True, 1), TypeError, "requires numeric.*bool"),
            (("x", "0", 1), TypeError, "requires numeric"),
            (("", 0, 1), ValueError, "name cannot be empty"),
        ],
    )
    def test_bad_specs_are_refused(self, arguments, kind, fragment):
        with pytest.raises(kind, match=fragment) as caught:
            ParameterSpec(*arguments)
        assert isinstance(caught.value, ModelOpsError)

    @pytest.mark.parametrize(
        ("spec", "value", "kind", "fragment"),
        [
            (N0, 3.9, TypeError, "requires int"),
            (N0, True, TypeError, "requires numeric.*bool"),
            (BETA, np.bool_(True), TypeError, "requires numeric.*bool"),
            (BETA, "0.5", TypeError, "requires numeric"),
            (BETA, None, TypeError, "requires numeric"),
            (BETA, 1.0, ValueError, "outside bounds"),
            (N0, 10, ValueError, "outside bounds"),
            (BETA, math.nan, ValueError, "NaN"),
            (BETA, -math.inf, ValueError, "infinite"),
        ],
    )
    def test_bad_values_are_refused(self, spec, value, kind, fragment):
        with pytest.raises(kind, match=fragment):
            spec.validate_value(value)

    def test_values_take_the_kind_of_the_parameter(self):
        for value in (3.0, np.int64(3), np.float32(3.0), 3):
            assert type(N0.normalise(value)) is int
        for value in (np.float64(0.5), np.float32(0.5)):
            assert type(BETA.normalise(value)) is float
        assert type(BETA.normalise(1)) is float
        assert math.copysign(1.0, BETA.normalise(-0.0)) == 1.0

    def test_bounds_are_inclusive(self):
        BETA.validate_value(0.1)
        BETA.validate_value(0.9)

    def test_bounds_become_python_numbers(self):
        spec = ParameterSpec("n", np.int64(1), np.int64(4), "int")
        assert type(spec.lower) is int
        assert type(ParameterSpec("x", 0, 1).upper) is float

    def test_the_default_lies_inside_the_bounds(self):
        assert ParameterSpec("x", 0, 1, default=1).default == 1.0
        with pytest.raises(ValueError, match=r"x = 2.* outside bounds"):
            ParameterSpec("x", 0, 1, default=2)

    def test_a_transform_must_hold_the_bounds(self):
        with pytest.raises(
            ValueError, match=r"beta: bounds \[0.0, 1.0\].*requires positive bounds"
        ):
            ParameterSpec("beta", 0, 1, transform="log")
        with pytest.raises(ValueError, match="Unknown transform 'lgo'"):
            ParameterSpec("beta", 0.1, 1, transform="lgo")
        with pytest.raises(TypeError, match="Transform protocol"):
            ParameterSpec("beta", 0.1, 1, transform=3)

    def test_dict_round_trip_keeps_everything(self):
        spec = ParameterSpec(
            "x",
            1,
            9,
            "int",
            "doc",
            prior=Prior("gamma", 2, 3),
            unit="d",
            default=4,
            transform="log",
        )
        assert ParameterSpec.from_dict(spec.to_dict()) == spec
        assert spec.to_dict()["transform"] == "log"
        assert BETA.to_dict() == {
            "name": "beta", "lower": 0.1, "upper": 0.9, "kind": "float", "doc": "",
        }  # fmt: skip

    def test_a_typo_in_a_file_is_named(self):
        with pytest.raises(ValueError, match="unknown keys: uper") as caught:
            ParameterSpec.from_dict({"name": "x", "lower": 0, "upper": 1, "uper": 2})
        assert "upper" in caught.value.hint

    def test_a_prior_may_be_a_bare_name(self):
        assert ParameterSpec("x", 0.1, 1, prior="log-uniform").prior == Prior("log-uniform")
        with pytest.raises(ValueError, match="positive bounds"):
            ParameterSpec("x", 0, 1, prior="log-uniform")

    def test_bounds_are_narrowed_never_widened(self):
        spec = ParameterSpec("x", 0, 10, default=9)
        assert spec.narrowed(2, 5).default is None
        assert spec.narrowed(2, 9.5).default == 9
        with pytest.raises(ValueError, match=r"\[-1, 5\].*\[0.0, 10.0\]"):
            spec.narrowed(-1, 5)


class TestSpace:
    def test_names_are_unique(self):
        with pytest.raises(ValueError, match=r"Duplicate parameter names.*beta"):
            ParameterSpace([BETA, N0, BETA])

    def test_an_unknown_name_gets_the_nearest(self):
        with pytest.raises(KeyError, match="Unknown parameter: bata") as caught:
            SPACE.get_spec("bata")
        assert str(caught.value) == "Unknown parameter: bata"
        assert "beta" in caught.value.hint

    def test_it_reads_like_a_collection(self):
        assert SPACE.names() == ["beta", "n0"]
        assert "beta" in SPACE
        assert len(SPACE) == 2
        assert [spec.name for spec in SPACE] == ["beta", "n0"]
        assert ParameterSpace.from_dict(SPACE.to_dict()) == SPACE

    def test_compatibility_is_about_meaning(self):
        other = ParameterSpace([N0, ParameterSpec("beta", 0.1, 0.9, doc="d", prior="uniform")])
        assert SPACE.is_compatible(other)
        assert not SPACE.is_compatible(ParameterSpace([N0, ParameterSpec("beta", 0.1, 0.8)]))
        assert not SPACE.is_compatible(ParameterSpace([BETA, ParameterSpec("n0", 1, 9)]))

    def test_default_values(self):
        space = ParameterSpace([BETA, ParameterSpec("k", 0, 9, default=2)])
        assert space.default_values() == {"k": 2.0}

    def test_it_pickles_and_is_frozen(self):
        assert pickle.loads(pickle.dumps(SPACE)) == SPACE
        assert hash(SPACE) == hash(ParameterSpace([BETA, N0]))
        with pytest.raises(AttributeError):
            SPACE.specs = ()


class TestSet:
    def test_mistakes_come_in_order_unknown_missing_value(self):
        with pytest.raises(ValueError, match="Unknown parameters: bata"):
            ParameterSet(SPACE, {"bata": 1, "n0": 99})
        with pytest.raises(ValueError, match="Missing required parameters: n0"):
            ParameterSet(SPACE, {"beta": 99})
        with pytest.raises(ValueError, match=r"Validation failed for beta.*outside bounds"):
            ParameterSet(SPACE, {"beta": 99, "n0": 1})
        with pytest.raises(ValueError, match=r"Validation failed for n0.*requires int"):
            ParameterSet(SPACE, {"beta": 0.5, "n0": 1.5})

    def test_it_reads_like_a_mapping(self):
        p = ParameterSet.new(SPACE, n0=3.0, beta=np.float64(0.5))
        assert list(p) == ["beta", "n0"]
        assert dict(p) == {**p} == p.to_dict() == {"beta": 0.5, "n0": 3}
        assert p.values == {"beta": 0.5, "n0": 3}
        assert p.get("gamma") is None
        assert p.get("gamma", 7) == 7
        assert len(p) == 2
        assert "beta" in p
        with pytest.raises(KeyError, match="Parameter gamma not in set"):
            p["gamma"]
        with pytest.raises(TypeError):
            p.values["beta"] = 1

    def test_the_id_is_over_normalised_values(self):
        p = ParameterSet.from_dict(SPACE, {"n0": 3.0, "beta": 0.3})
        assert p.param_id == make_param_id({"beta": 0.3, "n0": 3})

    def test_updates_make_a_new_set(self):
        p = ParameterSet.new(SPACE, beta=0.5, n0=3)
        assert p.with_updates(beta=0.6).to_dict() == {"beta": 0.6, "n0": 3}
        assert p["beta"] == 0.5
        with pytest.raises(ValueError, match="Unknown parameters: gamma"):
            p.with_updates(gamma=1)

    def test_values_compare_hash_pickle_and_copy(self):
        p = ParameterSet.new(SPACE, beta=0.5, n0=3)
        q = ParameterSet(ParameterSpace([N0, BETA]), {"beta": 0.5, "n0": 3})
        assert p == q
        assert hash(p) == hash(q)
        assert p != ParameterSet.new(SPACE, beta=0.5, n0=4)
        assert pickle.loads(pickle.dumps(p)) == p
        assert copy.deepcopy(p) == p
        with pytest.raises(AttributeError):
            p.beta = 1

    def test_a_parameter_may_have_any_name(self):
        space = ParameterSpace([ParameterSpec("self", 0, 1), ParameterSpec("space", 0, 1)])
        p = ParameterSet.new(space, self=0.1, space=0.2)
        assert p.with_updates(self=0.3).to_dict() == {"self": 0.3, "space": 0.2}

    def test_only_whole_numbers(self):
        space = ParameterSpace([N0, ParameterSpec("m", -3, 3, "int")])
        assert ParameterSet.new(space, n0=1, m=-3).to_dict() == {"n0": 1, "m": -3}


def test_an_authors_own_transform_cannot_be_written():
    class Square:
        def forward(self, x):
            return x**2

        def backward(self, y):
            return y**0.5

        def bounds(self, natural, transformed=False):
            return tuple(x**2 for x in natural) if transformed else natural

    spec = ParameterSpec("x", 1, 2, transform=Square())
    assert spec.transform.forward(2) == 4
    with pytest.raises(ValueError, match="cannot be written"):
        spec.to_dict()
    assert ParameterSpec("x", 1, 2, transform=LogTransform()).to_dict()["transform"] == "log"
