"""Draws: their law, their pathwise derivatives, and what enumeration takes in their place.

A test of a law raises a false alarm once in 10⁶ runs, and so does one z-score beyond 4.9; there are about 80 in all, so
that a run is spoilt once in 10⁴.  Seeds are fixed.
"""
import jax
import jax.numpy as jnp
import numpy as np
import pytest
import scipy.stats as st

from pullback.stdlib.distributions import find, names

pytestmark = pytest.mark.usefixtures("unoptimized")
COUNT, ALARM = 4000, 1e-6
TRIL = np.array([[1.0, 0, 0], [0.3, 0.8, 0], [-0.2, 0.1, 1.3]])


def test_draws_have_the_law_of_scipy(law):
    """In float32: Kolmogorov–Smirnov for numbers, chi-square for counts.  Draws are noise pushed through the parameters."""
    name, given, scipy = law
    record, key = find(name)[0], jax.random.key(11)
    its = [jnp.asarray(p, jnp.float32 if np.asarray(p).dtype.kind == "f" else None) for p in given]
    x = np.asarray(record.sample(key, (COUNT,), *its))
    assert x.shape == (COUNT,) and x.dtype == (np.int32 if record.kind == "int" else np.float32)
    if record.noise is not None:
        assert (x == record.noise.push(record.noise.draw(key, (COUNT,), jnp.float32, ()), *its)).all()
    if record.kind == "real":
        assert st.kstest(x.astype(float), scipy.cdf).pvalue > ALARM
        assert np.isfinite(record.log_prob(x, *its)).all()
        return
    edge = int(scipy.ppf(0.99)) + 1
    seen = np.bincount(np.minimum(x, edge), minlength=edge + 1)
    right = np.append(scipy.pmf(np.arange(edge)), scipy.sf(edge - 1)) * COUNT
    assert (seen[right == 0] == 0).all()
    few = right < 5
    seen, right = np.append(seen[~few], seen[few].sum()), np.append(right[~few], right[few].sum())
    assert st.chisquare(*(a[right > 0] for a in (seen, right * seen.sum() / right.sum()))).pvalue > ALARM


def test_draws_at_fixed_noise_follow_the_parameters(record, points, x64):
    """The derivative of push against differences; with the law right at all parameters it is a pathwise derivative."""
    if record.noise is None or record.kind != "real":
        return
    given = points(record, 8)
    sizes = {f.name: (p,) if isinstance(p, int) else p.shape[1:] for f, p in zip(record.fields, given)}
    noise = record.noise.draw(jax.random.key(5), (8,), jnp.float64, tuple(record.event(sizes)))
    moving = [i for i, f in enumerate(record.fields) if f.name in record.reparameterized]
    toward = [np.broadcast_to(np.eye(3) if f.rank == 2 else 1.0, np.shape(given[i])) * (1 + 0.1 * k) if
              f.domain != "circular" else 0 for k, (i, f) in enumerate((i, record.fields[i]) for i in moving)]

    def pushed(t):
        moved = [jnp.asarray(p) if not isinstance(p, int) else p for p in given]
        for i, d in zip(moving, toward):
            moved[i] = moved[i] + t * (d if record.fields[i].domain == "real" else d * moved[i] * 0.3)
        return record.noise.push(noise, *moved)

    _, found = jax.jvp(pushed, (0.0,), (1.0,))
    h = 1e-4
    right = (8 * (pushed(h) - pushed(-h)) - (pushed(2 * h) - pushed(-2 * h))) / (12 * h)
    assert np.allclose(found, right, rtol=1e-6, atol=1e-7)


SCORED = [  # a distribution, the fields of its parametrization, parameters
    ("gamma", (2.3, 1.7)), ("gamma", (0.4, 1.7)), ("chi2", (3.3,)), ("inverse_gamma", (4.3, 1.7)), ("student_t", (3.3, 0.3, 1.7)),
    ("beta", (2.3, 0.7)), ("beta_proportion", (0.3, 4.0)), ("dirichlet", (np.array([2.3, 1.0, 0.7]),)),
    ("von_mises", (0.3, 1.7)), ("von_mises", (0.3, 0.2)), ("truncated_gamma", (2.3, 1.7, 0.5, 2.0)),
    ("low_rank_multivariate_normal", (np.array([0.3, -1.0, 0.0]), np.array([[0.5], [-1.0], [0.2]]), np.array([0.7, 1.0, 2.0]))),
    ("multivariate_student_t", (3.3, np.array([0.3, -1.0, 0.0]), TRIL)),
    ("matrix_normal", (np.array([[0.3, -1.0], [0.0, 0.5], [2.0, 1.0]]), TRIL, TRIL[:2, :2])),
    ("gaussian_random_walk", (1.7, 3)), ("circulant_normal", (np.zeros(3), np.array([2.0, 0.5, 0.5]))),
    ("car", (np.zeros(3), 0.3, 1.7, np.array([[0.0, 1, 1], [1, 0, 0], [1, 0, 0]]))),
    ("lkj", (3, 1.7)), ("lkj_cholesky", (3, 1.7)), ("wishart", (4.5, TRIL @ TRIL.T)), ("wishart_cholesky", (4.5, TRIL @ TRIL.T)),
    ("inverse_wishart", (6.5, TRIL @ TRIL.T)), ("inverse_wishart_cholesky", (6.5, TRIL @ TRIL.T)),
]


@pytest.mark.parametrize("name, given", SCORED, ids=[f"{name}-{i}" for i, (name, _) in enumerate(SCORED)])
def test_pathwise_and_score_derivatives_agree(name, given):
    """Both estimate d/dθ E f: their difference over common draws has mean 0.  Where a cut does not move."""
    record, key = find(name)[0], jax.random.key(13)
    fixed = {"low", "high"}
    moving = [i for i, f in enumerate(record.fields) if f.name in record.reparameterized - fixed]
    given = [p if isinstance(p, int) else jnp.asarray(p, jnp.float32) for p in given]

    def moved(t):
        out = list(given)
        for i, step in zip(moving, t):
            out[i] = out[i] + (step if record.fields[i].rank < 2 else step * out[i])
        return out

    def sized(p, f):
        return p if isinstance(p, int) else jnp.broadcast_to(p, (COUNT,) + jnp.shape(p)[jnp.ndim(p) - f.rank:])

    def f(x):
        y = jnp.cos(x + 0.3) if record.periodic else jnp.tanh(x)
        return y.reshape(COUNT, -1) @ jnp.arange(1.0, 1 + y.size // COUNT)

    def drawn(t):
        return f(record.sample(key, (COUNT,), *map(sized, moved(t), record.fields)))

    zero = [jnp.zeros(())] * len(moving)
    x = jax.lax.stop_gradient(record.sample(key, (COUNT,), *map(sized, given, record.fields)))
    for k in range(len(moving)):
        unit = [jnp.asarray(float(i == k)) for i in range(len(moving))]
        value, path = jax.jvp(drawn, (zero,), (unit,))
        _, score = jax.jvp(lambda t: record.log_prob(x, *map(sized, moved(t), record.fields)), (zero,), (unit,))
        gap = np.asarray(path - (value - value.mean()) * score, float)
        z = gap.mean() / (gap.std() / COUNT ** 0.5 + 1e-7)
        assert abs(z) < 4.9, f"{record.fields[moving[k]].name}: z = {z:.1f}, {path.mean()} and {(value * score).mean()}"


def test_a_gammas_draw_moves_as_its_distribution_function_says(x64):
    """dx/da = −F_a/p, draw by draw."""
    a = np.array([0.4, 1.0, 2.3, 9.0])
    x, moved = jax.jvp(lambda a: find("gamma")[0].sample(jax.random.key(2), (4,), a, 1.0), (jnp.asarray(a),), (jnp.ones(4),))
    h = 1e-5
    slope = (st.gamma(a + h).cdf(x) - st.gamma(a - h).cdf(x)) / (2 * h)
    assert np.allclose(moved, -slope / st.gamma(a).pdf(x), rtol=1e-6)


ENUMERATED = [
    ("bernoulli", "probs", lambda p: (p,), [0.0, 0.5, 1.0]), ("bernoulli", "logits", lambda p: (p,), [0.0, 5.0]),
    ("binomial", "probs", lambda p: (5, p), [0.0, 0.5, 1.0]), ("binomial", "logits", lambda p: (5, p), [0.0, -3.0]),
    ("categorical", "probs", lambda p: (jnp.stack([p, 0.3 * (1 - p), 0.7 * (1 - p)]),), [0.0, 0.5, 1.0]),
    ("categorical", "logits", lambda t: (jnp.stack([t, 0 * t, -t]),), [0.0, 2.0]),
    ("ordered_logistic", "predictor", lambda t: (t, jnp.asarray([-1.0, 0.0, 1.5])), [0.0, 2.0]),
    ("beta_binomial", "concentration1", lambda a: (a, 2.0, 6), [0.4, 1.0]),
    ("discrete_uniform", "low", lambda p: (1, 4), [0.0]),
]


@pytest.mark.parametrize("name, field, given, at", ENUMERATED, ids=[f"{row[0]}-{row[1]}" for row in ENUMERATED])
def test_probabilities_of_a_finite_support(name, field, given, at, x64):
    """They sum to 1, are exp(log p), and have the right derivative at 0, ½ and 1 (one-sided differences there)."""
    record = next(r for r in find(name) if r.field(field))
    for p in at:
        its = given(jnp.asarray(p))
        shapes = {f.name: jnp.shape(v)[-1:] if f.rank else () for f, v in zip(record.fields, its)}
        known = {f.name: v for f, v in zip(record.fields, its) if isinstance(v, int)}
        size = record.finite.size(shapes, known)
        values = record.finite.values(size)
        chances = lambda p: record.finite.probabilities(size, *given(p))
        found = np.asarray(chances(jnp.asarray(p)))
        assert found.shape == (size,) and abs(found.sum() - 1) < 1e-12
        assert np.allclose(found, np.exp(record.log_prob(values, *its)), atol=1e-12)
        slope = np.asarray(jax.jacfwd(chances)(jnp.asarray(p)))
        h = 1e-6 * (-1 if p == 1.0 else 1)
        right = (-3 * found + 4 * np.asarray(chances(jnp.asarray(p + h))) - np.asarray(chances(jnp.asarray(p + 2 * h)))) / (2 * h)
        assert np.allclose(slope, right, atol=1e-6) and np.allclose(slope, jax.jacrev(chances)(jnp.asarray(p)))
        if name == "binomial" and field == "probs":
            second = np.asarray(jax.jacfwd(jax.jacrev(chances))(jnp.asarray(p)))
            beside = [np.asarray(jax.jacrev(chances)(jnp.asarray(p + k * h))) for k in (0, 1, 2)]
            assert np.allclose(second, (-3 * beside[0] + 4 * beside[1] - beside[2]) / (2 * h), atol=1e-4)


def test_finite_supports_of_unknown_size():
    for name in ("binomial", "beta_binomial", "discrete_uniform"):
        assert all(r.finite.size({f.name: () for f in r.fields}, {}) is None for r in find(name))
    dice = find("discrete_uniform")[0]
    assert dice.finite.size({}, {"low": -1, "high": 2}) is None
    assert np.allclose(dice.finite.probabilities(7, 1, 6), [0] + [1 / 6] * 6)


def test_the_tail_of_a_categorical_in_float32():
    """The uniform's steps are 2⁻³² near 0: a probability of 1e-6 in front is met as often as it should be; 0 never is."""
    probs = jnp.asarray([0.0, 1e-6, 0.5, 0.0, 0.5 - 1e-6, 0.0])
    record = find("categorical")[0]
    x = np.bincount(np.asarray(record.sample(jax.random.key(3), (4_000_000,), probs)), minlength=6)
    assert x[0] == x[3] == x[5] == 0
    assert st.poisson.sf(x[1] - 1, 4) > ALARM and st.poisson.cdf(x[1], 4) > ALARM
    assert abs(x[2] - 2e6) < 5 * 1e3
    noise = jnp.asarray([0.0, 1 - 2.0 ** -24], jnp.float32)
    assert record.noise.push(noise, probs).tolist() == [1, 4]
    coin = find("bernoulli")[0]
    assert coin.noise.push(noise, jnp.asarray(0.0)).tolist() == [0, 0] and coin.noise.push(noise, jnp.asarray(1.0)).tolist() == [1, 1]


def test_shapes_and_names(points):
    """Every draw has the shape that its record says, also where the batch is wider than the parameters'."""
    assert all(find(name) for name in names()) and find("no_such_thing") == ()
    assert [r.fields[-1].name for r in find("multivariate_normal")] == ["covariance_matrix", "precision_matrix", "scale_tril"]
    assert [r.fields[0].name for r in find("bernoulli")] == [r.fields[0].name for r in find("categorical")] == ["probs", "logits"]
    for name in ("normal", "categorical", "multivariate_normal", "dirichlet", "zero_sum_normal", "lkj_cholesky", "multinomial"):
        record = find(name)[0]
        given = [p if isinstance(p, int) else p[:2] for p in points(record, 2)]
        sizes = {f.name: (p,) if isinstance(p, int) else p.shape[1:] for f, p in zip(record.fields, given)}
        x = record.sample(jax.random.key(0), (5, 2), *given)
        assert x.shape == (5, 2) + tuple(record.event(sizes)) and record.log_prob(x, *given).shape == (5, 2)


def test_what_was_censored_is_not_drawn():
    record = find("right_censored_normal")[0]
    assert "only be observed" in record.observed
    with pytest.raises(ValueError, match="draw from `normal`"):
        record.sample(jax.random.key(0), (), 0.0, 1.0, 1)


def test_every_record_is_described():
    for name in names():
        for record in find(name):
            assert record.doc and name.islower() and set(record.refused) | record.reparameterized <= {f.name for f in record.fields}
            assert record.support.moves <= {f.name for f in record.fields}


def test_log_densities_under_symbolic_sizes():
    """JAX tells the shape of a log density while sizes are not known yet."""
    from jax import export
    n, d = export.symbolic_shape("n, d")
    real = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.float32)
    whole = lambda *shape: jax.ShapeDtypeStruct(shape, jnp.int32)
    asked = [("normal", real(n), real(), real()), ("gamma", real(n), real(n), real()), ("bernoulli", whole(n), real(n)),
             ("poisson", whole(n), real()), ("categorical", whole(n), real(n, d)), ("categorical", whole(n), real(d)),
             ("dirichlet", real(n, d), real(d)), ("multivariate_normal", real(n, d), real(d), real(d, d)),
             ("truncated_normal", real(n), real(), real(), real(), real()), ("beta", real(n), real(), real())]
    for name, *arguments in asked:
        assert jax.eval_shape(find(name)[0].log_prob, *arguments).shape == (n,), name
