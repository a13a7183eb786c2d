"""Diagrams whose values are known in closed form (the sheet's numbers stand in the names)."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pullback as pb

PI, T = np.pi, 0.137
GATES = "from pullback.gates import *\n".replace("*", "qubit, bit, ket, bra, X, Y, Z, H, S, T, CX, CZ, Rx, Ry, Rz, U1, CRx, CRy, CRz, CU1, "
                                                   "PRx, PRy, PRz, phase, measure, discard, prepare, scale, weight, ZSpider, XSpider, iqp")


def diagrams(text):
    return pb.loads(GATES + text).diagrams


def one(body, parameters="t: real"):
    return diagrams(f"diagram D({parameters}): {body}\n")["D"]


def central(f, t, h=1e-4):
    return (8 * (f(t + h) - f(t - h)) - (f(t + 2 * h) - f(t - 2 * h))) / (12 * h)


def test_1_snake():
    p = diagrams("type n\ndiagram snake: id(n) * cap(n.r, n) >> cup(n, n.r) * id(n)\ndiagram straight: id(n)\n")
    assert p["snake"] == p["straight"]
    assert not p["snake"].normal_form().graph.boxes


def test_2_circle():
    p = pb.loads("type n\ndiagram circle: cap(n, n.r) >> cup(n, n.r)\nfunctor F(k: real):\n    n => 5\n")
    assert p["F"](p["circle"], k=0.0) == 5


ALICE = """
type n, s
box Alice: -> n
box Bob: -> n
box loves: -> n.r * s * n.l
diagram there: Alice * loves * Bob >> cup(n, n.r) * id(s) * cup(n.l, n)
diagram back: Bob * loves * Alice >> cup(n, n.r) * id(s) * cup(n.l, n)
functor F:
    n => 2
    s => 1
    Alice => [1.0, 0.0]
    Bob => [0.0, 1.0]
    loves => [[0.0, 1.0], [0.0, 0.0]]
"""


def test_3_alice_loves_bob():
    p = pb.loads(ALICE)
    assert (p["F"](p["there"]), p["F"](p["back"])) == (1, 0)


def test_4_loop_of_a_rotation():
    loop = one("cap(qubit, qubit) >> Rz(t) * id(qubit) >> cup(qubit, qubit)")
    assert np.allclose(loop.array(t=T), 2 * np.cos(PI * T), atol=1e-12)
    assert np.allclose(loop.derivative("t").array(t=T), -2 * PI * np.sin(PI * T), atol=1e-10)


def test_5_expectation_of_z_twice():
    z = one("double(ket(0) >> Ry(t) >> Z >> Ry(t).dagger >> bra(0))")
    amplitude = one("ket(0) >> Ry(t) >> Z >> Ry(t).dagger >> bra(0)")
    assert np.allclose(z.array(t=T), np.cos(2 * PI * T) ** 2, atol=1e-12)
    assert np.allclose(amplitude.array(t=T), np.cos(2 * PI * T), atol=1e-12)
    assert np.allclose(amplitude.derivative("t").array(t=T), -2 * PI * np.sin(2 * PI * T), atol=1e-10)
    twice = amplitude.derivative("t").derivative("t")
    assert np.allclose(twice.array(t=T), -4 * PI ** 2 * np.cos(2 * PI * T), atol=1e-9)


def test_6_probability_of_one():
    p = one("ket(0) >> Rx(t) >> measure")
    assert np.allclose(p.array(t=T), [np.cos(PI * T) ** 2, np.sin(PI * T) ** 2], atol=1e-12)
    assert np.allclose(p.derivative("t").array(t=T)[1], PI * np.sin(2 * PI * T), atol=1e-10)
    assert len(p.derivative("t").terms) == 2


def test_7_iqp_two_qubits():
    a = one("ket(0, 0) >> H^2 >> CRz(t) >> H^2 >> bra(0, 0)")
    assert np.allclose(a.array(t=T), np.cos(PI * T / 2) ** 2, atol=1e-12)
    assert np.allclose(a.double(t=T), np.cos(PI * T / 2) ** 4, atol=1e-12)
    p = one("double(ket(0, 0) >> H^2 >> CRz(t) >> H^2 >> bra(0, 0))").derivative("t")
    assert np.allclose(p.array(t=T), -2 * PI * np.cos(PI * T / 2) ** 3 * np.sin(PI * T / 2), atol=1e-10)
    ansatz = one("ket(0, 0) >> iqp(2, turns) >> bra(0, 0)", "turns: real[1, 1]")
    assert np.allclose(ansatz.array(turns=[[T]]), np.cos(PI * T / 2) ** 2, atol=1e-12)


def test_8_iqp_with_a_controlled_phase():
    p = one("double(ket(0, 0) >> H^2 >> CU1(t) >> H^2 >> bra(0, 0))")
    assert np.allclose(p.array(t=T), (5 + 3 * np.cos(2 * PI * T)) / 8, atol=1e-12)
    assert np.allclose(p.derivative("t").array(t=T), -0.75 * PI * np.sin(2 * PI * T), atol=1e-10)


def test_9_iqp_three_qubits():
    a = one("ket(0, 0, 0) >> H^3 >> CRz(x[0]) * id(qubit) >> id(qubit) * CRz(x[1]) >> H^3 >> bra(0, 0, 0)", "x: real[2]")
    s, t = 0.31, 0.77
    exact = ((1 + np.exp(-1j * PI * s)) + (1 + np.exp(1j * PI * s)) * np.cos(PI * t)) / 4
    assert np.allclose(a.array(x=[s, t]), exact, atol=1e-12)
    assert np.allclose(a.derivative("x").array(x=jnp.array([s, t])), jax.jacfwd(lambda x: a.array(x=x))(jnp.array([s, t])), atol=1e-10)


def test_10_like_terms_are_collected():
    d = one("Rx(t) >> Rx(t)").derivative("t")
    assert len(d.terms) == 2
    assert str(d.normal_form()) == "2 * pi * Rx(2 * t + 0.5)"
    assert d.normal_form() == one("2 * pi * Rx(2 * t + 0.5)")


@pytest.mark.parametrize("body, pure, doubled", [("Rx(t)", 1, 2), ("U1(t)", 2, 2), ("CRz(t)", 1, 4), ("CRx(t)", 1, 4)])
def test_11_numbers_of_terms(body, pure, doubled):
    assert len(one(body).derivative("t").terms) == pure
    assert len(one(f"double({body})").derivative("t").terms) == doubled


@pytest.mark.parametrize("body", ["Rx(t)", "Ry(t)", "Rz(t)", "U1(t)", "CRx(t)", "CRy(t)", "CRz(t)", "CU1(t)", "PRx(t)", "PRz(t)",
                                  "ZSpider(1, 2, t)", "XSpider(2, 1, t)", "phase(t)", "scale(t^2)", "Ry(t).dagger", "CRx(t).transpose",
                                  "Rz(t * t)", "CU1(2.0 * t + 1.0).conjugate", "weight(t^3)", "double(scale(t^2))"])
def test_12_every_rule_against_central_differences(body):
    with jax.disable_jit():
        against_central_differences(body)


def against_central_differences(body):
    pure = one(body)
    exact = central(lambda t: pure.array(t=t), T)
    assert np.abs(exact).max() > 1e-3
    assert np.allclose(pure.derivative("t").array(t=T), exact, atol=1e-8)
    if not body.startswith(("PR", "double", "weight")):
        channel = one(f"double({body})")
        exact = central(lambda t: channel.array(t=t), T)
        assert np.allclose(channel.derivative("t").array(t=T), exact, atol=1e-8)


@pytest.mark.parametrize("count", [1, 2, 3, 5])
def test_13_the_shift_rule_of_equidistant_frequencies(count):
    from pullback.stdlib.gates.rotations import FOUR, TWO, equidistant
    rng = np.random.default_rng(count)
    a, b, k = rng.normal(size=count), rng.normal(size=count), np.arange(1, count + 1)
    terms = equidistant(count, 2 * PI)
    f = [np.sum(a * np.cos(k * (T + s)) + b * np.sin(k * (T + s))) for _, s in terms]
    assert np.allclose(sum(c * y for (c, _), y in zip(terms, f)), np.sum(k * (b * np.cos(k * T) - a * np.sin(k * T))), atol=1e-10)
    r = np.sqrt(2)
    assert np.allclose(TWO, [(PI, 0.25), (-PI, -0.25)])
    assert np.allclose(FOUR, [(2 * PI * (r + 1) / (4 * r), 0.25), (-2 * PI * (r + 1) / (4 * r), -0.25),
                              (-2 * PI * (r - 1) / (4 * r), 0.75), (2 * PI * (r - 1) / (4 * r), -0.75)])


def test_14_bubble():
    p = pb.loads("box w: ->\ndiagram D(x: real): bubble(tanh, F(x))\nbox F(x: real): ->\nfunctor G:\n    F(x) => x / 2.0\n    w => 1.0\n")
    s, x = p["D"], 0.8
    assert np.allclose(p["G"](s, x=x), np.tanh(x / 2))
    assert np.allclose(p["G"](s.derivative("x"), x=x), 0.5 * (1 - np.tanh(x / 2) ** 2), atol=1e-10)
    assert str(s.derivative("x")) == "bubble(d(tanh), F(x)) * d(F(x), x)"


def test_15_a_quotient_in_an_objective():
    p = pb.loads(GATES + """
objective share(t: real):
    p = ket(0) >> Ry(t) >> measure
    return p[0] / sum(p)
""")
    value, grads = p["share"].compile().value_and_grad(jax.random.key(0), {"t": T})
    assert np.allclose(value, np.cos(PI * T) ** 2) and np.allclose(grads["t"], -PI * np.sin(2 * PI * T))


def test_16_teleportation():
    bell = one("id(qubit) * (ket(0, 0) >> H * id(qubit) >> CX) >> (CX >> H * id(qubit) >> bra(0, 0)) * id(qubit)", "")
    assert np.allclose(bell.array(), np.eye(2) / 2, atol=1e-12)


def test_17_relative_clause():
    p = pb.loads("""
type n, s
box man: -> n
box sleeps: -> n.r * s
box that: -> n.r * n * s.l * n
box sauce: -> n
box makes: -> n.r * s * n.l
diagram clause: man * that * makes * sauce >> cup(n, n.r) * id(n) * id(s.l) * id(n) * id(n.r) * id(s) * cup(n.l, n) >> id(n) * id(s.l) * cup(n, n.r) * id(s) >> id(n) * cup(s.l, s)
functor F(v: real[2, 2], noun: real[2], other: real[2]):
    n => 2
    s => 1
    man => noun
    sauce => other
    makes => v
    sleeps => noun
    that => spider(0, 3, n)
""".replace("spider(0, 3, n)", "[[[1.0, 0.0], [0.0, 0.0]], [[0.0, 0.0], [0.0, 1.0]]]"))
    rng = np.random.default_rng(0)
    v, noun, other = rng.normal(size=(2, 2)), rng.normal(size=2), rng.normal(size=2)
    assert np.allclose(p["F"](p["clause"], v=v, noun=noun, other=other), noun * (v @ other), atol=1e-12)


def test_18_interchange_and_sliding():
    p = diagrams("""type a, b
box f: a -> b
box g: b -> a
diagram left: f * id(b) >> id(b) * g
diagram right: id(a) * g >> f * id(a)
diagram slid: id(b.l) * f >> cup(b.l, b)
diagram turned: f.transpose
diagram back: f.dagger.dagger
diagram same: f
""")
    assert p["left"] == p["right"]
    assert p["back"] == p["same"]
    q = pb.loads("""type a, b
box f: a -> b
diagram cupped: f * id(b.r) >> cup(b, b.r)
diagram slid: id(a) * f.transpose >> cup(a, a.r)
functor F(m: real[2, 3]):
    a => 2
    b => 3
    f => m
""")
    m = np.random.default_rng(0).normal(size=(2, 3))
    assert np.allclose(q["F"](q["cupped"], m=m), q["F"](q["slid"], m=m))


def test_22_order_of_adjectives():
    p = pb.loads("""type n
lexicon words -> n:
    noun: n = "noun"
    first: n * n.l = "a"
    second: n * n.l = "b"
functor F:
    n => 2
    noun => [1.0, 0.0]
    first => [[0.0, 0.0], [1.0, 0.0]]
    second => [[1.0, 0.0], [0.0, 0.0]]
""")
    assert np.allclose(p["F"](p["words"].parse("a b noun")), [0, 1])
