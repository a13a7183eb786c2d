"""Choices of one value out of finitely many, and counts of such choices.

A probability of 0 is taken as it is: log density −∞ with derivative 0, while the weights of an enumeration are the
probabilities themselves.
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax.scipy.special import gammaln

from pullback.compiler.distribution import Finite, Support
from pullback.stdlib.distributions.bernoulli import arange
from pullback.stdlib.distributions.numerics import fine_uniform, log1mexp, power, rising, settled, within
from pullback.stdlib.distributions.record import RANGE, floats, make, plain

softmax, log_softmax, sigmoid, softplus = jax.nn.softmax, jax.nn.log_softmax, jax.nn.sigmoid, jax.nn.softplus


def pick(table: Any, value: Any) -> tuple[Any, Any]:
    """table[*batch, value] by broadcasting, and whether the value is an index of it; else its first entry."""
    value = jnp.asarray(value)
    inside = (0 <= value) & (value < table.shape[-1])
    index = jnp.where(inside, value, 0).astype(jnp.int32)[..., None]
    rank = max(index.ndim, table.ndim)
    index, table = (a.reshape((1,) * (rank - a.ndim) + a.shape) for a in (index, table))
    return jnp.take_along_axis(table, index, -1)[..., 0], inside


def categorical_probs_log_prob(value: Any, probs: Any) -> Any:
    probs, = floats(probs)
    chance, inside = pick(probs, value)
    possible = inside & (chance > 0)
    return within(possible, jnp.log(jnp.where(possible, chance, 1)))


def categorical_logits_log_prob(value: Any, logits: Any) -> Any:
    logits, = floats(logits)
    density, inside = pick(log_softmax(logits), value)
    return within(inside, density)


def inverse_cdf(noise: Any, probs: Any) -> Any:
    """The value at which the running sum of the probabilities passes the uniform noise.

    One number a draw instead of a Gumbel for each value.  A probability of 0 is never drawn; in float32 each is right
    to within 1e-7.
    """
    total = jnp.cumsum(probs, -1)
    value = jnp.sum(total <= noise[..., None] * total[..., -1:], -1, dtype=jnp.int32)
    return jnp.minimum(value, probs.shape[-1] - 1)


def _choice(name: str, probs: Any) -> dict[str, Any]:
    """The ways to draw and to enumerate, where `probs` turns the parameter into probabilities."""
    return dict(noise=plain(fine_uniform, lambda noise, p: inverse_cdf(noise, probs(p))),
                finite=Finite(lambda shapes, values: shapes[name][-1], arange,
                              lambda size, p: jnp.moveaxis(probs(p), -1, 0)))


def _same(p: Any) -> Any:
    return floats(p)[0]


def cuts(predictor: Any, cutpoints: Any) -> tuple[Any, Any]:
    predictor, cutpoints = floats(predictor, cutpoints)
    return cutpoints - predictor[..., None], cutpoints


def ordered_logistic_log_prob(value: Any, predictor: Any, cutpoints: Any) -> Any:
    """log(σ(b) − σ(a)) = −softplus(−b) − softplus(a) + log(1 − e^{a − b}) between the cuts a and b around the value."""
    cut, cutpoints = cuts(predictor, cutpoints)
    last = cutpoints.shape[-1]
    value = jnp.asarray(value)
    below, above = pick(cut, value - 1)[0], pick(cut, value)[0]
    gap = pick(jnp.diff(cutpoints, axis=-1, append=cutpoints[..., -1:] + 1), value - 1)[0]
    density = (jnp.where(value < last, -softplus(-above), 0) + jnp.where(value > 0, -softplus(below), 0)
               + jnp.where((0 < value) & (value < last), log1mexp(gap), 0))
    return within((0 <= value) & (value <= last), density)


def ordered_logistic_probabilities(predictor: Any, cutpoints: Any) -> Any:
    """[*batch, values], each the integral of the logistic density between two cuts."""
    cut, _ = cuts(predictor, cutpoints)
    middle = sigmoid(cut[..., 1:]) * sigmoid(-cut[..., :-1]) * -jnp.expm1(cut[..., :-1] - cut[..., 1:])
    return jnp.concatenate([sigmoid(cut[..., :1]), middle, sigmoid(-cut[..., -1:])], -1)


def discrete_uniform_log_prob(value: Any, low: Any, high: Any) -> Any:
    value, low, high = floats(value, low, high)
    return within((low <= value) & (value <= high), -jnp.log(high - low + 1))


def discrete_uniform_sample(key: Any, dtype: Any, shape: tuple, low: Any, high: Any) -> Any:
    return jax.random.randint(key, shape, low, jnp.asarray(high) + 1, jnp.int32)


def up_to_high(shapes: Any, values: Any) -> int | None:
    """0, …, high: the values below low are kept, with probability 0, since the support starts at 0 for all."""
    known = "low" in values and "high" in values and values["low"] >= 0
    return int(values["high"]) + 1 if known else None


def discrete_uniform_probabilities(size: int, low: Any, high: Any) -> Any:
    low, high = jnp.asarray(low), jnp.asarray(high)
    value = arange(size).reshape((size,) + (1,) * max(low.ndim, high.ndim))
    return jnp.where((low <= value) & (value <= high), 1 / (high - low + 1), 0)


def multinomial_log_prob(count: Any, n: Any, log_density: Any) -> Any:
    """`log_density`: of the counts, term by term."""
    inside = jnp.all(count >= 0, -1) & (jnp.sum(count, -1) == n)
    count = jnp.maximum(count, 0)
    return settled(within(inside, gammaln(n + 1) + jnp.sum(log_density(count) - gammaln(count + 1), -1)))


def multinomial_probs_log_prob(value: Any, total_count: Any, probs: Any) -> Any:
    value, n, probs = floats(value, total_count, probs)
    return multinomial_log_prob(value, n, lambda count: power(count, probs))


def multinomial_logits_log_prob(value: Any, total_count: Any, logits: Any) -> Any:
    value, n, logits = floats(value, total_count, logits)
    return multinomial_log_prob(value, n, lambda count: count * log_softmax(logits))


def multinomial_sample(key: Any, dtype: Any, shape: tuple, total_count: Any, probs: Any) -> Any:
    probs = jnp.asarray(probs, dtype)
    n = jnp.broadcast_to(jnp.asarray(total_count, dtype), shape)
    draws = jax.random.multinomial(key, n, probs, shape=shape + probs.shape[-1:], dtype=dtype)
    return draws.astype(jnp.int32)


def dirichlet_multinomial_log_prob(value: Any, concentration: Any, total_count: Any) -> Any:
    count, a, n = floats(value, concentration, total_count)
    inside = jnp.all(count >= 0, -1) & (jnp.sum(count, -1) == n)
    count = jnp.maximum(count, 0)
    terms = rising(a, count) - gammaln(count + 1)
    return within(inside, gammaln(n + 1) - rising(jnp.sum(a, -1), n) + jnp.sum(terms, -1))


def dirichlet_multinomial_sample(key: Any, dtype: Any, shape: tuple, concentration: Any, total_count: Any) -> Any:
    one, two = jax.random.split(key)
    concentration = jnp.asarray(concentration, dtype)
    probs = jax.random.dirichlet(one, concentration, shape, dtype)
    return multinomial_sample(two, dtype, shape, total_count, probs)


MULTINOMIAL = Support("multinomial", 0)


def _counts(name: str) -> dict[str, Any]:
    return dict(kind="int", rank=1, event=lambda shapes: tuple(shapes[name]))


RECORDS = (
    make("categorical", "probs: simplex[k]", RANGE, categorical_probs_log_prob, kind="int", **_choice("probs", _same),
         numpyro="Categorical", doc="probs[x]"),
    make("categorical", "logits: real[k]", RANGE, categorical_logits_log_prob, kind="int", **_choice("logits", softmax),
         numpyro="Categorical", doc="softmax(logits)[x]"),
    make("ordered_logistic", "predictor: real, cutpoints: ordered[k]", RANGE, ordered_logistic_log_prob, kind="int",
         noise=plain(fine_uniform, lambda noise, *p: inverse_cdf(noise, ordered_logistic_probabilities(*p))),
         finite=Finite(lambda shapes, values: shapes["cutpoints"][-1] + 1, arange,
                       lambda size, *p: jnp.moveaxis(ordered_logistic_probabilities(*p), -1, 0)),
         numpyro="OrderedLogistic", doc="σ(cutpoints[x] − predictor) − σ(cutpoints[x − 1] − predictor)"),
    make("discrete_uniform", "low: int = 0, high: int = 1", Support("range", moves=frozenset({"low", "high"})),
         discrete_uniform_log_prob, kind="int", sample=discrete_uniform_sample,
         finite=Finite(up_to_high, arange, discrete_uniform_probabilities), mean=lambda low, high: (low + high) / 2,
         numpyro="DiscreteUniform", doc="1/(high − low + 1) for the ints low ≤ x ≤ high"),
    make("multinomial", "total_count: natural = 1, probs: simplex[k]", MULTINOMIAL, multinomial_probs_log_prob,
         **_counts("probs"), sample=multinomial_sample, mean=lambda n, p: jnp.asarray(n)[..., None] * p,
         numpyro="Multinomial", doc="n!·Π probsᵢ^xᵢ/xᵢ! for counts x that add up to n = total_count"),
    make("multinomial", "total_count: natural = 1, logits: real[k]", MULTINOMIAL, multinomial_logits_log_prob,
         **_counts("logits"), mean=lambda n, t: jnp.asarray(n)[..., None] * softmax(t), numpyro="Multinomial",
         sample=lambda key, dtype, shape, n, t: multinomial_sample(key, dtype, shape, n, softmax(t)),
         doc="n!·Π pᵢ^xᵢ/xᵢ! for counts x that add up to n = total_count, p = softmax(logits)"),
    make("dirichlet_multinomial", "concentration: positive[k], total_count: natural = 1", MULTINOMIAL,
         dirichlet_multinomial_log_prob, **_counts("concentration"), sample=dirichlet_multinomial_sample,
         numpyro="DirichletMultinomial", doc="a multinomial whose probs are dirichlet(concentration)"),
)
