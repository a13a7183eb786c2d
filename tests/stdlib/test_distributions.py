"""Log densities: their values against SciPy's, and every derivative against differences of the value itself.

Differences of fourth order in float64, step h = 1e-4: they err by about 1e-10, and 1e-6 is asked.
"""
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from pullback.stdlib.distributions import find

pytestmark = pytest.mark.usefixtures("x64", "unoptimized")
H, STENCIL = 1e-4, np.array([1.0, -8, 8, -1]) / 12
STEPS = H * np.array([-2.0, -1, 1, 2])
ROWS = 32
NO_SECOND = {"truncated_gamma", "left_censored_gamma", "right_censored_gamma",
             "interval_censored_gamma",
             "gaussian_copula_beta", "sine_bivariate_von_mises", "dirichlet_multinomial"}  # JAX lacks a gamma's; others slow
SINGLE = {"student_t", "gamma", "beta", "beta_binomial", "negative_binomial2", "poisson", "truncated_normal",
          "hurdle_poisson", "von_mises", "doubly_truncated_power_law", "interval_censored_weibull"}
TRIL = np.array([[1.0, 0, 0], [0.3, 0.8, 0], [-0.2, 0.1, 1.3]])
UNIT_ROWS = TRIL / np.linalg.norm(TRIL, axis=-1, keepdims=True)
ARRAYS = {"simplex": np.array([0.2, 0.3, 0.5]), "cholesky": TRIL, "positive_definite": TRIL @ TRIL.T,
          "corr_cholesky": UNIT_ROWS, "corr_matrix": UNIT_ROWS @ UNIT_ROWS.T}
RANDOM = np.random.default_rng(7)
DIRECTIONS = {shape: RANDOM.normal(size=shape) for shape in [(2,), (3,), (3, 1), (2, 2), (3, 2), (3, 3)]} | {(): 1.0}


def rows_normalized(x):
    return x / jnp.linalg.norm(x, axis=-1, keepdims=True)


def path(domain, v, t):
    """A smooth path through v at t = 0 that stays in the set, in steps relative to v where it is a scale."""
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


def tried(record, given):
    """Values [count, *event] inside the support, the awkward ones among them: 0, ±1, 2, far out, close to an end."""
    count = len(next(p for p in given if not isinstance(p, int)))
    named = {f.name: p for f, p in zip(record.fields, given)}
    kind = record.support.name
    spread = {"real": [0.0, 1.0, -1.0, 2.0, 0.3, -7.0, 30.0], "positive": [1.0, 2.0, 0.3, 1e-3, 20.0],
              "unit": [0.5, 0.3, 1e-3, 0.99], "circular": [0.0, 1.0, -3.0, 2.0], "natural": [0, 1, 2, 7, 30],
              "boolean": [0, 1], "range": [0, 1, 2], "interval": [0.5, 0.1, 0.3, 0.9]}.get(kind, [0.3, -1.0, 2.0])
    x = np.resize(np.array(spread), count)
    if record.name == "delta":
        return named["v"]
    if "total_count" in named and kind == "range":
        return np.minimum(x, named["total_count"])
    if kind == "interval":
        scale = named.get("scale", 1.0) if record.name.startswith("truncated") else 1.0
        match [name for name in ("low", "high") if name in named]:
            case ["low", "high"]:
                return named["low"] + x * (named["high"] - named["low"])
            case ["high"]:
                return named["high"] * (1 - x) if "gamma" in record.name else named["high"] - 3 * x * scale
        return named[min(record.support.moves)] + 3 * x * scale
    if kind == "multinomial":
        count_up = np.stack([x * 0 + 1, named["total_count"] - 1, x * 0], -1).astype(int)
        return RANDOM.permuted(count_up, axis=-1)
    if record.observed:
        return np.stack([x, x + 0.1 + np.abs(x) / 2], -1) if record.rank else x
    if record.rank:
        shape = tuple(record.event({name: (p,) if isinstance(p, int) else p.shape[1:] for name, p in named.items()}))
        if kind in ARRAYS and kind != "real":
            return np.broadcast_to(ARRAYS[kind], (count, *shape))
        x = RANDOM.choice(spread[1:], (count, *shape)) if kind == "unit" else RANDOM.normal(size=(count, *shape))
        if kind == "sphere":
            return x / np.linalg.norm(x, axis=-1, keepdims=True)
        return x - x.mean(-1, keepdims=True) if kind == "zero_sum" else x
    return x


def differentiable(record):
    """The fields in which a derivative may be asked; a delta's density has none in its place."""
    held = {*record.refused, "adj_matrix", *(["v"] if record.name == "delta" else [])}
    return [i for i, f in enumerate(record.fields) if f.kind == "real" and f.name not in held]


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


def away_from_kinks(record, given, value):
    """A Laplace has two sides at its location, and no derivative there."""
    named = dict(zip((f.name for f in record.fields), given))
    if "laplace" not in record.name or "soft" in record.name:
        return np.ones(len(value), bool)
    ends = [value.T.reshape(-1, len(value))] + [named[end][None] for end in ("low", "high") if end in named]
    return np.abs(np.concatenate(ends) - named["loc"]).min(0) > 0.01


def steps(axes, count, direction):
    """Rows of steps: none; four along each axis; four along a direction.  One shape for all: ops compile once."""
    rows = np.zeros((axes, ROWS, count))
    for k in range(axes):
        rows[k, 1 + 4 * k:5 + 4 * k] = STEPS[:, None]
        rows[k, ROWS - 4:] = STEPS[:, None] * direction[k]
    return rows


def test_derivatives(record, points):
    """First derivatives, forward and backward; second derivatives; float32 beside float64."""
    given = points(record)
    value = tried(record, given)
    density, axes = along(record, given, value)
    if axes == 0:
        return
    count, direction = len(value), RANDOM.normal(size=axes)
    rows = steps(axes, count, direction)

    def both(t):
        out, pull = jax.vjp(density, t)
        return out, pull(jnp.ones_like(out))[0]

    unusual = record.rank or any(f.rank for f in record.fields) or record.name in NO_SECOND
    compiled = jax.jit if unusual else lambda f: f
    at_rows, forward = list(map(jnp.asarray, rows)), None
    if record.name in NO_SECOND or isinstance(given[0], int) or record.log_prob.__module__.endswith("table"):
        at, gradient = compiled(both)(at_rows)
    else:  # op by op, where the ops are those of all other distributions and compiled already
        moving = [jnp.full_like(row, d) for row, d in zip(rows, direction)]
        (at, gradient), (forward, curvature) = compiled(lambda *ts: jax.jvp(both, *((t,) for t in ts)))(at_rows, moving)
    at, gradient = np.asarray(at), np.asarray(gradient)
    backward, keep = gradient[:, 0], away_from_kinks(record, given, value)
    right = np.einsum("s,kst->kt", STENCIL, at[1:1 + 4 * axes].reshape(axes, 4, count)) / H
    fine = close(backward, right, 1e-6, keep)
    assert fine.all(), f"{backward[~fine]} for {right[~fine]}, {np.argwhere(~fine).tolist()} at {value.tolist()}"[:2000]
    if forward is not None:
        assert close(np.asarray(forward[0]), direction @ backward, 1e-9).all()
        right = np.einsum("s,kst->kt", STENCIL, gradient[:, -4:]) / H
        curvature = np.asarray(curvature)[:, 0]
        fine = close(curvature, right, 1e-5, keep)
        assert fine.all(), f"second: {curvature[~fine]} for {right[~fine]}, {np.argwhere(~fine).tolist()}"
    if record.name not in SINGLE:
        return
    single, pull = jax.vjp(along(record, given, value, jnp.float32)[0], list(jnp.zeros_like(rows, jnp.float32)))
    assert single.dtype == jnp.float32
    fine = close(np.asarray(single), at[0], 2e-4)
    assert fine.all(), f"{single[0]} for {at[0]}"
    fine = close(np.asarray(pull(jnp.ones_like(single))[0])[:, 0], backward, 5e-3, keep)
    assert fine.all()


def test_draws_follow_the_parameters(record, points):
    """The derivative of a draw at fixed noise against differences.

    With the law right at all parameters, which test_samplers sees to, it is a pathwise derivative.
    """
    if record.noise is None or record.kind != "real":
        return
    given = points(record)
    sizes = {f.name: (p,) if isinstance(p, int) else p.shape[1:] for f, p in zip(record.fields, given)}
    noise = record.noise.draw(jax.random.key(5), (len(given[0]),), jnp.float64, tuple(record.event(sizes)))
    moving = [i for i, f in enumerate(record.fields) if f.name in record.reparameterized]
    direction = 1 + 0.2 * np.arange(len(moving))
    row = np.zeros((ROWS, len(given[0])))
    row[1:5] = STEPS[:, None]

    def pushed(t):
        moved = [p if isinstance(p, int) else jnp.asarray(p) for p in given]
        for i, d in zip(moving, direction):
            moved[i] = path(record.fields[i].domain, moved[i], d * t)
        return record.noise.push(noise, *moved)

    compiled = jax.jit if record.rank or record.implicit else lambda f: f
    moved = compiled(lambda t: jax.jvp(pushed, (t,), (jnp.ones_like(t),)))(jnp.asarray(row))
    at, found = (np.asarray(x) for x in moved)
    right = np.tensordot(STENCIL, at[1:5], 1) / H
    assert np.allclose(found[0], right, rtol=1e-6 if "laplace" not in record.name else 1e-4, atol=1e-7)


def test_values_are_scipys(law):
    name, given, scipy = law
    record = find(name)[0]
    its = [jnp.asarray(p) for p in given]
    x = np.arange(12) if record.kind == "int" else scipy.ppf([0.001, 0.1, 0.35, 0.5, 0.7, 0.9, 0.999])
    with np.errstate(all="ignore"):
        right = scipy.logpmf(x) if record.kind == "int" else scipy.logpdf(x)
    row = np.zeros((ROWS, 16))  # one shape for all, which is compiled already
    found = np.asarray(record.log_prob(jnp.asarray(np.resize(x, row.shape)), *its))
    assert np.allclose(found.ravel()[:len(x)], right, rtol=1e-9, atol=1e-9)
    if record.mean is not None and np.isfinite(scipy.mean()):
        assert np.allclose(record.mean(*its), scipy.mean(), rtol=1e-6)


MATRIX_LAWS = [
    ("multivariate_normal", "covariance_matrix", (ARRAYS["simplex"], ARRAYS["positive_definite"]),
     lambda m, c: st.multivariate_normal(m, c)),
    ("multivariate_normal", "precision_matrix", (ARRAYS["simplex"], ARRAYS["positive_definite"]),
     lambda m, p: st.multivariate_normal(m, np.linalg.inv(p))),
    ("multivariate_normal", "scale_tril", (0.0, TRIL), lambda m, L: st.multivariate_normal(np.zeros(3), L @ L.T)),
    ("multivariate_student_t", "scale_tril", (2.3, ARRAYS["simplex"], TRIL),
     lambda df, m, L: st.multivariate_t(m, L @ L.T, df)),
    ("dirichlet", "concentration", (np.array([2.3, 1.0, 0.7]),), lambda a: st.dirichlet(a)),
    ("wishart", "scale_matrix", (4.5, ARRAYS["positive_definite"]), lambda c, s: st.wishart(c, s)),
    ("inverse_wishart", "scale_matrix", (4.5, ARRAYS["positive_definite"]), lambda c, s: st.invwishart(c, s)),
    ("matrix_normal", "loc", (DIRECTIONS[(3, 2)], TRIL, TRIL[:2, :2]),
     lambda m, L, M: st.matrix_normal(m, L @ L.T, M @ M.T)),
]


@pytest.mark.parametrize("name, field, given, scipy", MATRIX_LAWS, ids=[f"{row[0]}-{row[1]}" for row in MATRIX_LAWS])
def test_values_of_arrays_are_scipys(name, field, given, scipy):
    record = next(r for r in find(name) if r.field(field))
    law = scipy(*given)
    x = law.rvs(size=3, random_state=np.random.default_rng(1))
    right = [law.logpdf(v / v.sum() if name == "dirichlet" else v) for v in x]
    assert np.allclose(record.log_prob(jnp.asarray(x), *map(jnp.asarray, given)), right, rtol=1e-8)
