"""A VAE whose code is one of 20 kinds, in two estimators of one objective.

`enum`: the decoder's output at each kind does not depend on the image, so it is evaluated 20 times, not 20 × 64; the
log likelihood of every image under every kind is then one product of matrices.  `reinforce`: four kinds drawn for each
image, each scored against the mean of the other three.
"""
from __future__ import annotations

from math import log

import jax
import jax.numpy as jnp
import optax
from jax.nn import log_softmax, softplus

from bench.by_hand.layers import apply, dense, rows
from bench.by_hand.training import ascend
from examples import data as sets

KINDS, BATCH, DRAWS = 20, 64, 4


def data():
    return {"images": jnp.asarray(sets.mnist()["images"], jnp.float32)}


def held_out():
    return {"images": jnp.asarray(sets.mnist()["test_images"], jnp.float32)}


def init(key):
    decoder, encoder = jax.random.split(key)
    return {"w": dense(decoder, KINDS, 200, 784), "v": dense(encoder, 784, 200, KINDS)}


def noise(key, data, batch=BATCH):
    """The rows, and uniforms by which `reinforce` draws its kinds (`enum` leaves them alone)."""
    for_rows, for_kinds = jax.random.split(key)
    return rows(for_rows, len(data["images"]), batch), jax.random.uniform(for_kinds, (DRAWS, batch, 1))


def value(params, noise, data):
    images = data["images"][noise[0]]
    return jnp.sum(exact(params, images)) / len(images)


def exact(params, images):
    """The ELBO of each image, summed over the kinds."""
    log_q = log_softmax(apply(params["v"], images))
    logits = apply(params["w"], jnp.eye(KINDS))
    log_p = images @ logits.T - jnp.sum(softplus(logits), 1) - log(KINDS)
    return jnp.sum(jnp.exp(log_q) * (log_p - log_q), 1)


def value_reinforce(params, noise, data):
    picked, uniform = noise
    images = data["images"][picked]
    log_q = log_softmax(apply(params["v"], images))
    below = jnp.cumsum(jnp.exp(log_q), 1)
    kind = jax.lax.stop_gradient(jnp.minimum(jnp.sum(uniform > below, 2), KINDS - 1))
    chosen = jax.nn.one_hot(kind, KINDS)
    log_q = jnp.sum(chosen * log_q, 2)
    logits = apply(params["w"], chosen)
    cost = jnp.sum(images * logits - softplus(logits), 2) - log(KINDS) - log_q
    others = (jnp.sum(cost, 0) - cost) / (DRAWS - 1)
    score = log_q * jax.lax.stop_gradient(cost - others)
    return jnp.mean(cost + score - jax.lax.stop_gradient(score))


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def estimate_reinforce(key, params, data):
    return value_reinforce(params, noise(key, data), data)


def train(key, steps=3000, by=estimate):
    return ascend(key, by, init(key), data(), optax.adam(0.003), steps)
