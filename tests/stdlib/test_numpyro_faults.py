"""Where NumPyro 0.22 is wrong or not a number, and ours must not be.

Each case is looked at twice: ours against the right number, and NumPyro against it, which must still fail.  When the
second fails, NumPyro has been mended, and the mend here can be looked at again.
"""
import warnings
from math import exp, inf, lgamma, log

import jax
import jax.numpy as jnp
import mpmath as mp
import numpy as np
import pytest
import scipy.stats as st

from pullback.stdlib.distributions import find
from pullback.stdlib.distributions.circle import centered

pytestmark = pytest.mark.usefixtures("unoptimized")


@pytest.fixture
def bits(request):
    before = jax.config.jax_enable_x64
    jax.config.update("jax_enable_x64", request.param == 64)
    yield request.param
    jax.config.update("jax_enable_x64", before)


def record(name, fields):
    return next(r for r in find(name) if {f.name for f in r.fields} == set(fields))


def asked(density, given, value, wrt):
    """The log density, or its derivative in a field or in the value; `wrt` may be "probs[0]"."""
    names, index = list(given), ()
    if wrt is None:
        return float(density(value, *given.values()))
    if "[" in wrt:
        wrt, index = wrt[:-1].split("[")
        index = (int(index),)
    place = 0 if wrt == "value" else 1 + names.index(wrt)
    arguments = [value, *given.values()]
    arguments[place] = jnp.asarray(arguments[place], float)
    return float(jax.grad(density, place)(*arguments)[index])


def arrays(given):
    return {name: jnp.asarray(v, float) if isinstance(v, (float, list)) else v for name, v in given.items()}


def ours(name, given, value, wrt):
    its = record(name, given)
    ordered = arrays({f.name: given[f.name] for f in its.fields})
    return asked(its.log_prob, ordered, jnp.asarray(value), wrt)


def theirs(name, given, value, wrt):
    its = record(name, given)
    ordered = arrays({f.name: given[f.name] for f in its.fields})
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return asked(lambda x, *p: its.numpyro(*p).log_prob(x), ordered, jnp.asarray(value), wrt)


def gap(low, high):
    """log of the normal mass between two numbers."""
    with mp.workdps(60):
        return mp.log(mp.ncdf(-mp.mpf(low)) - mp.ncdf(-mp.mpf(high)))


def cut_normal(x, low, high=mp.inf):
    return float(mp.log(mp.npdf(x)) - gap(low, high))


def hazard(z):
    """−d/dz log P(Z > z)."""
    return float(mp.npdf(z) / mp.ncdf(-z))


def ray(x, y):
    """log density of the direction (−1, 0) of a normal round (x, y)."""
    with mp.workdps(60):
        x, y = mp.mpf(x), mp.mpf(y)
        return mp.log((1 - x * mp.ncdf(-x) / mp.npdf(x)) / (2 * mp.pi)) - (x * x + y * y) / 2


def power_mass(alpha, low, high):
    return log(high / low) if alpha == -1 else (high ** (alpha + 1) - low ** (alpha + 1)) / (alpha + 1)


LAW = dict(alpha=-2.3, low=0.5, high=3.0)
LOG_LAW = dict(alpha=-1.0, low=0.5, high=3.0)
STANDARD = dict(loc=0.0, scale=1.0)
CASES = [  # name, parameters, value, derivative in (None: the log density itself), right, bits
    ("bernoulli", dict(logits=0.0), 0, "logits", -0.5, 64), ("bernoulli", dict(logits=0.0), 1, "logits", 0.5, 32),
    *(("binomial", dict(total_count=5, logits=0.0), y, "logits", y - 2.5, 64) for y in (0, 2, 5)),
    ("doubly_truncated_power_law", LAW, 1.0, "low", 0.5 ** -2.3 / power_mass(-2.3, 0.5, 3), 64),
    ("doubly_truncated_power_law", LAW, 1.0, "high", -(3 ** -2.3) / power_mass(-2.3, 0.5, 3), 64),
    ("doubly_truncated_power_law", LOG_LAW, 1.0, "low", 2 / log(6), 64),
    ("doubly_truncated_power_law", LOG_LAW, 0.5, "alpha", log(0.5) - log(1.5) / 2, 32),
    ("doubly_truncated_power_law", LOG_LAW | dict(alpha=-1 + 1e-6), 0.5, "alpha", log(0.5) - log(1.5) / 2, 32),
    ("truncated_laplace", STANDARD | dict(low=0.0), 0.5, "loc", 0, 64),
    ("truncated_laplace", STANDARD | dict(low=0.0), 0.5, "low", 1, 64),
    ("truncated_laplace", STANDARD | dict(low=0.0, high=2.0), 0.5, "loc", 0, 64),
    ("truncated_laplace", STANDARD | dict(low=0.0, high=2.0), 0.5, "low", 1 / (1 - exp(-2)), 64),
    ("truncated_laplace", STANDARD | dict(high=0.0), -0.5, "loc", 0, 64),
    ("truncated_laplace", STANDARD | dict(high=0.0), -0.5, "high", -1, 64),
    *(("right_censored_normal", STANDARD | dict(censored=1), z, *want, bits)
      for z, bits in ((6.0, 32), (9.0, 64)) for want in ((None, st.norm.logsf(z)), ("value", -hazard(z)))),
    ("right_censored_normal", STANDARD | dict(censored=1), 5.0, "value", -hazard(5), 32),
    ("right_censored_exponential", dict(rate=2.0, censored=1), 10.0, "rate", -10, 32),
    ("right_censored_exponential", dict(rate=2.0, censored=1), 20.0, None, -40, 64),
    ("right_censored_weibull", dict(scale=1.0, concentration=2.0, censored=1), 7.0, "scale", 98, 64),
    ("left_censored_normal", STANDARD | dict(censored=1), -50.0, None, st.norm.logcdf(-50), 64),
    ("left_censored_normal", STANDARD | dict(censored=1), -50.0, "value", hazard(50), 64),
    ("left_censored_normal", STANDARD | dict(censored=1), -20.0, "value", hazard(20), 32),
    *((name, more | dict(probs=p), int(p) * n, "probs", n * (2 * p - 1), bits)
      for name, more, n in (("bernoulli", {}, 1), ("binomial", dict(total_count=5), 5))
      for p in (0.0, 1.0) for bits in (32, 64)),
    ("bernoulli", dict(probs=0.0), 1, None, -inf, 64), ("bernoulli", dict(probs=1.0), 0, None, -inf, 32),
    ("binomial", dict(total_count=5, probs=0.0), 5, None, -inf, 64),
    ("binomial", dict(total_count=5, probs=0.0), 5, "probs", 0, 64),
    ("beta", dict(concentration1=1.0, concentration0=3.0), 0.0, "concentration0", 1 / 3, 64),
    ("beta", dict(concentration1=1.0, concentration0=3.0), 0.0, "value", -2, 64),
    ("beta", dict(concentration1=3.0, concentration0=1.0), 1.0, "value", 2, 64),
    ("beta_proportion", dict(mean=0.25, concentration=4.0), 0.0, "value", -2, 64),
    ("geometric", dict(probs=1.0), 0, None, 0, 64), ("geometric", dict(probs=1.0), 0, "probs", 1, 64),
    ("geometric", dict(probs=1.0), 0, "probs", 1, 32),
    ("kumaraswamy", dict(concentration1=1.3, concentration0=0.7), 1.0, None, inf, 64),
    ("kumaraswamy", dict(concentration1=1.3, concentration0=2.0), 1.0, None, -inf, 64),
    *(("hurdle_poisson", dict(gate=0.3, rate=rate), 1, "rate", -0.5 - rate / 12, bits)
      for rate, bits in ((1e-3, 32), (1e-4, 32))),
    ("projected_normal", dict(concentration=[30.0, 40.0]), [-1.0, 0.0], None, float(ray(30, 40)), 64),
    ("projected_normal", dict(concentration=[30.0, 40.0]), [-1.0, 0.0], "concentration[0]",
     float(mp.diff(ray, (30, 40), (1, 0))), 64),
    ("projected_normal", dict(concentration=[15.0, 0.0]), [-1.0, 0.0], None, float(ray(15, 0)), 32),

    ("poisson", dict(rate=0.0), 0, "rate", -1, 64),
    ("negative_binomial2", dict(mean=0.0, concentration=1.7), 0, "mean", -1, 64),
    ("negative_binomial2", dict(mean=0.0, concentration=1.7), 0, "concentration", 0, 64),
    ("negative_binomial", dict(total_count=1.7, probs=0.0), 0, "probs", -1.7, 64),
    ("negative_binomial", dict(total_count=1.7, probs=1.0), 2, "total_count", 0, 64),
    ("multinomial", dict(total_count=3, probs=[0.0, 0.4, 0.6]), [0, 1, 2], "probs[0]", 0, 64),
    ("zero_inflated_poisson", dict(gate=1.0, rate=1.7), 0, "gate", 1 - exp(-1.7), 64),
    ("hurdle_poisson", dict(gate=0.0, rate=1.7), 2, "gate", -1, 64),
    ("hurdle_poisson", dict(gate=1.0, rate=1.7), 0, "gate", 1, 64),
    ("hurdle_gamma", dict(gate=0.35, concentration=1.7, rate=1.0), 0.0, None, log(0.35), 64),
    ("hurdle_log_normal", dict(gate=0.35, loc=0.3, scale=1.0), 0.0, "gate", 1 / 0.35, 64),
    ("kumaraswamy", dict(concentration1=1.0, concentration0=3.0), 0.0, "value", -2, 64),
    ("kumaraswamy", dict(concentration1=1.0, concentration0=1.0), 0.0, "value", 0, 64),
    ("relaxed_bernoulli", dict(temperature=1.0, logits=0.3), 0.0, None, -0.3, 64),
    ("relaxed_bernoulli", dict(temperature=1.0, logits=0.3), 1.0, "logits", 1, 64),
    ("relaxed_bernoulli", dict(temperature=0.5, logits=0.3), 0.0, None, inf, 64),
    ("truncated_normal", STANDARD | dict(low=38.0), 38.5, None, cut_normal(38.5, 38), 64),
    ("truncated_normal", STANDARD | dict(low=38.0), 38.5, "low", hazard(38), 64),
    ("truncated_normal", STANDARD | dict(high=-38.0), -38.5, "high", -hazard(38), 64),
    ("truncated_normal", STANDARD | dict(low=13.5), 14.0, None, cut_normal(14, 13.5), 32),
    ("truncated_laplace", STANDARD | dict(low=800.0), 800.5, None, -0.5, 64),
    ("truncated_normal", STANDARD | dict(low=8.3, high=9.3), 8.8, None, cut_normal(8.8, 8.3, 9.3), 64),
    ("truncated_normal", STANDARD | dict(low=8.3, high=9.3), 8.8, "low",
     exp(cut_normal(8.3, 8.3, 9.3)), 64),
    ("truncated_normal", STANDARD | dict(low=5.5, high=6.5), 6.0, None, cut_normal(6, 5.5, 6.5), 32),
    ("truncated_laplace", dict(loc=40.0, scale=1.0, low=-0.5, high=2.0), 1.0, None, -1 - log(1 - exp(-2.5)), 64),
    ("truncated_laplace", dict(loc=-40.0, scale=1.0, low=-0.5, high=2.0), 1.0, "loc", 0, 64),
    ("interval_censored_normal", STANDARD | dict(left_censored=0, right_censored=0), [8.5, 9.0], None,
     float(gap(8.5, 9)), 64),
    *((name, given, 0.0, wrt, 0, 64) for name, given, wrt in (
        ("gamma", dict(concentration=2.5, rate=1.3), "concentration"), ("chi2", dict(df=5.0), "df"),
        ("inverse_gamma", dict(concentration=2.5, rate=1.3), "rate"), ("log_normal", dict(loc=0.3, scale=1.3), "scale"),
        ("weibull", dict(scale=1.3, concentration=2.5), "concentration"), ("levy", dict(loc=0.0, scale=1.3), "scale"),
        ("dagum", dict(concentration=2.0, sharpness=1.5, scale=1.3), "sharpness"))),
    ("dirichlet", dict(concentration=[1.0, 2.0, 0.7]), [0.0, 0.4, 0.6], None,
     lgamma(3.7) - lgamma(0.7) + log(0.4) - 0.3 * log(0.6), 64),
    ("dirichlet", dict(concentration=[1.5, 2.0, 0.7]), [0.0, 0.4, 0.6], "concentration[0]", 0, 64),
]
# NumPyro gives −∞ on the edge; SciPy and we give the limit of the density, where that is finite.
EDGES = [
    ("half_normal", dict(scale=1.3), 0.0, st.halfnorm(scale=1.3)),
    ("half_cauchy", dict(scale=1.3), 0.0, st.halfcauchy(scale=1.3)),
    ("exponential", dict(rate=1.3), 0.0, st.expon(scale=1 / 1.3)),
    ("gompertz", dict(concentration=0.7, rate=1.0), 0.0, st.gompertz(0.7)),
    ("gamma", dict(concentration=1.0, rate=1.3), 0.0, st.gamma(1, scale=1 / 1.3)),
    ("chi2", dict(df=2.0), 0.0, st.chi2(2)),
    ("weibull", dict(scale=1.3, concentration=1.0), 0.0, st.weibull_min(1, scale=1.3)),
    ("pareto", dict(scale=1.3, alpha=2.0), 1.3, st.pareto(2, scale=1.3))]
CASES += [(name, given, x, None, law.logpdf(x), 64) for name, given, x, law in EDGES]


def same(found, right, bits):
    if np.isinf(right):
        return found == right
    return abs(found - right) <= (2e-4 if bits == 32 else 1e-7) * (1 + abs(right))


def case_id(case):
    name, given, value, wrt, _, bits = case
    return f"{name}({', '.join(f'{k}={v}' for k, v in given.items())})-{value}-{wrt or 'value of log p'}-{bits}"


BOTH = pytest.mark.parametrize("case, bits", [(case[:5], case[5]) for case in CASES], ids=list(map(case_id, CASES)),
                               indirect=["bits"])


@BOTH
def test_ours_is_right(case, bits):
    name, given, value, wrt, right = case
    found = ours(name, given, value, wrt)
    assert same(found, right, bits), f"{found} for {right}"


@BOTH
def test_numpyro_is_still_wrong(case, bits):
    name, given, value, wrt, right = case
    try:
        found = theirs(name, given, value, wrt)
    except (ValueError, NotImplementedError):
        return  # it refuses the point
    assert not same(found, right, bits), f"NumPyro gives {found} now, which is right: the mend of {name} can go"


def test_hurdle_poisson_at_a_tiny_rate(x64):
    assert same(ours("hurdle_poisson", dict(gate=0.3, rate=1e-9), 1, "rate"), -0.5, 64)


def moved_by(name, given, u, wrt):
    """The derivative of a draw in a field at fixed noise."""
    its = record(name, given)
    ordered = {f.name: jnp.asarray(given[f.name], float) for f in its.fields}
    names = list(ordered)
    return float(jax.grad(lambda *p: its.noise.push(jnp.asarray(u), *p), names.index(wrt))(*ordered.values()))


@pytest.mark.parametrize("cut, sign", [("low", 1), ("high", -1)])
def test_draws_of_a_laplace_cut_at_its_location(x64, cut, sign):
    """They move with the cut, not with the location: x = cut ± Exponential."""
    from numpyro import distributions as d
    given = STANDARD | {cut: 0.0}
    assert abs(moved_by("truncated_laplace", given, 0.3, cut) - 1) < 1e-9
    assert abs(moved_by("truncated_laplace", given, 0.3, "loc")) < 1e-9
    theirs = jax.grad(lambda c: d.TruncatedDistribution(d.Laplace(0.0, 1.0), **{cut: c}).icdf(0.3))(0.0)
    assert abs(theirs - 1) > 0.1, "NumPyro's draws move with the cut now: the mend can go"


def test_weights_of_enumeration_at_impossible_values(x64):
    """exp(log p) has the derivative 0 where a probability is 0; the probabilities themselves have 1."""
    probs = jnp.asarray([0.0, 0.4, 0.6])
    its = record("categorical", ["probs"])
    assert np.allclose(jax.jacobian(lambda p: its.finite.probabilities(3, p))(probs), np.eye(3))
    from numpyro import distributions as d
    theirs = jax.grad(lambda p: jnp.exp(d.CategoricalProbs(p).log_prob(0)))(probs)
    assert theirs[0] != 1, "NumPyro's log density can be exponentiated now"


def test_von_mises_draws_follow_the_concentration(x64):
    """d/dκ E cos x = (I₁/I₀)′, by quadrature of the draw's derivative; SciPy has the Bessel functions."""
    from numpyro import distributions as d
    from scipy.special import ive
    x = np.linspace(-np.pi, np.pi, 2001)[:-1]
    moves = jax.jit(lambda x, k: jax.jvp(lambda k: centered(x, k), (k,), (jnp.ones_like(k),))[1])
    for k in (0.5, 1.7, 20.0, 300.0):
        ratio = ive(1, k) / ive(0, k)
        seen = np.sum(st.vonmises(k).pdf(x) * -np.sin(x) * np.asarray(moves(x, np.full_like(x, k)))) * (x[1] - x[0])
        want = 1 - ratio / k - ratio ** 2
        assert abs(seen - want) < 1e-6 * want
        at = np.array([0.3, -1.0, 2.0, 4.0]) / np.sqrt(max(k, 1))  # one by one: −(∂F/∂κ)/p by differences
        h = 1e-4 * k
        slope = (st.vonmises(k + h).cdf(at) - st.vonmises(k - h).cdf(at)) / (2 * h) if k < 50 else None
        if slope is not None and np.abs(at).max() < np.pi:
            assert np.allclose(moves(at, np.full_like(at, k)), -slope / st.vonmises(k).pdf(at), rtol=1e-4)
    k, key = 1.7, jax.random.key(0)
    _, theirs = jax.jvp(lambda k: jnp.cos(d.VonMises(0.3, k).sample(key, (20000,))).mean(), (k,), (1.0,))
    assert abs(theirs - (1 - 0.65 / k - 0.65 ** 2)) > 0.05, "NumPyro's von Mises is differentiated rightly now"


def test_draws_in_a_far_tail(x64):
    from numpyro import distributions as d
    u = jnp.linspace(0.05, 0.95, 7)
    for low in (38.0, 200.0, -300.0):
        its = record("truncated_normal", ["loc", "scale", "low"] if low > 0 else ["loc", "scale", "high"])
        x = np.asarray(its.noise.push(u, 0.0, 1.0, low))
        assert np.isfinite(x).all() and (np.abs(x) >= abs(low)).all()
        part = u if low > 0 else 1 - u
        assert np.allclose(st.norm.logsf(np.abs(x)) - st.norm.logsf(abs(low)), np.log1p(-part), atol=1e-9 * low ** 2)
    assert not np.isfinite(d.TruncatedNormal(0.0, 1.0, low=39.0).icdf(u)).all(), "NumPyro draws in the tail now"


@pytest.mark.parametrize("name, fields, refused", [
    ("truncated_student_t", ["df", "loc", "scale", "low"], ["df"]),
    ("gaussian_copula_beta", ["concentration1", "concentration0", "correlation_matrix"],
     ["concentration1", "concentration0"])])
def test_what_has_no_derivative_is_refused(x64, name, fields, refused):
    its = record(name, fields)
    assert set(its.refused) == set(refused) and all(len(reason) > 30 for reason in its.refused.values())
    from jax.scipy.special import betainc
    with pytest.raises(ValueError, match="not supported"):  # else neither need be refused
        jax.grad(lambda a: betainc(a, 1.0, 0.3))(2.0)


def exact(name, x, *p):
    with mp.workdps(50):
        match name:
            case "beta_binomial":
                a, b, n = map(mp.mpf, p)
                return mp.log(mp.binomial(n, x) * mp.beta(a + x, b + n - x) / mp.beta(a, b))
            case "negative_binomial2":
                m, c = map(mp.mpf, p)
                ways = mp.gamma(x + c) / mp.gamma(c) / mp.factorial(x)
                return mp.log(ways) + x * mp.log(m / (m + c)) + c * mp.log(c / (m + c))
            case "gamma_poisson":
                c, r = map(mp.mpf, p)
                return exact("negative_binomial2", x, c / r, c)
            case "beta_negative_binomial":
                a, b, n = map(mp.mpf, p)
                return mp.log(mp.binomial(n + x - 1, x) * mp.beta(a + x, b + n) / mp.beta(a, b))
            case "beta":
                a, b = map(mp.mpf, p)
                return (a - 1) * mp.log(x) + (b - 1) * mp.log(1 - mp.mpf(x)) - mp.log(mp.beta(a, b))
            case "student_t":
                df, loc, scale = map(mp.mpf, p)
                return (mp.loggamma((df + 1) / 2) - mp.loggamma(df / 2) - mp.log(df * mp.pi) / 2 - mp.log(scale)
                        - (df + 1) / 2 * mp.log1p(((x - loc) / scale) ** 2 / df))


PRECISE = [("beta_binomial", 7, 2.3, 0.7, 12), ("beta_binomial", 7, 8.0, 8.0, 12),
           ("beta_negative_binomial", 7, 2.3, 4.7, 3.1),
           ("negative_binomial2", 7, 4.2, 2.3), ("gamma_poisson", 7, 2.3, 0.7), ("gamma_poisson", 7, 9.0, 0.7)]
SINGLE = [("student_t", 0.7, 1e5, 0.0, 1.0), ("student_t", 0.7, 1e8, 0.0, 1.0), ("beta", 0.5, 1e5, 1e5),
          ("beta_binomial", 3, 1e6, 1e6, 7), ("negative_binomial2", 3, 4.2, 1e8)]


@pytest.mark.parametrize("bits, case", [(64, case) for case in PRECISE] + [(32, case) for case in SINGLE],
                         indirect=["bits"])
def test_large_arguments_do_not_cancel(bits, case):
    name, x, *p = case
    its, right = find(name)[0], float(exact(name, x, *p))
    given = [jnp.asarray(float(q)) for q in p]
    tolerance = 1e-12 if bits == 64 else 3e-6
    assert abs(float(its.log_prob(x, *given)) - right) < tolerance * (1 + abs(right))
    theirs = float(its.numpyro(*given).log_prob(float(x)))
    assert abs(theirs - right) > tolerance * (1 + abs(right)), "NumPyro's does not cancel now"


@pytest.mark.parametrize("name, given", [
    ("gamma", (0.05, 1.0)), ("chi2", (0.05,)), ("weibull", (1.0, 0.05)), ("inverse_gamma", (0.05, 1.0)),
    ("student_t", (0.05, 0.0, 1.0))])
def test_draws_stay_within_float32(name, given):
    """Neither 0, where the log density is infinite, nor infinite; nor is their derivative."""
    its = find(name)[0]
    given = [jnp.full(2000, p) for p in given]
    def draw(*p):
        return its.sample(jax.random.key(1), (2000,), *p)

    x, moved = jax.jit(lambda *p: jax.jvp(draw, p, tuple(map(jnp.ones_like, p))))(*given)
    assert x.dtype == jnp.float32 and np.isfinite(x).all() and (x != 0).all() and np.isfinite(moved).all()
    assert np.isfinite(its.log_prob(x, *given)).all()


def test_values_outside_have_density_0(x64):
    """Not a number nowhere: −∞, with the derivative 0."""
    outside = {"half_normal": -1.0, "gamma": -1.0, "uniform": 2.0, "beta": 1.5, "poisson": -1, "categorical": 3,
               "binomial": 6, "pareto": 0.1, "truncated_normal": 9.0, "levy": -5.0, "ordered_logistic": 9,
               "discrete_uniform": 7}
    for name, x in outside.items():
        its = find(name)[0]
        sets = {"simplex": [0.2, 0.3, 0.5], "ordered": [-1.0, 0.5]}
        given = [jnp.asarray(sets[f.domain]) if f.rank else jnp.asarray(5) if f.kind == "int" else
                 jnp.asarray(0.4 if f.name in ("low", "probs") else 0.9) for f in its.fields]
        reals = tuple(i for i, f in enumerate(its.fields, 1) if f.kind == "real")
        value, slopes = jax.value_and_grad(its.log_prob, reals)(x, *given) if reals else (its.log_prob(x, *given), [])
        assert value == -inf and all((np.asarray(slope) == 0).all() for slope in slopes), name
