from __future__ import annotations

import math
import pickle
import sys

import pytest

from modelops_calabaria.parameters import (
    AffineSqueezedLogit,
    Identity,
    LogitTransform,
    LogTransform,
    Transform,
)
from modelops_calabaria.parameters.transforms import resolve_transform, transform_to_data

ALL = [Identity(), LogTransform(), LogitTransform(), AffineSqueezedLogit()]


@pytest.mark.parametrize("transform", ALL)
def test_every_transform_follows_the_protocol_and_pickles(transform):
    assert isinstance(transform, Transform)
    assert pickle.loads(pickle.dumps(transform)) == transform


def test_domains():
    for x in (0, -1, math.nan):
        with pytest.raises(ValueError, match="requires x > 0"):
            LogTransform().forward(x)
    for x in (0, 1, -1, math.nan):
        with pytest.raises(ValueError, match="requires 0 < x < 1"):
            LogitTransform().forward(x)
    for x in (-1e-9, 1.1, math.nan):
        with pytest.raises(ValueError, match="requires 0≤x≤1"):
            AffineSqueezedLogit().forward(x)
    with pytest.raises(ValueError, match="requires positive bounds"):
        LogTransform().bounds((0, 1), transformed=True)
    for eps in (0, 0.5, -1):
        with pytest.raises(ValueError, match="eps must be in"):
            AffineSqueezedLogit(eps)


def test_bounds_of_the_logits():
    assert LogitTransform().bounds((0, 1), transformed=True) == (-10.0, 10.0)
    assert LogitTransform().bounds((0, 1)) == (0, 1)
    low, high = LogitTransform().bounds((0.25, 1), transformed=True)
    assert low == pytest.approx(-math.log(3), abs=1e-15)
    assert high == 10.0
    low, high = AffineSqueezedLogit().bounds((0, 1), transformed=True)
    assert low == -high == pytest.approx(math.log(1e-6 / (1 - 1e-6)))


@pytest.mark.parametrize("transform", ALL)
@pytest.mark.parametrize("y", [1e308, -1e308, 800.0, -800.0, 0.0])
def test_no_finite_coordinate_overflows(transform, y):
    assert math.isfinite(transform.backward(y))


def test_saturation():
    assert LogTransform().backward(1000.0) == sys.float_info.max
    assert AffineSqueezedLogit().backward(100.0) == 1.0
    assert AffineSqueezedLogit().backward(-100.0) == 0.0
    for transform in ALL[1:]:
        with pytest.raises(ValueError, match="NaN"):
            transform.backward(math.nan)


def test_names():
    assert resolve_transform("LOG") == LogTransform()
    assert resolve_transform("logit") == AffineSqueezedLogit()
    assert resolve_transform(Identity()) == Identity()
    for transform in [*ALL, AffineSqueezedLogit(1e-3)]:
        assert resolve_transform(transform_to_data(transform)) == transform
    with pytest.raises(ValueError, match="Unknown transform 'lgit'") as caught:
        resolve_transform("lgit")
    assert "logit" in caught.value.hint
