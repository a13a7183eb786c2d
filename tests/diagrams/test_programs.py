"""Diagrams in objectives and fits, beside everything else that the language has."""
import sys
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pullback as pb

sys.path.insert(0, str(Path(__file__).parents[2]))


@pytest.fixture(autouse=True)
def single_precision(double_precision):
    """As examples run."""
    jax.config.update("jax_enable_x64", False)


MIXED = """
from pullback.gates import ket, Ry, measure
type n, s
box word(x: real[2]): -> n
box verb: n -> s
network net: real[2] -> real[2] = dense(3) >> tanh >> dense(2)
functor meaning(m: params):
    n => 2
    s => 2
    word(x) => tanh(x)
    verb => m.verb

model side(t: real):
    k ~ bernoulli(0.5 + 0.4 * tanh(t)) by enum

objective together(w: params, m: params, x: real[2], t: real):
    z ~ normal(0.0, 1.0) by reparam
    c ~ side(t)
    p = ket(0) >> Ry(t + 0.1 * z) >> measure
    y = net(w, meaning(word(x) >> verb, m))
    return (c.k + 1.0) * p[0] * sum(y) + z * y[0]
"""


def test_a_diagram_a_network_and_choices_in_one_objective():
    p = pb.loads(MIXED)
    f = p["together"].compile(particles=20_000)
    record = p.loaded.module.networks["net"]
    w = record.init(jax.random.key(1))
    params = {"w": w, "m": {"verb": jnp.array([[0.3, -1.0], [0.8, 0.2]])}, "x": jnp.array([0.4, -0.7]), "t": jnp.float32(0.2)}

    def by_hand(params):
        z, weight = np.polynomial.hermite_e.hermegauss(40)
        weight = jnp.asarray(weight / weight.sum())
        y = record.apply(params["w"], jnp.tanh(params["x"]) @ params["m"]["verb"])
        mean = 1.5 + 0.4 * jnp.tanh(params["t"])
        p0 = jnp.cos(jnp.pi * (params["t"] + 0.1 * jnp.asarray(z))) ** 2
        return (weight * p0).sum() * mean * y.sum()
    value, grads = f.value_and_grad(jax.random.key(0), params)
    true, slope = jax.value_and_grad(by_hand)(params)
    assert abs(value - true) < 0.02
    assert all(np.allclose(a, b, atol=0.05) for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(slope)))
    assert f.ledger.unbiased


def test_sentences_are_one_contraction_a_shape():
    """MC: three shapes, each one contraction; the objective is that of the sentences one by one."""
    from examples.qnlp.run import sentences
    program = pb.load(Path(__file__).parents[2] / "examples" / "qnlp" / "qnlp.pbk")
    train = sentences("mc", "train")
    f = program["meaning"].compile(words=train["words"])
    w = program["mc"].init(jax.random.key(0))
    whole = f(jax.random.key(0), {"w": w}, label=train["label"])
    boxes = [box.op.name for box in f.stages()["estimator"].walk()]
    assert boxes.count("contraction") == 3
    F, mc = program["circuit"], program["mc"]
    each = []
    for words, label in list(zip(train["words"], train["label"]))[:3]:
        s = mc.parse(words)
        p = np.abs(F(s, **{name: w[name] for name in s.parameters})) ** 2
        each.append(np.log(p[label] / p.sum()))
    few = program["meaning"].compile(words=train["words"][:3])
    assert np.allclose(few(jax.random.key(0), {"w": w}, label=train["label"][:3]), np.mean(each), atol=1e-5)
    assert np.isfinite(whole)


def test_d_of_a_number_and_of_a_box():
    p = pb.loads("type n\nbox f(x: real[2]): -> n\nfunctor F(a: real[3, 2]):\n    n => 3\n    f(x) => sin(a @ x)\n"
                 "diagram D(x: real[2]): f(x)\nobjective g(x: real[2], a: real[3, 2]):\n    y = F(d(D(x), x), a)\n    return sum(y * y)\n"
                 "objective h(t: real): return d(t^3, t)\n")
    x, a = jnp.array([0.3, -0.2]), jnp.arange(6.0).reshape(3, 2) / 3
    exact = (jax.jacfwd(lambda x: jnp.sin(a @ x))(x) ** 2).sum()
    assert np.allclose(p["g"].compile()(jax.random.key(0), {"x": x}, a=a), exact, atol=1e-5)
    assert np.allclose(p["h"].compile()(jax.random.key(0), {"t": 2.0}), 12.0)


def test_a_gate_that_is_not_imported_says_where_it_is():
    with pytest.raises(pb.ProgramError) as caught:
        pb.loads("diagram d(t: real): ket(0) >> Ry(t)\n")
    assert caught.value.diagnostics[0].help == "`from pullback.gates import ket` at the top"
