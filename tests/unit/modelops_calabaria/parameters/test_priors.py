from __future__ import annotations

import math

import numpy as np
import pytest
from scipy import integrate, stats

from modelops_calabaria.parameters import ParameterSpace, ParameterSpec, Prior
from modelops_calabaria.parameters.measures import log_prior_density, natural_column

FAMILIES = [
    Prior("uniform"),
    Prior("log-uniform"),
    Prior("normal", 2, 1),
    Prior("log-normal", 0.1, 0.7),
    Prior("laplace", 1, 0.5),
    Prior("log-laplace", 0.2, 0.4),
    Prior("exponential", 0.8),
    Prior("gamma", 2, 0.7),
    Prior("chisquare", 3),
    Prior("cauchy", 0, 1),
    Prior("rayleigh", 1.2),
    Prior("beta", 2, 3),
]


@pytest.mark.parametrize("prior", FAMILIES, ids=lambda prior: prior.name)
def test_densities_integrate_to_one_on_the_bounds(prior):
    spec = ParameterSpec("x", 0.05, 0.95, prior=prior)
    total, _ = integrate.quad(lambda x: math.exp(log_prior_density(spec, x)), 0.05, 0.95)
    assert total == pytest.approx(1, abs=1e-7)
    assert log_prior_density(spec, 0.96) == -math.inf


@pytest.mark.parametrize("prior", FAMILIES, ids=lambda prior: prior.name)
def test_quantiles_invert_the_density(prior):
    spec = ParameterSpec("x", 0.05, 0.95, prior=prior)
    u = np.array([0.0, 0.1, 0.5, 0.9, 1.0])
    x = natural_column(spec, u)
    assert np.all(np.diff(x) > 0)
    assert x[0] == pytest.approx(0.05)
    assert x[-1] == pytest.approx(0.95)
    below, _ = integrate.quad(lambda v: math.exp(log_prior_density(spec, v)), 0.05, x[2])
    assert below == pytest.approx(0.5, abs=1e-6)


@pytest.mark.parametrize("prior", [p for p in FAMILIES if p.name != "beta"], ids=lambda p: p.name)
def test_masses_of_whole_numbers(prior):
    spec = ParameterSpec("n", 1, 6, "int", prior=prior)
    masses = [math.exp(log_prior_density(spec, k)) for k in range(1, 7)]
    assert sum(masses) == pytest.approx(1)
    u = (np.arange(60_000) + 0.5) / 60_000
    counts = np.bincount(natural_column(spec, u).astype(int), minlength=7)[1:] / u.size
    np.testing.assert_allclose(counts, masses, atol=1e-4)


def test_the_far_tail_keeps_its_digits():
    spec = ParameterSpec("x", 10.0, 12.0, prior=Prior("normal", 0, 1))
    middle = natural_column(spec, np.array([0.5]))[0]
    assert 10.0 < middle < 10.1
    expected = stats.norm.logpdf(10.0) - stats.norm.logsf(10.0)
    assert log_prior_density(spec, 10.0) == pytest.approx(expected, rel=1e-6)


def test_a_sum_over_the_space():
    space = ParameterSpace(
        [
            ParameterSpec("a", 0, 4),
            ParameterSpec("b", 0, 10, prior=Prior("normal", 2, 1)),
            ParameterSpec("c", 3, 3),
        ]
    )
    expected = -math.log(4) + stats.truncnorm(-2, 8, loc=2, scale=1).logpdf(1.5)
    assert space.log_prior({"a": 1, "b": 1.5, "c": 3}) == pytest.approx(expected)
    assert space.log_prior({"a": 5, "b": 1.5, "c": 3}) == -math.inf
    with pytest.raises(ValueError, match="Missing required parameters: c"):
        space.log_prior({"a": 5, "b": 1.5})


def test_mistakes():
    with pytest.raises(ValueError, match="Unknown prior 'gaussian'"):
        Prior("gaussian", 0, 1)
    with pytest.raises(ValueError, match=r"'normal' takes \(mean, sd\)"):
        Prior("normal", 1)
    with pytest.raises(ValueError, match="sd must be > 0"):
        Prior("normal", 1, 0)
    with pytest.raises(ValueError, match="no mass"):
        ParameterSpec("x", -2, -1, prior=Prior("gamma", 1, 1))
    spec = ParameterSpec("x", 1e6, 2e6, prior=Prior("normal", 0, 1))
    with pytest.raises(ValueError, match=r"x: Prior\('normal', 0.0, 1.0\) has no mass"):
        natural_column(spec, np.array([0.5]))


def test_json_round_trip():
    for prior in FAMILIES:
        assert Prior.from_data(prior.to_data()) == prior
    assert Prior.from_data("uniform") == Prior("uniform")
    with pytest.raises(ValueError, match="expected a name"):
        Prior.from_data(3)
