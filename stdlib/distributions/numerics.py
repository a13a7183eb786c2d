"""Functions that the densities share, written so that a derivative stays right where JAX's own meets 0·∞ or cancels.

A formula that is not defined at a point is given another input there (`jnp.where` before it, not after): a mask on the
output alone leaves a NaN in the derivative.
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import erfc, gammaln

LOG_2PI = 1.8378770664093453
LOG_PI = 1.1447298858494002


def settled(density: Any) -> Any:
    """A log density whose derivative is 0 where it is infinite (its terms must be finite there, or masked)."""
    return jnp.where(jnp.isinf(density), lax.stop_gradient(density), density)


def within(inside: Any, density: Any) -> Any:
    """The log density inside the support, −∞ outside; `density` must be finite everywhere."""
    return jnp.where(inside, density, -jnp.inf)


def power(n: Any, x: Any) -> Any:
    """log xⁿ for x ≥ 0, with 0⁰ = 1.  At x = 0 its derivatives are 0."""
    positive = x > 0
    logarithm = n * jnp.log(jnp.where(positive, x, 1))
    return jnp.where(positive, logarithm, jnp.where(n == 0, 0, jnp.where(n > 0, -jnp.inf, jnp.inf)))


def power1m(n: Any, p: Any) -> Any:
    """log (1 − p)ⁿ for p ≤ 1 and n ≥ 0, with 0⁰ = 1.  At p = 1 its derivatives are 0."""
    below = p < 1
    return jnp.where(below, n * jnp.log1p(-jnp.where(below, p, 0)), jnp.where(n == 0, 0, -jnp.inf))


def limit(exponent: Any, value: Any) -> Any:
    """log of c·xᵉ as x ↓ 0: `value` = log c where e = 0, else −∞ or ∞."""
    return jnp.where(exponent == 0, value, jnp.where(exponent > 0, -jnp.inf, jnp.inf))


def stirling(x: Any) -> Any:
    """What log Γ(x) has more than Stirling's (x − ½) log x − x + ½ log 2π; small for large x, where log Γ cancels."""
    large = jnp.where(x < 10, 10, x)  # not maximum, here and below: at a tie its derivative is half
    r = 1 / (large * large)
    series = (1 / 12 + r * (-1 / 360 + r * (1 / 1260 + r * (-1 / 1680 + r * (1 / 1188 + r * (
        -691 / 360360 + r * (1 / 156 - r * 3617 / 122400))))))) / large
    small = jnp.where(x < 10, x, 5)
    return jnp.where(x < 10, gammaln(small) - ((small - 0.5) * jnp.log(small) - small + LOG_2PI / 2), series)


def deviance(x: Any, mean: Any) -> Any:
    """x − m − m·log(x/m) ≥ 0 for positive x and m, without cancellation near x = m."""
    excess = (x - mean) / mean
    near = jnp.abs(excess) < 0.5
    return mean * jnp.where(near, excess - jnp.log1p(jnp.where(near, excess, 0)),
                            excess - jnp.log(jnp.where(near, 1, x / mean)))


def betaln(a: Any, b: Any) -> Any:
    """log B(a, b), precise where one or both are large (JAX's is wrong by 1e-6 in float64 from 8 on)."""
    p, q = jnp.where(a > b, b, a), jnp.where(a > b, a, b)
    both = LOG_2PI / 2 - 0.5 * jnp.log(q) + (p - 0.5) * jnp.log(p / (p + q)) + stirling(p)
    one = gammaln(jnp.where(p < 10, p, 10)) + p - p * jnp.log(p + q) - 0.5 * jnp.log1p(-p / (p + q))
    return jnp.where(p >= 10, both, one) + q * jnp.log1p(-p / (p + q)) + stirling(q) - stirling(p + q)


def rising(a: Any, n: Any) -> Any:
    """log of a(a + 1)…(a + n − 1) = log Γ(a + n)/Γ(a) for a > 0 and a count n, without cancellation."""
    some = n > 0
    m = jnp.where(some, n, 1)
    return jnp.where(some, gammaln(m) - betaln(a, m), 0)


def log1mexp(x: Any) -> Any:
    """log(1 − e⁻ˣ) for x > 0."""
    near = x < 0.6931471805599453
    return jnp.where(near, jnp.log(-jnp.expm1(-jnp.where(near, x, 0.5))), jnp.log1p(-jnp.exp(-jnp.where(near, 1, x))))


def exp(t: Any) -> Any:
    """eᵗ, kept within the floats (a log density of −∞ by overflow would have the derivative ∞·0)."""
    most = jnp.log(jnp.finfo(jnp.result_type(t)).max) / 2
    return jnp.exp(jnp.where(t < most, t, most))


def tiny(x: Any) -> Any:
    """x kept from being rounded to 0, with room for a factor: the least floats are 0 in arithmetic."""
    return jnp.maximum(x, jnp.finfo(jnp.result_type(x)).tiny * 1024)


def log1p_square(z: Any, df: Any = 1) -> Any:
    """log(1 + z²/df), also where z² leaves the floats."""
    far = jnp.abs(z) > jnp.finfo(z.dtype).max ** 0.4
    near = jnp.where(far, 1, z)
    return jnp.where(far, 2 * jnp.log(jnp.abs(jnp.where(far, z, 1))) - jnp.log(df), jnp.log1p(near * near / df))


def inner(x: Any) -> Any:
    """x in [0, 1] kept from being rounded to 0 or 1."""
    info = jnp.finfo(jnp.result_type(x))
    return jnp.clip(x, info.tiny, 1 - info.epsneg)


def open_uniform(key: Any, shape: tuple, dtype: Any) -> Any:
    """Uniform in the open interval (0, 1), never 0 or 1: the midpoints of JAX's grid."""
    step = jnp.finfo(dtype).eps / 2
    return jnp.minimum(jax.random.uniform(key, shape, dtype) + step, 1 - jnp.finfo(dtype).epsneg)


def fine_uniform(key: Any, shape: tuple, dtype: Any) -> Any:
    """Uniform in [0, 1), in float32 by steps of 2⁻³² near 0, not JAX's 2⁻²³: small probabilities are drawn right."""
    if jnp.finfo(dtype).bits != 32:
        return jax.random.uniform(key, shape, dtype)
    scaled = jax.random.bits(key, shape, jnp.uint32).astype(dtype) * 2.0**-32
    return jnp.minimum(scaled, 1 - jnp.finfo(dtype).epsneg)


def exponential(key: Any, shape: tuple, dtype: Any) -> Any:
    """Exponential(1), never 0."""
    return jnp.maximum(jax.random.exponential(key, shape, dtype), jnp.finfo(dtype).eps / 4)


def log_expm1_ratio(t: Any) -> Any:
    """log((eᵗ − 1)/t), which is t/2 + log(sinh(t/2)/(t/2)), smooth through t = 0."""
    h = t / 2
    near = jnp.abs(h) < 0.25
    s = h * h
    series = s * (1 / 6 + s * (-1 / 180 + s * (1 / 2835 + s * (-1 / 37800 + s * (
        1 / 467775 - s * (691 / 3831077250))))))
    size = jnp.abs(jnp.where(near, 1, h))
    return h + jnp.where(near, series, size + jnp.log1p(-jnp.exp(-2 * size)) - jnp.log(2 * size))


def log_log1p_ratio(t: Any) -> Any:
    """log(log(1 + t)/t) for t > −1, smooth through t = 0."""
    near = jnp.abs(t) < 0.05
    small, large = jnp.where(near, t, 0), jnp.where(near, 1, t)
    series = jnp.zeros_like(small)
    for k in range(13, 0, -1):
        series = 1 / k - small * series
    return jnp.log(jnp.where(near, series, jnp.log1p(large) / large))


def mills(x: Any) -> Any:
    """Q(x)/φ(x) of the standard normal, for x ≥ 0."""
    far = x > 4
    near = jnp.where(far, 1, x)
    return jnp.where(far, tail_fractions(jnp.where(far, x, 5))[0],
                     jnp.exp(near * near / 2 + LOG_2PI / 2) * erfc(near * 0.7071067811865476) / 2)


def tail_fractions(x: Any) -> tuple[Any, Any, Any]:
    """1/(x + 1/(x + 2/(x + …))), which is Q(x)/φ(x), and its inner fractions k/(x + …) from k = 1 and 2; for x > 3."""
    first = second = third = jnp.zeros_like(x)
    for k in range(36, -1, -1):
        first, second, third = (k or 1) / (x + first), first, second
    return first, second, third
