"""Counts without bound: Poisson and its gamma and beta mixtures."""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import random
from jax.scipy.special import gammaln

from pullback.compiler.distribution import Finite
from pullback.stdlib.distributions.bernoulli import arange, binomial_sample, count_up_to, log_choose
from pullback.stdlib.distributions.bounded import beta_sample
from pullback.stdlib.distributions.measures import poisson_rate
from pullback.stdlib.distributions.numerics import (LOG_2PI, betaln, deviance, power, power1m, rising, settled,
                                                    stirling, within)
from pullback.stdlib.distributions.positive import log_gamma
from pullback.stdlib.distributions.record import NATURAL, RANGE, floats, make

softplus = jax.nn.softplus


def poisson_log_prob(value: Any, rate: Any) -> Any:
    """Around its mode, so that large counts do not cancel; at rate 0 only 0 is possible."""
    value, rate = floats(value, rate)
    some = (value > 0) & (rate > 0)
    x, mean = jnp.where(some, value, 1), jnp.where(some, rate, 1)
    density = -(LOG_2PI + jnp.log(x)) / 2 - stirling(x) - deviance(mean, x)
    return settled(jnp.where(some, density, within(value == 0, -rate)))


def poisson_sample(key: Any, dtype: Any, shape: tuple, rate: Any) -> Any:
    return random.poisson(key, jnp.asarray(rate, dtype), shape, jnp.int32)


def failures(value: Any, concentration: Any) -> Any:
    """log Γ(x + c)/(Γ(c)·x!), without cancellation."""
    return rising(concentration, value) - gammaln(value + 1)


def gamma_poisson_log_prob(value: Any, concentration: Any, rate: Any) -> Any:
    value, c, rate = floats(value, concentration, rate)
    x = jnp.maximum(value, 0)
    return within(value >= 0, failures(x, c) - c * jnp.log1p(1 / rate) - x * jnp.log1p(rate))


def gamma_poisson_sample(key: Any, dtype: Any, shape: tuple, concentration: Any, scale: Any) -> Any:
    """A Poisson whose rate is a gamma of this concentration and scale."""
    one, two = random.split(key)
    rate = jnp.exp(log_gamma(one, dtype, shape, concentration)) * scale
    return random.poisson(two, jax.lax.stop_gradient(rate), shape, jnp.int32)


def negative_binomial2_log_prob(value: Any, mean: Any, concentration: Any) -> Any:
    value, mean, c = floats(value, mean, concentration)
    x = jnp.maximum(value, 0)
    density = failures(x, c) + power(x, mean) - x * jnp.log(c + mean) - c * jnp.log1p(mean / c)
    return settled(within(value >= 0, density))


def negative_binomial_probs_log_prob(value: Any, total_count: Any, probs: Any) -> Any:
    value, c, probs = floats(value, total_count, probs)
    x = jnp.maximum(value, 0)
    return settled(within(value >= 0, failures(x, c) + power(x, probs) + power1m(c, probs)))


def negative_binomial_logits_log_prob(value: Any, total_count: Any, logits: Any) -> Any:
    value, c, t = floats(value, total_count, logits)
    x = jnp.maximum(value, 0)
    return within(value >= 0, failures(x, c) - x * softplus(-t) - c * softplus(t))


def beta_binomial_log_prob(value: Any, concentration1: Any, concentration0: Any, total_count: Any) -> Any:
    value, a, b, n = floats(value, concentration1, concentration0, total_count)
    inside = (0 <= value) & (value <= n)
    x = jnp.where(inside, value, 0)
    return within(inside, log_choose(n, x) + rising(a, x) + rising(b, n - x) - rising(a + b, n))


def beta_binomial_sample(key: Any, dtype: Any, shape: tuple, a: Any, b: Any, n: Any) -> Any:
    one, two = random.split(key)
    return binomial_sample(two, dtype, shape, n, jax.lax.stop_gradient(beta_sample(one, dtype, shape, a, b)))


def beta_binomial_probabilities(size: int, *parameters: Any) -> Any:
    batch = jnp.broadcast_shapes(*map(jnp.shape, parameters))
    return jnp.exp(beta_binomial_log_prob(arange(size).reshape((size,) + (1,) * len(batch)), *parameters))


def beta_negative_binomial_log_prob(value: Any, concentration1: Any, concentration0: Any, n: Any) -> Any:
    """B(a + x, b + n)/B(a, b) as rising factorials and a ratio of betas that does not depend on x."""
    value, a, b, n = floats(value, concentration1, concentration0, n)
    x = jnp.maximum(value, 0)
    density = failures(x, n) + rising(a, x) - rising(a + b + n, x) + betaln(a, b + n) - betaln(a, b)
    return within(value >= 0, density)


def beta_negative_binomial_sample(key: Any, dtype: Any, shape: tuple, a: Any, b: Any, n: Any) -> Any:
    one, two = random.split(key)
    probs = jax.lax.stop_gradient(beta_sample(one, dtype, shape, a, b))
    return gamma_poisson_sample(two, dtype, shape, n, probs / (1 - probs))


RECORDS = (
    make("poisson", "rate: nonnegative", NATURAL, poisson_log_prob, kind="int", sample=poisson_sample,
         numpyro="Poisson",
         mean=lambda rate: rate, measures={"rate": poisson_rate}, doc="rateˣ·exp(−rate)/x!"),
    make("gamma_poisson", "concentration: positive, rate: positive = 1", NATURAL, gamma_poisson_log_prob, kind="int",
         sample=lambda key, dtype, shape, c, rate: gamma_poisson_sample(key, dtype, shape, c, 1 / rate),
         numpyro="GammaPoisson", mean=lambda c, rate: c / rate,
         doc="a poisson whose rate is gamma(concentration, rate)"),
    make("negative_binomial", "total_count: positive, probs: unit", NATURAL, negative_binomial_probs_log_prob,
         kind="int", sample=lambda key, dtype, shape, n, p: gamma_poisson_sample(key, dtype, shape, n, p / (1 - p)),
         numpyro="NegativeBinomial", mean=lambda n, p: n * p / (1 - p),
         doc="Γ(x + n)/(Γ(n)·x!)·probsˣ·(1 − probs)ⁿ, n = total_count"),
    make("negative_binomial", "total_count: positive, logits: real", NATURAL, negative_binomial_logits_log_prob,
         kind="int", sample=lambda key, dtype, shape, n, t: gamma_poisson_sample(key, dtype, shape, n, jnp.exp(t)),
         numpyro="NegativeBinomial", mean=lambda n, t: n * jnp.exp(t),
         doc="Γ(x + n)/(Γ(n)·x!)·pˣ·(1 − p)ⁿ, n = total_count, p = σ(logits)"),
    make("negative_binomial2", "mean: nonnegative, concentration: positive", NATURAL, negative_binomial2_log_prob,
         kind="int", sample=lambda key, dtype, shape, m, c: gamma_poisson_sample(key, dtype, shape, c, m / c),
         numpyro="NegativeBinomial2", mean=lambda m, c: m,
         doc="Γ(x + c)/(Γ(c)·x!)·(m/(m + c))ˣ·(c/(m + c))ᶜ, m = mean, c = concentration"),
    make("beta_binomial", "concentration1: positive, concentration0: positive, total_count: natural = 1", RANGE,
         beta_binomial_log_prob, kind="int", sample=beta_binomial_sample, numpyro="BetaBinomial",
         finite=Finite(count_up_to("total_count"), arange, beta_binomial_probabilities),
         mean=lambda a, b, n: n * a / (a + b),
         doc="a binomial whose probs is beta(concentration1, concentration0)"),
    make("beta_negative_binomial", "concentration1: positive, concentration0: positive, n: positive", NATURAL,
         beta_negative_binomial_log_prob, kind="int", sample=beta_negative_binomial_sample,
         numpyro="BetaNegativeBinomial",
         doc="a negative_binomial(n, probs) whose probs is beta(concentration1, concentration0)"),
)
