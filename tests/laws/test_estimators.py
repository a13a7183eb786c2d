"""Every rule on programs with exact answers: value and gradient by z-test, and what each rule refuses.

The family-wise false-alarm rate is `ALARM` (1e-3); up to `SAMPLES` samples a test, fewer where the gradient is known to 2 % of
its norm before.  Deviations of one draw are those of the closed forms in Mohamed et al. (2020).
"""
import jax
import numpy as np
import pytest

import pullback as pb
from pullback.testing import check_rule, estimate, threshold
from tests.laws.test_closed_forms import CASES, STEP

RULES = {
    "mvd": ["square", "adev", "table", "exponential", "uniform", "chain", "diamond", "branch", "iwelbo", "coins", "nested"],
    "disarm": ["adev", "chain", "nested", "plate"], "sum_and_sample(2)": ["table", "adev"],
    "antithetic": ["square", "uniform", "walk", "iwelbo"], "stratified(3)": ["square", "exponential", "iwelbo"],
    "quadrature(2)": ["square", "uniform", "gaussian", "twice"],
    "importance(normal(0, 3), k = 2)": ["square", "gaussian", "iwelbo"], "importance(poisson(4), k = 3)": ["poisson"]}
TESTS = [(rule, name) for rule, names in RULES.items() for name in names]
SAMPLES = 8_000
LIMIT = threshold(4 * len(TESTS))


@pytest.mark.parametrize("rule,name", TESTS, ids=lambda x: x)
def test_closed_form(rule, name, unoptimized):
    _, text, params, data, value, gradient, choices, _ = next(case for case in CASES if case[0] == name)
    f = pb.loads(text, name=name)["f"].compile(rules={c: rule for c in choices})
    seen = estimate(f, params, most=SAMPLES, batch=SAMPLES, **data)
    assert f.ledger.unbiased
    z = seen.z(value, np.array(gradient), slack=5e-4)
    assert np.abs(z).max() < LIMIT, (z, seen)


@pytest.mark.parametrize("name,rule,coordinate,deviation", [
    ("step", "mvd", 0, .082), ("poisson", "mvd", 0, 3.03), ("geometric", "mvd", 0, 4.85), ("square", "antithetic", 0, 0.)])
def test_deviation(name, rule, coordinate, deviation, unoptimized):
    """The deviation of one draw is that of the coupling: a looser one would be unbiased too."""
    _, text, params, data, *_, choices, _ = next(case for case in CASES if case[0] == name)
    f = pb.loads(text)["f"].compile(rules={c: rule for c in choices})
    seen = estimate(f, params, most=8_000, batch=8_000, relative=0, **data)
    assert abs(seen.gradient_error[coordinate] * np.sqrt(seen.count) - deviation) < .06 * deviation + 1e-4


MIXED = """objective f(p: real, r: real, m: real):
    a ~ bernoulli(sigmoid(p)) by {coin}
    n ~ poisson(exp(r) + a) by mvd
    x ~ normal(m * a + n, 1) by {normal}
    for i in 0..2:
        c ~ bernoulli(sigmoid(x - i)) by {coin}
        v[i] = c
    return sum(v)^2 + 0.1 * n * x + a
"""


@pytest.mark.parametrize("coin,normal", [("mvd", "mvd"), ("enum", "mvd"), ("mvd", "reinforce(k = 2, baseline = loo)"),
                                         ("disarm", "antithetic"), ("mvd", "quadrature(12)")])
def test_mixed(coin, normal, exact_mixed, unoptimized):
    """Choices downstream of perturbed ones, a mixed plate, and every kind of axis beside the shared one."""
    text = MIXED.format(coin=coin, normal=normal)
    if "quadrature" in normal:
        text = text.replace("real):", "real) allow biased:")
    f = pb.loads(text)["f"].compile()
    seen = estimate(f, {"p": .3, "r": .2, "m": .5}, most=8_000, batch=8_000)
    z = seen.z(*exact_mixed, slack=1e-3)
    assert np.abs(z).max() < threshold(20), (z, seen)


@pytest.fixture(scope="module")
def exact_mixed():
    """By summation and quadrature, and central differences, in float64."""
    nodes, weights = np.polynomial.hermite_e.hermegauss(60)
    weights = weights / weights.sum()
    s = lambda t: 1 / (1 + np.exp(-t))

    def value(at):
        m, p, r = at
        total = 0.0
        for a, pa in ((0, 1 - s(p)), (1, s(p))):
            rate, chance = np.exp(r) + a, 1.0
            chance = np.exp(-rate)
            for n in range(60):
                x = m * a + n + nodes
                one, two = s(x), s(x - 1)
                square = one * (1 - one) + two * (1 - two) + (one + two) ** 2
                total += pa * chance * (weights * (square + 0.1 * n * x + a)).sum()
                chance *= rate / (n + 1)
        return total
    at, h = np.array([.5, .3, .2]), 1e-5
    return value(at), np.array([(value(at + h * e) - value(at - h * e)) / (2 * h) for e in np.eye(3)])


@pytest.mark.parametrize("rule,name,places", [
    ("mvd", "uniform", ["plate", "mixed plate", "branch"]), ("disarm", "bernoulli", ["mixed plate", "branch"]),
    ("antithetic", "exponential", ["scan"]), ("stratified(3)", "logistic", ["mixed plate"]), ("quadrature(2)", "normal", ["mixed plate"])])
def test_places(rule, name, places, unoptimized):
    check_rule(rule, on=[name], places=places, particles=(3,), most=5_000, alarm=2e-4)


def test_a_moving_edge_before_a_jump_is_automatic():
    """Neither a pathwise derivative nor a score is right there; what enters at the edge is."""
    f = pb.loads("objective f(b: real):\n    x ~ uniform(0, b)\n    return 2.0 if x > 1 else x\n")["f"].compile()
    seen = estimate(f, {"b": 1.5}, most=4_000, batch=4_000)
    assert f.ledger.rows[0].rule == "mvd"
    assert np.abs(seen.z(1.0, np.array([2 / 3]))).max() < threshold(2)     # (½ + 2(b − 1))/b


def test_perturbed_costs_have_no_reverse_pass():
    """m coins before a costly objective: what is evaluated grows with m, what is differentiated does not."""
    text = """objective f(t: real[{m}], w: real[200, {m}], v: real[200, 200]):
    b: int[{m}] ~ bernoulli(logits = t) by {rule}
    h = tanh(w @ b)
    return sum(tanh(v @ h))
"""

    def flops(m, rule):
        f = pb.loads(text.format(m=m, rule=rule))["f"].compile()
        params = {"t": np.zeros(m, np.float32), "w": np.ones((200, m), np.float32), "v": np.ones((200, 200), np.float32)}
        lowered = jax.jit(lambda key, p: f.value_and_grad(key, p)).lower(jax.random.key(0), params)
        return lowered.compile().cost_analysis()["flops"]
    one = flops(8, "reinforce") / 3            # forward, and two products in reverse
    assert flops(8, "mvd") < (3 + 8 + 2) * one


def test_coupling_and_vague_values(unoptimized):
    """Parameters at 0 and 1, a side of a branch that is impossible, an infinite perturbed cost: finite and right."""
    f = pb.loads("objective f(p: real):\n    b ~ bernoulli(p) by mvd\n    return (b - 0.3)^2\n")["f"].compile()
    for p in (0.0, 1.0):
        value, gradient = f.value_and_grad(jax.random.key(0), {"p": p})
        assert np.isfinite(value) and np.allclose(gradient["p"], .4, atol=1e-6)
    f = pb.loads("objective f(m: real):\n    x ~ normal(m, 1) by mvd\n    return log(x) if x > 0 else 0.0\n")["f"].compile()
    value, gradient = f.value_and_grad(jax.random.key(0), {"m": .1})
    assert np.isfinite(value) and np.isfinite(gradient["m"])
    for coupling, deviation in (("same", .522), ("independent", .369), ("antithetic", .085)):
        f = pb.loads("objective f(m: real):\n    x ~ normal(m, 1)\n    return x\n")["f"].compile(
            rules={"x": f"mvd(coupling = {coupling})"})
        seen = estimate(f, {"m": .3}, most=8_000, batch=8_000, relative=0)
        assert abs(seen.gradient_error[0] * np.sqrt(seen.count) / deviation - 1) < .08


def test_biased_rules_are_what_they_say(unoptimized):
    """Closed forms of the bias: straight-through gives f′ at the draw, the concrete coin its own mean, a cut sum its head."""
    text = "objective f(p: real) allow biased:\n    b ~ bernoulli(p) by straight_through\n    return (b - 0.3)^2\n"
    f = pb.loads(text)["f"].compile()
    seen = estimate(f, {"p": .3}, most=20_000, batch=20_000)
    assert not f.ledger.unbiased and abs(seen.gradient[0]) < 5 * seen.gradient_error[0]      # 0 for the exact 0.4
    f = pb.loads("objective f(t: real) allow biased:\n    b ~ bernoulli(logits = t) by gumbel_softmax(1.0)\n    return 1.0 * b\n")["f"].compile()
    seen = estimate(f, {"t": 0.0}, most=20_000, batch=20_000)
    assert abs(seen.gradient[0] - 1 / 6) < 5 * seen.gradient_error[0] + 1e-3                 # E σ′(logistic) for the exact ¼
    f = pb.loads("objective f(r: real) allow biased:\n    n ~ poisson(r) by enum(size = 3)\n    return 1.0 * n\n")["f"].compile()
    value, gradient = f.value_and_grad(jax.random.key(0), {"r": 1.0})
    assert np.allclose(value, 2 * np.exp(-1), atol=1e-6) and f.ledger.rows[0].verdict == "numerical"
    assert "E x / 3" in f.ledger.rows[0].reason


@pytest.mark.parametrize("text,rule,code,says", [
    (STEP, "antithetic", "smoothness", "by antithetic"), (STEP, "quadrature(5)", "smoothness", "by quadrature"),
    ("objective f(m: real):\n    x ~ normal(m, 1)\n    return x^4\n", "quadrature(2)", "bias", "degree 4"),
    ("objective f(m: real):\n    x ~ beta(exp(m), 1)\n    return x\n", "antithetic", "rule", "not known for `beta`"),
    ("objective f(m: real):\n    x ~ normal(m, 1)\n    return x\n", "importance(exponential(1))", "support", "its proposal"),
    ("objective f(m: real):\n    b ~ bernoulli(m)\n    return 1.0 if b else 0.0\n", "straight_through", "smoothness", "whole number"),
    ("objective f(m: real):\n    x ~ normal(m, 1)\n    return x\n", "disarm", "rule", "for coins"),
    ("objective f(m: real):\n    x ~ normal(m, 1)\n    return x\n", "sum_and_sample(2)", "support", "not finite"),
    ("objective f(m: real):\n    x = 0.0\n    for t in 0..100:\n        y ~ normal(x + m, 1)\n        x = y\n    return x^2\n", "mvd",
     "cost", "later steps depend on it"),
    ("objective f(m: real):\n    x ~ normal(m, 1)\n    return x^2\n", "held", "bias", "held")])
def test_refused(text, rule, code, says):
    choice = "x" if " x ~" in text else "y" if " y ~" in text else "b"
    with pytest.raises(pb.ProgramError) as error:
        pb.loads(text)["f"].compile(rules={choice: rule}).specialize({"m": 0.4})
    found = error.value.diagnostics[0]
    assert found.code == code and says in str(error.value)
