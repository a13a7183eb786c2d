"""Attend, infer, repeat: 0, 1 or 2 digits on a canvas, the presence bits summed out, position and shape by their noise.

A presence bit that is 0 ends the loop, so three ends are left of four: the ELBO of an image is
    q(0) f(0) + q(1) f(1) + q(2) f(2),
and the networks run once for each slot, whatever the bits.  A glyph is placed and read by two products with the
triangular kernel max(0, 1 − |canvas pixel − corner − window pixel|), which moves it by fractions of a pixel.
"""
from __future__ import annotations

from math import log, pi

import jax
import jax.numpy as jnp
import numpy as np
import optax
from jax.nn import log_sigmoid, sigmoid, softplus

from bench.by_hand.layers import apply, dense, rows
from bench.by_hand.training import ascend
from examples import data as sets

SLOTS, CANVAS, WINDOW, SHAPE, BATCH = 2, 24, 8, 8, 64
INK_SD, CENTER, SPREAD = 0.25, 8.0, 5.0


def data(n=10_000):
    return {"images": jnp.asarray(sets.canvases(n, seed=0)["images"])}


def held_out(n=1500):
    return sets.canvases(n, seed=1, held_out=True)


def init(key):
    decoder, finder, encoder = jax.random.split(key, 3)
    return {"u": dense(finder, CANVAS ** 2, 200, 200, 5), "v": dense(encoder, WINDOW ** 2, 200, 2 * SHAPE),
            "w": dense(decoder, SHAPE, 200, WINDOW ** 2)}


def noise(key, data, batch=BATCH):
    for_rows, for_slots = jax.random.split(key)
    return rows(for_rows, len(data["images"]), batch), jax.random.normal(for_slots, (SLOTS, batch, 2 + SHAPE))


def kernels(corner):
    """The two kernels [n, 8, 24], down and across, of windows at `corner` [n, 2]."""
    apart = jnp.arange(CANVAS) - corner[:, :, None, None] - jnp.arange(WINDOW)[:, None]
    kernel = jnp.maximum(0, 1 - jnp.abs(apart))
    return kernel[:, 0], kernel[:, 1]


def slot(params, left, noise):
    """What one step sees in what is `left` of the images: log odds of an object, log p − log q of it, its picture."""
    h = apply(params["u"], left.reshape(len(left), -1))
    place, scale = CENTER + 9 * jnp.tanh(h[:, :2]), SPREAD * softplus(h[:, 2:4] - 1.5)
    corner = place + scale * noise[:, :2]
    down, across = kernels(corner)
    window = down @ left @ across.mT
    g = apply(params["v"], window.reshape(len(left), -1))
    width = softplus(g[:, SHAPE:])
    shape = g[:, :SHAPE] + width * noise[:, 2:]
    glyph = sigmoid(apply(params["w"], shape)).reshape(-1, WINDOW, WINDOW)
    gain = (0.5 * (jnp.sum(noise * noise, 1) - jnp.sum(((corner - CENTER) / SPREAD) ** 2, 1) - jnp.sum(shape * shape, 1))
            + jnp.sum(jnp.log(scale / SPREAD), 1) + jnp.sum(jnp.log(width), 1))
    return h[:, 4], gain, down.mT @ glyph @ across


def likelihood(images, canvas):
    """Log density of the ink, but for its constant."""
    return -0.5 / INK_SD ** 2 * jnp.sum((images - canvas) ** 2, (1, 2))


def bound(params, images, noise):
    """One draw of each image's ELBO [n], and the log probabilities of 0, 1 and 2 objects [3, n]."""
    odds1, gain1, first = slot(params, images, noise[0])
    odds2, gain2, second = slot(params, images - first, noise[1])
    yes1 = log_sigmoid(odds1)
    log_q = jnp.stack([log_sigmoid(-odds1), yes1 + log_sigmoid(-odds2), yes1 + log_sigmoid(odds2)])
    log_p = jnp.stack([likelihood(images, 0), likelihood(images, first) + gain1,
                       likelihood(images, first + second) + gain1 + gain2])
    constant = -log(3) - CANVAS ** 2 * (log(INK_SD) + 0.5 * log(2 * pi))
    return jnp.sum(jnp.exp(log_q) * (log_p - log_q), 0) + constant, log_q


def value(params, noise, data):
    picked, standard = noise
    return jnp.mean(bound(params, data["images"][picked], standard)[0])


def estimate(key, params, data):
    return value(params, noise(key, data), data)


def train(key, steps=3000):
    return ascend(key, estimate, init(key), data(), optax.adam(0.001), steps)


def accuracy(key, params, canvases) -> float:
    """How often the likeliest count is the true one."""
    images = jnp.asarray(canvases["images"])
    _, log_q = bound(params, images, jax.random.normal(key, (SLOTS, len(images), 2 + SHAPE)))
    return float(np.mean(np.argmax(log_q, 0) == canvases["counts"]))
