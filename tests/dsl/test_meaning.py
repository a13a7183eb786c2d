"""Log densities of programs against the same formulas by hand, at traces that the programs drew themselves."""
from textwrap import dedent

import jax
import numpy as np
import pytest
from scipy.special import logsumexp
from scipy.stats import bernoulli, halfcauchy, multivariate_normal, norm, uniform

import pullback as pb


def lag(n):
    def by_hand(t):
        z = t["z"]
        steps = norm.logpdf(z[2:], 0.5 * z[1:-1] - 0.2 * z[:-2], 0.7).sum()
        return norm.logpdf(z[0]) + norm.logpdf(z[1]) + steps
    return f"""
        model m():
            z[0] ~ normal(0, 1)
            z[1] ~ normal(0, 1)
            for t in 2..{n}:
                z[t] ~ normal(0.5 * z[t - 1] - 0.2 * z[t - 2], 0.7)
    """, by_hand


def grid():
    def by_hand(t):
        b = t["b"]
        return norm.logpdf(b[0]).sum() + norm.logpdf(b[1:], b[:-1] + np.arange(4)).sum()
    return """
        model m():
            for j in 0..4:
                b[0, j] ~ normal(0, 1)
            for t in 1..3:
                for j in 0..4:
                    b[t, j] ~ normal(b[t - 1, j] + j, 1)
    """, by_hand


def branches():
    def by_hand(t):
        on = t["k"].astype(bool)
        first = norm.logpdf(t["x"], 1, 2)
        second = norm.logpdf(t["x"], -1, 0.5) + uniform.logpdf(t["u"])
        return bernoulli.logpmf(t["k"], 0.3).sum() + np.where(on, first, second).sum()
    return """
        model m():
            for i in 0..6:
                k ~ bernoulli(0.3)
                if k:
                    x ~ normal(1, 2)
                else:
                    x ~ normal(-1, 0.5)
                    u ~ uniform(0, 1)
    """, by_hand


def first_step_under_a_condition():
    def by_hand(t):
        z = t["z"]
        return norm.logpdf(z[0], 0, 1) + norm.logpdf(z[1:], z[:-1], 0.5).sum()
    return """
        model m():
            for t in 0..5:
                if t == 0:
                    z[t] ~ normal(0, 1)
                else:
                    z[t] ~ normal(z[t - 1], 0.5)
    """, by_hand


def carried():
    def by_hand(t):
        x, s, total = t["x"], 0.0, 0.0
        for v in x:
            total += norm.logpdf(v, s, 1)
            s = 0.5 * s + v
        return total + norm.logpdf(t["y"], s, 1)
    return """
        model m():
            s = 0
            for i in 0..5:
                x ~ normal(s, 1)
                s = 0.5 * s + x
            y ~ normal(s, 1)
    """, by_hand


def submodels():
    def by_hand(t):
        part = t["t"]
        inner = norm.logpdf(part["a"], np.arange(3)).sum() + norm.logpdf(part["b"], part["a"][:, None], 2).sum()
        return inner + norm.logpdf(t["y"], part["b"].sum(1)).sum()
    return """
        model part(m: real) -> real:
            a ~ normal(m, 1)
            b: real[2] ~ normal(a, 2)
            return sum(b)
        model m():
            for i in 0..3:
                t ~ part(i)
                y ~ normal(t, 1)
    """, by_hand


def eight_schools():
    sd = np.array([15.0, 10.0, 16.0])

    def by_hand(t):
        return (norm.logpdf(t["mu"], 0, 5) + halfcauchy.logpdf(t["tau"], scale=5) + norm.logpdf(t["theta"], t["mu"], t["tau"]).sum()
                + norm.logpdf(t["y"], t["theta"], sd).sum())
    return """
        sd = [15, 10, 16.0]
        model m():
            mu ~ normal(0, 5)
            tau ~ half_cauchy(5)
            theta: real[3] ~ normal(mu, tau)
            y ~ normal(theta, sd)
    """, by_hand


def pushed():
    def by_hand(t):
        tau = t["tau"]
        return norm.logpdf(np.log(tau), 0.3, 1) - np.log(tau) + norm.logpdf(t["x"], 0, tau)
    return """
        model m():
            tau ~ normal(0.3, 1) onto positive
            x ~ normal(0, tau)
    """, by_hand


def joint():
    cover = np.array([[1.0, 0.5], [0.5, 2.0]])

    def by_hand(t):
        u = np.array([t["a"], np.log(t["s"])])
        return multivariate_normal.logpdf(u, np.array([0.0, 1.0]), cover) - np.log(t["s"])
    return """
        model m():
            {a, s} ~ multivariate_normal([0.0, 1.0], covariance_matrix = [[1.0, 0.5], [0.5, 2.0]]) onto {a: real, s: positive}
    """, by_hand


def chain():
    start, table = np.array([0.6, 0.4]), np.array([[0.9, 0.1], [0.3, 0.7]])

    def by_hand(t):
        y = t["y"]
        alpha = np.log(start) + norm.logpdf(y[0], np.array([-1, 1]))
        for v in y[1:]:
            alpha = logsumexp(alpha[:, None] + np.log(table), axis=0) + norm.logpdf(v, np.array([-1, 1]))
        return logsumexp(alpha)
    return """
        table = [[0.9, 0.1], [0.3, 0.7]]
        model states(n: int):
            z[0] ~ categorical(probs = [0.6, 0.4])
            y[0] ~ normal(2 * z[0] - 1, 1)
            for t in 1..n:
                z[t] ~ categorical(probs = table[z[t - 1]])
                y[t] ~ normal(2 * z[t] - 1, 1)
        model m() = marginalize states(5) over z using enum
    """, by_hand


def mixture():
    def by_hand(t):
        parts = np.log([0.2, 0.8]) + norm.logpdf(t["x"][:, None], np.array([-2, 3]), 1)
        return logsumexp(parts, axis=1).sum()
    return """
        model points():
            for i in 0..6:
                c ~ categorical(probs = [0.2, 0.8])
                x ~ normal([-2.0, 3.0][c], 1)
        model m() = marginalize points() over c using enum
    """, by_hand


def joint_in_a_loop():
    text, by_hand = joint()
    first, choice = text.strip().split("\n")
    return f"""
        {first}
            for i in 0..4:
                {choice.strip()}
    """, lambda t: sum(by_hand({"a": a, "s": s}) for a, s in zip(t["a"], t["s"]))


def marginal_of_a_marginal():
    def by_hand(t):
        total = [np.log(w) + np.sum(np.logaddexp(
            np.log(0.8 - 0.5 * a) + norm.logpdf(t["y"], a, 1), np.log(0.2 + 0.5 * a) + norm.logpdf(t["y"], 1 + a, 1)))
            for a, w in enumerate((0.4, 0.6))]
        return logsumexp(total)
    return """
        model both():
            a ~ bernoulli(0.6)
            for i in 0..3:
                b ~ bernoulli(0.2 + 0.5 * a)
                y ~ normal(a + b, 1)
        model one() = marginalize both() over b using enum
        model m() = marginalize one() over a using enum
    """, by_hand


PROGRAMS = {"lag": lag(7), "grid": grid(), "branches": branches(), "first": first_step_under_a_condition(), "carried": carried(),
            "submodels": submodels(), "schools": eight_schools(), "pushed": pushed(), "joint": joint(), "joint in a loop": joint_in_a_loop(), "marginals": marginal_of_a_marginal(),
            "chain": chain(),
            "mixture": mixture()}


@pytest.mark.parametrize("name", PROGRAMS)
def test_log_density(name):
    text, by_hand = PROGRAMS[name]
    m = pb.loads(dedent(text))["m"]
    trace = m.sample(jax.random.key(1))
    arrays = jax.tree.map(np.asarray, trace)
    assert np.allclose(float(m.logp(trace)), by_hand(arrays), rtol=2e-5, atol=2e-5)
