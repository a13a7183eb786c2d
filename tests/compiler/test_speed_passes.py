"""Passes that only save work: the same value and gradient as without, and the work is saved."""
import jax
import numpy as np
import pytest

import pullback as pb
from pullback.compiler import ops as op, pipeline
from tests.laws.exact import exact

BRANCH = """objective f(p: real, m: real):
    k ~ bernoulli(sigmoid(p)) by enum
    if k == 1:
        x ~ bernoulli(sigmoid(m)) by enum
        u = log(2 + x) * m + exp(m)
    else:
        u = m^2
    return u * (1 + k)
"""
UNTAKEN = """objective f(p: real, m: real):
    k ~ bernoulli(sigmoid(p)) by enum
    return (log(m) if k == 1 else m) + 0.0 * k
"""
SLOTS = """objective f(p: real, m: real):
    going = 1
    left = m
    for i in 0..2:
        k ~ bernoulli(going * sigmoid(p + left)) by enum
        left = left - (0.3 * left if k == 1 else 0.0)
        going = k
    return left^2
"""
WALK = """objective f(policy: real[3, 2]):
    cell = 0
    total = 0.0
    for t in 0..5:
        total = total + (1.0 if cell == 2 else 0.25 * t)
        move ~ categorical(logits = policy[cell]) by reinforce
        cell = (cell + move + 1) % 3
    return total
"""
COINS = """objective f(t: real[3, 4], x: int[5, 4]):
    k ~ categorical(logits = [0.2, -0.3, 0.1]) by enum
    return sum i in 0..5: sum j in 0..4: logp(coin(t[k, j]), {y = x[i, j]})

model coin(t: real):
    y ~ bernoulli(logits = t)
"""
OWN = """objective f(m: real, s: real):
    x ~ {law} by reparam
    return -logp(guide(m, s), {{x}})

model guide(m: real, s: real):
    x ~ {law}
"""
PARAMS = {"p": 0.4, "m": 0.7}


def objective(text, **settings):
    return pb.loads(text)["f"].compile(**settings)


def enumerated(text, params, **data):
    f = objective(text)
    value, grads = f.value_and_grad(jax.random.key(0), params, **data)
    want, slope = exact(text, params, **data)
    np.testing.assert_allclose(float(value), want, rtol=2e-5)
    np.testing.assert_allclose(np.concatenate([np.ravel(grads[name]) for name in sorted(grads)]), slope, rtol=2e-4, atol=2e-5)
    return f


@pytest.mark.parametrize("text", [BRANCH, UNTAKEN, SLOTS], ids=["branch", "untaken", "slots"])
def test_a_branch_decided_by_an_enumerated_choice(text):
    enumerated(text, PARAMS)


def test_its_side_has_no_axis_of_the_choice():
    f = objective(BRANCH)
    assert not any(box.op is op.guard for box in f.stages()["estimator"].boxes)
    one = next(box for box in f.stages()["estimator"].boxes if box.op.name == "exp")
    assert one.output.axes == ()


def test_a_side_that_is_not_finite_where_it_is_not_taken():
    """log(m) at m < 0 where k = 1 has probability 0: neither value nor gradient may be NaN."""
    text = UNTAKEN.replace("sigmoid(p)", "0.0 * p")
    value, grads = objective(text).value_and_grad(jax.random.key(0), {"p": 0.3, "m": -0.5})
    assert float(value) == -0.5 and float(grads["m"]) == 1.0


def test_terms_of_a_loop_are_summed_behind_it():
    f = objective(WALK, particles=4)
    graph = f.stages()["estimator"]
    scan = next(box for box in graph.boxes if box.op is op.scan)
    inside = {box.op.name for box in scan.regions[0].boxes}
    assert not inside & {"contract", "density", "score"} and "points" in inside
    assert any(box.op is op.running for box in graph.boxes)


def test_a_loop_and_what_follows_it_are_unbiased():
    params = {"policy": np.array([[0.1, -0.4], [0.3, 0.2], [-0.2, 0.5]])}
    f = objective(WALK, particles=4)
    keys = jax.random.split(jax.random.key(1), 4000)
    values, grads = jax.vmap(lambda key: f.value_and_grad(key, params))(keys)
    want, slope = exact(WALK.replace("by reinforce", "by enum"), params)
    found = np.concatenate([np.asarray(values)[:, None], np.asarray(grads["policy"]).reshape(len(keys), -1)], 1)
    z = (found.mean(0) - [want, *slope]) / (found.std(0) / np.sqrt(len(keys)) + 1e-9)
    assert np.abs(z).max() < 4.9  # a false alarm in 1e5 runs, over 7 numbers


def test_the_same_numbers_with_and_without(monkeypatch):
    """On one key: the loop's own draws are the same, so value and gradient are, to rounding."""
    params = {"policy": np.array([[0.1, -0.4], [0.3, 0.2], [-0.2, 0.5]])}
    saved = objective(WALK, particles=64).value_and_grad(jax.random.key(3), params)
    monkeypatch.setattr(pipeline, "sink", lambda graph: graph)
    monkeypatch.setattr(pipeline, "tabulate", lambda graph: graph)
    plain = objective(WALK, particles=64).value_and_grad(jax.random.key(3), params)
    np.testing.assert_allclose(float(saved[0]), float(plain[0]), rtol=1e-5)
    np.testing.assert_allclose(saved[1]["policy"], plain[1]["policy"], rtol=1e-4, atol=1e-5)


def test_a_density_of_few_values_is_a_table():
    f = objective(WALK, particles=64)
    score = next(box for box in f.stages()["estimator"].boxes if box.op is op.score)
    assert sorted(axis.size for axis in score.output.axes) == [2, 3]


def test_a_density_of_two_sets_of_rows_is_a_product_of_matrices():
    rng = np.random.default_rng(0)
    t, x, f = rng.normal(size=(3, 4)), rng.integers(0, 2, (5, 4)), objective(COINS)

    def by_hand(t):
        density = -jax.nn.softplus(jax.numpy.where(x == 1, -t[:, None], t[:, None]))
        return jax.nn.softmax(np.array([0.2, -0.3, 0.1])) @ density.sum((1, 2))
    want, slope = jax.value_and_grad(by_hand)(t)
    value, grads = f.value_and_grad(jax.random.key(0), {"t": t}, x=x)
    np.testing.assert_allclose(float(value), float(want), rtol=1e-5)
    np.testing.assert_allclose(grads["t"], slope, rtol=1e-4, atol=1e-6)
    density = next(box for box in f.stages({"t": t}, x=x)["estimator"].boxes if "summed" in box.attributes)
    assert [axis.kind for axis in density.output.axes] == ["finite", "plate"]


@pytest.mark.parametrize("law,entropy", [
    ("normal(m, exp(s))", lambda m, s: 0.5 * np.log(2 * np.pi * np.e) + s),
    ("laplace(m, exp(s))", lambda m, s: 1 + np.log(2) + s),
    ("log_normal(m, exp(s))", lambda m, s: m + 0.5 * np.log(2 * np.pi * np.e) + s)])
def test_a_draws_own_density(law, entropy):
    """E −log q(x) is the entropy, and its derivative is that of the entropy for every draw where the noise alone is left."""
    f = objective(OWN.format(law=law), particles=20_000)
    assert any("own" in box.attributes for box in f.stages()["estimator"].boxes)
    value, grads = f.value_and_grad(jax.random.key(0), {"m": 0.3, "s": -0.4})
    assert abs(float(value) - entropy(0.3, -0.4)) < 0.05
    for name, step in (("m", (1e-3, 0)), ("s", (0, 1e-3))):
        slope = (entropy(0.3 + step[0], -0.4 + step[1]) - entropy(0.3, -0.4)) / 1e-3
        assert abs(float(grads[name]) - slope) < 0.05
