"""Families on the positive half-line.

On the edge x = 0 the density is its limit, which may be ∞ or 0; there a log density has the derivative 0.
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import random

from pullback.compiler.distribution import Support
from pullback.stdlib.distributions.measures import (exponential_rate, gamma_rate, half_normal_scale, logarithmic,
                                                    normal_loc, normal_scale, weibull_scale)
from pullback.stdlib.distributions.numerics import (LOG_2PI, LOG_PI, deviance, exp, exponential, limit, log1p_square,
                                                    settled, stirling, tiny, within)
from pullback.stdlib.distributions.record import POSITIVE, floats, make, plain


def half_normal_log_prob(value: Any, scale: Any) -> Any:
    value, scale = floats(value, scale)
    z = value / scale
    return within(value >= 0, jnp.log(2.0) - (z * z + LOG_2PI) / 2 - jnp.log(scale))


def half_cauchy_log_prob(value: Any, scale: Any) -> Any:
    value, scale = floats(value, scale)
    z = value / scale
    return within(value >= 0, jnp.log(2.0) - LOG_PI - log1p_square(z) - jnp.log(scale))


def log_normal_log_prob(value: Any, loc: Any, scale: Any) -> Any:
    value, loc, scale = floats(value, loc, scale)
    inside = value > 0
    logarithm = jnp.log(jnp.where(inside, value, 1))
    z = (logarithm - loc) / scale
    return within(inside, -(z * z + LOG_2PI) / 2 - jnp.log(scale) - logarithm)


def exponential_log_prob(value: Any, rate: Any) -> Any:
    value, rate = floats(value, rate)
    return within(value >= 0, jnp.log(rate) - rate * value)


def gamma_log_prob(value: Any, concentration: Any, rate: Any) -> Any:
    """Around its mean, so that a large a does not cancel: −log x + ½ log(a/2π) − s(a) − (bx − a − a log(bx/a))."""
    value, a, rate = floats(value, concentration, rate)
    inside = value > 0
    x = jnp.where(inside, value, 1)
    density = (jnp.log(a) - LOG_2PI) / 2 - stirling(a) - deviance(rate * x, a) - jnp.log(x)
    edge = jnp.where(value == 0, limit(a - 1, jnp.log(rate) - rate * value), -jnp.inf)
    return settled(jnp.where(inside, density, edge))


def gamma_sample(key: Any, dtype: Any, shape: tuple, concentration: Any, rate: Any) -> Any:
    return tiny(jnp.exp(log_gamma(key, dtype, shape, concentration)) / rate)


def log_gamma(key: Any, dtype: Any, shape: tuple, concentration: Any) -> Any:
    """The logarithm of a gamma variate of rate 1; its derivative in the concentration is implicit."""
    return random.loggamma(key, jnp.broadcast_to(jnp.asarray(concentration, dtype), shape), dtype=dtype)


def chi2_log_prob(value: Any, df: Any) -> Any:
    return gamma_log_prob(value, jnp.asarray(df) / 2, 0.5)


def chi2_sample(key: Any, dtype: Any, shape: tuple, df: Any) -> Any:
    return gamma_sample(key, dtype, shape, jnp.asarray(df) / 2, 0.5)


def inverse_gamma_log_prob(value: Any, concentration: Any, rate: Any) -> Any:
    value, a, rate = floats(value, concentration, rate)
    inside = (value > 0) & jnp.isfinite(rate / value)
    x = jnp.where(inside, value, 1)
    return within(inside, (jnp.log(a) - LOG_2PI) / 2 - stirling(a) - deviance(rate / x, a) - jnp.log(x))


def inverse_gamma_sample(key: Any, dtype: Any, shape: tuple, concentration: Any, rate: Any) -> Any:
    logarithm = jnp.log(jnp.asarray(rate, dtype)) - log_gamma(key, dtype, shape, concentration)
    most = jnp.log(jnp.finfo(dtype).max) - 9  # a small concentration leaves the floats
    return jnp.exp(jnp.minimum(logarithm, most))


def weibull_log_prob(value: Any, scale: Any, concentration: Any) -> Any:
    value, scale, k = floats(value, scale, concentration)
    inside = value > 0
    logarithm = jnp.log(jnp.where(inside, value, scale) / scale)
    density = jnp.log(k / scale) + (k - 1) * logarithm - exp(k * logarithm)
    edge = jnp.where(value == 0, limit(k - 1, -jnp.log(scale) - value / scale), -jnp.inf)
    return settled(jnp.where(inside, density, edge))


def weibull_push(noise: Any, scale: Any, concentration: Any) -> Any:
    return tiny(scale * jnp.exp(jnp.log(noise) / concentration))


def gompertz_hazard(x: Any, concentration: Any) -> Any:
    """c·(eˣ − 1)."""
    return concentration * jnp.where(x < 1, jnp.expm1(jnp.where(x < 1, x, 0)), exp(x) - 1)


def gompertz_log_prob(value: Any, concentration: Any, rate: Any) -> Any:
    value, c, rate = floats(value, concentration, rate)
    x = rate * value
    return within(value >= 0, jnp.log(c) + jnp.log(rate) + x - gompertz_hazard(x, c))


def dagum_log_prob(value: Any, concentration: Any, sharpness: Any, scale: Any) -> Any:
    value, p, a, scale = floats(value, concentration, sharpness, scale)
    inside = value > 0
    logarithm = jnp.log(jnp.where(inside, value, scale) / scale)
    powers = (a * p - 1) * logarithm - (p + 1) * jax.nn.softplus(a * logarithm)
    density = jnp.log(a) + jnp.log(p) - jnp.log(scale) + powers
    edge = jnp.where(value == 0, limit(a * p - 1, -jnp.log(scale)), -jnp.inf)
    return settled(jnp.where(inside, density, edge))


def levy_log_prob(value: Any, loc: Any, scale: Any) -> Any:
    value, loc, scale = floats(value, loc, scale)
    inside = (value > loc) & jnp.isfinite(scale / (value - loc))
    x = jnp.where(inside, value - loc, scale)
    return within(inside, (jnp.log(scale) - LOG_2PI - scale / x - 3 * jnp.log(x)) / 2)


def pareto_log_prob(value: Any, scale: Any, alpha: Any) -> Any:
    value, scale, alpha = floats(value, scale, alpha)
    inside = value >= scale
    x = jnp.where(inside, value, scale)
    return within(inside, jnp.log(alpha) - jnp.log(x) - alpha * jnp.log(x / scale))


def above(*moves: str) -> Support:
    """What lies above a parameter."""
    return Support("interval", None, jnp.inf, frozenset(moves))


RECORDS = (
    make("half_normal", "scale: positive = 1", POSITIVE, half_normal_log_prob, numpyro="HalfNormal",
         noise=plain(lambda *a: jnp.abs(random.normal(*a)), lambda noise, scale: scale * noise),
         mean=lambda scale: scale * jnp.sqrt(2 / jnp.pi), measures={"scale": half_normal_scale},
         doc="√(2/π)·exp(−x²/(2·scale²))/scale for x ≥ 0"),
    make("half_cauchy", "scale: positive = 1", POSITIVE, half_cauchy_log_prob, numpyro="HalfCauchy",
         noise=plain(lambda *a: jnp.abs(random.cauchy(*a)), lambda noise, scale: scale * noise),
         doc="2/(π·scale·(1 + (x/scale)²)) for x ≥ 0"),
    make("log_normal", "loc: real = 0, scale: positive = 1", POSITIVE, log_normal_log_prob, numpyro="LogNormal",
         noise=plain(random.normal, lambda noise, loc, scale: tiny(jnp.exp(loc + scale * noise)),
                     lambda noise, loc, scale: -(noise * noise + LOG_2PI) / 2 - jnp.log(scale) - (loc + scale * noise)),
         mean=lambda loc, scale: jnp.exp(loc + scale * scale / 2),
         measures={"loc": logarithmic(normal_loc), "scale": logarithmic(normal_scale)},
         doc="exp(−(log x − loc)²/(2·scale²))/(√2π·scale·x)"),
    make("exponential", "rate: positive = 1", POSITIVE, exponential_log_prob, numpyro="Exponential",
         noise=plain(random.exponential, lambda noise, rate: noise / rate), mean=lambda rate: 1 / rate,
         measures={"rate": exponential_rate},
         doc="rate·exp(−rate·x) for x ≥ 0"),
    make("gamma", "concentration: positive, rate: positive = 1", POSITIVE, gamma_log_prob, sample=gamma_sample,
         reparameterized=("concentration", "rate"), implicit=True, numpyro="Gamma", mean=lambda a, b: a / b,
         measures={"rate": gamma_rate},
         doc="rateᵃ·xᵃ⁻¹·exp(−rate·x)/Γ(a), a = concentration"),
    make("chi2", "df: positive", POSITIVE, chi2_log_prob, sample=chi2_sample, reparameterized=("df",), implicit=True,
         numpyro="Chi2", mean=lambda df: df, doc="x^(df/2 − 1)·exp(−x/2)/(2^(df/2)·Γ(df/2))"),
    make("inverse_gamma", "concentration: positive, rate: positive = 1", POSITIVE, inverse_gamma_log_prob,
         sample=inverse_gamma_sample, reparameterized=("concentration", "rate"), implicit=True, numpyro="InverseGamma",
         doc="rateᵃ·x⁻ᵃ⁻¹·exp(−rate/x)/Γ(a), a = concentration"),
    make("weibull", "scale: positive, concentration: positive", POSITIVE, weibull_log_prob, numpyro="Weibull",
         noise=plain(exponential, weibull_push),
         mean=lambda s, k: s * jnp.exp(jax.scipy.special.gammaln(1 + 1 / jnp.asarray(k))),
         measures={"scale": weibull_scale},
         doc="(k/scale)·(x/scale)ᵏ⁻¹·exp(−(x/scale)ᵏ), k = concentration"),
    make("gompertz", "concentration: positive, rate: positive = 1", POSITIVE, gompertz_log_prob, numpyro="Gompertz",
         noise=plain(random.exponential, lambda noise, c, rate: jnp.log1p(noise / c) / rate),
         doc="concentration·rate·exp(rate·x − concentration·(exp(rate·x) − 1)) for x ≥ 0"),
    make("dagum", "concentration: positive, sharpness: positive, scale: positive", POSITIVE, dagum_log_prob,
         noise=plain(exponential, lambda noise, p, a, s: tiny(s * jnp.exp(-jnp.log(jnp.expm1(noise / p)) / a))),
         numpyro="Dagum", doc="(a·p/x)·(x/scale)^(a·p)/(1 + (x/scale)ᵃ)^(p + 1), p = concentration, a = sharpness"),
    make("levy", "loc: real, scale: positive", above("loc"), levy_log_prob, numpyro="Levy",
         noise=plain(random.normal, lambda noise, loc, scale: loc + scale / tiny(noise * noise)),
         doc="√(scale/2π)·exp(−scale/(2·(x − loc)))/(x − loc)^(3/2) for x > loc"),
    make("pareto", "scale: positive, alpha: positive", above("scale"), pareto_log_prob, numpyro="Pareto",
         noise=plain(random.exponential, lambda noise, scale, alpha: scale * jnp.exp(noise / alpha)),
         jumps_in=frozenset({"scale"}), doc="alpha·scaleᵃ/xᵃ⁺¹ for x ≥ scale, a = alpha"),
)
