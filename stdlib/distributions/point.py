"""All the mass at one point."""
from __future__ import annotations

from typing import Any

import jax.numpy as jnp

from pullback.compiler.distribution import Support
from pullback.stdlib.distributions.numerics import within
from pullback.stdlib.distributions.record import floats, make


def delta_log_prob(value: Any, v: Any, log_density: Any) -> Any:
    value, v, log_density = floats(value, v, log_density)
    return within(value == v, log_density)


RECORDS = (
    make("delta", "v: real = 0, log_density: real = 0", Support("real", moves=frozenset({"v"})), delta_log_prob,
         sample=lambda key, dtype, shape, v, log_density: jnp.broadcast_to(jnp.asarray(v, dtype), shape),
         reparameterized=("v",), numpyro="Delta", value_smooth="jump", jumps_in=frozenset({"v"}), mean=lambda v, _: v,
         doc="exp(log_density) at x = v, else 0"),
)
