"""Measure-valued derivatives: ∂ E f / ∂θ as a difference of expectations, coupled with the draw itself.

    ∂ E f(x) / ∂θ  =  E Σₑ slopeₑ·(f(xₑ) − f(x))           x the draw, xₑ the perturbed values

A decomposition ∂p = c·(p⁺ − p⁻) has one perturbed value where p⁺ or p⁻ is p itself (the draw serves as it), else two.
Each function takes two uniform variates u and v in (0, 1), the draw, and the parameters, all [*batch], and gives values and
slopes, [e, *batch].  Where only one variate is needed it is u.

Source: Pflug (1996), Optimization of stochastic models; Mohamed, Rosca, Figurnov and Mnih (2020), Monte Carlo gradient
estimation in machine learning, JMLR 21; Heidergott, Vázquez-Abad and Volk-Makarewicz (2008), Sensitivity estimation for
Gaussian systems, EJOR 187 (the double-sided Maxwell).
"""
from __future__ import annotations

from typing import Any, Callable

import jax.numpy as jnp

Measure = Callable[..., tuple[Any, Any]]


def stacked(*pairs: tuple[Any, Any]) -> tuple[Any, Any]:
    """Values and slopes of perturbed points, broadcast to one shape and stacked."""
    shape = jnp.broadcast_shapes(*(jnp.shape(part) for pair in pairs for part in pair))
    values, slopes = ([jnp.broadcast_to(part, shape) for part in parts] for parts in zip(*pairs))
    return jnp.stack(values), jnp.stack(slopes)


def rayleigh(u: Any) -> Any:
    """Weibull of shape 2 and scale √2, by its quantiles."""
    return jnp.sqrt(-2 * jnp.log(u))


def wider(z: Any, u: Any) -> Any:
    """A double-sided Maxwell variate m, given that z = m·(a uniform variate) came out: m² = z² + 2·exponential."""
    return jnp.where(z < 0, -1, 1) * jnp.sqrt(z * z - 2 * jnp.log(u))


def normal_loc(u: Any, v: Any, x: Any, loc: Any, scale: Any) -> tuple[Any, Any]:
    slope = 1 / (scale * jnp.sqrt(2 * jnp.pi))
    return stacked((loc + scale * rayleigh(u), slope), (loc - scale * rayleigh(v), -slope))


def normal_scale(u: Any, v: Any, x: Any, loc: Any, scale: Any) -> tuple[Any, Any]:
    return stacked((loc + scale * wider((x - loc) / scale, u), 1 / scale))


def half_normal_scale(u: Any, v: Any, x: Any, scale: Any) -> tuple[Any, Any]:
    return stacked((scale * wider(x / scale, u), 1 / scale))


def logarithmic(measure: Measure) -> Measure:
    """That of a distribution whose logarithm has this one."""
    def perturbed(u: Any, v: Any, x: Any, *parameters: Any) -> tuple[Any, Any]:
        values, slopes = measure(u, v, jnp.log(x), *parameters)
        return jnp.exp(values), slopes
    return perturbed


def exponential_rate(u: Any, v: Any, x: Any, rate: Any) -> tuple[Any, Any]:
    return stacked((x - jnp.log(u) / rate, -1 / rate))


def gamma_rate(u: Any, v: Any, x: Any, concentration: Any, rate: Any) -> tuple[Any, Any]:
    return stacked((x - jnp.log(u) / rate, -concentration / rate))


def weibull_scale(u: Any, v: Any, x: Any, scale: Any, concentration: Any) -> tuple[Any, Any]:
    more = jnp.power(jnp.power(x / scale, concentration) - jnp.log(u), 1 / jnp.asarray(concentration))
    return stacked((scale * more, concentration / scale))


def uniform_low(u: Any, v: Any, x: Any, low: Any, high: Any) -> tuple[Any, Any]:
    return stacked((low, -1 / (high - low)))


def uniform_high(u: Any, v: Any, x: Any, low: Any, high: Any) -> tuple[Any, Any]:
    return stacked((high, 1 / (high - low)))


def poisson_rate(u: Any, v: Any, x: Any, rate: Any) -> tuple[Any, Any]:
    return stacked((x + 1, jnp.ones_like(rate)))


def geometric_probs(u: Any, v: Any, x: Any, probs: Any) -> tuple[Any, Any]:
    """x failures before the first success; p⁻ waits for a second one."""
    again = jnp.floor(jnp.log(u) / jnp.log1p(-probs))
    return stacked((x + 1 + jnp.minimum(again, 2.0**31 - 129 - x).astype(x.dtype), -1 / probs))


def binomial_probs(u: Any, v: Any, x: Any, total_count: Any, probs: Any) -> tuple[Any, Any]:
    """One of the n trials is turned over: n·(f(rest + 1) − f(rest)), the draw being one of the two."""
    success = u * total_count < x
    return stacked((jnp.where(success, x - 1, x + 1), jnp.where(success, -1.0, 1.0) * total_count))
