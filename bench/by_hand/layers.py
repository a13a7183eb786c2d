"""Dense networks and minibatches, shared by the programs that have them."""
from __future__ import annotations

import jax
import jax.numpy as jnp
from jax import lax
from jax.nn import relu


def dense(key, *sizes: int) -> dict:
    """Weights of dense layers with `relu` between, uniform within ±1/√fan_in as Equinox has them.

    Named by their places in `dense >> relu >> dense`: {"0": {"weight": [out, in], "bias": [out]}, "2": …}.
    """
    layers = {}
    for place, (inward, outward) in enumerate(zip(sizes, sizes[1:])):
        for_weight, for_bias = jax.random.split(jax.random.fold_in(key, place))
        bound = inward ** -0.5
        layers[str(2 * place)] = {
            "weight": jax.random.uniform(for_weight, (outward, inward), minval=-bound, maxval=bound),
            "bias": jax.random.uniform(for_bias, (outward,), minval=-bound, maxval=bound)}
    return layers


def apply(layers: dict, x):
    """The network at x [..., in]."""
    places = sorted(layers, key=int)
    for place in places:
        x = x @ layers[place]["weight"].T + layers[place]["bias"]
        x = x if place == places[-1] else relu(x)
    return x


def rows(key, n: int, batch: int):
    """`batch` of the rows 0..n without replacement, by Floyd's algorithm: batch² comparisons instead of a sort of n."""
    last = jnp.arange(n - batch, n)
    drawn = jax.random.randint(key, (batch,), 0, last + 1)

    def step(taken, at):
        i, row, spare = at
        row = jnp.where(jnp.any(taken == row), spare, row)
        return taken.at[i].set(row), None

    return lax.scan(step, jnp.full(batch, -1), (jnp.arange(batch), drawn, last))[0]
