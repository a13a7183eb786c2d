"""Gaussian mixture on iris: the assignment of each flower summed out, [n, 3] log densities and one logsumexp.

`loc[z]` at every z *is* loc: nothing is gathered.  The normalizers are added once a component, not once a flower.
"""
from __future__ import annotations

from math import log, pi

import jax.numpy as jnp
import numpy as np
import optax
from jax.nn import softmax
from jax.scipy.special import logsumexp

from bench.by_hand.training import ascend
from examples import data as sets


def data():
    return {"features": jnp.asarray(sets.iris()["features"])}


def init(key=None, d=4):
    return {"weights": jnp.full(3, 1 / 3), "scale": jnp.ones((3, d)),
            "loc": jnp.array([[-1.0, 1.0, -1.0, -1.0], [0.0, 0.0, 0.0, 0.0], [1.0, 0.0, 1.0, 1.0]])}


def noise(key, data):
    return None


def value(params, noise, data):
    """The mean log marginal likelihood of a flower."""
    x, (weights, loc, scale) = data["features"], (params[name] for name in ("weights", "loc", "scale"))
    once = jnp.log(weights) - jnp.sum(jnp.log(scale), 1) - 0.5 * log(2 * pi) * x.shape[1]
    return jnp.mean(logsumexp(once - 0.5 * jnp.sum(((x[:, None] - loc) / scale) ** 2, 2), 1))


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def train(key, steps=1000):
    def constrain(free):
        return {"weights": softmax(free["weights"]), "loc": free["loc"], "scale": jnp.exp(free["scale"])}

    def of_free(key, free, data):
        return estimate(key, constrain(free), data)

    free = init() | {"weights": jnp.zeros(3), "scale": jnp.zeros((3, 4))}
    free, values = ascend(key, of_free, free, data(), optax.adam(0.02), steps)
    return constrain(free), values


def exact(params, data) -> float:
    """The same number in float64, component by component as the textbook has it."""
    x, weights, loc, scale = (np.asarray(a, np.float64) for a in
                              (data["features"], params["weights"], params["loc"], params["scale"]))
    each = [np.log(w) - 0.5 * (((x - m) / s) ** 2 + np.log(2 * np.pi * s ** 2)).sum(1)
            for w, m, s in zip(weights, loc, scale)]
    return float(np.logaddexp.reduce(each).mean())
