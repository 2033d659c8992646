"""Designs are prefix-stable, stay inside their bounds, and repeat."""

from __future__ import annotations

import warnings

from hypothesis import given
from hypothesis import strategies as st

from modelops_calabaria.parameters import ParameterSpace, ParameterSpec, Prior
from modelops_calabaria.sampling import (
    GridSampler,
    HaltonSampler,
    LatinHypercubeSampler,
    RandomSampler,
    SobolSampler,
)

EXTENDABLE = (SobolSampler, HaltonSampler, RandomSampler)


@st.composite
def specs(draw, index):
    name = f"p{index}"
    if draw(st.booleans()):
        lower = draw(st.integers(1, 1000))
        width = draw(st.integers(0, 2000))
        transform = draw(st.sampled_from([None, "log"]))
        return ParameterSpec(name, lower, lower + width, "int", transform=transform)
    lower = draw(st.floats(1e-6, 1e3))
    upper = lower * draw(st.floats(1, 1e3))
    prior = draw(st.sampled_from([None, Prior("log-uniform"), Prior("cauchy", lower, 1)]))
    return ParameterSpec(
        name, lower, upper, prior=prior, transform=draw(st.sampled_from([None, "log"]))
    )


@st.composite
def spaces(draw):
    count = draw(st.integers(1, 4))
    return ParameterSpace([draw(specs(index)) for index in range(count)])


def sample(sampler, *arguments, **options):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return sampler.sample(*arguments, **options)


@given(
    spaces(),
    st.sampled_from(EXTENDABLE),
    st.integers(0, 2**32),
    st.integers(1, 40),
    st.integers(1, 40),
)
def test_a_longer_design_starts_with_the_shorter(space, design, seed, first, more):
    sampler = design(space, seed=seed)
    whole = sample(sampler, first + more)
    assert sample(sampler, first) + sample(sampler, more, start=first) == whole
    assert sample(design(space, seed=seed), first + more) == whole


@given(spaces(), st.sampled_from((*EXTENDABLE, LatinHypercubeSampler)), st.integers(0, 99))
def test_rows_are_valid_parameter_values(space, design, seed):
    for measure in ("prior", "natural"):
        for row in sample(design(space, seed=seed, measure=measure), 16):
            for spec in space:
                assert type(row[spec.name]) is (int if spec.kind == "int" else float)
                spec.validate_value(row[spec.name])


@given(spaces(), st.integers(1, 5))
def test_grids_are_valid_distinct_and_complete(space, points):
    sampler = GridSampler(space, points)
    rows = sampler.sample()
    assert len(rows) == sampler.grid_size()
    assert len({tuple(row.values()) for row in rows}) == len(rows)
    for row in rows:
        for spec in space:
            spec.validate_value(row[spec.name])


@given(spaces(), st.integers(2, 5), st.integers(1, 600))
def test_a_thinned_grid_is_part_of_the_grid(space, points, n):
    sampler = GridSampler(space, points)
    whole = [tuple(row.values()) for row in sampler.sample()]
    some = [tuple(row.values()) for row in sampler.sample(n)]
    assert len(some) == min(n, len(whole))
    places = [whole.index(row) for row in some]
    assert places == sorted(set(places))


@given(spaces())
def test_frames_and_rows_agree(space):
    sampler = RandomSampler(space, seed=5)
    assert sampler.frame(8).rows(named=True) == sampler.sample(8)
