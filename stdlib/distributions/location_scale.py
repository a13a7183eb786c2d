"""Families moved and stretched along the real line: log p(x) = log p₀((x − loc)/scale) − log scale."""
from __future__ import annotations

from typing import Any, Callable

import jax
import jax.numpy as jnp
from jax import random

from pullback.compiler.distribution import Noise
from pullback.stdlib.distributions.measures import normal_loc, normal_scale
from pullback.stdlib.distributions.numerics import LOG_2PI, LOG_PI, betaln, exp, exponential, log1p_square, open_uniform
from pullback.stdlib.distributions.record import REAL, floats, make, plain

LOC_SCALE = "loc: real = 0, scale: positive = 1"


def standardized(log_density: Callable[..., Any]) -> Callable[..., Any]:
    """The log density (value, loc, scale) of a family whose standard member has this one."""
    def log_prob(value: Any, loc: Any, scale: Any) -> Any:
        value, loc, scale = floats(value, loc, scale)
        return log_density((value - loc) / scale) - jnp.log(scale)
    return log_prob


def shifted(noise: Any, loc: Any, scale: Any) -> Any:
    return loc + scale * noise


def normal(z: Any) -> Any:
    return -(z * z + LOG_2PI) / 2


def cauchy(z: Any) -> Any:
    return -LOG_PI - log1p_square(z)


def laplace(z: Any) -> Any:
    return -jnp.abs(z) - jnp.log(2.0)


def logistic(z: Any) -> Any:
    return -jax.nn.softplus(z) - jax.nn.softplus(-z)


def gumbel(z: Any) -> Any:
    return -z - exp(-z)


def soft_laplace(z: Any) -> Any:
    return jnp.log(2 / jnp.pi) - jnp.logaddexp(z, -z)


def student_t_log_prob(value: Any, df: Any, loc: Any, scale: Any) -> Any:
    value, df, loc, scale = floats(value, df, loc, scale)
    z = (value - loc) / scale
    return -betaln(0.5, df / 2) - (jnp.log(df) + (df + 1) * log1p_square(z, df)) / 2 - jnp.log(scale)


def student_t_sample(key: Any, dtype: Any, shape: tuple, df: Any, loc: Any, scale: Any) -> Any:
    """A normal over the root of a gamma: the pathwise derivative in df is the gamma's implicit one."""
    one, two = random.split(key)
    half = jnp.broadcast_to(jnp.asarray(df, dtype) / 2, shape)
    ratio = jnp.log(half) - random.loggamma(two, half, dtype=dtype)
    bound = jnp.log(jnp.finfo(dtype).max) - 9  # for a df near 0 the root leaves the floats
    return loc + scale * random.normal(one, shape, dtype) * jnp.exp(jnp.minimum(ratio, bound) / 2)


def soft_laplace_noise(key: Any, shape: tuple, dtype: Any) -> Any:
    return jnp.log(jnp.tan(open_uniform(key, shape, dtype) * (jnp.pi / 2)))


def asymmetric_laplace_log_prob(value: Any, loc: Any, scale: Any, asymmetry: Any) -> Any:
    value, loc, scale, asymmetry = floats(value, loc, scale, asymmetry)
    return _two_sided(value - loc, scale * asymmetry, scale / asymmetry)


def _two_sided(z: Any, left: Any, right: Any) -> Any:
    return -jnp.where(z < 0, -z / left, jnp.where(z > 0, z / right, 0)) - jnp.log(left + right)


def two_exponentials(key: Any, shape: tuple, dtype: Any, event: tuple) -> Any:
    return exponential(key, shape + event + (2,), dtype)


def asymmetric_laplace_push(noise: Any, loc: Any, scale: Any, asymmetry: Any) -> Any:
    return loc + scale * (noise[..., 1] / asymmetry - noise[..., 0] * asymmetry)


def by_quantile(scale: Any, quantile: Any) -> tuple[Any, Any]:
    """The scales on the left and on the right of the location, which is the quantile."""
    return scale / (1 - quantile), scale / quantile


def quantile_laplace_log_prob(value: Any, loc: Any, scale: Any, quantile: Any) -> Any:
    value, loc, scale, quantile = floats(value, loc, scale, quantile)
    return _two_sided(value - loc, *by_quantile(scale, quantile))


def quantile_laplace_push(noise: Any, loc: Any, scale: Any, quantile: Any) -> Any:
    left, right = by_quantile(scale, quantile)
    return loc + noise[..., 1] * right - noise[..., 0] * left


def _family(name: str, density: Callable[..., Any], draw: Callable[..., Any], numpyro: str, doc: str,
            parameters: str = LOC_SCALE, **rest: Any) -> Any:
    return make(name, parameters, REAL, standardized(density), noise=plain(draw, shifted, lambda z, loc, scale: density(z) - jnp.log(scale)),
                numpyro=numpyro, doc=doc,
                **rest)


def _loc(loc: Any, *others: Any) -> Any:
    return loc


RECORDS = (
    _family("normal", normal, random.normal, "Normal", "exp(−z²/2)/(√2π·scale), z = (x − loc)/scale", mean=_loc,
            measures={"loc": normal_loc, "scale": normal_scale}),
    _family("cauchy", cauchy, random.cauchy, "Cauchy", "1/(π·scale·(1 + z²)), z = (x − loc)/scale"),
    _family("laplace", laplace, random.laplace, "Laplace", "exp(−|z|)/(2·scale), z = (x − loc)/scale", mean=_loc,
            value_smooth="continuous"),
    _family("logistic", logistic, random.logistic, "Logistic", "e⁻ᶻ/(scale·(1 + e⁻ᶻ)²), z = (x − loc)/scale",
            mean=_loc),
    _family("gumbel", gumbel, random.gumbel, "Gumbel", "exp(−z − e⁻ᶻ)/scale, z = (x − loc)/scale",
            mean=lambda loc, scale: loc + jnp.euler_gamma * scale),
    _family("soft_laplace", soft_laplace, soft_laplace_noise, "SoftLaplace",
            "1/(π·scale·cosh z), z = (x − loc)/scale", "loc: real, scale: positive", mean=_loc),
    make("student_t", "df: positive, loc: real = 0, scale: positive = 1", REAL, student_t_log_prob,
         sample=student_t_sample, reparameterized=("df", "loc", "scale"), implicit=True, numpyro="StudentT",
         doc="(1 + z²/df)^(−(df + 1)/2)/(√df·B(½, df/2)·scale), z = (x − loc)/scale"),
    make("asymmetric_laplace", "loc: real = 0, scale: positive = 1, asymmetry: positive = 1", REAL,
         asymmetric_laplace_log_prob, noise=Noise(two_exponentials, asymmetric_laplace_push), value_smooth="continuous",
         numpyro="AsymmetricLaplace", mean=lambda loc, scale, asymmetry: loc + scale * (1 / asymmetry - asymmetry),
         doc="exp(−|x − loc|/s)/(scale·(a + 1/a)), a = asymmetry, s = scale·a on the left, scale/a on the right"),
    make("asymmetric_laplace_quantile", "loc: real = 0, scale: positive = 1, quantile: unit = 0.5", REAL,
         quantile_laplace_log_prob, noise=Noise(two_exponentials, quantile_laplace_push), value_smooth="continuous",
         numpyro="AsymmetricLaplaceQuantile",
         doc="quantile·(1 − quantile)·exp(−ρ(x − loc)/scale)/scale, ρ(d) = d·(quantile − 1{d < 0})"),
)
