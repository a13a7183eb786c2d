"""Logarithms of the mass below and above a value, which stay finite where the mass itself has left the floats.

NumPyro clips a distribution function at eps and 1 − eps, so that a censored value in a tail has the wrong log density
and the derivative 0; here each side has a formula of its own.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import gammainc, gammaincc, gammaln, log_ndtr

from pullback.stdlib.distributions.numerics import exp, log1mexp
from pullback.stdlib.distributions.positive import gompertz_hazard

softplus = jax.nn.softplus


@dataclass(frozen=True)
class Tails:
    """(value, *parameters) → log P(X ≤ value), and log P(X > value)."""

    below: Callable[..., Any]
    above: Callable[..., Any]


def standard(below: Callable[..., Any], above: Callable[..., Any]) -> Tails:
    """Those of a family with location and scale, from those of its standard member."""
    return Tails(*(lambda x, loc, scale, side=side: side((x - loc) / scale) for side in (below, above)))


def positive(below: Callable[..., Any], above: Callable[..., Any]) -> Tails:
    """Those of a family on the positive half-line, from functions of a positive value."""
    def masked(side: Callable[..., Any], outside: float) -> Callable[..., Any]:
        def tail(x: Any, *parameters: Any) -> Any:
            inside = x > 0
            return jnp.where(inside, side(jnp.where(inside, x, 1), *parameters), outside)
        return tail
    return Tails(masked(below, -jnp.inf), masked(above, 0))


def by_hazard(hazard: Callable[..., Any]) -> Tails:
    """Those of a positive family from its cumulative hazard H = −log P(X > x)."""
    return positive(lambda x, *p: log1mexp(hazard(x, *p)), lambda x, *p: -hazard(x, *p))


def laplace_above(z: Any) -> Any:
    return jnp.where(z > 0, -z - jnp.log(2.0), jnp.log1p(-jnp.exp(jnp.where(z > 0, 0, z)) / 2))


def gumbel_above(z: Any) -> Any:
    """log(1 − exp(−e⁻ᶻ)), which is −z − e⁻ᶻ/2 where e⁻ᶻ is small."""
    far = z > 30
    return jnp.where(far, -z, log1mexp(exp(jnp.where(far, 0, -z))))


def cauchy_above(z: Any) -> Any:
    return jnp.log(jnp.arctan2(1, z) / jnp.pi)


def log_gammaincc(a: Any, x: Any) -> Any:
    """log Q(a, x) for x > 0, far out by Legendre's continued fraction."""
    far = x > a + 20 + 5 * jnp.sqrt(a)
    y = jnp.where(far, x, a + 30 + 6 * jnp.sqrt(a))

    def deeper(i: int, fraction: Any) -> Any:
        k = 40.0 - i
        return k * (a - k) / (y + 2 * k + 1 - a + fraction)

    fraction = lax.fori_loop(0, 40, deeper, jnp.zeros_like(y + a))
    tail = a * jnp.log(y) - y - gammaln(a) - jnp.log(y + 1 - a + fraction)
    near = gammaincc(a, jnp.where(far, a, x))
    return jnp.where(far, tail, jnp.log(jnp.where(near > 0, near, 1)))


def log_gammainc(a: Any, x: Any) -> Any:
    """log P(a, x) for x > 0, close to 0 by its series."""
    near = x < 0.5 * (a + 1)
    y = jnp.where(near, x, 0.25)

    def further(i: int, sums: tuple) -> tuple:
        term = sums[0] * y / (a + i + 1)
        return term, sums[1] + term

    one = jnp.ones_like(y + a)
    head = a * jnp.log(y) - y - gammaln(a + 1) + jnp.log(lax.fori_loop(0, 60, further, (one, one))[1])
    far = gammainc(a, jnp.where(near, a + 1, x))
    lost = ~near & (far <= 0)  # of a large concentration: the series as a geometric one
    y = jnp.where(lost, x, a / 2)
    tail = a * jnp.log(y) - y - gammaln(a + 1) - jnp.log1p(-y / (a + 1))
    return jnp.where(near, head, jnp.where(lost, tail, jnp.log(jnp.where(lost, 1, far))))


def log_between(tails: Tails, low: Any, high: Any, *parameters: Any) -> Any:
    """log P(low < X ≤ high) for low < high, as a difference on the side where the masses are the smaller."""
    above, below = tails.above(low, *parameters), tails.below(high, *parameters)
    upper = above < below
    most = jnp.where(upper, above, below)
    least = jnp.where(upper, tails.above(high, *parameters), tails.below(low, *parameters))
    none = jnp.isneginf(least)
    gap = jnp.where(none, 1, most - least)
    return jnp.where(none, most, most + log1mexp(jnp.where(gap > 0, gap, 1)))


TAILS = {
    "normal": standard(log_ndtr, lambda z: log_ndtr(-z)),
    "logistic": standard(lambda z: -softplus(-z), lambda z: -softplus(z)),
    "laplace": standard(lambda z: laplace_above(-z), laplace_above),
    "cauchy": standard(lambda z: cauchy_above(-z), cauchy_above),
    "gumbel": standard(lambda z: -exp(-z), gumbel_above),
    "log_normal": positive(lambda x, loc, scale: log_ndtr((jnp.log(x) - loc) / scale),
                           lambda x, loc, scale: log_ndtr((loc - jnp.log(x)) / scale)),
    "exponential": by_hazard(lambda x, rate: rate * x),
    "weibull": positive(lambda x, scale, k: gumbel_above(-k * jnp.log(x / scale)),
                        lambda x, scale, k: -exp(k * jnp.log(x / scale))),
    "gompertz": by_hazard(lambda x, c, rate: gompertz_hazard(rate * x, c)),
    "gamma": positive(lambda x, a, rate: log_gammainc(a, rate * x), lambda x, a, rate: log_gammaincc(a, rate * x)),
}
