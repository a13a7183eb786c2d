"""Coins: bernoulli, binomial, geometric.

By logits t the log of a probability is −softplus(∓t): NumPyro's formula has a clip and an absolute value whose ties
do not cancel at t = 0, and its derivative there is wrong.  By probs nothing is clamped, so that the derivative at 0 and
1 is the right one-sided one, and what is impossible has log density −∞ with derivative 0.
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import random

from pullback.compiler.distribution import Finite, Natural
from pullback.stdlib.distributions.measures import binomial_probs, geometric_probs
from pullback.stdlib.distributions.numerics import betaln, exponential, fine_uniform, power, power1m, settled, within
from pullback.stdlib.distributions.record import BOOLEAN, NATURAL, RANGE, floats, make, plain

sigmoid, softplus = jax.nn.sigmoid, jax.nn.softplus


def bernoulli_probs_log_prob(value: Any, probs: Any) -> Any:
    probs, = floats(probs)
    chance = jnp.where(value == 1, probs, 1 - probs)
    possible = (chance > 0) & ((value == 0) | (value == 1))
    return within(possible, jnp.log(jnp.where(possible, chance, 1)))


def bernoulli_logits_log_prob(value: Any, logits: Any) -> Any:
    logits, = floats(logits)
    return within((value == 0) | (value == 1), -softplus(jnp.where(value == 1, -logits, logits)))


def coin(noise: Any, probs: Any) -> Any:
    """1 where the uniform noise is below probs: never for 0, always for 1."""
    return (noise < probs).astype(jnp.int32)


def both_sides(size: int, probs: Any) -> Any:
    return jnp.stack([1 - probs, probs])


def _coin(probs: Any) -> dict[str, Any]:
    """The ways to draw and to enumerate, where `probs` gives the probability of 1."""
    return dict(noise=plain(fine_uniform, lambda noise, p: coin(noise, probs(p))), mean=probs,
                finite=Finite(lambda shapes, values: 2, arange, lambda size, p: both_sides(size, probs(p))))


def arange(size: int) -> Any:
    return jnp.arange(size, dtype=jnp.int32)


def log_choose(n: Any, k: Any) -> Any:
    """log of the number of ways to choose k of n."""
    return -jnp.log1p(n) - betaln(n - k + 1, k + 1)


def binomial_log_prob(value: Any, n: Any, log_density: Any) -> Any:
    """`log_density` of the numbers of ones and zeros, masked to the support."""
    inside = (0 <= value) & (value <= n)
    ones = jnp.where(inside, value, 0)
    return settled(within(inside, log_choose(n, ones) + log_density(ones, n - ones)))


def binomial_probs_log_prob(value: Any, total_count: Any, probs: Any) -> Any:
    value, n, probs = floats(value, total_count, probs)
    return binomial_log_prob(value, n, lambda ones, zeros: power(ones, probs) + power1m(zeros, probs))


def binomial_logits_log_prob(value: Any, total_count: Any, logits: Any) -> Any:
    value, n, t = floats(value, total_count, logits)
    return binomial_log_prob(value, n, lambda ones, zeros: -ones * softplus(-t) - zeros * softplus(t))


def binomial_sample(key: Any, dtype: Any, shape: tuple, total_count: Any, probs: Any) -> Any:
    n = jnp.broadcast_to(jnp.asarray(total_count, dtype), shape)
    return random.binomial(key, n, jnp.asarray(probs, dtype), shape, dtype).astype(jnp.int32)


@jax.custom_jvp
def binomial_probabilities(value: Any, total_count: Any, probs: Any) -> Any:
    """The probability itself.  Its derivative n·(P(value − 1 of n − 1) − P(value of n − 1)) holds at 0 and 1 too."""
    n = jnp.maximum(total_count, 0)
    return jnp.exp(binomial_probs_log_prob(value, n, probs))


@binomial_probabilities.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    value, n, probs = primals
    fewer = jnp.asarray(n) - 1
    slope = n * (binomial_probabilities(value - 1, fewer, probs) - binomial_probabilities(value, fewer, probs))
    return binomial_probabilities(value, n, probs), slope * tangents[2]


def _binomial(probs: Any) -> dict[str, Any]:
    def probabilities(size: int, total_count: Any, p: Any) -> Any:
        batch = jnp.broadcast_shapes(jnp.shape(total_count), jnp.shape(p))
        return binomial_probabilities(arange(size).reshape((size,) + (1,) * len(batch)), total_count, probs(p))

    return dict(sample=lambda key, dtype, shape, n, p: binomial_sample(key, dtype, shape, n, probs(p)),
                finite=Finite(count_up_to("total_count"), arange, probabilities), mean=lambda n, p: n * probs(p))


def count_up_to(name: str) -> Any:
    """The size of {0, …, n}, where the field n is known."""
    return lambda shapes, values: int(values[name]) + 1 if name in values else None


def geometric_probs_log_prob(value: Any, probs: Any) -> Any:
    value, probs = floats(value, probs)
    return settled(within(value >= 0, power1m(jnp.maximum(value, 0), probs) + power(1, probs)))


def geometric_logits_log_prob(value: Any, logits: Any) -> Any:
    value, t = floats(value, logits)
    return within(value >= 0, -jnp.maximum(value, 0) * softplus(t) - softplus(-t))


def geometric_sample(key: Any, dtype: Any, shape: tuple, log_failure: Any) -> Any:
    trials = jnp.floor(exponential(key, shape, dtype) / -log_failure)
    return jnp.minimum(trials, 2.0**31 - 129).astype(jnp.int32)


RECORDS = (
    make("bernoulli", "probs: unit", BOOLEAN, bernoulli_probs_log_prob, kind="int", **_coin(lambda p: p),
         numpyro="Bernoulli", doc="probs for x = 1, 1 − probs for x = 0"),
    make("bernoulli", "logits: real", BOOLEAN, bernoulli_logits_log_prob, kind="int", **_coin(sigmoid),
         natural=Natural(lambda t: t, softplus, lambda value: within((value == 0) | (value == 1), 0.0)),
         numpyro="Bernoulli", doc="σ(logits) for x = 1, σ(−logits) for x = 0"),
    make("binomial", "total_count: natural = 1, probs: unit", RANGE, binomial_probs_log_prob, kind="int",
         **_binomial(lambda p: p), numpyro="Binomial", measures={"probs": binomial_probs},
         doc="C(n, x)·probsˣ·(1 − probs)ⁿ⁻ˣ, n = total_count"),
    make("binomial", "total_count: natural = 1, logits: real", RANGE, binomial_logits_log_prob, kind="int",
         **_binomial(sigmoid), numpyro="Binomial", doc="C(n, x)·pˣ·(1 − p)ⁿ⁻ˣ, n = total_count, p = σ(logits)"),
    make("geometric", "probs: unit", NATURAL, geometric_probs_log_prob, kind="int", numpyro="Geometric",
         sample=lambda key, dtype, shape, p: geometric_sample(key, dtype, shape, jnp.log1p(-jnp.asarray(p, dtype))),
         mean=lambda probs: (1 - probs) / probs, measures={"probs": geometric_probs},
         doc="(1 − probs)ˣ·probs, x the failures before the first success"),
    make("geometric", "logits: real", NATURAL, geometric_logits_log_prob, kind="int", numpyro="Geometric",
         sample=lambda key, dtype, shape, t: geometric_sample(key, dtype, shape, -softplus(jnp.asarray(t, dtype))),
         mean=lambda t: jnp.exp(-t), doc="σ(−logits)ˣ·σ(logits), x the failures before the first success"),
)
