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
DIRECTIONS = {shape: RANDOM.normal(size=shape) for shape in [(), (2,), (3,), (3, 1), (2, 2), (3, 2), (3, 3)]}


def rows_normalized(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def lower(x):
    return jnp.tril(x)


def path(domain, v, t):
    """A smooth path through v at t = 0 that stays in the set; t: [*batch]."""
    event = v.shape[t.ndim:] if v.ndim > t.ndim else ()
    d = DIRECTIONS[tuple(event)] if event else 1.0
    t = t.reshape(t.shape + (1,) * len(event))
    match domain:
        case "positive" | "positive_support":
            return v * jnp.exp(t * d)
        case "unit":
            return jax.nn.sigmoid(jnp.log(v) - jnp.log1p(-v) + t * d)
        case "simplex" | "zero_sum":
            return v + t * 0.3 * (d - d.mean())
        case "cholesky":
            return v + t * lower(d)
        case "positive_definite":
            return v + t * (d + d.T)
        case "corr_cholesky":
            return rows_normalized(v + t * lower(d))
        case "corr_matrix":
            L = rows_normalized(jnp.linalg.cholesky(v) + t * lower(d))
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
    """log p as a function of t [fields and value, *batch], along a path in each, and their number."""
    places = differentiable(record)
    moves_value = record.kind == "real" and record.name != "delta"
    given = [p if isinstance(p, int) else jnp.asarray(p, dtype if p.dtype.kind == "f" else p.dtype) for p in given]
    value = jnp.asarray(value, dtype) if record.kind == "real" else jnp.asarray(value)
    inside = {"real": "real", "interval": "real", "positive": "positive_support"}.get(record.support.name, record.support.name)

    def density(t):
        moved = list(given)
        for row, place in enumerate(places):
            moved[place] = path(record.fields[place].domain, given[place], t[row])
        x = path("real" if record.observed else inside, value, t[len(places)]) if moves_value else value
        return record.log_prob(x, *moved)

    return density, len(places) + moves_value


def smooth_there(record, density, axes, count):
    """Is the element away from a kink, where the value has one?"""
    if record.value_smooth != "continuous":
        return np.ones(count, bool)
    ones = jnp.ones((axes, count)) * np.arange(1, axes + 1)[:, None]
    at = [np.asarray(density(s * H * ones)) for s in (-8, -4, 0, 4, 8)]
    return np.abs((at[1] - at[0]) - (at[4] - at[3])) < 0.02 * H * 4 + 0.1 * np.abs(at[1] - at[0])


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
    gradient = jax.grad(lambda t: density(t).sum())
    backward = np.asarray(gradient(zero))
    keep = smooth_there(record, density, axes, count)
    for k in range(axes):
        unit = np.zeros((axes, 1))
        unit[k] = 1
        right = sum(c * np.asarray(density(zero + s * unit)) for s, c in zip(STEPS, STENCIL)) / H
        fine = close(backward[k], right, 1e-6, keep)
        assert fine.all(), f"axis {k}: {backward[k][~fine]} for {right[~fine]} at {np.asarray(value)[~fine]}"
    direction = jnp.asarray(RANDOM.normal(size=(axes, 1)) + np.zeros((axes, count)))
    _, forward = jax.jvp(density, (zero,), (direction,))
    assert close(np.asarray(forward), (backward * direction).sum(0), 1e-9).all()
    _, curvature = jax.jvp(gradient, (zero,), (direction,))
    right = sum(c * np.asarray(gradient(zero + s * direction)) for s, c in zip(STEPS, STENCIL)) / H
    fine = close(np.asarray(curvature), right, 1e-5, keep)
    assert fine.all(), f"second: {np.asarray(curvature)[~fine]} for {right[~fine]}"

    density32, _ = along(record, given, value, jnp.float32)
    single = np.asarray(density32(zero.astype(jnp.float32)))
    assert single.dtype == np.float32
    assert close(single, np.asarray(density(zero)), 2e-4).all()
    single = np.asarray(jax.grad(lambda t: density32(t).sum())(zero.astype(jnp.float32)))
    assert close(single, backward, 5e-3, keep).all()
