"""Counts, and positive numbers, with zeros of their own.

Zero-inflated: with the probability `gate` a zero, else a draw, which may be 0 too.  Hurdle: with the probability `gate`
a zero, else a draw that is not 0; there 1 − P(0) is written as its ratio to the rate, which is smooth at rate 0.
"""
from __future__ import annotations

from typing import Any, Callable

import jax
import jax.numpy as jnp
from jax import random
from jax.scipy.special import gammaln

from pullback.compiler.distribution import Distribution
from pullback.stdlib.distributions import counts, positive
from pullback.stdlib.distributions.bernoulli import coin
from pullback.stdlib.distributions.numerics import (fine_uniform, log_expm1_ratio, log_log1p_ratio, open_uniform, power,
                                                    power1m, settled)
from pullback.stdlib.distributions.record import NATURAL, POSITIVE, fields, floats, make

softplus = jax.nn.softplus


def zero_inflated(zero: Any, some: Any, at_zero: Any, density: Any, gate: Any) -> Any:
    """log(g + (1 − g)·P(0)) at zero, else log(1 − g) + log p; `at_zero` = log P(0)."""
    chance = jnp.exp(at_zero)
    open_gate = gate + (1 - gate) * chance
    safe = jnp.where(gate > 0, open_gate, 1)
    closed = at_zero + gate * jnp.expm1(jnp.minimum(-at_zero, 80))  # g = 0, where P(0) may have left the floats
    at_zero = jnp.where(gate > 0, jnp.log(safe), closed)
    return jnp.where(zero, at_zero, jnp.where(some, power1m(1, gate) + density, -jnp.inf))


def zero_inflated_logits(zero: Any, some: Any, at_zero: Any, density: Any, logits: Any) -> Any:
    return jnp.where(zero, softplus(at_zero - logits) - softplus(-logits),
                     jnp.where(some, density - softplus(logits), -jnp.inf))


def hurdle(zero: Any, some: Any, at_zero: Any, density: Any, gate: Any) -> Any:
    return jnp.where(zero, power(1, gate), jnp.where(some, power1m(1, gate) + density, -jnp.inf))


def hurdle_logits(zero: Any, some: Any, at_zero: Any, density: Any, logits: Any) -> Any:
    return jnp.where(zero, -softplus(-logits), jnp.where(some, density - softplus(logits), -jnp.inf))


def poisson_not_zero(value: Any, rate: Any) -> Any:
    """log of rateˣe⁻ʳ/(x!·(1 − e⁻ʳ)): the ratio of 1 − e⁻ʳ to r is smooth at 0."""
    return power(value - 1, rate) - rate - gammaln(value + 1) - log_expm1_ratio(-rate)


def negative_binomial2_not_zero(value: Any, mean: Any, concentration: Any) -> Any:
    """Likewise with q = c·log(1 + m/c) = −log P(0), whose ratio to m is smooth at 0."""
    ratio = mean / concentration
    q = concentration * jnp.log1p(ratio)
    return (counts.failures(value, concentration) + power(value - 1, mean) - value * jnp.log(concentration + mean) - q
            - log_log1p_ratio(ratio) - log_expm1_ratio(-q))


def poisson_above_zero(key: Any, dtype: Any, shape: tuple, rate: Any) -> Any:
    """Arrivals in [0, 1], given that there is one: the first at t, then a Poisson of rate·(1 − t)."""
    one, two = random.split(key)
    rate = jnp.broadcast_to(jnp.asarray(rate, dtype), shape)
    passed = -jnp.log1p(open_uniform(one, shape, dtype) * jnp.expm1(-rate))  # rate·t
    return 1 + random.poisson(two, jnp.maximum(rate - passed, 0), shape, jnp.int32)


def negative_binomial2_above_zero(key: Any, dtype: Any, shape: tuple, mean: Any, concentration: Any) -> Any:
    """Arrivals whose rate is a gamma: given the first at t, that is a gamma of concentration c + 1 and rate c/m + t."""
    one, two, three = random.split(key, 3)
    m, c = (jnp.broadcast_to(jnp.asarray(p, dtype), shape) for p in (mean, concentration))
    least = jnp.expm1(-c * jnp.log1p(m / c))
    t = jnp.expm1(-jnp.log1p(open_uniform(one, shape, dtype) * least) / c) * c / m
    rate = jnp.exp(positive.log_gamma(two, dtype, shape, c + 1)) / (c / m + t)
    return 1 + random.poisson(three, jax.lax.stop_gradient(rate * jnp.maximum(1 - t, 0)), shape, jnp.int32)


Density = Callable[..., Any]


def _gated(name: str, mix: Density, parameters: str, gate: str, place: int, density: Density, at_zero: Density,
           draw: Density, numpyro: Density, kind: str, doc: str) -> Distribution:
    """`place`: the gate's among the parameters.  `draw`: (key, dtype, shape, *parameters without the gate)."""
    chance = jax.nn.sigmoid if gate == "gate_logits" else (lambda p: p)
    domain = "real" if gate == "gate_logits" else "unit"
    texts = parameters.split(", ")
    texts.insert(place, f"{gate}: {domain}")

    def split(given: tuple) -> tuple[tuple, Any]:
        return given[:place] + given[place + 1:], given[place]

    def log_prob(value: Any, *given: Any) -> Any:
        value, *given = floats(value, *given)
        others, g = split(tuple(given))
        zero, some = value == 0, value > 0
        return settled(mix(zero, some, at_zero(*others), density(jnp.where(some, value, 1), *others), g))

    def sample(key: Any, dtype: Any, shape: tuple, *given: Any) -> Any:
        one, two = random.split(key)
        others, g = split(given)
        closed = coin(fine_uniform(one, shape, dtype), chance(g)) == 1
        return jnp.where(closed, 0, draw(two, dtype, shape, *others))

    def upstream(*given: Any) -> Any:
        others, g = split(given)
        return numpyro(others, {gate: g})

    real = kind == "real"
    return make(name, ", ".join(texts), POSITIVE if real else NATURAL, log_prob, kind=kind, sample=sample,
                numpyro=upstream, reparameterized={f.name for f in fields(parameters)} if real else (),
                implicit=name == "hurdle_gamma", value_smooth="jump" if real else "smooth", doc=doc)


def _base(wrapper: str, base: str) -> Density:
    def build(others: tuple, gate: dict) -> Any:
        from numpyro import distributions
        return getattr(distributions, wrapper)(getattr(distributions, base)(*others), **gate)
    return build


def minus_infinity(*_: Any) -> float:
    return -jnp.inf


def positive_draw(record: Distribution) -> Density:
    return lambda key, dtype, shape, *p: record.sample(key, shape, *p)


def poisson_zero(rate: Any) -> Any:
    return -rate


def negative_binomial2_zero(mean: Any, concentration: Any) -> Any:
    return -concentration * jnp.log1p(mean / concentration)


GAMMA, LOG_NORMAL = (next(r for r in positive.RECORDS if r.name == name) for name in ("gamma", "log_normal"))
NB2 = "mean: positive, concentration: positive"


def _both(name: str, parameters: str, place: int, zeros: str, *rest: Any) -> tuple[Distribution, ...]:
    mixes = (zero_inflated, zero_inflated_logits) if zeros == "ZeroInflatedDistribution" else (hurdle, hurdle_logits)
    density, at_zero, draw, base, kind, doc = rest
    gates = (("gate", doc), ("gate_logits", doc.replace("gate", "σ(gate_logits)")))
    return tuple(_gated(name, mix, parameters, gate, place, density, at_zero, draw, _base(zeros, base), kind, text)
                 for mix, (gate, text) in zip(mixes, gates))


def negative_binomial2_draw(key: Any, dtype: Any, shape: tuple, mean: Any, concentration: Any) -> Any:
    return counts.gamma_poisson_sample(key, dtype, shape, concentration, mean / concentration)


INFLATED, HURDLE = "ZeroInflatedDistribution", "HurdleDistribution"
RECORDS = (
    *_both("zero_inflated_poisson", "rate: positive = 1", 0, INFLATED, counts.poisson_log_prob, poisson_zero,
           counts.poisson_sample, "Poisson", "int", "0 with probability gate, else poisson(rate)"),
    *_both("zero_inflated_negative_binomial2", NB2, 2, INFLATED, counts.negative_binomial2_log_prob,
           negative_binomial2_zero, negative_binomial2_draw, "NegativeBinomial2", "int",
           "0 with probability gate, else negative_binomial2(mean, concentration)"),
    *_both("hurdle_poisson", "rate: positive = 1", 0, HURDLE, poisson_not_zero, poisson_zero, poisson_above_zero,
           "Poisson", "int", "0 with probability gate, else poisson(rate) given that it is not 0"),
    *_both("hurdle_negative_binomial2", NB2, 0, HURDLE, negative_binomial2_not_zero, negative_binomial2_zero,
           negative_binomial2_above_zero, "NegativeBinomial2", "int",
           "0 with probability gate, else negative_binomial2(mean, concentration) given that it is not 0"),
    *_both("hurdle_gamma", "concentration: positive, rate: positive = 1", 0, HURDLE, positive.gamma_log_prob,
           minus_infinity, positive_draw(GAMMA), "Gamma", "real",
           "0 with probability gate, else gamma(concentration, rate)"),
    *_both("hurdle_log_normal", "loc: real = 0, scale: positive = 1", 0, HURDLE, positive.log_normal_log_prob,
           minus_infinity, positive_draw(LOG_NORMAL), "LogNormal", "real",
           "0 with probability gate, else log_normal(loc, scale)"),
)
