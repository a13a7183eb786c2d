"""Families on the line, cut to an interval: from below, from above, or both.

With f the standard density and z, a, b the value and the cuts in standard units,

    log p(z; a, b) = log f(z) − log ∫ₐᵇ f,    d log p = (log f)′(z) dz + p(a) da − p(b) db,

where the derivative needs no more than p itself.  So each base gives p in a form that holds however far out the cuts
lie (mirrored into the upper tail, where a difference of distribution functions would cancel), and JAX never
differentiates that form: its branches cannot spoil a derivative.  Likewise a draw z(u; a, b), the u-quantile, has
dz = ((1 − u) f(a) da + u f(b) db)/f(z).
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

import jax
import jax.numpy as jnp
from jax import lax
from jax.scipy.special import betainc, erf, ndtr, ndtri

from pullback.compiler.distribution import Distribution, Support
from pullback.stdlib.distributions import location_scale as line
from pullback.stdlib.distributions.numerics import log1mexp, mills, open_uniform, within
from pullback.stdlib.distributions.record import fields, floats, make, plain

softplus = jax.nn.softplus
ROOT_HALF = 0.7071067811865476


@dataclass(frozen=True)
class Base:
    """A standard density: its logarithm and that one's derivative, log p(z; a, b), and z(u; a, b).

    `shape`: further parameters, in which there is no derivative.  `mirrored`: log p and z are written for a + b ≥ 0.
    """

    log_density: Callable[..., Any]
    score: Callable[..., Any]
    truncated: Callable[..., Any]
    quantile: Callable[..., Any]
    mirrored: bool = True


def at_cut(cut: Any, z: Any, log_density: Callable[..., Any]) -> Any:
    """A density at a cut, 0 where that is at infinity."""
    finite = jnp.isfinite(cut)
    return jnp.where(finite, jnp.exp(log_density(jnp.where(finite, cut, z))), 0)


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def log_truncated(base: Base, z: Any, a: Any, b: Any, *shape: Any) -> Any:
    """log p(z; a, b) for a ≤ z ≤ b."""
    if not base.mirrored:
        return base.truncated(z, a, b, *shape)
    flip = a + b < 0
    return base.truncated(jnp.where(flip, -z, z), jnp.where(flip, -b, a), jnp.where(flip, -a, b), *shape)


@log_truncated.defjvp
def _(base: Base, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    z, a, b, *shape = primals
    at_a, at_b = (at_cut(c, z, lambda c: log_truncated(base, c, *primals[1:])) for c in (a, b))
    slope = base.score(z, *shape) * tangents[0] + at_a * tangents[1] - at_b * tangents[2]
    return log_truncated(base, *primals), slope


@partial(jax.custom_jvp, nondiff_argnums=(0,))
def quantile(base: Base, u: Any, a: Any, b: Any, *shape: Any) -> Any:
    """The z below which the part u of the mass between a and b lies, 0 < u < 1."""
    if not base.mirrored:
        return jnp.clip(base.quantile(u, 1 - u, a, b, *shape), a, b)
    flip = a + b < 0
    below, above = jnp.where(flip, 1 - u, u), jnp.where(flip, u, 1 - u)
    z = base.quantile(below, above, jnp.where(flip, -b, a), jnp.where(flip, -a, b), *shape)
    return jnp.clip(jnp.where(flip, -z, z), a, b)


@quantile.defjvp
def _(base: Base, primals: tuple, tangents: tuple) -> tuple[Any, Any]:
    u, a, b, *shape = primals
    z = quantile(base, *primals)
    here = base.log_density(z, *shape)
    at_a, at_b = (at_cut(c, z, lambda c: base.log_density(c, *shape) - here) for c in (a, b))
    return z, (1 - u) * at_a * tangents[1] + u * at_b * tangents[2]


def normal_truncated(z: Any, a: Any, b: Any) -> Any:
    tail = a > 0
    low = jnp.where(tail, a, 1)
    high = jnp.where(tail, b, 2)
    far = -(z - low) * (z + low) / 2 - jnp.log(mills(low) - _rest(low, high) * mills(high))
    return jnp.where(tail, far, line.normal(z) - jnp.log((erf(b * ROOT_HALF) - erf(a * ROOT_HALF)) / 2))


def _rest(a: Any, b: Any) -> Any:
    """φ(b)/φ(a) for 0 < a ≤ b."""
    return jnp.exp(-(b - a) * (b + a) / 2)


def normal_quantile(u: Any, v: Any, a: Any, b: Any) -> Any:
    """By the inverse of Φ, from the side where the probability is the smaller; beyond 4, by Newton on log Q."""
    far = a > 4
    c = jnp.minimum(a, 4)
    mass = jnp.where(c > 0, ndtr(-c) - ndtr(-b), ndtr(b) - ndtr(c))
    lower, upper = ndtr(c) + u * mass, ndtr(-b) + v * mass
    near = jnp.where(lower < upper, ndtri(jnp.minimum(lower, 0.5)), -ndtri(jnp.minimum(upper, 0.5)))
    low, high = jnp.where(far, a, 5), jnp.where(far, b, 6)
    goal = jnp.log1p(-u * (1 - _rest(low, high) * mills(high) / mills(low)))
    z = jnp.sqrt(low * low - 2 * goal)  # from above, where log Q is concave: Newton comes down on it
    for _ in range(5):
        z = z + mills(z) * (jnp.log(mills(z) / mills(low)) - (z - low) * (z + low) / 2 - goal)
    return jnp.where(far, z, near)


def laplace_truncated(z: Any, a: Any, b: Any) -> Any:
    tail = a >= 0
    low = jnp.where(tail, a, 0)
    across = -jnp.abs(z) - jnp.log(-jnp.expm1(-b) - jnp.expm1(-jnp.abs(a)))
    return jnp.where(tail, low - z - jnp.log(-jnp.expm1(low - b)), across)


def laplace_quantile(u: Any, v: Any, a: Any, b: Any) -> Any:
    tail, left = a >= 0, -jnp.expm1(-jnp.abs(a))
    low = jnp.where(tail, a, 0)
    mass = left - jnp.expm1(-b)
    inner = jnp.where(u * mass < left, jnp.log1p(jnp.minimum(u * mass - left, 0)), -jnp.log1p(jnp.expm1(-b) + v * mass))
    return jnp.where(tail, low - jnp.log1p(u * jnp.expm1(low - b)), inner)


def logistic_truncated(z: Any, a: Any, b: Any) -> Any:
    """By the identity σ(b) − σ(a) = σ(b)·σ(−a)·(1 − e^{a − b})."""
    return line.logistic(z) + softplus(-b) + softplus(a) - log1mexp(b - a)


def logistic_quantile(u: Any, v: Any, a: Any, b: Any) -> Any:
    u, v = jnp.log(u), jnp.log(v)
    return jnp.logaddexp(v - softplus(-a), u - softplus(-b)) - jnp.logaddexp(v - softplus(a), u - softplus(b))


def cauchy_truncated(z: Any, a: Any, b: Any) -> Any:
    """arctan b − arctan a as one angle."""
    angle = jnp.where(jnp.isinf(b), jnp.arctan2(1, a), jnp.arctan2(b - a, 1 + a * jnp.where(jnp.isinf(b), 1, b)))
    return -jnp.log1p(z * z) - jnp.log(angle)


def cauchy_quantile(u: Any, v: Any, a: Any, b: Any) -> Any:
    angle = v * jnp.arctan2(1, a) + u * jnp.arctan2(1, b)
    return jnp.cos(angle) / jnp.sin(angle)


def soft_laplace_truncated(z: Any, a: Any, b: Any) -> Any:
    """arctan eᵇ − arctan eᵃ as one angle; beyond 15 that is e⁻ᵃ − e⁻ᵇ."""
    low = jnp.clip(a, -80, 15)
    angle = jnp.arctan2(jnp.exp(-low) - jnp.exp(-jnp.maximum(b, low)), 1 + jnp.exp(-low - b))
    far = a > 15
    mass = jnp.where(far, log1mexp(jnp.where(far, b - a, 1)) - a, jnp.log(angle))
    return -jnp.logaddexp(z, -z) - mass


def soft_laplace_quantile(u: Any, v: Any, a: Any, b: Any) -> Any:
    upper = v * jnp.arctan(jnp.exp(-a)) + u * jnp.arctan(jnp.exp(-b))
    lower = v * jnp.arctan(jnp.exp(a)) + u * jnp.arctan(jnp.exp(b))
    near = jnp.where(upper < lower, -jnp.log(jnp.tan(upper)), jnp.log(jnp.tan(lower)))
    return jnp.where(a > 15, -jnp.logaddexp(jnp.log(v) - a, jnp.log(u) - b), near)


def student_t(z: Any, df: Any) -> Any:
    return line.student_t_log_prob(z, df, 0, 1)


def student_t_parts(z: Any, df: Any) -> tuple[Any, Any]:
    """The mass between 0 and z, and that above z, for z ≥ 0, each without cancellation where it is small."""
    near = z * z < df
    middle = betainc(0.5, df / 2, 1 / (1 + df / jnp.where(near & (z > 0), z * z, 1))) / 2
    tail = betainc(df / 2, 0.5, 1 / (1 + jnp.where(near, df, z * z) / df)) / 2
    middle = jnp.where(near, jnp.where(z > 0, middle, 0), 0.5 - tail)
    return middle, jnp.where(near, 0.5 - middle, tail)


def student_t_mass(a: Any, b: Any, df: Any) -> Any:
    (inner, above), (outer, rest) = student_t_parts(jnp.abs(a), df), student_t_parts(b, df)
    return jnp.where(a > 0, jnp.where(outer < 0.25, outer - inner, above - rest), inner + outer)


def student_t_truncated(z: Any, a: Any, b: Any, df: Any) -> Any:
    mass = student_t_mass(a, b, df)
    return jnp.where(mass > 0, student_t(z, df) - jnp.log(jnp.where(mass > 0, mass, 1)), -jnp.inf)


def student_t_quantile(u: Any, v: Any, a: Any, b: Any, df: Any) -> Any:
    """By bisection of the mass above z, on the scale of asinh z."""
    goal = student_t_parts(b, df)[1] + v * student_t_mass(a, b, df)
    most = jnp.arcsinh(jnp.finfo(goal.dtype).max ** 0.25)

    def halve(_: int, ends: tuple) -> tuple:
        middle = (ends[0] + ends[1]) / 2
        z = jnp.sinh(middle)
        tail = student_t_parts(jnp.abs(z), df)[1]
        above = jnp.where(z > 0, tail, 1 - tail)
        return jnp.where(above > goal, middle, ends[0]), jnp.where(above > goal, ends[1], middle)

    ends = [jnp.broadcast_to(jnp.clip(jnp.arcsinh(c), -most, most), goal.shape) for c in (a, b)]
    low, high = lax.fori_loop(0, jnp.finfo(goal.dtype).nmant + 6, halve, tuple(ends))
    return jnp.sinh((low + high) / 2)


BASES = {
    "normal": Base(line.normal, lambda z: -z, normal_truncated, normal_quantile),
    "cauchy": Base(line.cauchy, lambda z: -2 * z / (1 + z * z), cauchy_truncated, cauchy_quantile),
    "laplace": Base(line.laplace, lambda z: -jnp.sign(z), laplace_truncated, laplace_quantile),
    "logistic": Base(line.logistic, lambda z: -jnp.tanh(z / 2), logistic_truncated, logistic_quantile, mirrored=False),
    "soft_laplace": Base(line.soft_laplace, lambda z: -jnp.tanh(z), soft_laplace_truncated, soft_laplace_quantile),
    "student_t": Base(student_t, lambda z, df: -(df + 1) * z / (df + z * z), student_t_truncated, student_t_quantile),
}
CUTS = {("low", "high"): Support("interval", moves=frozenset({"low", "high"})),
        ("low",): Support("interval", high=jnp.inf, moves=frozenset({"low"})),
        ("high",): Support("interval", low=-jnp.inf, moves=frozenset({"high"}))}


def cuts(ends: tuple[str, ...], values: tuple) -> tuple[Any, Any]:
    """low and high, one of which may not be given."""
    given = dict(zip(ends, values))
    return given.get("low", -jnp.inf), given.get("high", jnp.inf)


def standardized(cut: Any, loc: Any, scale: Any) -> Any:
    """A cut in standard units; one at infinity stays there, and does not move with the scale."""
    finite = jnp.isfinite(cut)
    return jnp.where(finite, (jnp.where(finite, cut, 0) - loc) / scale, cut)


def _truncated(name: str, ends: tuple[str, ...], parameters: str, numpyro: str, **rest: Any) -> Distribution:
    base, count = BASES[name], len(fields(parameters))

    def split(parameters: tuple) -> tuple:
        """The shape, and the location, scale and cuts."""
        *shape, loc, scale = floats(*parameters)[:count]
        low, high = (jnp.asarray(cut, loc.dtype) for cut in cuts(ends, parameters[count:]))
        return shape, loc, scale, low, high

    def log_prob(value: Any, *parameters: Any) -> Any:
        value, *parameters = floats(value, *parameters)
        shape, loc, scale, low, high = split(parameters)
        inside = (low <= value) & (value <= high)
        x = jnp.where(inside, value, jnp.where(jnp.isfinite(low), low, high))
        standard = (standardized(y, loc, scale) for y in (x, low, high))
        density = log_truncated(base, *jnp.broadcast_arrays(*standard, *shape))
        return within(inside & (low < high), density - jnp.log(scale))

    def push(noise: Any, *parameters: Any) -> Any:
        shape, loc, scale, low, high = split(parameters)
        ends = (standardized(cut, loc, scale) for cut in (low, high))
        z = quantile(base, *jnp.broadcast_arrays(noise, *ends, *shape))
        return jnp.clip(loc + scale * z, low, high)

    def upstream(*parameters: Any) -> Any:
        from numpyro import distributions as d
        return d.TruncatedDistribution(getattr(d, numpyro)(*parameters[:count]), **dict(zip(ends, parameters[count:])))

    limits = " ≤ ".join(("low ≤ x" if "low" in ends else "x", "high") if "high" in ends else ("low", "x"))
    return make(f"truncated_{name}", f"{parameters}, {', '.join(f'{end}: real' for end in ends)}", CUTS[ends], log_prob,
                noise=plain(open_uniform, push), reparameterized={"loc", "scale", *ends}, numpyro=upstream,
                jumps_in=frozenset(ends),
                value_smooth="continuous" if name == "laplace" else "smooth",
                doc=f"the density of {name} for {limits}, divided by its integral there", **rest)


NO_SHAPE = ("the mass of a Student's t between two cuts has no known derivative in `df` here; "
            "give `df` a fixed value, or draw from `student_t`")
T = "df: positive, loc: real = 0, scale: positive = 1"
RECORDS = tuple(
    _truncated(name, ends, parameters, numpyro, **rest) for name, parameters, numpyro, rest in (
        ("normal", line.LOC_SCALE, "Normal", {}), ("cauchy", line.LOC_SCALE, "Cauchy", {}),
        ("laplace", line.LOC_SCALE, "Laplace", {}), ("logistic", line.LOC_SCALE, "Logistic", {}),
        ("soft_laplace", line.LOC_SCALE, "SoftLaplace", {}),
        ("student_t", T, "StudentT", {"refused": {"df": NO_SHAPE}}))
    for ends in CUTS)
