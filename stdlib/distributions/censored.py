"""Values of which only a bound was seen.

A flag says what a value is: seen as it is, or only known to lie above it (`right_censored_…`), below it
(`left_censored_…`), or between two numbers (`interval_censored_…`, whose value is such a pair).  These are factors of a
likelihood, not laws of what they are given: they can be observed, and not drawn.
"""
from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pullback.compiler.distribution import Distribution
from pullback.stdlib.distributions import location_scale, positive
from pullback.stdlib.distributions.record import floats, make
from pullback.stdlib.distributions.tails import TAILS, log_between

BASES = {record.name: record for record in location_scale.RECORDS + positive.RECORDS if record.name in TAILS}
SIDES = {"right": ("above", "RightCensoredDistribution"), "left": ("below", "LeftCensoredDistribution")}


def only_observed(name: str) -> str:
    return f"what was censored can only be observed; draw from `{name}` and censor the draw"


def undrawable(name: str) -> Any:
    def sample(*_: Any) -> Any:
        raise ValueError(only_observed(name))
    return sample


def parameters(base: Distribution) -> str:
    return ", ".join(f"{f.name}: {f.domain}" + ("" if f.default is None else f" = {f.default}") for f in base.fields)


def upstream(base: Distribution, censored: str) -> Any:
    def build(*given: Any) -> Any:
        from numpyro import distributions
        count = len(base.fields)
        return getattr(distributions, censored)(base.numpyro(*given[:count]), *given[count:])
    return build


def one_sided(side: str, base: Distribution) -> Distribution:
    tail = getattr(TAILS[base.name], SIDES[side][0])

    def log_prob(value: Any, *given: Any) -> Any:
        *its, censored = given
        value, *its = floats(value, *its)
        censored = jnp.asarray(censored, bool)
        return jnp.where(censored, tail(value, *its), base.log_prob(value, *its))

    relation = "P(X > x)" if side == "right" else "P(X ≤ x)"
    return make(f"{side}_censored_{base.name}", f"{parameters(base)}, censored: boolean = 0", base.support, log_prob,
                sample=undrawable(base.name), numpyro=upstream(base, SIDES[side][1]), value_smooth=base.value_smooth,
                observed=only_observed(base.name), doc=f"the density of {base.name}, or {relation} where censored = 1")


def interval(base: Distribution) -> Distribution:
    tails = TAILS[base.name]

    def log_prob(value: Any, *given: Any) -> Any:
        *its, left, right = given
        value, *its = floats(value, *its)
        left, right = jnp.asarray(left, bool), jnp.asarray(right, bool)
        low, high = value[..., 0], value[..., 1]
        low, high = jnp.where(left & ~right, high, low), jnp.where(right & ~left, low, high)
        wide = low < high
        below, above = tails.below(high, *its), tails.above(low, *its)
        outside = jnp.logaddexp(tails.below(low, *its), tails.above(high, *its))
        between = log_between(tails, low, jnp.where(wide, high, low + 1), *its)
        seen = jnp.where(low == high, base.log_prob(low, *its), -jnp.inf)
        return jnp.where(left, jnp.where(right, outside, below),
                         jnp.where(right, above, jnp.where(wide, between, seen)))

    flags = "left_censored: boolean = 0, right_censored: boolean = 0"
    return make(f"interval_censored_{base.name}", f"{parameters(base)}, {flags}", base.support, log_prob, rank=1,
                event=lambda shapes: (2,), sample=undrawable(base.name), observed=only_observed(base.name),
                numpyro=upstream(base, "IntervalCensoredDistribution"),
                value_smooth="jump",  # at low = high a probability becomes a density
                doc=f"P(low < X ≤ high) of {base.name} for x = (low, high), or the density where low = high; where "
                    "left_censored P(X ≤ high), where right_censored P(X > low), where both 1 − P(low < X ≤ high)")


RECORDS = (*(one_sided(side, base) for base in BASES.values() for side in SIDES), *map(interval, BASES.values()))
