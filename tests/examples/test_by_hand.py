"""The hand-written estimators against their textbook formulas in float64: they are the oracles of everything else."""
from __future__ import annotations

import ast
import re
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from scipy import stats
from scipy.special import expit, logsumexp, softmax

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

from bench.by_hand import air, cone, gmm, gridworld, hmm, iwae, layers, logistic, state_space, vae, vae_categorical  # noqa: E402
from examples.gridworld.world import moves  # noqa: E402

KEY = jax.random.key(20)
Z_LIMIT = 5.0     # of at most 60 z-scores a run: a false alarm in 30,000 runs


def double(tree):
    return jax.tree.map(lambda leaf: np.asarray(leaf, np.float64), tree)


def jittered(params, scale=0.1):
    """Parameters away from their start, where nothing is zero or equal."""
    random = np.random.default_rng(20)
    return jax.tree.map(lambda leaf: np.asarray(leaf + scale * random.normal(size=leaf.shape), np.float32), params)


def drawn(init, scale):
    """Parameters of the shapes that `init` has, normal: drawn by numpy, so that nothing is compiled for them."""
    return jittered(jax.tree.map(lambda leaf: np.zeros(leaf.shape), jax.eval_shape(init, KEY)), scale)


def network(w, x):
    for place in sorted(w, key=int):
        x = (np.maximum(x, 0) if place != "0" else x) @ w[place]["weight"].T + w[place]["bias"]
    return x


def softplus(x):
    return np.logaddexp(0, x)


def unbiased(estimate, exact, draws=4000, blocks=10):
    """The mean of estimate(key) [coordinates] is `exact`: a z-test in every coordinate that varies."""
    keys = jax.random.split(KEY, (blocks, draws // blocks))
    found = np.asarray(jax.jit(lambda keys: jax.lax.map(jax.vmap(estimate), keys))(keys), np.float64)
    found = found.reshape(draws, -1)
    error = found.std(0, ddof=1) / np.sqrt(len(found))
    assert np.all(error < 0.05 * np.linalg.norm(exact)), "too few draws to see a bias"
    assert np.all(np.abs(found.mean(0) - exact) <= Z_LIMIT * error + 1e-5 * np.abs(exact))


def test_rows():
    drawn = np.asarray(jax.vmap(lambda key: layers.rows(key, 7, 3))(jax.random.split(KEY, 3000)))
    assert all(len(set(row)) == 3 for row in drawn.tolist())
    assert stats.chisquare(np.bincount(drawn.ravel(), minlength=7)).pvalue > 1e-5


def test_cone():
    params = jittered(cone.init(None))
    noise = cone.noise(KEY, cone.data())
    p = double(params)
    x = p["mean"][:, None] + np.exp(p["log_sd"])[:, None] * double(noise)
    r = (x ** 2).sum(0)
    direct = (stats.norm.logpdf(x, 0, 10).sum(0) + stats.norm.logpdf(5, r, 0.1 + r / 100)
              - stats.norm.logpdf(x, p["mean"][:, None], np.exp(p["log_sd"])[:, None]).sum(0)).mean()
    assert jax.jit(cone.value)(params, noise, cone.data()) == pytest.approx(direct, rel=1e-5)
    assert cone.exact() == pytest.approx(-5.3232, abs=5e-5)


def log_weight(w, v, images, noise, latent):
    """log p(image, z) − log q(z given image) in float64, noise [..., n, latent]."""
    h = network(v, images)
    loc, scale = h[:, :latent], softplus(h[:, latent:])
    z = loc + scale * noise
    pixels = stats.bernoulli.logpmf(images.astype(int), expit(network(w, z))).sum(-1)
    return pixels + stats.norm.logpdf(z).sum(-1) - stats.norm.logpdf(z, loc, scale).sum(-1)


def test_vae():
    params, images = drawn(vae.init, 0.05), vae.held_out()["images"][:5]
    noise = jax.random.normal(KEY, (5, vae.LATENT))
    p = double(params)
    direct = log_weight(p["w"], p["v"], double(images), double(noise), vae.LATENT)
    np.testing.assert_allclose(jax.jit(vae.bound)(params, images, noise), direct, rtol=1e-5)


def test_iwae():
    params, images = drawn(iwae.init, 0.05), iwae.held_out()["images"][:5]
    noise = jax.random.normal(KEY, (4, 5, iwae.LATENT))
    p = double(params)
    direct = logsumexp(log_weight(p["w"], p["v"], double(images), double(noise), iwae.LATENT), axis=0) - np.log(4)
    np.testing.assert_allclose(jax.jit(iwae.bound)(params, images, noise), direct, rtol=1e-5)


def test_vae_categorical():
    params, images = drawn(vae_categorical.init, 0.05), vae_categorical.held_out()["images"][:3]
    p, x = double(params), double(images)
    q = softmax(network(p["v"], x), axis=1)
    likelihood = [stats.bernoulli.logpmf(x.astype(int), expit(network(p["w"], np.eye(20)[kind]))).sum(1)
                  for kind in range(20)]
    direct = (q * (np.array(likelihood).T - np.log(20) - np.log(q))).sum(1)
    np.testing.assert_allclose(jax.jit(vae_categorical.exact)(params, images), direct, rtol=1e-5)

    everything = jnp.arange(3)

    def slopes(value, uniform):
        """The value, and its derivatives by the last biases of encoder and (a few of) decoder."""
        def shifted(by):
            v, w = (jax.tree.map(jnp.asarray, params[name]) for name in "vw")
            v["2"]["bias"], w["2"]["bias"] = v["2"]["bias"] + by[:20], w["2"]["bias"].at[300:310].add(by[20:])
            return value({"v": v, "w": w}, (everything, uniform), {"images": images})
        found, slope = jax.value_and_grad(shifted)(jnp.zeros(30))
        return jnp.append(slope, found)

    def sampled(key):
        return slopes(vae_categorical.value_reinforce, jax.random.uniform(key, (vae_categorical.DRAWS, 3, 1)))

    unbiased(sampled, np.asarray(jax.jit(lambda: slopes(vae_categorical.value, None))()), draws=4000, blocks=20)


def test_logistic():
    data = logistic.data()
    params = logistic.constrain(jittered({"mean": jnp.zeros(31), "root": jnp.zeros((31, 31))}))
    noise = logistic.noise(KEY, data, particles=3)
    p, features, benign = double(params), double(data["features"]), double(data["benign"])
    weight = p["mean"] + double(noise) @ p["root"].T
    direct = (stats.norm.logpdf(weight).sum(1)
              + stats.bernoulli.logpmf(benign.astype(int), expit(weight @ features.T)).sum(1)
              - stats.multivariate_normal.logpdf(weight, p["mean"], p["root"] @ p["root"].T)).mean()
    assert jax.jit(logistic.value)(params, noise, data) == pytest.approx(direct, rel=1e-5)


def test_gmm():
    data = gmm.data()
    params = gmm.init() | {"weights": jnp.array([0.2, 0.5, 0.3]), "scale": 0.5 + jnp.arange(12).reshape(3, 4) / 10}
    assert jax.jit(gmm.estimate)(KEY, params, data) == pytest.approx(gmm.exact(params, data), rel=1e-5)


def test_hmm():
    params = hmm.init() | {"first": jnp.array([0.3, -0.2]), "scale": jnp.array([1.1, 0.4])}
    for n in (None, 10_000):
        data = hmm.data(n)
        assert jax.jit(hmm.estimate)(KEY, params, data) == pytest.approx(hmm.exact(params, data), rel=1e-5)
    data, step = hmm.data(), 1e-5
    slope = jax.jit(jax.grad(hmm.estimate, argnums=1))(KEY, params, data)
    for name, place in (("move", (0, 1)), ("loc", (1,)), ("scale", (0,)), ("first", (0,))):
        ends = []
        for sign in (1, -1):
            moved = double(params)
            moved[name] = moved[name].copy()
            moved[name][place] += sign * step
            ends.append(hmm.exact(moved, data))
        assert slope[name][place] == pytest.approx((ends[0] - ends[1]) / (2 * step), rel=2e-4, abs=1e-7)


def test_state_space():
    data, n = state_space.data(), 100
    free = jittered(state_space.init(), 0.2)
    params = free | {name: jnp.exp(free[name] - 1) for name in ("drift", "noise", "sd")}
    noise = state_space.noise(KEY, data, particles=3)
    p, y, shocks = double(params), double(data["flow"]), double(noise)
    level = [p["center"][0] + p["sd"][0] * shocks[0]]
    for t in range(1, n):
        level.append(p["center"][t] + p["keep"][t] * (level[-1] - p["center"][t - 1]) + p["sd"][t] * shocks[t])
    level = np.array(level)
    log_p = (stats.norm.logpdf(level[0], 9, 5) + stats.norm.logpdf(level[1:], level[:-1], p["drift"]).sum(0)
             + stats.norm.logpdf(y[:, None], level, p["noise"]).sum(0))
    log_q = stats.norm.logpdf(shocks).sum(0) - np.log(p["sd"]).sum()
    assert jax.jit(state_space.value)(params, noise, data) == pytest.approx((log_p - log_q).mean(), rel=1e-5)

    times = np.arange(n)
    cover = 25 + 0.4 ** 2 * np.minimum.outer(times, times) + 1.2 ** 2 * np.eye(n)
    assert state_space.exact(0.4, 1.2, data) == pytest.approx(
        stats.multivariate_normal.logpdf(y, np.full(n, 9.0), cover), rel=1e-10)


def test_gridworld():
    data = gridworld.data()
    params = {"policy": jax.random.normal(KEY, (25, 4))}
    cells = [0, 7, 18, 23]

    def ends(cell, move, step=1e-5):
        up, down = (double(params["policy"]) + sign * step * (np.arange(100).reshape(25, 4) == 4 * cell + move)
                    for sign in (1, -1))
        return (gridworld.exact({"policy": up}, data, 8) - gridworld.exact({"policy": down}, data, 8)) / (2 * step)

    def sampled(key):
        noise = gridworld.noise(key, data, particles=4, horizon=8)
        value, slope = jax.value_and_grad(gridworld.value)(params, noise, data)
        return jnp.append(slope["policy"][jnp.array(cells)].ravel(), value)

    exact = [ends(cell, move) for cell in cells for move in range(4)]
    unbiased(sampled, np.append(exact, gridworld.exact(params, data, 8)), draws=8000)


def test_air():
    params, images = drawn(air.init, 0.05), air.data(12)["images"][:4]
    noise = jax.random.normal(KEY, (air.SLOTS, 4, 2 + air.SHAPE))
    p, x = double(params), double(images)
    direct = [sum(end(p, image, double(noise)[:, i], bits) for bits in ((0, 0), (1, 0), (1, 1)))
              for i, image in enumerate(x)]
    found, log_q = jax.jit(air.bound)(params, images, noise)
    np.testing.assert_allclose(found, direct, rtol=1e-5)
    np.testing.assert_allclose(np.exp(log_q).sum(0), 1, rtol=1e-5)


def end(p, image, noise, bits):
    """q(bits) · (log p − log q) of one way through the guide for one image, choice by choice."""
    def kernel(corner):
        return np.array([[max(0.0, 1 - abs(j - corner - i)) for j in range(24)] for i in range(8)])

    left, canvas, total, weight, going = image, np.zeros((24, 24)), 0.0, 1.0, 1
    for i, bit in enumerate(bits):
        h = network(p["u"], left.ravel())
        chance, prior = going * expit(h[4]), going * (2 / 3, 1 / 2)[i]
        weight *= chance if bit else 1 - chance
        total += np.log(prior if bit else 1 - prior) - np.log(chance if bit else 1 - chance)
        if bit:
            loc, scale = 8 + 9 * np.tanh(h[:2]), 5 * softplus(h[2:4] - 1.5)
            corner = loc + scale * noise[i, :2]
            g = network(p["v"], (kernel(corner[0]) @ left @ kernel(corner[1]).T).ravel())
            shape = g[:8] + softplus(g[8:]) * noise[i, 2:]
            total += (stats.norm.logpdf(corner, 8, 5) - stats.norm.logpdf(corner, loc, scale)).sum()
            total += (stats.norm.logpdf(shape) - stats.norm.logpdf(shape, g[:8], softplus(g[8:]))).sum()
            seen = kernel(corner[0]).T @ expit(network(p["w"], shape)).reshape(8, 8) @ kernel(corner[1])
            left, canvas = left - seen, canvas + seen
        going = bit
    return weight * (total + stats.norm.logpdf(image, canvas, 0.25).sum())


def test_world():
    """The table in the program is the map's."""
    text = (ROOT / "examples/gridworld/gridworld.pbk").read_text()
    table = re.search(r"^NEXT = (\[.*?^\])", text, re.S | re.M)[1]
    np.testing.assert_array_equal(ast.literal_eval(table), moves())
