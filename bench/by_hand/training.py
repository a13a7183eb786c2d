"""Stochastic gradient ascent as one would write it: a jitted scan over steps, one call a hundred steps."""
from __future__ import annotations

from functools import partial

import jax
import jax.numpy as jnp
import optax
from jax import lax


@partial(jax.jit, static_argnames=("estimate", "optimizer", "steps"))
def climb(key, params, state, data, start, *, estimate, optimizer, steps):
    def step(carry, t):
        params, state = carry
        value, slope = jax.value_and_grad(estimate, argnums=1)(jax.random.fold_in(key, t), params, data)
        change, state = optimizer.update(jax.tree.map(jnp.negative, slope), state, params)
        return (optax.apply_updates(params, change), state), value

    (params, state), values = lax.scan(step, (params, state), start + jnp.arange(steps))
    return params, state, values


def ascend(key, estimate, params, data, optimizer, steps: int, block: int = 100):
    """Maximize: `(params, values)`, the values one a step.  `steps` is rounded up to whole blocks."""
    state, history = optimizer.init(params), []
    for start in range(0, steps, block):
        params, state, values = climb(key, params, state, data, start,
                                      estimate=estimate, optimizer=optimizer, steps=block)
        history.append(values)
    return params, jnp.concatenate(history)
