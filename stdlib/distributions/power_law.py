"""Powers of x above a bound or between two.

With β = alpha + 1 and L = log(high/low) the integral of xᵅ is low^β·L·r(βL), r(t) = (eᵗ − 1)/t: written so, nothing
happens at alpha = −1, and JAX differentiates it in every parameter.
"""
from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import random

from pullback.stdlib.distributions.bounded import between
from pullback.stdlib.distributions.numerics import log_expm1_ratio, within
from pullback.stdlib.distributions.positive import above, pareto_log_prob
from pullback.stdlib.distributions.record import floats, make, plain


def doubly_truncated_log_prob(value: Any, alpha: Any, low: Any, high: Any) -> Any:
    value, alpha, low, high = floats(value, alpha, low, high)
    inside = (low <= value) & (value <= high)
    x, width = jnp.where(inside, value, low), jnp.log(high / low)
    log_mass = jnp.log(low) + jnp.log(width) + log_expm1_ratio((alpha + 1) * width)  # in units of lowᵃ
    return within(inside, alpha * jnp.log(x / low) - log_mass)


def doubly_truncated_push(noise: Any, alpha: Any, low: Any, high: Any) -> Any:
    """low·exp(log(1 + u·(e^{βL} − 1))/β); near β = 0 by its series in βL."""
    noise, alpha, low, high = floats(noise, alpha, low, high)
    width = jnp.log(high / low)
    t = (alpha + 1) * width
    near = jnp.abs(t) < jnp.finfo(t.dtype).eps ** 0.2
    far = jnp.where(near, 1, t)
    large = jnp.where(far > 0, far + jnp.log(noise + (1 - noise) * jnp.exp(-jnp.abs(far))),
                      jnp.log1p(noise * jnp.expm1(-jnp.abs(far)))) / far
    u, v = noise, 1 - noise
    series = u * (1 + v * t / 2 * (1 + t * ((1 - 2 * u) / 3 + t * (1 - 6 * u * v) / 12)))
    return jnp.clip(low * jnp.exp(width * jnp.where(near, series, large)), low, high)


def lower_truncated_log_prob(value: Any, alpha: Any, low: Any) -> Any:
    return pareto_log_prob(value, low, -alpha - 1)


RECORDS = (
    make("doubly_truncated_power_law", "alpha: real, low: positive, high: positive", between("low", "high"),
         doubly_truncated_log_prob, noise=plain(random.uniform, doubly_truncated_push),
         numpyro="DoublyTruncatedPowerLaw", jumps_in=frozenset({"low", "high"}),
         doc="xᵃ/∫ tᵃ dt over low ≤ x ≤ high, a = alpha"),
    make("lower_truncated_power_law", "alpha: real, low: positive", above("low"), lower_truncated_log_prob,
         noise=plain(random.exponential, lambda noise, alpha, low: low * jnp.exp(noise / (-alpha - 1))),
         numpyro="LowerTruncatedPowerLaw", jumps_in=frozenset({"low"}),
         doc="−(a + 1)/low·(x/low)ᵃ for x ≥ low, a = alpha < −1"),
)
