"""Log densities: their values against SciPy's, and every derivative against differences of the value itself.

Differences of fourth order in float64, step h = 1e-4: they err by about 1e-10, and 1e-6 is asked.
"""
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from pullback.stdlib.distributions import find, names

pytestmark = pytest.mark.usefixtures("x64", "unoptimized")
H, STENCIL = 1e-4, np.array([1.0, -8, 8, -1]) / 12
STEPS = H * np.array([-2.0, -1, 1, 2])
RANDOM = np.random.default_rng(7)
DIRECTIONS = {shape: RANDOM.normal(size=shape) for shape in [(2,), (3,), (3, 1), (2, 2), (3, 2), (3, 3)]} | {(): 1.0}


def rows_normalized(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def path(domain, v, t):
    """A smooth path through v at t = 0 that stays in the set, in steps relative to v where it is a scale; t: [*batch]."""
    event = v.shape[1:]
    d = jnp.asarray(DIRECTIONS[event], t.dtype)
    t = t.reshape(t.shape + (1,) * len(event))
    match domain:
        case "positive":
            return v * jnp.exp(t * d)
        case "unit":
            return jax.nn.sigmoid(jnp.log(v) - jnp.log1p(-v) + t * d)
        case "simplex":
            return jax.nn.softmax(jnp.log(v) + t * d, -1)
        case "zero_sum":
            return v + t * (d - d.mean())
        case "cholesky":
            return v + t * v @ jnp.tril(d)
        case "positive_definite":
            move = jnp.eye(3, dtype=t.dtype) + t * d
            return move @ v @ jnp.swapaxes(move, -1, -2)
        case "corr_cholesky":
            return rows_normalized(v + t * jnp.tril(d))
        case "corr_matrix":
            L = rows_normalized(jnp.linalg.cholesky(v) + t * jnp.tril(d))
            return L @ jnp.swapaxes(L, -1, -2)
        case "sphere":
            return rows_normalized(v + t * d)
    return v + t * d


def drawn(record, given):
    """Values [count, *event]: draws, and among the first of them 0, ±1 and 2 where those lie inside the support."""
    count = len(next(p for p in given if not isinstance(p, int)))
    if record.observed:
        base = find(record.name.split("censored_")[1])[0]
        x = np.array(base.sample(jax.random.key(3), (count,), *given[:len(base.fields)]))
        return np.stack([x, x + 0.1 + np.abs(x) / 2], -1) if record.rank else x
    x = np.array(record.sample(jax.random.key(3), (count,), *given))
    if record.kind == "real" and record.rank == 0:
        for k, special in enumerate([0.0, 1.0, -1.0, 2.0]):
            near = np.asarray(record.log_prob(np.full(count, special) + 3 * STEPS[:, None], *given))
            x[k] = special if np.isfinite(near[:, k]).all() else x[k]
        if record.support.name == "unit":
            x = np.clip(x, 1e-5, 1 - 1e-5)
    return x


def differentiable(record):
    """The fields in which a derivative may be asked; a delta's density has none in its place."""
    return [i for i, f in enumerate(record.fields)
            if f.kind == "real" and f.name not in record.refused and record.name + "." + f.name not in ("delta.v", "car.adj_matrix")]


def along(record, given, value, dtype=jnp.float64):
    """log p as a function of t [..., fields and value, count], along a path in each, and their number."""
    places = differentiable(record)
    moves_value = record.kind == "real" and record.name != "delta"
    given = [p if isinstance(p, int) else jnp.asarray(p, dtype if p.dtype.kind == "f" else p.dtype) for p in given]
    value = jnp.asarray(value, dtype) if record.kind == "real" else jnp.asarray(value)

    def density(t):
        moved = list(given)
        for row, place in enumerate(places):
            moved[place] = path(record.fields[place].domain, given[place], t[..., row, :])
        return record.log_prob(path(record.support.name, value, t[..., -1, :]) if moves_value else value, *moved)

    return density, len(places) + moves_value


def close(found, right, tolerance, keep=True):
    return np.where(keep, np.abs(found - right) <= tolerance * (1 + np.abs(right)), True)


def test_derivatives(record, points):
    """First derivatives, forward and backward; second derivatives; float32 beside float64."""
    given = points(record)
    value = drawn(record, given)
    density, axes = along(record, given, value)
    count = len(value)
    if axes == 0:
        return
    zero = jnp.zeros((axes, count))
    direction = jnp.asarray(RANDOM.normal(size=(axes, 1)) + np.zeros((axes, count)))
    units = np.concatenate([np.eye(axes), np.ones((1, axes))])[:, None, :, None]  # [axes + 1, 1, axes, 1]
    around = np.asarray(density(jnp.asarray(STEPS[None, :, None, None] * units + np.zeros((axes + 1, 4, axes, count)))))
    right = np.einsum("s,kst->kt", STENCIL, around[:-1]) / H

    gradient = jax.grad(lambda t: density(t).sum())
    beside = np.asarray(gradient(jnp.asarray(STEPS[:, None, None] * np.asarray(direction) + zero)))
    backward, curvature = (np.asarray(x) for x in jax.jvp(gradient, (zero,), (direction,)))
    kink = 0.0
    if record.value_smooth == "continuous":  # where its two sides differ there is no derivative
        kink = np.abs(around[:, 0] - around[:, 1] + around[:, 2] - around[:, 3]).max(0)
    keep = kink < 1e-3 * H
    fine = close(backward, right, 1e-6, keep)
    assert fine.all(), f"{backward[~fine]} for {right[~fine]}, {np.argwhere(~fine).tolist()} at {value.tolist()}"
    _, forward = jax.jvp(density, (zero,), (direction,))
    assert close(np.asarray(forward), (backward * direction).sum(0), 1e-9).all()
    right = np.einsum("s,skt->kt", STENCIL, beside) / H
    fine = close(curvature, right, 1e-5, keep)
    assert fine.all(), f"second: {curvature[~fine]} for {right[~fine]}, {np.argwhere(~fine).tolist()}"

    density32, _ = along(record, given, value, jnp.float32)
    single, pull = jax.vjp(density32, zero.astype(jnp.float32))
    assert single.dtype == jnp.float32
    assert close(np.asarray(single), np.asarray(density(zero)), 2e-4).all()
    assert close(np.asarray(pull(jnp.ones_like(single))[0]), backward, 5e-3, keep).all()
