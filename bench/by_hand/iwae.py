"""Importance weighted autoencoder on binary 8×8 digits: k draws an image in one product, one logsumexp over them."""
from __future__ import annotations

from math import log

import jax
import jax.numpy as jnp
import optax
from jax.nn import softplus
from jax.scipy.special import logsumexp

from bench.by_hand.layers import apply, dense, rows
from bench.by_hand.training import ascend
from examples import data as sets

LATENT, BATCH, DRAWS = 8, 64, 5


def data():
    return {"images": jnp.asarray(sets.binary_digits()["images"], jnp.float32)}


def held_out():
    return {"images": jnp.asarray(sets.binary_digits()["test_images"], jnp.float32)}


def init(key):
    decoder, encoder = jax.random.split(key)
    return {"w": dense(decoder, LATENT, 100, 64), "v": dense(encoder, 64, 100, 2 * LATENT)}


def noise(key, data, k=DRAWS, batch=BATCH):
    for_rows, for_z = jax.random.split(key)
    return rows(for_rows, len(data["images"]), batch), jax.random.normal(for_z, (k, batch, LATENT))


def value(params, noise, data):
    picked, standard = noise
    return jnp.mean(bound(params, data["images"][picked], standard))


def bound(params, images, standard):
    """One draw of the k-sample bound of each image [n, 64] on its noise [k, n, 8]."""
    k, n, _ = standard.shape
    h = apply(params["v"], images)
    scale = softplus(h[:, LATENT:])
    z = h[:, :LATENT] + scale * standard
    logits = apply(params["w"], z.reshape(k * n, LATENT)).reshape(k, n, -1)
    log_w = (jnp.sum(images * logits - softplus(logits), 2)
             + jnp.sum(0.5 * (standard * standard - z * z) + jnp.log(scale), 2))
    return logsumexp(log_w, 0) - log(k)


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def train(key, steps=4000):
    return ascend(key, estimate, init(key), data(), optax.adam(0.001), steps)


def bounds(key, params, images, k: int, draws: int = 50):
    """L_k of the images, by `draws` estimates of each: (mean, standard error over the draws)."""
    def draw(key):
        return jnp.mean(bound(params, images, jax.random.normal(key, (k, len(images), LATENT))))

    values = jax.lax.map(draw, jax.random.split(key, draws))
    return float(values.mean()), float(values.std(ddof=1) / draws ** 0.5)
