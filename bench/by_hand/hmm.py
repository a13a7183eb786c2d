"""Hidden Markov model of economic growth: the forward filter as a product of a matrix with a shifted vector.

The transition is normalized once, the emissions are vectorized over time, and a step of the scan is
    alpha' = exp(emission − max) · (alpha @ transition),   rescaled to sum 1
so that no log or exp of a K×K table stands in the loop.
"""
from __future__ import annotations

from math import log, pi

import jax.numpy as jnp
import numpy as np
import optax
from jax import lax
from jax.nn import softmax

from bench.by_hand.training import ascend
from examples import data as sets


def data(n: int | None = None):
    """The quarters' growth; with `n`, the series over and over until it has n entries."""
    growth = sets.growth()["growth"]
    return {"growth": jnp.asarray(growth if n is None else np.resize(growth, n))}


def init(key=None):
    return {"first": jnp.zeros(2), "move": 2 * jnp.eye(2), "loc": jnp.array([-0.5, 1.0]), "scale": jnp.ones(2)}


def noise(key, data):
    return None


def value(params, noise, data):
    """The log likelihood of the series, per quarter."""
    y, loc, scale = data["growth"], params["loc"], params["scale"]
    emission = -0.5 * ((y[:, None] - loc) / scale) ** 2 - jnp.log(scale)
    shift = lax.stop_gradient(jnp.max(emission, 1))
    weight = jnp.exp(emission - shift[:, None])
    move = softmax(params["move"])

    def step(alpha, weight):
        alpha = (alpha @ move) * weight
        total = jnp.sum(alpha)
        return alpha / total, total

    alpha = softmax(params["first"]) * weight[0]
    start = jnp.sum(alpha)
    _, totals = lax.scan(step, alpha / start, weight[1:])
    return (jnp.log(start) + jnp.sum(jnp.log(totals)) + jnp.sum(shift)) / len(y) - 0.5 * log(2 * pi)


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def train(key, steps=1000):
    def of_free(key, free, data):
        return estimate(key, free | {"scale": jnp.exp(free["scale"])}, data)

    free, values = ascend(key, of_free, init() | {"scale": jnp.zeros(2)}, data(), optax.adam(0.02), steps)
    return free | {"scale": jnp.exp(free["scale"])}, values


def exact(params, data) -> float:
    """The forward algorithm in float64, in logs throughout."""
    y, first, move, loc, scale = (np.asarray(a, np.float64) for a in
                                  (data["growth"], *(params[name] for name in ("first", "move", "loc", "scale"))))
    normalized = move - np.logaddexp.reduce(move, axis=1, keepdims=True)
    emission = -0.5 * ((y[:, None] - loc) / scale) ** 2 - np.log(scale * np.sqrt(2 * np.pi))
    alpha = first - np.logaddexp.reduce(first) + emission[0]
    for row in emission[1:]:
        alpha = np.logaddexp.reduce(alpha[:, None] + normalized) + row
    return float(np.logaddexp.reduce(alpha) / len(y))
