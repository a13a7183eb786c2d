"""Programs that random programs were reduced to: each was once wrong."""
import jax
import numpy as np
import pytest

import pullback as pb
from tests.laws.exact import exact

SAME_FOR_ALL = """objective f(p: real):
    for i in 0..3:
        b ~ bernoulli(0.4) by enum
        v[i] = p + b
    return sum(v)
"""
MERGED_WIRE = """objective f(p: real):
    v = p + 0.0
    for i in 0..3:
        b ~ bernoulli(0.4) by enum
        if b == 1:
            c ~ bernoulli(sigmoid(v)) by enum
            d = c + 0.3
        u[i] = sin(p) + 0.0
    return sum(u)
"""
FILTER_IN_A_PLATE = """objective f(p: real):
    for i in 0..2:
        z = 0
        for t in 0..2:
            b ~ bernoulli(p)
            z = b if b > 0 else z
        v[i] = z + 0.5 * i
    return logsumexp(v)
"""
LOOP_IN_A_LOOP = """objective f(p: real):
    r = 0.0
    for t in 0..2:
        z = 0
        for u in 0..2:
            b ~ bernoulli(sigmoid(p))
            z = b if b != z else z
        r = r + z * p
    return r^2
"""
TWO_SIDES = """model coins(p: real):
    for i in 0..2:
        b ~ bernoulli(p)
        v[i] = b * (i + 1.0)
    y ~ normal(sum(v), 1.0)

model summed(p: real) = marginalize coins(p) over b using enum

objective f(p: real):
    return logp(summed(p), {y = 1.3})
"""

UNROLLED_INSIDE = """objective part(m: real):
    z = 0
    r = 0.3
    for t in 0..2:
        h ~ bernoulli(sigmoid(m + z)) by enum
        z = h
        r = r + h * (m - t)
    return r

objective f(p: real):
    s = p + 0.0
    r = 0.0
    for t in 0..2:
        k ~ bernoulli(sigmoid(part(p) * s)) by enum
        r = r + k * s
        s = 0.5 * s + k
    return r + tanh(part(s))
"""
POINTS_NOT_TAKEN = """objective f(p: real):
    k ~ bernoulli(p) by enum
    if k > 0:
        v = 0.5
    else:
        b ~ bernoulli(0.3) by sum_and_sample(2)
        v = 1.0 * b
    return k * 0.7 * v + v^2
"""
UNROLLED_TWICE = """objective part(m: real):
    z = 0
    r = 0.3
    for t in 0..2:
        h ~ bernoulli(sigmoid(m + z)) by enum
        z = h
        r = r + h * (m - t)
    return r

objective f(p: real):
    s = p + 0.0
    z = 0
    for t in 0..2:
        b ~ bernoulli(sigmoid(s)) by enum
        s = 0.5 * s + part(z) * s
        z = b
    return s
"""
TWO_ARRAYS_OF_ONE_CHOICE = """objective f(p: real):
    for j in 0..2:
        x ~ bernoulli(sigmoid(p)) by enum
        for i in 0..2:
            u[i] = x
        v[j] = x
        s[j] = logsumexp(u) * 0.1
    return logsumexp(v) + sum(s)
"""
NOT_FINITE = """objective f(p: real):
    b ~ bernoulli(0.0) by enum
    v = log(b * 1.0)
    u = sqrt(p - 0.5) if p > 0.5 else p + b
    return p * (0.0 if b == 0 else v) + u^2
"""


def marginal(p):
    """log p(y = 1.3) of the two coins."""
    return np.log(sum((p if a else 1 - p) * (p if b else 1 - p) * np.exp(-0.5 * (1.3 - a - 2 * b) ** 2)
                      for a in (0, 1) for b in (0, 1)) / np.sqrt(2 * np.pi))


@pytest.mark.parametrize("text,answer", [
    (SAME_FOR_ALL, None), (MERGED_WIRE, None), (FILTER_IN_A_PLATE, None), (LOOP_IN_A_LOOP, None),
    (UNROLLED_INSIDE, None), (POINTS_NOT_TAKEN, None), (TWO_ARRAYS_OF_ONE_CHOICE, None),
    (UNROLLED_TWICE, None), (NOT_FINITE, (.09, [.6])),
    (TWO_SIDES, (marginal(.3), [(marginal(.3 + 1e-5) - marginal(.3 - 1e-5)) / 2e-5]))],
    ids=["a term that is the same for all of a plate", "an outer constant in an inner region", "a filter read across a plate",
         "an inner loop's values carried by the outer",
         "an expectation read in a loop that is unrolled",
         "several weighted points in a side that is not taken", "a choice along a loop, and the same along another",
         "a loop in a loop, both unrolled", "a side that is not finite", "a marginal that mixes a plate"])
def test_reduced(text, answer, unoptimized):
    value, gradient = pb.loads(text)["f"].compile().value_and_grad(jax.random.key(0), {"p": 0.3})
    exact_value, exact_gradient = answer or exact(text, {"p": 0.3})
    assert np.allclose(value, exact_value, atol=1e-5) and np.allclose(gradient["p"], exact_gradient, atol=1e-4)


def test_compiled_inside_a_callers_jit(unoptimized):
    """What the checks fold is folded at once, also where the first call is traced."""
    f = pb.loads(NOT_FINITE)["f"].compile()
    values = jax.jit(jax.vmap(lambda key: f(key, {"p": 0.3})))(jax.random.split(jax.random.key(0), 2))
    assert np.allclose(values, 0.09)


def test_missing_data_cost_their_number(unoptimized):
    """An array that a branch in a loop reads is read before it is guarded: nothing has n² elements."""
    text = ("objective f(p: real, x: real[n], seen: bool[n]):\n    for i in 0..n:\n        if seen[i]:\n"
            "            v[i] = log(x[i] * p)\n        else:\n            v[i] = 0.0\n    return sum(v)\n")
    f, n = pb.loads(text)["f"].compile(), 7
    x, seen = np.arange(n, dtype=np.float32), np.arange(n) % 2 == 1
    value, gradient = f.value_and_grad(jax.random.key(0), {"p": 0.3}, x=x, seen=seen)
    assert np.allclose(value, np.log(0.3 * x[seen]).sum()) and np.allclose(gradient["p"], seen.sum() / 0.3)
    graph = f.stages({"p": 0.3}, x=x, seen=seen)["estimator"]
    assert all(len(wire.axes) + wire.type.rank < 2 for wire in graph.wires())
