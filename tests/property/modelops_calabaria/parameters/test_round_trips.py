"""Coordinates and natural values are the same information."""

from __future__ import annotations

import pickle

from hypothesis import assume, given
from hypothesis import strategies as st

from modelops_calabaria.parameters import (
    AffineSqueezedLogit,
    CoordinateSystem,
    Identity,
    LogTransform,
    ParameterSet,
    ParameterSpace,
    ParameterSpec,
    ParameterView,
)

UNIT = st.floats(0, 1)
POSITIVE = st.floats(1e-300, 1e300)
REAL = st.floats(-1e300, 1e300)


def one(lower, upper, kind="float"):
    space = ParameterSpace([ParameterSpec("x", lower, upper, kind)])
    return space, ParameterView.all_free(space)


@st.composite
def bounded(draw, numbers):
    """(lower, value, upper) in order, lower < upper."""
    lower, value, upper = sorted(draw(st.lists(numbers, min_size=3, max_size=3)))
    assume(lower < upper)
    return lower, value, upper


@given(bounded(POSITIVE))
def test_log(case):
    lower, value, upper = case
    space, view = one(lower, upper)
    coords = CoordinateSystem(view, {"x": LogTransform()})
    back = coords.to_M(coords.from_M(ParameterSet.new(space, x=value)))["x"]
    assert abs(back - value) <= 1e-12 * value


@given(bounded(UNIT))
def test_squeezed_logit(case):
    lower, value, upper = case
    space, view = one(lower, upper)
    coords = CoordinateSystem(view, {"x": AffineSqueezedLogit()})
    back = coords.to_M(coords.from_M(ParameterSet.new(space, x=value)))["x"]
    # Next to 0 and 1 the coordinate itself has no more digits than these.
    assert abs(back - value) <= 1e-12 * value + 1e-20
    assert lower <= back <= upper


@given(bounded(REAL))
def test_identity_is_exact(case):
    lower, value, upper = case
    space, view = one(lower, upper)
    coords = CoordinateSystem(view, {"x": Identity()})
    assert coords.to_M(coords.from_M(ParameterSet.new(space, x=value)))["x"] == value


@given(bounded(st.integers(1, 10**9)))
def test_whole_numbers_are_exact_in_any_coordinates(case):
    lower, value, upper = case
    space, view = one(lower, upper, "int")
    for transform in (Identity(), LogTransform()):
        coords = CoordinateSystem(view, {"x": transform})
        back = coords.to_M(coords.from_M(ParameterSet.new(space, x=value)))["x"]
        assert back == value
        assert type(back) is int


@given(bounded(POSITIVE), UNIT)
def test_every_z_inside_its_bounds_has_a_value_inside_the_bounds(case, share):
    lower, _, upper = case
    _, view = one(lower, upper)
    coords = CoordinateSystem(view, {"x": LogTransform()})
    low, high = coords.bounds_transformed()[0]
    z = min(max(low + share * (high - low), low), high)
    assert lower <= coords.to_M([z])["x"] <= upper
    assert coords.to_M([low])["x"] == lower
    assert coords.to_M([high])["x"] == upper


@given(st.dictionaries(st.text(min_size=1), st.floats(-1e9, 1e9), min_size=1))
def test_sets_survive_pickling_whatever_their_names(values):
    space = ParameterSpace([ParameterSpec(name, -1e9, 1e9) for name in values])
    params = ParameterSet(space, values)
    twin = pickle.loads(pickle.dumps(params))
    assert twin == params
    assert twin.param_id == params.param_id
    assert ParameterSpace.from_dict(space.to_dict()) == space
