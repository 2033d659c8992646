from __future__ import annotations

import pickle

import numpy as np
import pytest

from modelops_calabaria.parameters import (
    AffineSqueezedLogit,
    CoordinateSystem,
    Identity,
    LogitTransform,
    LogTransform,
    ParameterSet,
    ParameterSpace,
    ParameterSpec,
    ParameterView,
)

SPACE = ParameterSpace(
    [
        ParameterSpec("beta", 0.1, 0.9),
        ParameterSpec("p", 0, 1),
        ParameterSpec("n0", 1, 9, "int"),
    ]
)


class TestView:
    def test_fixed_values_are_checked_at_once(self):
        with pytest.raises(ValueError, match="Unknown fixed parameters: bata"):
            ParameterView.from_fixed(SPACE, bata=1)
        with pytest.raises(ValueError, match="outside bounds"):
            ParameterView(SPACE, {"beta": 7})

    def test_free_follows_the_space(self):
        view = ParameterView.all_free(SPACE).fix(p=0.5)
        assert view.free == ("beta", "n0")
        assert view.fix(n0=2).fixed == {"p": 0.5, "n0": 2}

    def test_bind_takes_exactly_the_free_ones(self):
        view = ParameterView.from_fixed(SPACE, p=0.5)
        assert view.bind(beta=0.2, n0=3).to_dict() == {"beta": 0.2, "p": 0.5, "n0": 3}
        with pytest.raises(ValueError, match=r"bind\(\) error.*missing n0"):
            view.bind(beta=0.2)
        with pytest.raises(ValueError, match=r"bind\(\) error.*unexpected p"):
            view.bind(beta=0.2, n0=3, p=0.1)

    def test_project_accepts_a_compatible_space(self):
        view = ParameterView.from_fixed(SPACE, p=0.5)
        twin = ParameterSpace(tuple(reversed(SPACE.specs)))
        assert view.project(ParameterSet.new(twin, beta=0.2, p=0.1, n0=3)) == {"beta": 0.2, "n0": 3}
        other = ParameterSpace([ParameterSpec("beta", 0, 1)])
        with pytest.raises(ValueError, match="different space"):
            view.project(ParameterSet.new(other, beta=0.2))

    def test_views_compare_and_pickle(self):
        view = ParameterView.from_fixed(SPACE, p=0.5)
        assert pickle.loads(pickle.dumps(view)) == view
        assert hash(view) == hash(ParameterView(SPACE, {"p": 0.5}))


class TestCoordinates:
    def test_z_follows_the_free_parameters(self):
        coords = CoordinateSystem(ParameterView(SPACE, {"p": 0.5}), {"beta": LogTransform()})
        assert coords.dim == 2
        assert coords.param_names == ("beta", "n0")
        expected = [[np.log(0.1), np.log(0.9)], [1, 9]]
        np.testing.assert_allclose(coords.bounds_transformed(), expected)
        assert coords.to_M([np.log(0.3), 3.4]).to_dict()["n0"] == 3

    def test_a_specs_own_transform_is_used(self):
        space = ParameterSpace([ParameterSpec("beta", 0.1, 0.9, transform="log")])
        view = ParameterView.all_free(space)
        assert CoordinateSystem(view).bounds_transformed()[0, 0] == np.log(0.1)
        natural = CoordinateSystem(view, {"beta": Identity()})
        assert natural.bounds_transformed()[0, 0] == 0.1

    def test_the_ends_of_z_are_the_bounds(self):
        coords = CoordinateSystem(
            ParameterView.all_free(SPACE), {"beta": LogTransform(), "p": AffineSqueezedLogit()}
        )
        low, high = coords.bounds_transformed().T
        assert coords.to_M(low).to_dict() == {"beta": 0.1, "p": 0.0, "n0": 1}
        assert coords.to_M(high).to_dict() == {"beta": 0.9, "p": 1.0, "n0": 9}

    def test_a_cut_logit_does_not_reach_the_ends(self):
        coords = CoordinateSystem(
            ParameterView(SPACE, {"beta": 0.2, "n0": 1}), {"p": LogitTransform()}
        )
        assert coords.bounds_transformed().tolist() == [[-10.0, 10.0]]
        assert 0 < coords.to_M([-10.0])["p"] < 1e-4

    def test_mistakes(self):
        view = ParameterView(SPACE, {"p": 0.5})
        with pytest.raises(ValueError, match="non-free parameters: p"):
            CoordinateSystem(view, {"p": LogTransform()})
        for wrong in ("log", object(), LogTransform):
            with pytest.raises(TypeError, match="Transform protocol"):
                CoordinateSystem(view, {"beta": wrong})
        coords = CoordinateSystem(view)
        with pytest.raises(ValueError, match="Expected z vector of length 2, got 3"):
            coords.to_M([1, 2, 3])
        for wrong in (["a", "b"], [True, False], [None, 1]):
            with pytest.raises(TypeError, match="must be numeric"):
                coords.to_M(wrong)
        with pytest.raises(ValueError, match="outside bounds"):
            coords.to_M([0.9 + 1e-6, 3])
        with pytest.raises(ValueError, match="NaN"):
            coords.to_M([float("nan"), 3])

    def test_rounding_alone_is_pulled_back(self):
        coords = CoordinateSystem(ParameterView(SPACE, {"p": 0.5, "n0": 1}))
        assert coords.to_M([0.9 * (1 + 1e-15)])["beta"] == 0.9
        assert coords.to_M([0.1 - 1e-17])["beta"] == 0.1

    def test_nothing_free(self):
        coords = CoordinateSystem(ParameterView(SPACE, {"p": 0.5, "n0": 1, "beta": 0.2}))
        assert coords.bounds_transformed().shape == (0, 2)
        assert coords.to_M([])["n0"] == 1
        assert coords.from_M(coords.to_M([])).shape == (0,)

    def test_they_compare_and_pickle(self):
        coords = CoordinateSystem(ParameterView(SPACE, {"p": 0.5}), {"beta": LogTransform()})
        assert pickle.loads(pickle.dumps(coords)) == coords
        hash(coords)
