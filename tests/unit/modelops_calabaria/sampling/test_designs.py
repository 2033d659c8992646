from __future__ import annotations

import math
import warnings

import numpy as np
import pytest
from scipy.stats import qmc

from modelops_calabaria.parameters import ParameterSpace, ParameterSpec
from modelops_calabaria.sampling import (
    GridSampler,
    HaltonSampler,
    LatinHypercubeSampler,
    RandomSampler,
    SamplingWarning,
    SobolSampler,
    make_sampler,
)
from modelops_contracts.errors import InvalidInput

SPACE = ParameterSpace(
    [
        ParameterSpec("beta", 0.1, 0.9),
        ParameterSpec("n", 1, 5, "int"),
        ParameterSpec("k", 0.01, 100, transform="log"),
    ]
)
FLAT = ParameterSpace([ParameterSpec("a", -1, 3), ParameterSpec("b", 0, 1)])


class TestValues:
    def test_they_are_plain_numbers_of_their_kind(self):
        row = RandomSampler(SPACE, seed=1).sample(1)[0]
        assert [type(value) for value in row.values()] == [float, int, float]
        frame = RandomSampler(SPACE, seed=1).frame(1)
        assert frame.row(0, named=True) == row
        assert [str(kind) for kind in frame.dtypes] == ["Float64", "Int64", "Float64"]

    def test_float_columns_are_scipys_points_scaled(self):
        points = qmc.Sobol(2, scramble=True, seed=np.random.default_rng(42)).random(8)
        expected = [{"a": -1 + u * 4, "b": float(v)} for u, v in points]
        assert SobolSampler(FLAT, seed=42).sample(8) == expected

    def test_every_whole_number_is_equally_likely(self):
        space = ParameterSpace([ParameterSpec("n", 1, 4, "int")])
        counts = np.bincount([row["n"] for row in SobolSampler(space, seed=1).sample(1024)])
        assert counts.tolist() == [0, 256, 256, 256, 256]
        old = SobolSampler(space, seed=1, int_mapping="round").sample(1024)
        halves = np.bincount([row["n"] for row in old])
        assert halves[1] < 200
        assert halves[2] > 300

    def test_a_transform_spreads_the_rows(self):
        rows = SobolSampler(SPACE, seed=1).sample(256)
        below = sum(row["k"] < 1 for row in rows)
        assert below == 128
        natural = SobolSampler(SPACE, seed=1, measure="natural").sample(256)
        assert sum(row["k"] < 1 for row in natural) < 5

    def test_seeds(self):
        assert SobolSampler(SPACE, seed=1).sample(4) != SobolSampler(SPACE, seed=2).sample(4)
        drawn = RandomSampler(SPACE)
        assert RandomSampler(SPACE, seed=drawn.seed).sample(4) == drawn.sample(4)
        unscrambled = SobolSampler(FLAT, scramble=False)
        assert unscrambled.sample(1) == [{"a": -1.0, "b": 0.0}]


class TestWarningsAndMistakes:
    def test_unbalanced_lengths_get_one_warning(self):
        with pytest.warns(SamplingWarning, match="next power of 2 is 128") as caught:
            SobolSampler(SPACE, seed=1).sample(100)
        assert len(caught) == 1
        with warnings.catch_warnings():
            warnings.simplefilter("error")
            SobolSampler(SPACE, seed=1).sample(64)
            SobolSampler(SPACE, seed=1).sample(32, start=32)

    @pytest.mark.parametrize("n", [0, -1, 1.5, True, None])
    def test_bad_lengths(self, n):
        with pytest.raises(InvalidInput, match="number of rows"):
            RandomSampler(SPACE, seed=1).sample(n)

    def test_an_empty_space(self):
        with pytest.raises(ValueError, match="nothing to sample"):
            SobolSampler(ParameterSpace([]))

    def test_unknown_options(self):
        with pytest.raises(ValueError, match="measure must be"):
            SobolSampler(SPACE, measure="log")
        with pytest.raises(InvalidInput, match="unknown design 'sobl'") as caught:
            make_sampler("sobl", SPACE)
        assert "sobol" in caught.value.hint
        with pytest.raises(InvalidInput, match=r"design file: path is missing"):
            make_sampler("file", SPACE)
        with pytest.raises(InvalidInput, match=r"design sobol: .*scrmble"):
            make_sampler("sobol", SPACE, scrmble=True)

    def test_a_latin_hypercube_cannot_grow(self):
        sampler = LatinHypercubeSampler(FLAT, seed=1)
        column = sorted(row["b"] for row in sampler.sample(10))
        assert [math.floor(value * 10) for value in column] == list(range(10))
        with pytest.raises(InvalidInput, match="cannot be continued") as caught:
            sampler.sample(10, start=10)
        assert "sobol" in caught.value.hint
        better = LatinHypercubeSampler(FLAT, seed=1, optimise="random-cd")
        assert qmc.discrepancy(better.unit(16)) < qmc.discrepancy(sampler.unit(16))


class TestGrid:
    def test_the_first_parameter_is_slowest(self):
        rows = GridSampler(FLAT, {"a": 2}).sample()
        assert [(row["a"], row["b"]) for row in rows] == [
            (-1.0, 0.0), (-1.0, 0.5), (-1.0, 1.0), (3.0, 0.0), (3.0, 0.5), (3.0, 1.0),
        ]  # fmt: skip

    def test_whole_numbers_are_distinct(self):
        space = ParameterSpace([ParameterSpec("n", 1, 3, "int"), ParameterSpec("m", 1, 2, "int")])
        assert GridSampler(space, 9).axes() == {"n": [1, 2, 3], "m": [1, 2]}
        assert GridSampler(space).grid_size() == 6

    def test_transforms_and_their_ends(self):
        values = GridSampler(SPACE, 5).axes()["k"]
        assert values[0] == 0.01
        assert values[-1] == 100
        np.testing.assert_allclose(values, [0.01, 0.1, 1, 10, 100], rtol=1e-12)

    def test_one_point_is_the_middle(self):
        assert GridSampler(FLAT, 1).sample() == [{"a": 1.0, "b": 0.5}]

    def test_thinning_keeps_both_ends(self):
        grid = GridSampler(FLAT, 5)
        whole, some = grid.sample(), grid.sample(7)
        assert len(some) == 7
        assert (some[0], some[-1]) == (whole[0], whole[-1])
        assert grid.sample(1000) == whole

    def test_mistakes(self):
        with pytest.raises(ValueError, match="grid points of a must be a whole number >= 1"):
            GridSampler(FLAT, 0)
        with pytest.raises(ValueError, match="unknown parameters: c"):
            GridSampler(FLAT, {"c": 3})
        with pytest.raises(InvalidInput, match="cannot be continued"):
            GridSampler(FLAT).sample(3, start=3)


def test_tasks_of_a_sampler():
    tasks = SobolSampler(FLAT, seed=1).generate_tasks(
        "models.sir.Sir", "baseline", "sha256:" + "a" * 64, 4, base_seed=10, outputs=["x"]
    )
    assert [task.seed for task in tasks] == [10, 11, 12, 13]
    assert {str(task.entrypoint) for task in tasks} == {"models.sir.Sir/baseline"}
    assert dict(tasks[0].params.params) == SobolSampler(FLAT, seed=1).sample(4)[0]


def test_convergence_estimate():
    assert SobolSampler(FLAT).estimate_convergence(1024) == math.log(1024) ** 2 / 1024
    assert SobolSampler(FLAT).estimate_convergence(2) == math.log(2) ** 2 / 2
    assert SobolSampler(FLAT).estimate_convergence(1) == 1.0


def test_halton_fills_the_space():
    points = HaltonSampler(FLAT, seed=3).unit(128)
    assert qmc.discrepancy(points) < qmc.discrepancy(RandomSampler(FLAT, seed=3).unit(128))
