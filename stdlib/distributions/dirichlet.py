"""The Dirichlet on the simplex.

A draw is the softmax of logarithms of gammas: its pathwise derivative is right in the mean.  Where a coordinate is
exactly 0 the density is its limit; there a log density has the derivative 0.
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from pullback.compiler.distribution import Support
from pullback.stdlib.distributions.numerics import power, settled, within
from pullback.stdlib.distributions.positive import log_gamma
from pullback.stdlib.distributions.record import floats, make


def dirichlet_log_prob(value: Any, concentration: Any) -> Any:
    value, a = floats(value, concentration)
    on = jnp.all(value >= 0, -1) & (jnp.abs(jnp.sum(value, -1) - 1) < 1e-5)
    terms = power(a - 1, jnp.maximum(value, 0))
    low, high = jnp.any(jnp.isneginf(terms), -1), jnp.any(jnp.isposinf(terms), -1)
    density = gammaln(jnp.sum(a, -1)) + jnp.sum(jnp.where(jnp.isinf(terms), 0, terms) - gammaln(a), -1)
    edge = jnp.where(low, -jnp.inf, jnp.inf)  # 0·∞ has no limit; 0 is what a density of 0 in one direction allows
    return settled(within(on, jnp.where(low | high, edge, density)))


def dirichlet_sample(key: Any, dtype: Any, shape: tuple, concentration: Any) -> Any:
    size = jnp.shape(concentration)[-1:]
    draws = jax.nn.softmax(log_gamma(key, dtype, shape + size, concentration), -1)
    return jnp.maximum(draws, jnp.finfo(dtype).tiny)


RECORDS = (
    make("dirichlet", "concentration: positive[k]", Support("simplex"), dirichlet_log_prob, rank=1,
         event=lambda shapes: tuple(shapes["concentration"]), sample=dirichlet_sample, implicit=True,
         reparameterized=("concentration",), mean=lambda a: a / jnp.sum(a, -1, keepdims=True), numpyro="Dirichlet",
         doc="Γ(Σaᵢ)/ΠΓ(aᵢ)·Π xᵢ^(aᵢ − 1), a = concentration"),
)
