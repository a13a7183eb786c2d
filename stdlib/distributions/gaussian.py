"""Normals of several dimensions, by covariance, precision or Cholesky factor, and Student's t beside them."""
from __future__ import annotations

from typing import Any

import jax.numpy as jnp
from jax import lax, random

from pullback.compiler.distribution import Support
from pullback.stdlib.distributions.numerics import LOG_2PI
from pullback.stdlib.distributions.record import VECTOR, floats, make, plain


def solve(tril: Any, x: Any, transpose: bool = False) -> Any:
    """L⁻¹x (or L⁻ᵀx) for L [*batch, n, n] and x [*batch, n], whose batches broadcast; one L for many x is one solve."""
    if tril.ndim == 2:
        flat = x.reshape((-1, x.shape[-1])).T
        solved = lax.linalg.triangular_solve(tril, flat, left_side=True, lower=True, transpose_a=transpose)
        return solved.T.reshape(x.shape)
    batch = jnp.broadcast_shapes(tril.shape[:-2], x.shape[:-1])
    tril, x = jnp.broadcast_to(tril, batch + tril.shape[-2:]), jnp.broadcast_to(x, batch + x.shape[-1:])
    return lax.linalg.triangular_solve(tril, x[..., None], left_side=True, lower=True, transpose_a=transpose)[..., 0]


def times(matrix: Any, x: Any) -> Any:
    return jnp.einsum("...ij,...j->...i", matrix, x)


def log_diagonal(tril: Any) -> Any:
    """log |det L| of a triangular matrix with a positive diagonal."""
    return jnp.sum(jnp.log(jnp.diagonal(tril, axis1=-2, axis2=-1)), -1)


def whitened(white: Any, log_scale: Any) -> Any:
    """The log density of a value whose whitened form this is; `log_scale`: the log determinant of the scale."""
    return -(jnp.sum(white * white, -1) + white.shape[-1] * LOG_2PI) / 2 - log_scale


def by_scale_tril(value: Any, loc: Any, scale_tril: Any) -> Any:
    value, loc, tril = floats(value, loc, scale_tril)
    return whitened(solve(tril, value - loc), log_diagonal(tril))


def by_covariance(value: Any, loc: Any, covariance_matrix: Any) -> Any:
    return by_scale_tril(value, loc, jnp.linalg.cholesky(floats(covariance_matrix)[0]))


def by_precision(value: Any, loc: Any, precision_matrix: Any) -> Any:
    value, loc, precision = floats(value, loc, precision_matrix)
    tril = jnp.linalg.cholesky(precision)
    return whitened(times(jnp.swapaxes(tril, -1, -2), value - loc), -log_diagonal(tril))


def push_scale_tril(noise: Any, loc: Any, scale_tril: Any) -> Any:
    return loc + times(scale_tril, noise)


def push_covariance(noise: Any, loc: Any, covariance_matrix: Any) -> Any:
    return loc + times(jnp.linalg.cholesky(covariance_matrix), noise)


def push_precision(noise: Any, loc: Any, precision_matrix: Any) -> Any:
    return loc + solve(jnp.linalg.cholesky(precision_matrix), noise, transpose=True)


def _normal(field: str, domain: str, log_prob: Any, push: Any, log_scale: Any, doc: str) -> Any:
    return make("multivariate_normal", f"loc: real[n] = 0, {field}: {domain}[n, n]", VECTOR, log_prob, rank=1,
                event=lambda shapes: tuple(shapes[field][-1:]), noise=plain(random.normal, push, lambda noise, loc, factor: whitened(noise, log_scale(factor))),
                mean=lambda loc, _: loc, numpyro="MultivariateNormal", doc=doc)


def zero_sum_log_prob(value: Any, scale: Any, event_shape: int) -> Any:
    """A density on the n − 1 dimensions in which the values add up to 0."""
    value, scale = floats(value, scale)
    z = value / scale[..., None]
    return -jnp.sum(z * z, -1) / 2 - (event_shape - 1) * (LOG_2PI / 2 + jnp.log(scale))


def zero_sum_push(noise: Any, scale: Any, event_shape: int) -> Any:
    return jnp.asarray(scale)[..., None] * (noise - jnp.mean(noise, -1, keepdims=True))


def zero_sum_upstream(scale: Any, event_shape: int) -> Any:
    from numpyro import distributions
    return distributions.ZeroSumNormal(scale, (event_shape,))


RECORDS = (
    _normal("covariance_matrix", "positive_definite", by_covariance, push_covariance,
            lambda covariance: log_diagonal(jnp.linalg.cholesky(covariance)),
            "exp(−(x − loc)ᵀΣ⁻¹(x − loc)/2)/√det(2πΣ), Σ = covariance_matrix"),
    _normal("precision_matrix", "positive_definite", by_precision, push_precision,
            lambda precision: -log_diagonal(jnp.linalg.cholesky(precision)),
            "exp(−(x − loc)ᵀP(x − loc)/2)·√det(P/2π), P = precision_matrix"),
    _normal("scale_tril", "cholesky", by_scale_tril, push_scale_tril, log_diagonal,
            "exp(−|L⁻¹(x − loc)|²/2)/((2π)^(n/2)·det L), L = scale_tril"),
    make("zero_sum_normal", "scale: positive, event_shape: size", Support("zero_sum"), zero_sum_log_prob, rank=1,
         event=lambda shapes: shapes["event_shape"], noise=plain(random.normal, zero_sum_push),
         numpyro=zero_sum_upstream,
         doc="exp(−|x|²/(2·scale²))/(√2π·scale)^(n − 1) for n = event_shape numbers that add up to 0"),
)
