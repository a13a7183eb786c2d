"""Points at which distributions are tried: of each parameter some ordinary and the awkward values, paired at random."""
import os
import zlib

import numpy as np
import pytest
import scipy.stats as st

from pullback.stdlib.distributions import find, names

COUNT = 16
SCALARS = {
    "real": [0.3, 0.0, 1.0, -1.0, -2.7, 6.0], "positive": [1.7, 1.0, 0.4, 3.0, 9.0, 40.0],
    "nonnegative": [1.7, 1.0, 0.4, 3.0, 9.0, 40.0], "unit": [0.35, 0.5, 0.02, 0.97],
    "circular": [0.3, 0.0, -2.7, 1.0], "natural": [5, 1, 7, 12], "boolean": [0, 1]}
TRIL = np.array([[1.0, 0, 0], [0.3, 0.8, 0], [-0.2, 0.1, 1.3]])
UNIT_ROWS = TRIL / np.linalg.norm(TRIL, axis=-1, keepdims=True)
ARRAYS = {
    "real": np.array([0.3, -1.0, 0.0]), "positive": np.array([0.7, 1.0, 9.0]), "simplex": np.array([0.2, 0.3, 0.5]),
    "ordered": np.array([-1.0, 0.0, 1.5]), "cholesky": TRIL, "positive_definite": TRIL @ TRIL.T,
    "corr_cholesky": UNIT_ROWS, "corr_matrix": UNIT_ROWS @ UNIT_ROWS.T}
MATRICES = {"adj_matrix": np.array([[0.0, 1, 1], [1, 0, 0], [1, 0, 0]]), "covariance_row": np.array([2.0, 0.5, 0.5]),
            "cov_factor": np.array([[0.5], [-1.0], [0.2]]), "matrix": np.array([[0.3, -1.0], [0.0, 0.5], [2.0, 1.0]])}
OWN = {("car", "correlation"): [0.3, 0.0, -0.5], ("lower_truncated_power_law", "alpha"): [-1.7, -2.0, -4.5],
       ("doubly_truncated_power_law", "alpha"): [-1.0, -2.3, 0.0, 1.5], ("discrete_uniform", "low"): [0, 1, 3],
       ("sine_bivariate_von_mises", "weighted_correlation"): [0.3, 0.0, -0.6],
       ("sine_bivariate_von_mises", "correlation"): [0.2, 0.0, -0.3], ("student_t", "df"): [1.7, 1.0, 3.0, 40.0, 0.4],
       ("delta", "log_density"): [0.0]}


def passed_over(record, place):
    """Is it slow to compile, and are its parts tried with another: a further parametrization of arrays, or a base?"""
    if record.observed:
        kept = ("interval_censored_normal", "interval_censored_weibull")
        return record.name == "left_censored_gamma" or record.rank and record.name not in kept
    return place > 0 and record.kind == "real" and (record.rank > 0 or record.name == "truncated_gamma")


def all_records():
    """Every distribution and parametrization, but for those passed over unless PULLBACK_THOROUGH is set."""
    found = [(record, place) for name in names() for place, record in enumerate(find(name))]
    return [record for record, place in found if "PULLBACK_THOROUGH" in os.environ or not passed_over(record, place)]


def field_values(record, field, count, draw, so_far):
    if field.domain == "size":
        return 3
    if field.name in MATRICES or (record.name, field.name) == ("matrix_normal", "loc"):
        found = MATRICES.get(field.name, MATRICES["matrix"])
        return np.broadcast_to(found, (count,) + found.shape)
    if (record.name, field.name) == ("matrix_normal", "scale_tril_column"):
        return np.broadcast_to(TRIL[:2, :2], (count, 2, 2))
    if field.rank:
        return np.stack([ARRAYS[field.domain] * s for s in (np.ones(count) if field.domain in {
            "simplex", "corr_cholesky", "corr_matrix"} else draw.choice([1.0, 0.5, 2.0], count))])
    if field.name == "high":
        width = draw.integers(1, 4, count) if field.kind == "int" else draw.choice([0.5, 1.0, 3.0], count)
        return so_far["low"] + width if "low" in so_far else draw.choice(SCALARS[field.domain], count)
    values = OWN.get((record.name, field.name), SCALARS[field.domain] if field.domain in SCALARS else None)
    found = np.array([values[k % len(values)] for k in range(count)])
    found = draw.permutation(found)
    return found + 2.5 if "wishart" in record.name else found


def parameters(record, count=COUNT):
    """Parameters [count, *event] of a distribution."""
    draw, so_far = np.random.default_rng(zlib.crc32(str(record).encode())), {}
    for field in record.fields:
        so_far[field.name] = field_values(record, field, count, draw, so_far)
    return list(so_far.values())


LAWS = [  # a distribution, its parameters, and SciPy's
    ("normal", (0.3, 1.7), st.norm(0.3, 1.7)), ("cauchy", (0.3, 1.7), st.cauchy(0.3, 1.7)),
    ("laplace", (0.3, 1.7), st.laplace(0.3, 1.7)), ("logistic", (0.3, 1.7), st.logistic(0.3, 1.7)),
    ("gumbel", (0.3, 1.7), st.gumbel_r(0.3, 1.7)), ("soft_laplace", (0.3, 1.7), st.hypsecant(0.3, 1.7)),
    ("student_t", (2.3, 0.3, 1.7), st.t(2.3, 0.3, 1.7)),
    ("asymmetric_laplace", (0.3, 1.7, 1.4), st.laplace_asymmetric(1.4, 0.3, 1.7)),
    ("half_normal", (1.7,), st.halfnorm(scale=1.7)), ("half_cauchy", (1.7,), st.halfcauchy(scale=1.7)),
    ("log_normal", (0.3, 0.7), st.lognorm(0.7, scale=np.exp(0.3))), ("exponential", (1.7,), st.expon(scale=1 / 1.7)),
    ("gamma", (2.3, 1.7), st.gamma(2.3, scale=1 / 1.7)), ("gamma", (0.4, 1.7), st.gamma(0.4, scale=1 / 1.7)),
    ("chi2", (3.3,), st.chi2(3.3)), ("inverse_gamma", (2.3, 1.7), st.invgamma(2.3, scale=1.7)),
    ("weibull", (1.7, 2.3), st.weibull_min(2.3, scale=1.7)), ("gompertz", (0.7, 1.7), st.gompertz(0.7, scale=1 / 1.7)),
    ("dagum", (0.7, 2.3, 1.7), st.burr(2.3, 0.7, scale=1.7)), ("levy", (0.3, 1.7), st.levy(0.3, 1.7)),
    ("pareto", (1.7, 2.3), st.pareto(2.3, scale=1.7)), ("uniform", (-0.3, 1.7), st.uniform(-0.3, 2.0)),
    ("log_uniform", (0.3, 1.7), st.loguniform(0.3, 1.7)), ("beta", (2.3, 0.7), st.beta(2.3, 0.7)),
    ("beta_proportion", (0.3, 4.0), st.beta(1.2, 2.8)), ("von_mises", (0.0, 1.7), st.vonmises(1.7)),
    ("von_mises", (0.0, 0.0), st.uniform(-np.pi, 2 * np.pi)),
    ("lower_truncated_power_law", (-2.7, 1.3), st.pareto(1.7, scale=1.3)),
    ("doubly_truncated_power_law", (1.3, 0.5, 2.0), st.truncpareto(-2.3, 4.0, scale=0.5)),
    ("doubly_truncated_power_law", (-1.0, 0.5, 2.0), st.loguniform(0.5, 2.0)),
    ("truncated_normal", (0.3, 1.7, -1.0, 2.0), st.truncnorm(-1.3 / 1.7, 1.0, 0.3, 1.7)),
    ("truncated_normal", (0.0, 1.0, 4.5, 6.0), st.truncnorm(4.5, 6.0)),
    ("truncated_normal", (0.0, 1.0, 2.5, 6.0), st.truncnorm(2.5, 6.0)),
    ("bernoulli", (0.3,), st.bernoulli(0.3)), ("binomial", (7, 0.3), st.binom(7, 0.3)),
    ("geometric", (0.3,), st.geom(0.3, loc=-1)), ("poisson", (3.7,), st.poisson(3.7)),
    ("negative_binomial", (2.3, 0.6), st.nbinom(2.3, 0.4)),
    ("negative_binomial2", (3.7, 2.3), st.nbinom(2.3, 2.3 / 6.0)),
    ("gamma_poisson", (2.3, 0.7), st.nbinom(2.3, 0.7 / 1.7)),
    ("beta_binomial", (2.3, 0.7, 7), st.betabinom(7, 2.3, 0.7)),
    ("beta_negative_binomial", (2.3, 3.7, 4.0), st.betanbinom(4.0, 3.7, 2.3)),
    ("discrete_uniform", (1, 6), st.randint(1, 7)),
    ("categorical", (np.array([0.2, 0.0, 0.5, 0.3]),), st.rv_discrete(values=([0, 1, 2, 3], [0.2, 0.0, 0.5, 0.3]))),
]


def law_id(law):
    return f"{law[0]}{law[1]}"


@pytest.fixture(scope="session")
def points():
    return parameters


def pytest_generate_tests(metafunc):
    if "record" in metafunc.fixturenames:
        metafunc.parametrize("record", all_records(), ids=str)
    if "law" in metafunc.fixturenames:
        metafunc.parametrize("law", LAWS, ids=law_id)
