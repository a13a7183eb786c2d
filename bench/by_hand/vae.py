"""Variational autoencoder 784-200-200-10 on binarized MNIST: 64 rows without replacement, gradients of the mean.

Everything is a product of the batch with a weight matrix; the pixels' log density is x·l − softplus(l), never a
probability; log p(z) − log q(z) is ½noise² + log scale − ½z², since (z − loc) / scale is the noise itself.
"""
from __future__ import annotations

import jax
import jax.numpy as jnp
import optax
from jax.nn import softplus

from bench.by_hand.layers import apply, dense, rows
from bench.by_hand.training import ascend
from examples import data as sets

LATENT, BATCH = 10, 64


def data():
    return {"images": jnp.asarray(sets.mnist()["images"], jnp.float32)}


def held_out():
    return {"images": jnp.asarray(sets.mnist()["test_images"], jnp.float32)}


def init(key):
    decoder, encoder = jax.random.split(key)
    return {"w": dense(decoder, LATENT, 200, 200, 784), "v": dense(encoder, 784, 200, 200, 2 * LATENT)}


def noise(key, data, batch=BATCH):
    for_rows, for_z = jax.random.split(key)
    return rows(for_rows, len(data["images"]), batch), jax.random.normal(for_z, (batch, LATENT))


def value(params, noise, data):
    picked, standard = noise
    return jnp.sum(bound(params, data["images"][picked], standard)) / len(picked)


def bound(params, images, standard):
    """One draw of the ELBO of each image [n, 784] on its noise [n, 10]."""
    h = apply(params["v"], images)
    scale = softplus(h[:, LATENT:])
    z = h[:, :LATENT] + scale * standard
    logits = apply(params["w"], z)
    return (jnp.sum(images * logits - softplus(logits), 1)
            + jnp.sum(0.5 * (standard * standard - z * z) + jnp.log(scale), 1))


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def train(key, steps=2000):
    return ascend(key, estimate, init(key), data(), optax.adam(0.001), steps)


def test_elbo(key, params, draws=20):
    """The ELBO of the held-out images: (mean, standard error over the draws)."""
    images = held_out()["images"]

    def draw(key):
        return jnp.mean(bound(params, images, jax.random.normal(key, (len(images), LATENT))))

    values = jax.lax.map(draw, jax.random.split(key, draws))
    return float(values.mean()), float(values.std(ddof=1) / draws ** 0.5)
