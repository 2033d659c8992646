"""So many out of so many."""

from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

import numpy as np

from modelops_calabaria.alignment.aligned import AlignedData, Floats
from modelops_calabaria.alignment.errors import EvaluationError, ObservedDataError
from modelops_calabaria.evaluation.families.base import (
    SLACK,
    Family,
    counts,
    log_choose,
    log_rising,
    require_simulated,
)
from modelops_calabaria.evaluation.quantities import (
    Quantity,
    numeric,
    positive,
)


def _trials(aligned: AlignedData, x_col: str, n_col: str) -> tuple[Floats, Floats]:
    """Observed successes and trials, x <= n."""
    x, n = counts(aligned, x_col), counts(aligned, n_col)
    if (x > n).any():
        row = int(np.flatnonzero(x > n)[0])
        raise ObservedDataError(
            f"observed {x_col!r} is {x[row]:g} out of {n_col!r} {n[row]:g} "
            f"at {aligned.describe_key(row)}"
        )
    return x, n


def _probability(aligned: AlignedData, p_col: str) -> Floats:
    p = aligned.simulated(p_col)
    require_simulated(aligned, (p >= -SLACK) & (p <= 1 + SLACK), p, p_col, "within 0..1")
    return np.clip(p, 0.0, 1.0)


def _fraction(quantity: Quantity, aligned: AlignedData, what: str) -> float | Floats:
    value = numeric(quantity, aligned, what)
    if not ((np.asarray(value) >= 0) & (np.asarray(value) <= 1)).all():
        raise EvaluationError(f"{what} must lie within 0..1, got {value}")
    return value


def _open_fraction(quantity: Quantity, aligned: AlignedData, what: str) -> float | Floats:
    value = numeric(quantity, aligned, what)
    if not ((np.asarray(value) > 0) & (np.asarray(value) < 1)).all():
        raise EvaluationError(
            f"{what} must lie strictly between 0 and 1, got {value}",
            hint="without over-dispersion use the binomial family",
        )
    return value


@dataclass(frozen=True, slots=True)
class Binomial(Family):
    """x of n observed, p simulated: ln C(n, x) + x ln p + (n-x) ln(1-p)."""

    name: ClassVar[str] = "binomial"
    of_observed: ClassVar[tuple[str, ...]] = ("x_col", "n_col")
    of_simulated: ClassVar[tuple[str, ...]] = ("p_col",)
    of_counts: ClassVar[tuple[str, ...]] = ("x_col", "n_col")
    p_col: str
    x_col: str
    n_col: str

    def pointwise(self, aligned: AlignedData) -> Floats:
        from scipy.special import xlog1py, xlogy

        x, n = _trials(aligned, self.x_col, self.n_col)
        p = _probability(aligned, self.p_col)
        terms: Floats = xlogy(x, p) + xlog1py(n - x, -p) + log_choose(n, x)
        return terms

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        n = counts(aligned, self.n_col).astype(np.int64)
        return rng.binomial(n, _probability(aligned, self.p_col)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class BinomialReport(Family):
    """Under-reporting: y ~ Binomial(s, rho) of a simulated count s; more than s is impossible."""

    name: ClassVar[str] = "binomial_report"
    averages_signal: ClassVar[bool] = False
    of_observed: ClassVar[tuple[str, ...]] = ("col",)
    of_simulated: ClassVar[tuple[str, ...]] = ("col",)
    of_counts: ClassVar[tuple[str, ...]] = ("col",)
    col: str
    rho: Quantity

    def _latent(self, aligned: AlignedData) -> Floats:
        latent = aligned.simulated(self.col)
        whole = np.rint(latent)
        good = (whole >= 0) & (np.abs(latent - whole) <= SLACK)
        require_simulated(aligned, good, latent, self.col, "a count (0, 1, 2, ...)")
        return np.maximum(whole, 0.0)

    def pointwise(self, aligned: AlignedData) -> Floats:
        from scipy.special import xlog1py, xlogy

        y, latent = counts(aligned, self.col), self._latent(aligned)
        rho = _fraction(self.rho, aligned, "rho")
        possible = latent >= y
        n = np.where(possible, latent, y)
        terms = xlogy(y, rho) + xlog1py(n - y, -np.asarray(rho)) + log_choose(n, y)
        return np.where(possible, terms, -np.inf)

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        rho = _fraction(self.rho, aligned, "rho")
        return rng.binomial(self._latent(aligned).astype(np.int64), rho).astype(np.float64)


@dataclass(frozen=True, slots=True)
class BetaBinomial(Family):
    """y_x of y_n, given s_x of s_n simulated: BetaBin(y_n, s_x + alpha, s_n - s_x + beta)."""

    name: ClassVar[str] = "beta_binomial"
    averages_signal: ClassVar[bool] = False
    of_observed: ClassVar[tuple[str, ...]] = ("x_col", "n_col")
    of_simulated: ClassVar[tuple[str, ...]] = ("x_col", "n_col")
    of_counts: ClassVar[tuple[str, ...]] = ("x_col", "n_col")
    x_col: str
    n_col: str
    alpha: Quantity = 1.0
    beta: Quantity = 1.0

    def _shapes(self, aligned: AlignedData) -> tuple[Floats, Floats]:
        x, n = aligned.simulated(self.x_col), aligned.simulated(self.n_col)
        require_simulated(aligned, x >= -SLACK, x, self.x_col, "at least 0")
        slack = SLACK * np.maximum(1.0, np.abs(n))
        require_simulated(aligned, x <= n + slack, x, self.x_col, f"at most {self.n_col!r}")
        alpha = positive(self.alpha, aligned, "alpha")
        beta = positive(self.beta, aligned, "beta")
        return np.maximum(x, 0.0) + alpha, np.maximum(n - x, 0.0) + beta

    def pointwise(self, aligned: AlignedData) -> Floats:
        from scipy.special import betaln

        x, n = _trials(aligned, self.x_col, self.n_col)
        a, b = self._shapes(aligned)
        terms: Floats = betaln(x + a, n - x + b)
        terms -= betaln(a, b)
        terms += log_choose(n, x)
        return terms

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        a, b = self._shapes(aligned)
        n = counts(aligned, self.n_col).astype(np.int64)
        return rng.binomial(n, rng.beta(a, b)).astype(np.float64)


@dataclass(frozen=True, slots=True)
class BetaBinomialOverdispersed(Family):
    """x of n observed, p simulated, over-dispersion rho: a = p(1/rho-1), b = (1-p)(1/rho-1)."""

    name: ClassVar[str] = "beta_binomial_od"
    of_observed: ClassVar[tuple[str, ...]] = ("x_col", "n_col")
    of_simulated: ClassVar[tuple[str, ...]] = ("p_col",)
    of_counts: ClassVar[tuple[str, ...]] = ("x_col", "n_col")
    p_col: str
    x_col: str
    n_col: str
    rho: Quantity

    def pointwise(self, aligned: AlignedData) -> Floats:
        x, n = _trials(aligned, self.x_col, self.n_col)
        p = _probability(aligned, self.p_col)
        spread = 1 / np.asarray(_open_fraction(self.rho, aligned, "rho")) - 1
        # At p = 0 or 1 the distribution is a single point; the beta function has a pole there.
        inside = (p > 0) & (p < 1)
        safe = np.where(inside, p, 0.5)
        a, b = safe * spread, (1 - safe) * spread
        terms = log_rising(a, x) + log_rising(b, n - x) - log_rising(spread, n) + log_choose(n, x)
        certain = np.where(x == np.where(p > 0, n, 0.0), 0.0, -np.inf)
        return np.where(inside, terms, certain)

    def draw(self, aligned: AlignedData, rng: np.random.Generator) -> Floats:
        p = _probability(aligned, self.p_col)
        spread = 1 / np.asarray(_open_fraction(self.rho, aligned, "rho")) - 1
        inside = (p > 0) & (p < 1)
        safe = np.where(inside, p, 0.5)
        drawn = np.where(inside, rng.beta(safe * spread, (1 - safe) * spread), p)
        return rng.binomial(counts(aligned, self.n_col).astype(np.int64), drawn).astype(np.float64)
