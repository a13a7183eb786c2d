"""Local level model of the Nile with a Markov guide: the noise drawn before the scan, the densities after it.

The scan holds one multiplication and one addition; both log densities are then sums over [n, particles] arrays.
log q is −½noise² − log sd, so the guide's means are never subtracted again.
"""
from __future__ import annotations

from math import log, pi

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax import lax

from bench.by_hand.training import ascend
from examples import data as sets

PARTICLES = 16


def data(n: int | None = None):
    """The yearly flow in 10^10 m³; with `n`, the series over and over until it has n entries."""
    flow = sets.nile()["flow"] / 100
    return {"flow": jnp.asarray(flow if n is None else np.resize(flow, n))}


def init(key=None, n=100):
    return {"drift": jnp.array(1.0), "noise": jnp.array(1.0),
            "center": jnp.full(n, 9.0), "keep": jnp.zeros(n), "sd": jnp.ones(n)}


def noise(key, data, particles=PARTICLES):
    return jax.random.normal(key, (len(data["flow"]), particles))


def value(params, noise, data):
    """level[t] = center[t] + keep[t] · (level[t−1] − center[t−1]) + sd[t] · noise[t], level[−1] = center[−1]."""
    y, drift, sd = data["flow"], params["drift"], params["sd"]
    n = len(y)

    def step(apart, now):
        keep, shock = now
        apart = keep * apart + shock
        return apart, apart

    shocks = sd[:, None] * noise
    _, apart = lax.scan(step, jnp.zeros(noise.shape[1]), (params["keep"], shocks))
    level = params["center"][:, None] + apart
    squares = (jnp.sum(noise * noise) - jnp.sum((level[0] - 9) ** 2) / 25
               - jnp.sum((level[1:] - level[:-1]) ** 2) / drift ** 2
               - jnp.sum((y[:, None] - level) ** 2) / params["noise"] ** 2)
    return (0.5 * squares / noise.shape[1] + jnp.sum(jnp.log(sd)) - log(5) - (n - 1) * jnp.log(drift)
            - n * jnp.log(params["noise"]) - 0.5 * n * log(2 * pi))


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def train(key, steps=6000, start=0.02):
    positive = ("drift", "noise", "sd")

    def constrain(free):
        return {name: jnp.exp(leaf) if name in positive else leaf for name, leaf in free.items()}

    def of_free(key, free, data):
        return estimate(key, constrain(free), data)

    free = {name: jnp.log(leaf) if name in positive else leaf for name, leaf in init().items()}
    schedule = optax.linear_schedule(start, start / 100, steps)
    free, values = ascend(key, of_free, free, data(), optax.adam(schedule), steps)
    return constrain(free), values


def exact(drift: float, noise: float, data) -> float:
    """The log likelihood by Kalman's filter in float64: what the ELBO reaches, since the posterior is such a chain."""
    mean, variance, total = 9.0, 25.0, 0.0
    for y in np.asarray(data["flow"], np.float64):
        spread = variance + noise ** 2
        total -= 0.5 * ((y - mean) ** 2 / spread + np.log(2 * np.pi * spread))
        gain = variance / spread
        mean, variance = mean + gain * (y - mean), (1 - gain) * variance + drift ** 2
    return float(total)
