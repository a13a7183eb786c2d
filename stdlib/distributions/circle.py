"""Angles, and directions.

An angle is drawn in [−π, π) and its pathwise derivative passes over the seam: it is right for what reads the angle as a
point of the circle (through sin, cos, or the density of an angle), which `periodic` tells the checker.
"""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
from jax import lax, random
from jax.scipy.special import i0e, i1e, ndtr

from pullback.compiler.distribution import Support
from pullback.stdlib.distributions.numerics import LOG_2PI, mills, tail_fractions
from pullback.stdlib.distributions.record import floats, make, plain

CIRCLE = Support("circular", -np.pi, np.pi)
NODES, WEIGHTS = np.polynomial.legendre.leggauss(32)


def wrapped(angle: Any) -> Any:
    return (angle + jnp.pi) % (2 * jnp.pi) - jnp.pi


@jax.custom_jvp
def log_i0e(concentration: Any) -> Any:
    """log(I₀(κ)e^{−κ}), at κ = 0 too."""
    return jnp.log(i0e(concentration))


@log_i0e.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    return log_i0e(*primals), -short(*primals) * tangents[0]


@jax.custom_jvp
def short(concentration: Any) -> Any:
    """1 − I₁(κ)/I₀(κ): what the mean resultant falls short of 1; by its series where the ratio cancels."""
    k = concentration
    large = jnp.where(k > 200, k, 200)
    r = 1 / large
    series = r * (1 / 2 + r * (1 / 8 + r * (1 / 8 + r * (25 / 128 + r * (13 / 32 + r * 1073 / 1024)))))
    small = jnp.where(k > 200, 1, k)
    return jnp.where(k > 200, series, 1 - i1e(small) / i0e(small))


@short.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    """(I₁/I₀)′ = 1 − (I₁/I₀)/κ − (I₁/I₀)²; ½ at κ = 0, and 1/2κ² far out, where the difference cancels."""
    k, s = primals[0], short(*primals)
    safe = jnp.where(k > 1e-3, k, 1)
    near = 0.5 - 3 * k * k / 16
    far = (1 + (0.5 + (0.75 + 25 / 16 / safe) / safe) / safe) / (2 * safe * safe)
    return s, -jnp.where(k > 200, far, jnp.where(k > 1e-3, s * (2 - s) - (1 - s) / safe, near)) * tangents[0]


def von_mises_log_prob(value: Any, loc: Any, concentration: Any) -> Any:
    """κ(cos d − 1) as −2κ sin²(d/2)."""
    value, loc, k = floats(value, loc, concentration)
    half = jnp.sin((value - loc) / 2)
    return -2 * k * half * half - LOG_2PI - log_i0e(k)


@jax.custom_jvp
def centered(angle: Any, concentration: Any) -> Any:
    """The angle, a draw round 0; its derivative in κ is −(∂F/∂κ)/p = −∫₀ˣ (cos t − A)e^{κ(cos t − cos x)}dt, A = I₁/I₀.

    Out in a tail the integral is that from x to π with the other sign, where nothing cancels.
    """
    return angle


@centered.defjvp
def _(primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    x, k = primals
    size, width = jnp.abs(x), lax.rsqrt(jnp.maximum(k, 1))
    inner = size < 2 * width
    low, high = jnp.where(inner, 0, size), jnp.where(inner, size, jnp.minimum(jnp.pi, size + 8 * width))
    nodes, weights = jnp.asarray(NODES, x.dtype), jnp.asarray(WEIGHTS, x.dtype)
    t = ((high + low)[..., None] + (high - low)[..., None] * nodes) / 2
    half, end = jnp.sin(t / 2), jnp.sin(size / 2)[..., None]
    weight = jnp.exp(2 * k[..., None] * (end - half) * (end + half))
    integral = (high - low) / 2 * jnp.sum(weights * (short(k)[..., None] - 2 * half * half) * weight, -1)
    return x, jnp.sign(x) * jnp.where(inner, -integral, integral) * tangents[1]


def von_mises_sample(key: Any, dtype: Any, shape: tuple, loc: Any, concentration: Any) -> Any:
    from numpyro.distributions.util import von_mises_centered
    k = jnp.broadcast_to(jnp.asarray(concentration, dtype), shape)
    still = lax.stop_gradient(jnp.maximum(k, 1e-6))
    uniform = random.uniform(random.fold_in(key, 1), shape, dtype, -jnp.pi, jnp.pi)
    draw = jnp.where(k > 1e-6, von_mises_centered(key, still, shape, dtype), uniform)
    return wrapped(loc + centered(lax.stop_gradient(draw.astype(dtype)), k))


def sine_bivariate_log_prob(value: Any, phi_loc: Any, psi_loc: Any, phi_concentration: Any, psi_concentration: Any,
                            correlation: Any) -> Any:
    value, phi, psi, one, two, rho = floats(value, phi_loc, psi_loc, phi_concentration, psi_concentration, correlation)
    phi, psi = value[..., 0] - phi, value[..., 1] - psi
    density = one * jnp.cos(phi) + two * jnp.cos(psi) + rho * jnp.sin(phi) * jnp.sin(psi)
    return density - sine_bivariate_log_mass(one, two, rho)


def sine_bivariate_log_mass(one: Any, two: Any, rho: Any) -> Any:
    """The integral over ψ is 2π·I₀; that over φ, of a periodic function, is a sum over equal steps (κ up to 10⁴)."""
    turn = jnp.asarray(np.arange(1024) * (2 * np.pi / 1024), one.dtype)
    one, two, rho = one[..., None], two[..., None], rho[..., None]
    length = jnp.sqrt(two * two + (rho * jnp.sin(turn)) ** 2)
    terms = one * jnp.cos(turn) + length + log_i0e(length)
    return jax.nn.logsumexp(terms, -1) + 2 * LOG_2PI - jnp.log(1024.0)


def weighted(phi_concentration: Any, psi_concentration: Any, weight: Any) -> Any:
    return weight * jnp.sqrt(phi_concentration * psi_concentration)


def sine_bivariate_sample(key: Any, dtype: Any, shape: tuple, *parameters: Any) -> Any:
    from numpyro.distributions import SineBivariateVonMises
    still = [lax.stop_gradient(jnp.broadcast_to(jnp.asarray(p, dtype), shape)) for p in parameters]
    return SineBivariateVonMises(*still, validate_args=False).sample(key).astype(dtype)


def projected_normal_log_prob(value: Any, concentration: Any) -> Any:
    """The mass of a normal round `concentration` along the ray through the value, in 2 or 3 dimensions.

    With t = concentration · value it is ∫ rᵈ⁻¹ exp(−(r − t)²/2) dr, a difference that cancels where t is negative;
    there e^{−t²/2} is taken out, and further out what is left is a product of continued fractions.
    """
    value, c = floats(value, concentration)
    size = c.shape[-1]
    if size not in (2, 3):
        raise ValueError("`projected_normal` has a density in 2 and in 3 dimensions only")
    t = jnp.sum(value * c, -1)
    across = c - t[..., None] * value  # the part of c across the ray, whose square is |c|² − t²
    ahead, behind = t >= 0, t < -4
    r = jnp.where(ahead, t, 0)
    bulk, edge = ndtr(r), jnp.exp(-r * r / 2 - LOG_2PI / 2)
    front = LOG_2PI / 2 + jnp.log(edge + r * bulk if size == 2 else r * edge + (1 + r * r) * bulk)
    s = jnp.where(ahead | behind, 1, -t)
    near = 1 - s * mills(s) if size == 2 else (1 + s * s) * mills(s) - s
    fractions = tail_fractions(jnp.where(behind, -t, 5))
    far = fractions[0] * fractions[1] * (1 if size == 2 else fractions[2])
    mass = jnp.where(ahead, front, jnp.log(jnp.where(behind, far, near)) - jnp.where(ahead, 0, t) ** 2 / 2)
    return mass - (jnp.sum(across * across, -1) + size * LOG_2PI) / 2


def projected_normal_push(noise: Any, concentration: Any) -> Any:
    x = concentration + noise
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


ANGLES = "phi_loc: circular, psi_loc: circular, phi_concentration: positive, psi_concentration: positive"
RECORDS = (
    make("von_mises", "loc: real, concentration: positive", CIRCLE, von_mises_log_prob, sample=von_mises_sample,
         reparameterized=("loc", "concentration"), implicit=True, periodic=True, numpyro="VonMises",
         doc="exp(concentration·cos(x − loc))/(2π·I₀(concentration)), an angle in [−π, π)"),
    make("sine_bivariate_von_mises", f"{ANGLES}, correlation: real", CIRCLE, sine_bivariate_log_prob, rank=1,
         event=lambda shapes: (2,), sample=sine_bivariate_sample, periodic=True, numpyro="SineBivariateVonMises",
         doc="∝ exp(κ₁cos φ + κ₂cos ψ + correlation·sin φ·sin ψ) for two angles, each taken from its location"),
    make("sine_bivariate_von_mises", f"{ANGLES}, weighted_correlation: real", CIRCLE,
         lambda x, a, b, one, two, weight: sine_bivariate_log_prob(x, a, b, one, two, weighted(one, two, weight)),
         rank=1, event=lambda shapes: (2,), periodic=True, numpyro="SineBivariateVonMises",
         sample=lambda key, dtype, shape, a, b, one, two, weight: sine_bivariate_sample(
             key, dtype, shape, a, b, one, two, weighted(one, two, weight)),
         doc="sine_bivariate_von_mises with correlation = weighted_correlation·√(κ₁κ₂)"),
    make("projected_normal", "concentration: real[n]", Support("sphere"), projected_normal_log_prob, rank=1,
         event=lambda shapes: tuple(shapes["concentration"]), noise=plain(random.normal, projected_normal_push),
         numpyro="ProjectedNormal", doc="the direction of a normal round concentration; n = 2 or 3 for its density"),
)
