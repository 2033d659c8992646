"""Where unit-cube points fall in natural units, and how probable a value is beforehand.

Formulas. A prior with distribution function F is cut to [a, b]:
quantile(u) = F^-1(F(a) + u (F(b) - F(a))), density(x) = f(x) / (F(b) - F(a)); in the upper half the
survival function takes F's place, so that tails keep their digits. A whole number k has the mass
F(k + 1/2) - F(k - 1/2), so a and b are the bounds widened by half a unit.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Literal, Protocol

import numpy as np
import numpy.typing as npt

from modelops_calabaria.parameters.priors import Prior
from modelops_contracts.errors import InvalidValue

if TYPE_CHECKING:
    from modelops_calabaria.parameters.scalars import Scalar
    from modelops_calabaria.parameters.transforms import Transform

__all__ = [
    "IntMapping",
    "Measure",
    "SpecLike",
    "log_prior_density",
    "natural_column",
    "natural_columns",
    "unit_points",
]

Floats = npt.NDArray[np.float64]
Measure = Literal["prior", "natural"]
IntMapping = Literal["equal", "round"]


class SpecLike(Protocol):
    """What is read of a ParameterSpec here."""

    @property
    def name(self) -> str: ...
    @property
    def lower(self) -> Scalar: ...
    @property
    def upper(self) -> Scalar: ...
    @property
    def kind(self) -> str: ...
    @property
    def prior(self) -> Prior | None: ...
    @property
    def transform(self) -> Transform | None: ...


def unit_points(u: npt.ArrayLike, dimension: int) -> Floats:
    """``u`` as a float64 array of shape (n, dimension). Raises ValueError for anything else."""
    points = np.asarray(u, dtype=np.float64)
    if points.ndim != 2 or points.shape[1] != dimension:
        raise InvalidValue(
            f"expected unit points of shape (n, {dimension}), got shape {points.shape}"
        )
    if not np.all((points >= 0) & (points <= 1)):
        raise InvalidValue("unit points must lie in [0, 1]")
    return points


def natural_columns(
    specs: Sequence[SpecLike],
    points: Floats,
    *,
    measure: Measure = "prior",
    int_mapping: IntMapping = "equal",
) -> Floats:
    """Points of the unit cube in natural units, shape (n, d); whole floats for kind int."""
    natural = np.empty_like(points)
    for column, spec in enumerate(specs):
        natural[:, column] = natural_column(
            spec, points[:, column], measure=measure, int_mapping=int_mapping
        )
    return natural


def natural_column(
    spec: SpecLike, u: Floats, *, measure: Measure = "prior", int_mapping: IntMapping = "equal"
) -> Floats:
    """One parameter's values at unit positions ``u``, shape (n,), always inside its bounds."""
    if spec.lower == spec.upper:
        return np.full(u.shape, float(spec.lower))
    if spec.kind == "int" and int_mapping == "round":
        values = np.round(_linear(u, spec.lower, spec.upper))
    elif measure == "natural" or (spec.prior is None and spec.transform is None):
        values = _uniform(spec, u)
    elif spec.prior is not None:
        values = _through_prior(spec, spec.prior, u)
    else:
        assert spec.transform is not None
        values = _through_transform(spec, spec.transform, u)
    # Adding zero turns -0.0 into 0.0, as every parameter value is.
    inside: Floats = np.clip(values, spec.lower, spec.upper) + 0.0
    return inside


def _linear(u: Floats, lower: float, upper: float) -> Floats:
    return lower + u * (upper - lower)


def _uniform(spec: SpecLike, u: Floats) -> Floats:
    if spec.kind == "float":
        return _linear(u, spec.lower, spec.upper)
    return np.floor(spec.lower + u * (spec.upper - spec.lower + 1))


def _edges(spec: SpecLike) -> tuple[float, float]:
    """Bounds of the mass: half a unit beyond the bounds of whole numbers."""
    half = 0.5 if spec.kind == "int" else 0.0
    return spec.lower - half, spec.upper + half


def _through_transform(spec: SpecLike, transform: Transform, u: Floats) -> Floats:
    start, end = transform.bounds(_edges(spec), True)
    values = np.array([transform.backward(y) for y in _linear(u, start, end).tolist()])
    return _to_kind(spec, values)


def _to_kind(spec: SpecLike, values: Floats) -> Floats:
    # ceil(x - 1/2): k gets exactly the mass between k - 1/2 and k + 1/2.
    return np.ceil(values - 0.5) if spec.kind == "int" else values


# ---------------------------------------------------------------- priors


def _through_prior(spec: SpecLike, prior: Prior, u: Floats) -> Floats:
    if prior.name == "uniform":
        return _uniform(spec, u)
    lower, upper = _edges(spec)
    if prior.name == "log-uniform":
        logs = _linear(u, math.log(lower), math.log(upper)).tolist()
        return _to_kind(spec, np.array([math.exp(y) for y in logs]))
    return _to_kind(spec, _cut_quantiles(spec, _distribution(prior), u))


def _cut_quantiles(spec: SpecLike, distribution: Any, u: Floats) -> Floats:
    lower, upper = _edges(spec)
    low, high = float(distribution.cdf(lower)), float(distribution.cdf(upper))
    if low < 0.5:
        _refuse_no_mass(spec, high - low)
        return np.asarray(distribution.ppf(_linear(u, low, high)), dtype=np.float64)
    # Both ends above the median: count from above, where the digits are.
    high, low = float(distribution.sf(lower)), float(distribution.sf(upper))
    _refuse_no_mass(spec, high - low)
    return np.asarray(distribution.isf(_linear(u, high, low)), dtype=np.float64)


def _refuse_no_mass(spec: SpecLike, mass: float) -> None:
    if not mass > 0:
        raise InvalidValue(
            f"{spec.name}: {spec.prior!r} has no mass in bounds [{spec.lower}, {spec.upper}]"
        )


def log_prior_density(spec: SpecLike, value: Scalar) -> float:
    """Log density (log mass for whole numbers) of one value; -inf outside the bounds."""
    if not spec.lower <= value <= spec.upper:
        return -math.inf
    if spec.lower == spec.upper:
        return 0.0
    lower, upper = _edges(spec)
    if spec.prior is None or spec.prior.name == "uniform":
        return -math.log(upper - lower)
    if spec.prior.name == "log-uniform":
        return _log_uniform_density(spec, value, lower, upper)
    distribution = _distribution(spec.prior)
    total = _total_mass(spec.prior, lower, upper)
    _refuse_no_mass(spec, total)
    if spec.kind == "float":
        return float(distribution.logpdf(value)) - math.log(total)
    mass = _mass(distribution, value - 0.5, value + 0.5)
    return math.log(mass / total) if mass > 0 else -math.inf


def _log_uniform_density(spec: SpecLike, value: Scalar, lower: float, upper: float) -> float:
    total = math.log(upper / lower)
    if spec.kind == "float":
        return -math.log(value * total)
    return math.log(math.log((value + 0.5) / (value - 0.5)) / total)


def _mass(distribution: Any, lower: float, upper: float) -> float:
    if distribution.cdf(lower) < 0.5:
        return float(distribution.cdf(upper) - distribution.cdf(lower))
    return float(distribution.sf(lower) - distribution.sf(upper))


@lru_cache(maxsize=256)  # the same for every value of a study
def _total_mass(prior: Prior, lower: float, upper: float) -> float:
    return _mass(_distribution(prior), lower, upper)


@lru_cache(maxsize=256)
def _distribution(prior: Prior) -> Any:
    from scipy import stats

    makers: dict[str, Callable[..., Any]] = {
        "normal": stats.norm,
        "log-normal": lambda mean, sd: stats.lognorm(sd, scale=math.exp(mean)),
        "laplace": stats.laplace,
        "log-laplace": lambda loc, scale: stats.loglaplace(1.0 / scale, scale=math.exp(loc)),
        "exponential": lambda scale: stats.expon(scale=scale),
        "gamma": lambda shape, scale: stats.gamma(shape, scale=scale),
        "chisquare": stats.chi2,
        "cauchy": stats.cauchy,
        "rayleigh": lambda scale: stats.rayleigh(scale=scale),
        "beta": stats.beta,
    }
    return makers[prior.name](*prior.parameters)
