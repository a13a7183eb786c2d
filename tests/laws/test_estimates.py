"""Estimates inside a program: where a minibatch or an expectation may be read, and where it may not."""
import jax
import numpy as np
import pytest

import pullback as pb
from pullback.testing import threshold

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
