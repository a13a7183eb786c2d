"""Estimates inside a program: where a minibatch or an expectation may be read, and where it may not."""
import itertools

import jax
import numpy as np
import pytest

import pullback as pb
from pullback.testing import threshold
from tests.laws.exact import exact

X = np.arange(12.0).reshape(6, 2)
INNER = "objective g(p: real):\n    x ~ normal(p, 1)\n    return x\n\n"
HEAD = "objective f(p: real, x: real[n, 2]):\n"
READ = {  # program, value, derivative
    "rows of vectors": (HEAD + "    for i in 0..n by subsample(2):\n        v[i] = p * x[i]\n    return sum(v)\n", 66.0, 66.0),
    "nested loops": (HEAD + "    for i in 0..n by subsample(2):\n        for j in 0..2:\n            v[i, j] = p * x[i, j]\n"
                     "    return sum(v)\n", 66.0, 66.0),
    "element by element": (HEAD + "    for i in 0..n by subsample(2):\n        v[i] = p * x[i, 0] / 10\n    return sum(exp(v))\n",
                           float(np.exp(X[:, 0] / 10).sum()), float((X[:, 0] / 10 * np.exp(X[:, 0] / 10)).sum())),
    "times a choice": (HEAD + "    b ~ bernoulli(0.5)\n    return b * (sum i in 0..n by subsample(2): p * x[i, 0])\n", 15.0, 15.0),
    "in a branch": (HEAD + "    b ~ bernoulli(0.5)\n    s = sum i in 0..n by subsample(2): p * x[i, 0]\n    if b:\n        v = s\n"
                    "    else:\n        v = 1.0\n    return v\n", 15.5, 15.0),
    "a mean": (HEAD + "    return mean i in 0..n by subsample(2): p * x[i, 1]\n", 6.0, 6.0)}
REFUSED = {
    "a density": "model m(p: real, n: int, x: real[n, 2]):\n    s = sum i in 0..n by subsample(2): p * x[i, 0]\n"
                 "    y ~ normal(s, 1)\n\n" + HEAD + "    return logp(m(p, n, x), {y = 3.0})\n",
    "a quotient": HEAD + "    return 1 / (sum i in 0..n by subsample(2): p * x[i, 0])\n",
    "a square": HEAD + "    s = sum i in 0..n by subsample(2): p * x[i, 0]\n    return s * s\n",
    "a product of rows": HEAD + "    for i in 0..n by subsample(2):\n        v[i] = p * x[i, 0]\n    return dot(v, v)\n",
    "other rows": "model q(p: real, n: int):\n    for i in 0..n by subsample(2):\n        z ~ normal(p, 1)\n\nmodel m(n: int):\n"
                  "    for i in 0..n:\n        z ~ normal(0, 1)\n\n" + HEAD + "    t ~ q(p, n)\n    return logp(m(n), t) + 0 * x[0, 0]\n",
    "a carry": INNER + HEAD + "    s = 0.0 * x[0, 0]\n    for t in 0..3:\n        s = s * s + g(p)\n    return s\n",
    "a condition": INNER + HEAD + "    s = g(p)\n    if s > 0.5:\n        v = x[0, 1]\n    else:\n        v = 0.0\n    return v\n"}
COUNT = 20_000


@pytest.mark.parametrize("name", READ)
def test_read(name):
    """Linear in the estimate: value and derivative unbiased."""
    text, value, slope = READ[name]
    f = pb.loads(text, name=name)["f"].compile()
    seen = jax.jit(jax.vmap(lambda key: f.value_and_grad(key, {"p": 1.0}, x=X)))(jax.random.split(jax.random.key(7), COUNT))
    for found, exact in ((seen[0], value), (seen[1]["p"], slope)):
        found = np.asarray(found, np.float64)
        assert abs(found.mean() - exact) < threshold(2 * len(READ)) * (found.std() / np.sqrt(COUNT) + 1e-6 * abs(exact))


@pytest.mark.parametrize("name", REFUSED)
def test_refused(name):
    """Not linear in it: an error, until the program says that it may be biased."""
    with pytest.raises(pb.ProgramError) as problem:
        pb.loads(REFUSED[name], name=name)["f"].compile().specialize({"p": 1.0}, x=X)
    assert {d.code for d in problem.value.diagnostics} == {"bias"}

EXACT = """objective g(p: real, u: real):
    b ~ bernoulli(sigmoid(p)) by enum
    c ~ bernoulli(sigmoid(u + b)) by enum
    return 1.0 + b * u + c * p

objective chain(p: real, i: real):
    z = 0
    r = 0.0
    for t in 0..3:
        b ~ bernoulli(sigmoid(p + z - i)) by enum
        z = b
        r = r + z * t
    return 1.0 + r

"""
NUMBERS = {  # read as numbers: what reads them, and the same in terms of g and chain
    "a logarithm": ("    return log(g(p, 0.5))\n", lambda p: np.log(g(p, .5))),
    "a square and itself": ("    s = g(p, 0.5)\n    return s * s + s\n", lambda p: g(p, .5) ** 2 + g(p, .5)),
    "under a choice": ("    b ~ bernoulli(0.4) by enum\n    return exp(g(p, b * 0.3)) * b\n", lambda p: .4 * np.exp(g(p, .3))),
    "in a plate": ("    for i in 0..3:\n        v[i] = log(g(p, i * 0.2))\n    return sum(v)^2\n",
                   lambda p: sum(np.log(g(p, i * .2)) for i in range(3)) ** 2),
    "in a carry": ("    s = 0.1\n    for t in 0..4:\n        s = tanh(s * g(p, s))\n    return s\n", lambda p: carried(p)),
    "a condition": ("    s = g(p, 0.3)\n    if s > 1.0:\n        v = s^2\n    else:\n        v = s\n    return v\n",
                    lambda p: g(p, .3) ** 2),
    "a parameter": ("    b ~ bernoulli(sigmoid(g(p, 0.3))) by enum\n    return b * p\n", lambda p: sigmoid(g(p, .3)) * p),
    "a chain": ("    for i in 0..2:\n        v[i] = log(chain(p, i * 1.0))\n    return sum(v)\n",
                lambda p: np.log(chain(p, 0)) + np.log(chain(p, 1)))}


def sigmoid(x):
    return 1 / (1 + np.exp(-x))


def g(p, u):
    return sum((sigmoid(p) if b else sigmoid(-p)) * (1 + b * u + sigmoid(u + b) * p) for b in (0, 1))


def chain(p, i):
    total = 0.0
    for path in itertools.product((0, 1), repeat=3):
        before = (0, *path)
        weights = [sigmoid(p + a - i) if b else sigmoid(i - p - a) for a, b in zip(before, path)]
        total += np.prod(weights) * (1 + sum(t * b for t, b in enumerate(path)))
    return total


def carried(p):
    s = 0.1
    for _ in range(4):
        s = np.tanh(s * g(p, s))
    return s


@pytest.mark.parametrize("name", NUMBERS)
def test_exact_expectations(name):
    """Every choice inside enumerated: an expectation is a number, and a non-linear function of it is exact."""
    body, answer = NUMBERS[name]
    f = pb.loads(EXACT + "objective f(p: real):\n" + body, name=name)["f"].compile()
    value, gradient = f.value_and_grad(jax.random.key(0), {"p": 0.3})
    slope = (answer(.3 + 1e-5) - answer(.3 - 1e-5)) / 2e-5
    assert f.ledger.unbiased and np.allclose(value, answer(.3), rtol=1e-5) and np.allclose(gradient["p"], slope, rtol=1e-4)


def test_marginal_in_a_loop(unoptimized):
    """A marginal in a loop that sums up nothing."""
    text = ("model m(p: real):\n    b ~ bernoulli(p)\n    y ~ normal(b, 1)\n\nmodel h(p: real) = marginalize m(p) over b using enum\n\n"
            "objective f(p: real):\n    s = 0.1\n    for t in 0..3:\n        s = tanh(s - logp(h(p), {y = s}))\n    return s\n")

    def answer(p):
        s = 0.1
        for _ in range(3):
            s = np.tanh(s - np.log(((1 - p) * np.exp(-s ** 2 / 2) + p * np.exp(-(s - 1) ** 2 / 2)) / np.sqrt(2 * np.pi)))
        return s
    value, gradient = pb.loads(text)["f"].compile().value_and_grad(jax.random.key(0), {"p": 0.3})
    assert np.allclose(value, answer(.3), rtol=1e-5)
    assert np.allclose(gradient["p"], (answer(.3 + 1e-5) - answer(.3 - 1e-5)) / 2e-5, rtol=1e-4)

BASELINES = {  # the objective, an option of its rule, by how much it must at least help
    "in objectives over a plate": (
        "objective g(p: real, i: real):\n    b = 30.0 + 6.0 * i\n    x ~ bernoulli(sigmoid(p)) by reinforce{}\n"
        "    return (5.0 + x)^2 * (1.0 + 0.2 * i)\n\nobjective f(p: real):\n    return mean i in 0..4: g(p, i * 1.0)\n", "(baseline = b)", 0.5),
    "in a loop": (
        "objective f(p: real):\n    s = 0.0\n    r = 0.0\n    for t in 0..4:\n        b = 3.0 + s\n"
        "        x ~ bernoulli(sigmoid(p)) by reinforce{}\n        s = 0.5 * s + x\n        r = r + s * (t + 1)\n"
        "    return r\n", "(baseline = b)", 0.7),
    "in a branch": (
        "objective f(p: real):\n    k ~ bernoulli(0.4) by enum\n    b = log(k) + 0.9\n    if k == 1:\n"
        "        x ~ bernoulli(sigmoid(p)) by reinforce{}\n        v = (x + 2.0)^2 / 5.0\n    else:\n        v = 1.0\n    return v\n",
        "(baseline = b)", 0.7),
    "itself an estimate, that jumps": (
        "objective g(p: real):\n    b ~ bernoulli(sigmoid(p)) by reinforce\n    return 4.0 * b\n\nobjective f(p: real):\n"
        "    y ~ normal(p, 1) by reparam\n    x ~ bernoulli(sigmoid(p)) by reinforce{}\n    return (3.0 + x)^2 + y\n",
        "(baseline = (10.0 if y > 0 else 8.0) + g(p))", 0.7),
    "of an array": (
        "objective f(p: real):\n    bs = [4.0, 5.0, 6.0]\n    x: int[3] ~ bernoulli(sigmoid(p)) by reinforce{}\n"
        "    return sum((4.0 + x)^2 / bs)\n", "(baseline = bs)", 0.5)}


@pytest.mark.parametrize("name", BASELINES)
@pytest.mark.filterwarnings("ignore:divide by zero")
def test_computed_baselines(name):
    """A baseline that the run computes leaves every value, and the mean of the derivative; it makes it quieter."""
    text, option, share = BASELINES[name]
    value, slope = exact(text.format(""), {"p": 0.3})
    spread = {}
    for given in ("", option):
        f = pb.loads(text.format(given), name=name)["f"].compile()
        values, slopes = jax.jit(jax.vmap(lambda key: f.value_and_grad(key, {"p": 0.3})))(jax.random.split(jax.random.key(3), COUNT))
        found = np.asarray(slopes["p"], np.float64)
        spread[given] = values, found.std()
        assert abs(found.mean() - slope[0]) < threshold(2 * len(BASELINES)) * found.std() / np.sqrt(COUNT)
    assert np.allclose(spread[""][0], spread[option][0], rtol=1e-5) and spread[option][1] < share * spread[""][1]
