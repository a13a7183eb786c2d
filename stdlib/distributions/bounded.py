"""Families on an interval: uniform, beta, Kumaraswamy, and the relaxed coin.

At an end of the interval the density is its limit, which may be ∞ or 0; there a log density has the derivative 0.
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import random

from pullback.compiler.distribution import Support
from pullback.stdlib.distributions.measures import uniform_high, uniform_low
from pullback.stdlib.distributions.numerics import (LOG_2PI, deviance, exponential, inner, limit, settled, stirling,
                                                    within)
from pullback.stdlib.distributions.positive import log_gamma
from pullback.stdlib.distributions.record import UNIT, floats, make, plain


def between(*moves: str) -> Support:
    """What lies between two parameters."""
    return Support("interval", None, None, frozenset(moves))


def uniform_log_prob(value: Any, low: Any, high: Any) -> Any:
    value, low, high = floats(value, low, high)
    return within((low <= value) & (value <= high), -jnp.log(high - low))


def log_uniform_log_prob(value: Any, low: Any, high: Any) -> Any:
    value, low, high = floats(value, low, high)
    inside = (low <= value) & (value <= high)
    return within(inside, -jnp.log(jnp.where(inside, value, high)) - jnp.log(jnp.log(high / low)))


def beta_log_prob(value: Any, concentration1: Any, concentration0: Any) -> Any:
    """Around its mean, so that large concentrations do not cancel: how far nx is from a, n(1 − x) from b."""
    value, a, b = floats(value, concentration1, concentration0)
    inside = (value > 0) & (value < 1)
    x = jnp.where(inside, value, 0.5)
    n = a + b
    density = ((jnp.log(a) + jnp.log(b / n) - LOG_2PI) / 2 + stirling(n) - stirling(a) - stirling(b)
               - deviance(n * x, a) - deviance(n * (1 - x), b) - jnp.log(x) - jnp.log1p(-x))
    zero = limit(a - 1, jnp.log(b) + (b - 1) * jnp.log1p(-jnp.where(value == 0, value, 0)))
    one = limit(b - 1, jnp.log(a) + (a - 1) * jnp.log(jnp.where(value == 1, value, 1)))
    return settled(jnp.where(inside, density, _ends(value, zero, one)))


def _ends(value: Any, zero: Any, one: Any) -> Any:
    return jnp.where(value == 0, zero, jnp.where(value == 1, one, -jnp.inf))


def beta_sample(key: Any, dtype: Any, shape: tuple, concentration1: Any, concentration0: Any) -> Any:
    """A ratio of gammas: its pathwise derivative is right in the mean, not draw by draw −(∂F/∂θ)/p."""
    one, zero = random.split(key)
    log_odds = log_gamma(one, dtype, shape, concentration1) - log_gamma(zero, dtype, shape, concentration0)
    return inner(jax.nn.sigmoid(log_odds))


def proportions(mean: Any, concentration: Any) -> tuple[Any, Any]:
    mean, concentration = floats(mean, concentration)
    return mean * concentration, (1 - mean) * concentration


def kumaraswamy_log_prob(value: Any, concentration1: Any, concentration0: Any) -> Any:
    value, a, b = floats(value, concentration1, concentration0)
    inside = (value > 0) & (value < 1)
    logarithm = jnp.log(jnp.where(inside, value, 0.5))
    density = jnp.log(a) + jnp.log(b) + (a - 1) * logarithm + (b - 1) * jnp.log(-jnp.expm1(a * logarithm))
    zero = limit(a - 1, jnp.log(b) + (b - 1) * jnp.log1p(-jnp.where(value == 0, value, 0)))
    one = limit(b - 1, jnp.log(a) + (a - 1) * jnp.log(jnp.where(value == 1, value, 1)))
    return settled(jnp.where(inside, density, _ends(value, zero, one)))


def kumaraswamy_push(noise: Any, concentration1: Any, concentration0: Any) -> Any:
    return inner(jnp.exp(jnp.log(-jnp.expm1(-noise / concentration0)) / concentration1))


def relaxed_bernoulli_log_prob(value: Any, temperature: Any, logits: Any) -> Any:
    value, t, logits = floats(value, temperature, logits)
    inside = (value > 0) & (value < 1)
    x = jnp.where(inside, value, 0.5)
    one, zero = jnp.log(x), jnp.log1p(-x)
    density = jnp.log(t) + logits + (t - 1) * (one + zero) - 2 * jnp.logaddexp(logits + t * zero, t * one)
    return settled(jnp.where(inside, density, _ends(value, limit(t - 1, -logits), limit(t - 1, logits))))


def relaxed_bernoulli_push(noise: Any, temperature: Any, logits: Any) -> Any:
    return inner(jax.nn.sigmoid((logits + noise) / temperature))


def log_odds(probs: Any) -> Any:
    return jnp.log(probs) - jnp.log1p(-probs)


RECORDS = (
    make("uniform", "low: real = 0, high: real = 1", between("low", "high"), uniform_log_prob, numpyro="Uniform",
         noise=plain(random.uniform, lambda noise, low, high: low + noise * (high - low)),
         mean=lambda low, high: (low + high) / 2, jumps_in=frozenset({"low", "high"}),
         measures={"low": uniform_low, "high": uniform_high},
         doc="1/(high − low) for low ≤ x ≤ high"),
    make("log_uniform", "low: positive, high: positive", between("low", "high"), log_uniform_log_prob,
         numpyro="LogUniform",
         noise=plain(random.uniform, lambda noise, low, high: low * jnp.exp(noise * jnp.log(high / low))),
         mean=lambda low, high: (high - low) / jnp.log(high / low), jumps_in=frozenset({"low", "high"}),
         doc="1/(x·log(high/low)) for low ≤ x ≤ high"),
    make("beta", "concentration1: positive, concentration0: positive", UNIT, beta_log_prob, sample=beta_sample,
         reparameterized=("concentration1", "concentration0"), implicit=True, numpyro="Beta",
         mean=lambda a, b: a / (a + b),
         doc="xᵃ⁻¹·(1 − x)ᵇ⁻¹/B(a, b), a = concentration1, b = concentration0"),
    make("beta_proportion", "mean: unit, concentration: positive", UNIT,
         lambda value, mean, concentration: beta_log_prob(value, *proportions(mean, concentration)),
         sample=lambda key, dtype, shape, *parameters: beta_sample(key, dtype, shape, *proportions(*parameters)),
         reparameterized=("mean", "concentration"), implicit=True, numpyro="BetaProportion", mean=lambda mean, _: mean,
         doc="beta(mean·concentration, (1 − mean)·concentration)"),
    make("kumaraswamy", "concentration1: positive, concentration0: positive", UNIT, kumaraswamy_log_prob,
         noise=plain(exponential, kumaraswamy_push), numpyro="Kumaraswamy",
         doc="a·b·xᵃ⁻¹·(1 − xᵃ)ᵇ⁻¹, a = concentration1, b = concentration0"),
    make("relaxed_bernoulli", "temperature: positive, probs: unit", UNIT,
         lambda value, temperature, probs: relaxed_bernoulli_log_prob(value, temperature, log_odds(probs)),
         noise=plain(random.logistic, lambda noise, t, probs: relaxed_bernoulli_push(noise, t, log_odds(probs))),
         numpyro="RelaxedBernoulli", doc="the law of sigmoid((log(probs/(1 − probs)) + logistic noise)/temperature)"),
    make("relaxed_bernoulli", "temperature: positive, logits: real", UNIT, relaxed_bernoulli_log_prob,
         noise=plain(random.logistic, relaxed_bernoulli_push), numpyro="RelaxedBernoulli",
         doc="t·eˡ·(x(1 − x))ᵗ⁻¹/(eˡ(1 − x)ᵗ + xᵗ)², t = temperature, l = logits: sigmoid((l + logistic noise)/t)"),
)
