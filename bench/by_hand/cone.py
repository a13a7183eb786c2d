"""The noisy cone: a mean-field guide, 64 particles, the terms added before the mean, both sites in one draw."""
from __future__ import annotations

from math import log, pi

import jax
import jax.numpy as jnp
import numpy as np
import optax

from bench.by_hand.training import ascend

PARTICLES = 64


def data():
    return {"z": 5.0}


def init(key):
    return {"mean": jnp.zeros(2), "log_sd": jnp.ones(2)}


def noise(key, data, particles=PARTICLES):
    return jax.random.normal(key, (2, particles))


def value(params, noise, data):
    """The normalizers of x and y: −log 10 each in the model; the guide's log density is −½noise² − log_sd, up to −½log 2π."""
    x = params["mean"][:, None] + jnp.exp(params["log_sd"])[:, None] * noise
    r = jnp.sum(x * x, 0)
    sd = 0.1 + r / 100
    each = 0.5 * jnp.sum(noise * noise, 0) - 0.005 * r - 0.5 * ((data["z"] - r) / sd) ** 2 - jnp.log(sd)
    return jnp.mean(each) + jnp.sum(params["log_sd"]) - 2 * log(10) - 0.5 * log(2 * pi)


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def train(key, steps=5000):
    return ascend(key, estimate, init(key), data(), optax.adam(0.01), steps)


def exact(z: float = 5.0, points: int = 2_000_001) -> float:
    """log p(z) in float64: r = x² + y² has the density exp(−r / 200) / 200, so one integral is left."""
    r = np.linspace(0, 4 * z + 20, points)
    sd = 0.1 + r / 100
    density = np.exp(-r / 200 - 0.5 * ((z - r) / sd) ** 2) / (200 * sd * np.sqrt(2 * np.pi))
    return float(np.log(np.trapezoid(density, r)))
