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
ROWS = 32
NO_SECOND = {"truncated_gamma", "left_censored_gamma", "right_censored_gamma", "interval_censored_gamma"}  # JAX has none
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
    """log p as a function of steps t (one array [ROWS, count] a field, one for the value) along a path in each."""
    places = differentiable(record)
    moves_value = record.kind == "real" and record.name != "delta"
    given = [p if isinstance(p, int) else jnp.asarray(p, dtype if p.dtype.kind == "f" else p.dtype) for p in given]
    value = jnp.asarray(value, dtype) if record.kind == "real" else jnp.asarray(value)

    def density(t):
        moved = list(given)
        for place, step in zip(places, t):
            moved[place] = path(record.fields[place].domain, given[place], step)
        return record.log_prob(path(record.support.name, value, t[-1]) if moves_value else value, *moved)

    return density, len(places) + moves_value


def close(found, right, tolerance, keep=True):
    return np.where(keep, np.abs(found - right) <= tolerance * (1 + np.abs(right)), True)


def steps(axes, count, direction):
    """Rows of steps: none; four along each axis; four along a direction.  All calls have one shape, and compile once."""
    rows = np.zeros((axes, ROWS, count))
    for k in range(axes):
        rows[k, 1 + 4 * k:5 + 4 * k] = STEPS[:, None]
        rows[k, ROWS - 4:] = STEPS[:, None] * direction[k]
    return rows


def test_derivatives(record, points):
    """First derivatives, forward and backward; second derivatives; float32 beside float64."""
    given = points(record)
    value = drawn(record, given)
    density, axes = along(record, given, value)
    if axes == 0:
        return
    count, direction = len(value), RANDOM.normal(size=axes)
    rows = steps(axes, count, direction)

    def both(t):
        out, pull = jax.vjp(density, t)
        return out, pull(jnp.ones_like(out))[0]

    if record.name in NO_SECOND:
        at, gradient = both(list(map(jnp.asarray, rows)))
        forward = curvature = None
    else:
        moving = [jnp.full_like(row, d) for row, d in zip(rows, direction)]
        (at, gradient), (forward, curvature) = jax.jvp(both, (list(map(jnp.asarray, rows)),), (moving,))
    at, gradient = np.asarray(at), np.asarray(gradient)
    backward, kink = gradient[:, 0], 0.0
    if record.value_smooth == "continuous":  # where its two sides differ there is no derivative
        kink = np.abs(at[-4] - at[-3] + at[-2] - at[-1])
    keep = kink < 1e-3 * H
    right = np.einsum("s,kst->kt", STENCIL, at[1:1 + 4 * axes].reshape(axes, 4, count)) / H
    fine = close(backward, right, 1e-6, keep)
    assert fine.all(), f"{backward[~fine]} for {right[~fine]}, {np.argwhere(~fine).tolist()} at {value.tolist()}"
    if forward is not None:
        assert close(np.asarray(forward[0]), direction @ backward, 1e-9).all()
        right = np.einsum("s,kst->kt", STENCIL, gradient[:, -4:]) / H
        curvature = np.asarray(curvature)[:, 0]
        fine = close(curvature, right, 1e-5, keep)
        assert fine.all(), f"second: {curvature[~fine]} for {right[~fine]}, {np.argwhere(~fine).tolist()}"

    single, pull = jax.vjp(along(record, given, value, jnp.float32)[0], list(jnp.zeros_like(rows, jnp.float32)))
    assert single.dtype == jnp.float32
    fine = close(np.asarray(single), at[0], 2e-4)
    assert fine.all(), f"{single[0]} for {at[0]}"
    fine = close(np.asarray(pull(jnp.ones_like(single))[0])[:, 0], backward, 5e-3, keep)
    assert fine.all()
