"""Bayesian logistic regression on breast cancer, a full-rank Gaussian guide, 16 particles.

Noise and weights are [particles, d] matrices, so that the logits are one product; log q is −½noise² − Σ log diag(root).
"""
from __future__ import annotations


import jax
import jax.numpy as jnp
import optax
from jax.nn import softplus

from bench.by_hand.training import ascend
from examples import data as sets

PARTICLES = 16


def data():
    rows = sets.breast_cancer()
    return {"features": jnp.asarray(rows["features"]), "benign": jnp.asarray(rows["benign"], jnp.float32)}


def init(key, d=31):
    return {"mean": jnp.zeros(d), "root": jnp.eye(d)}


def noise(key, data, particles=PARTICLES):
    return jax.random.normal(key, (particles, data["features"].shape[1]))


def value(params, noise, data):
    weight = params["mean"] + noise @ params["root"].T
    logits = weight @ data["features"].T
    each = (logits @ data["benign"] - jnp.sum(softplus(logits), 1)
            + 0.5 * jnp.sum(noise * noise - weight * weight, 1))
    return jnp.mean(each) + jnp.sum(jnp.log(jnp.diagonal(params["root"])))


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def constrain(free):
    """A lower triangle with a positive diagonal."""
    return {"mean": free["mean"], "root": jnp.tril(free["root"], -1) + jnp.diag(jnp.exp(jnp.diagonal(free["root"])))}


def train(key, steps=5000):
    def of_free(key, free, data):
        return estimate(key, constrain(free), data)

    free = {"mean": jnp.zeros(31), "root": jnp.zeros((31, 31))}
    free, values = ascend(key, of_free, free, data(), optax.adam(optax.linear_schedule(0.02, 0.0002, steps)), steps)
    return constrain(free), values
