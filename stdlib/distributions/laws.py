"""The laws of standard noise: mirror images, quantiles, and nodes of Gaussian quadrature."""
from __future__ import annotations

from typing import Any, Callable

import jax
import jax.numpy as jnp
import numpy as np
from jax import random

from pullback.compiler.distribution import Law
from pullback.stdlib.distributions.numerics import exponential


def hermite(n: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.hermite_e.hermegauss(n)
    return nodes, weights / weights.sum()


def legendre(n: int) -> tuple[np.ndarray, np.ndarray]:
    nodes, weights = np.polynomial.legendre.leggauss(n)
    return (nodes + 1) / 2, weights / weights.sum()


def laguerre(n: int) -> tuple[np.ndarray, np.ndarray]:
    return np.polynomial.laguerre.laggauss(n)


def log1mexp(e: Any) -> Any:
    """−log(1 − e⁻ᵉ): the exponential variate of the other tail."""
    return -jnp.log(-jnp.expm1(-e))


def laplace(u: Any) -> Any:
    return jnp.where(u < 0.5, jnp.log(2 * u), -jnp.log(2 - 2 * u))


NORMAL = Law(jnp.negative, jax.scipy.special.ndtri, hermite)
UNIFORM = Law(lambda u: 1 - u, lambda u: u, legendre)
EXPONENTIAL = Law(log1mexp, lambda u: -jnp.log1p(-u), laguerre)
LOGISTIC = Law(jnp.negative, jax.scipy.special.logit)
LAPLACE = Law(jnp.negative, laplace)
CAUCHY = Law(jnp.negative, lambda u: jnp.tan(jnp.pi * (u - 0.5)))
GUMBEL = Law(lambda g: -jnp.log(log1mexp(jnp.exp(-g))), lambda u: -jnp.log(-jnp.log(u)))

LAWS: dict[Callable[..., Any], Law] = {
    random.normal: NORMAL, random.uniform: UNIFORM, random.exponential: EXPONENTIAL, exponential: EXPONENTIAL,
    random.logistic: LOGISTIC, random.laplace: LAPLACE, random.cauchy: CAUCHY, random.gumbel: GUMBEL}
