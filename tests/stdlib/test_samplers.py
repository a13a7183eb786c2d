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
    """In float32: Kolmogorov–Smirnov for numbers, chi-square for counts.  A draw is its noise pushed through."""
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


OWN = [  # SciPy has none of these: against the integral of the density, which is tested elsewhere
    ("truncated_cauchy", (0.3, 1.7, -1.0, 2.0)), ("truncated_cauchy", (0.3, 1.7, 3.0, 9.0)),
    ("truncated_laplace", (0.3, 1.7, -1.0, 2.0)), ("truncated_laplace", (0.3, 1.7, -5.0, 0.0)),
    ("truncated_logistic", (0.3, 1.7, -1.0, 20.0)), ("truncated_soft_laplace", (0.3, 1.7, -1.0, 2.0)),
    ("truncated_soft_laplace", (0.0, 0.1, 2.0, 3.0)), ("truncated_student_t", (2.3, 0.3, 1.7, -1.0, 2.0)),
    ("truncated_student_t", (2.3, 0.3, 1.7, 4.0, 9.0)), ("truncated_gamma", (2.3, 1.7, 0.5, 2.0)),
    ("kumaraswamy", (1.3, 2.3, 0.0, 1.0)), ("relaxed_bernoulli", (1.5, 0.3, 0.0, 1.0)),
    ("asymmetric_laplace_quantile", (0.3, 0.2, 0.7, -10.0, 12.0))]


@pytest.mark.parametrize("name, given", OWN, ids=[f"{name}{given}" for name, given in OWN])
def test_draws_have_the_law_of_the_density(name, given):
    record = find(name)[0]
    low, high = given[-2:]
    its = given[:len(record.fields)]
    grid = np.linspace(low, high, COUNT + 1)
    middle = jnp.asarray((grid[1:] + grid[:-1]) / 2, jnp.float32)
    mass = np.append(0, np.cumsum(np.exp(np.asarray(record.log_prob(middle, *its), float)))) * (grid[1] - grid[0])
    assert abs(mass[-1] - 1) < 2e-3
    x = np.asarray(record.sample(jax.random.key(17), (COUNT,), *its))
    assert st.kstest(x.astype(float), lambda x: np.interp(x, grid, mass / mass[-1])).pvalue > ALARM


COUNTED = [("zero_inflated_poisson", (0.3, 1.7)), ("zero_inflated_negative_binomial2", (3.7, 2.3, 0.3)),
           ("hurdle_poisson", (0.3, 1.7)), ("hurdle_negative_binomial2", (0.3, 1.2, 0.7)),
           ("ordered_logistic", (0.3, np.array([-1.0, 0.0, 1.5])))]


@pytest.mark.parametrize("name, given", COUNTED, ids=[name for name, _ in COUNTED])
def test_counts_have_the_law_of_their_probabilities(name, given):
    record = find(name)[0]
    right = np.exp(np.asarray(record.log_prob(jnp.arange(COUNT), *given), float))
    assert abs(right.sum() - 1) < 1e-5
    seen = np.bincount(np.asarray(record.sample(jax.random.key(19), (COUNT,), *given)), minlength=COUNT)
    few = right * COUNT < 5
    seen, right = np.append(seen[~few], seen[few].sum()), np.append(right[~few], right[few].sum()) * COUNT
    kept = right > 1e-6
    assert st.chisquare(seen[kept], right[kept] * seen[kept].sum() / right[kept].sum()).pvalue > ALARM


def test_multinomials_count_up():
    probs = jnp.asarray([0.2, 0.0, 0.3, 0.5])
    for name, given in (("multinomial", (7, probs)), ("dirichlet_multinomial", (4 * probs + 1e-3, 7))):
        x = np.asarray(find(name)[0].sample(jax.random.key(23), (COUNT,), *given))
        assert x.dtype == np.int32 and (x.sum(-1) == 7).all() and (name[0] == "d" or (x[:, 1] == 0).all())
        assert (np.abs(x.mean(0) - 7 * np.asarray(probs)) < 5 * 7 ** 0.5 / COUNT ** 0.5 + 0.01).all()


SCORED = [  # a distribution, the fields of its parametrization, parameters
    ("gamma", (0.4, 1.7)), ("student_t", (3.3, 0.3, 1.7)), ("beta", (2.3, 0.7)),
    ("dirichlet", (np.array([2.3, 1.0, 0.7]),)), ("von_mises", (0.3, 1.7)),
    ("lkj_cholesky", (3, 1.7)), ("wishart", (4.5, TRIL @ TRIL.T)),
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

    zero = jnp.zeros(len(moving))

    @jax.jit
    def compared():
        x = jax.lax.stop_gradient(record.sample(key, (COUNT,), *map(sized, given, record.fields)))
        units = list(jnp.eye(len(moving)))
        value, path = jax.linearize(drawn, zero)
        _, score = jax.linearize(lambda t: record.log_prob(x, *map(sized, moved(t), record.fields)), zero)
        return value, jnp.stack(list(map(path, units))), jnp.stack(list(map(score, units)))

    value, path, score = (np.asarray(x, float) for x in compared())
    gap = path - (value - value.mean()) * score
    z = gap.mean(-1) / (gap.std(-1) / COUNT ** 0.5 + 1e-7)
    assert (np.abs(z) < 4.9).all(), f"z = {z}, {path.mean(-1)} and {(value * score).mean(-1)}"


def test_a_gammas_draw_moves_as_its_distribution_function_says(x64):
    """dx/da = −F_a/p, draw by draw."""
    a = np.array([0.4, 1.0, 2.3, 9.0])
    gamma, key = find("gamma")[0], jax.random.key(2)
    x, moved = jax.jvp(lambda a: gamma.sample(key, (4,), a, 1.0), (jnp.asarray(a),), (jnp.ones(4),))
    h = 1e-5
    slope = (st.gamma(a + h).cdf(x) - st.gamma(a - h).cdf(x)) / (2 * h)
    assert np.allclose(moved, -slope / st.gamma(a).pdf(x), rtol=1e-6)


ENUMERATED = [
    ("bernoulli", "probs", lambda p: (p,), [0.0, 0.5, 1.0]), ("bernoulli", "logits", lambda p: (p,), [0.0, 5.0]),
    ("binomial", "probs", lambda p: (5, p), [0.0, 0.5, 1.0]), ("binomial", "logits", lambda p: (5, p), [0.0, -3.0]),
    ("categorical", "probs", lambda p: (jnp.stack([p, 0.3 * (1 - p), 0.7 * (1 - p)]),), [0.0, 0.5, 1.0]),
    ("categorical", "logits", lambda t: (jnp.stack([t, 0 * t, -t]),), [0.0, 2.0]),
    ("ordered_logistic", "predictor", lambda t: (t, jnp.asarray([-1.0, 0.0, 1.5])), [0.0, 2.0]),
    ("discrete_uniform", "low", lambda p: (1, 4), [0.0]),
]


@pytest.mark.parametrize("name, field, given, at", ENUMERATED, ids=[f"{row[0]}-{row[1]}" for row in ENUMERATED])
def test_probabilities_of_a_finite_support(name, field, given, at, x64):
    """They sum to 1, are exp(log p), and have the right derivative at 0, ½ and 1 (one-sided differences there)."""
    record = next(r for r in find(name) if r.field(field))
    its = given(jnp.asarray(at[0]))
    shapes = {f.name: jnp.shape(v)[-1:] if f.rank else () for f, v in zip(record.fields, its)}
    size = record.finite.size(shapes, {f.name: v for f, v in zip(record.fields, its) if isinstance(v, int)})
    steps = jnp.asarray([1e-6 * (-1 if p == 1 else 1) for p in at])

    def chances(p):
        return record.finite.probabilities(size, *given(p))

    def looked_at(p, h):
        beside = [chances(p), chances(p + h), chances(p + 2 * h)]
        density = jnp.exp(record.log_prob(record.finite.values(size), *given(p)))
        return beside, density, jax.jacfwd(chances)(p), jax.jacrev(chances)(p)

    beside, density, forward, backward = map(np.asarray, jax.jit(jax.vmap(looked_at))(jnp.asarray(at), steps))
    assert beside.shape == (3, len(at), size) and np.allclose(beside.sum(-1), 1, atol=1e-12)
    assert np.allclose(beside[0], density, atol=1e-12)
    right = (-3 * beside[0] + 4 * beside[1] - beside[2]) / (2 * np.asarray(steps)[:, None])
    assert np.allclose(forward, right, atol=1e-6) and np.allclose(backward, forward)


def test_finite_supports_of_unknown_size():
    for name in ("binomial", "beta_binomial", "discrete_uniform"):
        assert all(r.finite.size({f.name: () for f in r.fields}, {}) is None for r in find(name))
    dice = find("discrete_uniform")[0]
    assert dice.finite.size({}, {"low": -1, "high": 2}) is None
    assert np.allclose(dice.finite.probabilities(7, 1, 6), [0] + [1 / 6] * 6)


def test_the_tail_of_a_categorical_in_float32():
    """The uniform's steps are 2⁻³² near 0: a probability of 1e-6 in front is met as often as it should; 0 never is."""
    probs = jnp.asarray([0.0, 1e-6, 0.5, 0.0, 0.5 - 1e-6, 0.0])
    record = find("categorical")[0]
    x = np.bincount(np.asarray(record.sample(jax.random.key(3), (4_000_000,), probs)), minlength=6)
    assert x[0] == x[3] == x[5] == 0
    assert st.poisson.sf(x[1] - 1, 4) > ALARM and st.poisson.cdf(x[1], 4) > ALARM
    assert abs(x[2] - 2e6) < 5 * 1e3
    noise = jnp.asarray([0.0, 1 - 2.0 ** -24], jnp.float32)
    assert record.noise.push(noise, probs).tolist() == [1, 4]
    coin = find("bernoulli")[0]
    assert coin.noise.push(noise, jnp.asarray(0.0)).tolist() == [0, 0]
    assert coin.noise.push(noise, jnp.asarray(1.0)).tolist() == [1, 1]


def test_shapes_and_names(points):
    """Every draw has the shape that its record says, also where the batch is wider than the parameters'."""
    assert all(find(name) for name in names()) and find("no_such_thing") == ()
    in_order = {"multivariate_normal": ["covariance_matrix", "precision_matrix", "scale_tril"],
                "bernoulli": ["probs", "logits"], "categorical": ["probs", "logits"], "binomial": ["probs", "logits"]}
    assert {name: [r.fields[-1].name for r in find(name)] for name in in_order} == in_order
    for name in ("normal", "categorical", "multivariate_normal", "zero_sum_normal"):
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
            its = {f.name for f in record.fields}
            assert record.doc and name.islower() and set(record.refused) | record.reparameterized <= its
            assert record.support.moves | record.jumps_in <= its


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
