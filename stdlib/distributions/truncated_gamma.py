"""The gamma cut from below, from above, or both: drawn by bisection, with the derivative −(∂F/∂θ)/p of the quantile."""
from __future__ import annotations

from functools import partial
from typing import Any

import jax
import jax.numpy as jnp
from jax import lax

from pullback.compiler.distribution import Distribution
from pullback.stdlib.distributions.numerics import open_uniform, within
from pullback.stdlib.distributions.positive import gamma_log_prob
from pullback.stdlib.distributions.record import floats, make, plain
from pullback.stdlib.distributions.tails import Tails, log_between, log_gammainc, log_gammaincc
from pullback.stdlib.distributions.truncated import CUTS

GAMMA = Tails(lambda x, a: jnp.where(x > 0, log_gammainc(a, jnp.where(x > 0, x, 1)), -jnp.inf),
              lambda x, a: jnp.where(x > 0, log_gammaincc(a, jnp.where(x > 0, x, 1)), 0))


def log_mass(a: Any, low: Any, high: Any) -> Any:
    """log of the mass of gamma(a, 1) between two cuts; high may be ∞."""
    bounded = jnp.isfinite(high)
    return jnp.where(bounded, log_between(GAMMA, low, jnp.where(bounded, high, low + 1), a), GAMMA.above(low, a))


def scaled(rate: Any, high: Any) -> Any:
    """A cut for rate 1; one at infinity stays there, and does not move with the rate."""
    bounded = jnp.isfinite(high)
    return jnp.where(bounded, rate * jnp.where(bounded, high, 1), jnp.inf)


def log_part(tail: Any, u: Any, a: Any, low: Any, high: Any) -> Any:
    """log of (1 − u)·tail(low) + u·tail(high): what the tail has at the u-quantile."""
    bounded = jnp.isfinite(high)
    end = jnp.where(bounded, tail(jnp.where(bounded, high, low + 1), a), 0 if tail is GAMMA.below else -jnp.inf)
    return jnp.logaddexp(jnp.log1p(-u) + tail(low, a), jnp.log(u) + end)


@jax.custom_jvp
def quantile(u: Any, a: Any, low: Any, high: Any) -> Any:
    """The x below which the part u of the mass lies, for rate 1: by bisection of log x, in the smaller of two tails."""
    info = jnp.finfo(u.dtype)
    below, above = log_part(GAMMA.below, u, a, low, high), log_part(GAMMA.above, u, a, low, high)
    upper = above < below
    most = jnp.where(jnp.isfinite(high), high, jnp.maximum(low, a) * 2 + 1000)

    def halve(_: int, ends: tuple) -> tuple:
        middle = (ends[0] + ends[1]) / 2
        x = jnp.exp(middle)
        right = jnp.where(upper, GAMMA.above(x, a) > above, GAMMA.below(x, a) < below)
        return jnp.where(right, middle, ends[0]), jnp.where(right, ends[1], middle)

    ends = lax.fori_loop(0, info.nmant + 10, halve, (jnp.log(jnp.maximum(low, info.tiny)), jnp.log(most)))
    return jnp.clip(jnp.exp((ends[0] + ends[1]) / 2), low, high)


@quantile.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """The tail at x is a mean of those at the cuts: the derivative of both, in logarithms to stay within floats."""
    u, *its = primals
    x = quantile(*primals)

    def excess(tail: Any, x: Any, *its: Any) -> Any:
        return log_part(tail, u, *its) - tail(x, its[0])

    upper = log_part(GAMMA.above, u, *its) < log_part(GAMMA.below, u, *its)

    def side(x: Any, *its: Any) -> Any:
        return jnp.where(upper, excess(GAMMA.above, x, *its), excess(GAMMA.below, x, *its))

    moved = jax.jvp(partial(side, x), tuple(its), tuple(tangents[1:]))[1]
    slope = jax.jvp(lambda x: side(x, *its), (x,), (jnp.ones_like(x),))[1]
    return x, -moved / slope


def _truncated(ends: tuple[str, ...]) -> Distribution:
    def split(parameters: tuple) -> tuple:
        concentration, rate, *cuts = parameters
        given = dict(zip(ends, cuts))
        low, high = given.get("low", jnp.zeros_like(rate)), given.get("high", jnp.full_like(rate, jnp.inf))
        return concentration, rate, low, high

    def log_prob(value: Any, *parameters: Any) -> Any:
        value, *parameters = floats(value, *parameters)
        a, rate, low, high = split(parameters)
        low = jnp.where(low < 0, 0, low)
        inside = (low <= value) & (value <= high)
        x = jnp.where(inside & (value > 0), value, jnp.where(jnp.isfinite(high), (low + high) / 2, low + 1))
        density = gamma_log_prob(x, a, rate) - log_mass(a, rate * low, scaled(rate, high))
        return within(inside & (value > 0), density)

    def push(noise: Any, *parameters: Any) -> Any:
        a, rate, low, high = split(floats(*parameters))
        u, a, low, high = jnp.broadcast_arrays(noise, a, rate * jnp.where(low < 0, 0, low), scaled(rate, high))
        return quantile(u, a, low, high) / rate

    def upstream(*parameters: Any) -> Any:
        from numpyro import distributions
        return distributions.TruncatedGamma(*parameters[:2], **dict(zip(ends, parameters[2:])))

    limits = {("low", "high"): "low ≤ x ≤ high", ("low",): "x ≥ low", ("high",): "x ≤ high"}[ends]
    return make("truncated_gamma", "concentration: positive = 1, rate: positive = 1, "
                + ", ".join(f"{end}: positive" for end in ends), CUTS[ends], log_prob, noise=plain(open_uniform, push),
                numpyro=upstream, implicit=True, jumps_in=frozenset(ends),
                doc=f"the density of gamma for {limits}, divided by its integral there")


RECORDS = tuple(map(_truncated, CUTS))
