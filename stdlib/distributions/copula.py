"""Betas bound together by the correlation of normals behind them."""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax, random
from jax.scipy.special import betainc, ndtr, ndtri

from pullback.compiler.distribution import Distribution
from pullback.stdlib.distributions.bounded import beta_log_prob
from pullback.stdlib.distributions.gaussian import log_diagonal, solve, times
from pullback.stdlib.distributions.numerics import inner, within
from pullback.stdlib.distributions.record import UNIT, floats, make

NO_SHAPE = ("the distribution function of a beta has no known derivative in its concentrations here; "
            "give `{}` a fixed value")
SHAPES = ("concentration1", "concentration0")


def score(one: Any, zero: Any, x: Any) -> Any:
    """Φ⁻¹ of a beta's distribution function, by the smaller of its two tails."""
    below, above = betainc(one, zero, x), betainc(zero, one, 1 - x)
    left = below < above
    least = jnp.finfo(x.dtype).tiny
    part = ndtri(jnp.where(jnp.where(left, below, above) > least, jnp.where(left, below, above), least))
    return jnp.where(left, part, -part)


def log_prob(value: Any, concentration1: Any, concentration0: Any, tril: Any) -> Any:
    value, one, zero, tril = floats(value, concentration1, concentration0, tril)
    inside = (value > 0) & (value < 1)
    x = jnp.where(inside, value, 0.5)
    normal = score(*jnp.broadcast_arrays(one, zero, x))
    white = solve(tril, normal)
    copula = (jnp.sum(normal * normal, -1) - jnp.sum(white * white, -1)) / 2 - log_diagonal(tril)
    return within(jnp.all(inside, -1), copula + jnp.sum(beta_log_prob(x, one, zero), -1))


def sample(key: Any, dtype: Any, shape: tuple, *parameters: Any) -> Any:
    """Bisection of each beta's distribution function, on the scale of the log odds."""
    one, zero, tril = (lax.stop_gradient(jnp.asarray(p, dtype)) for p in parameters)
    goal = ndtr(times(tril, random.normal(key, shape + tril.shape[-1:], dtype)))
    most = -jnp.log(jnp.finfo(dtype).tiny) / 2

    def halve(_: int, ends: tuple) -> tuple:
        middle = (ends[0] + ends[1]) / 2
        right = betainc(*jnp.broadcast_arrays(one, zero, jax.nn.sigmoid(middle))) < goal
        return jnp.where(right, middle, ends[0]), jnp.where(right, ends[1], middle)

    ends = lax.fori_loop(0, jnp.finfo(dtype).nmant + 6, halve, (jnp.full_like(goal, -most), jnp.full_like(goal, most)))
    return inner(jax.nn.sigmoid((ends[0] + ends[1]) / 2))


def _copula(field: str, domain: str, tril: Any, doc: str) -> Distribution:
    shapes = "concentration1: positive[n], concentration0: positive[n]"
    return make("gaussian_copula_beta", f"{shapes}, {field}: {domain}", UNIT,
                lambda value, one, zero, matrix: log_prob(value, one, zero, tril(matrix)), rank=1,
                event=lambda shapes: tuple(shapes[field][-1:]), numpyro="GaussianCopulaBeta",
                sample=lambda key, dtype, shape, one, zero, matrix: sample(key, dtype, shape, one, zero, tril(matrix)),
                refused={name: NO_SHAPE.format(name) for name in SHAPES}, doc=doc)


RECORDS = (
    _copula("correlation_matrix", "corr_matrix", jnp.linalg.cholesky,
            "betas xᵢ = Fᵢ⁻¹(Φ(zᵢ)), z normal with this correlation matrix"),
    _copula("correlation_cholesky", "corr_cholesky", jnp.asarray,
            "betas xᵢ = Fᵢ⁻¹(Φ(zᵢ)), z normal with this Cholesky factor of a correlation matrix"),
)
