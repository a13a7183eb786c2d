"""`by shift` and shots: the exact value with the shift rule's derivative, and unbiased frequencies."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pullback as pb

TEXT = """
from pullback.gates import ket, bra, H, Rx, Ry, CRz, qubit, measure
diagram D(t: real, u: real): ket(0, 0) >> H^2 >> CRz(t) >> Ry(t * u) * Rx(u) >> bra(0) * measure
diagram B(t: real): ket(0)^2 >> Ry(t) * Rx(t) >> cup(qubit, qubit) * (ket(0) >> Rx(t) >> measure)
objective exact(t: real, u: real):
    p = D(t, u)
    return p[0] - 2.0 * p[1]
objective shift(t: real, u: real):
    p = D(t, u) {0}
    return p[0] - 2.0 * p[1]
objective parts(t: real, u: real, by_shift: real):
    z ~ bernoulli(0.3 + 0.2 * t) by reinforce(k = 2, baseline = loo)
    p = D(t, u + 0.3 * z) {0}
    q = B(t) {0}
    return sum i in 0..2: (i + 1.0) * p[i] * q[1] - by_shift * z * p[0]
"""
SHOTS = TEXT.replace("{0}", "by shift(shots = 100)")
TEXT = TEXT.replace("{0}", "by shift")
AT = {"t": jnp.float32(0.23), "u": jnp.float32(0.41)}


@pytest.fixture(autouse=True)
def single_precision(double_precision):
    """As programs run."""
    jax.config.update("jax_enable_x64", False)


@pytest.fixture(scope="module")
def programs():
    return pb.loads(TEXT), pb.loads(SHOTS)


def test_by_shift_is_exact_for_shared_parameters(programs):
    one, two = (programs[0][name].compile().value_and_grad(jax.random.key(0), AT) for name in ("exact", "shift"))
    assert np.allclose(one[0], two[0], atol=1e-6)
    for name in AT:
        assert np.allclose(one[1][name], two[1][name], atol=1e-5)


def test_a_second_derivative_by_shift_is_refused(programs):
    for f in (p["shift"].compile() for p in programs):
        with pytest.raises(pb.ArgumentError, match="second derivative"):
            jax.eval_shape(jax.hessian(lambda t, f=f: f(jax.random.key(0), {**AT, "t": t})), AT["t"])


def test_shots_are_unbiased_beside_another_choice_and_in_a_product(programs):
    """Frequencies beside a choice that their turns read, a product of two that share no draw, and a cup, which no circuit has
    but as a half.  z-tests at 4.5 standard errors over three numbers: a false alarm in 50,000 runs.  What is compared with is the
    mean of as many runs of the exact reading with the same key, whose choices of z are the same."""
    (one, two), keys = programs, jax.random.split(jax.random.key(1), 1500)
    found, exact = (jax.jit(jax.vmap(lambda key, f=p["parts"].compile(): f.value_and_grad(key, AT, by_shift=1.0)))(keys) for p in (two, one))
    for a, b in ((found[0], exact[0]), *((found[1][name], exact[1][name]) for name in AT)):
        error = (a - b).std(ddof=1) / len(keys) ** 0.5
        assert error > 1e-4 and abs((a - b).mean()) < 4.5 * error
        assert error < 0.05 * np.abs(b).mean()  # so that a bias of 30 % of the mean size is found nine times in ten


def test_the_ledger_has_a_row_for_shots(programs):
    rows = {row.address: row for row in programs[1]["parts"].compile().ledger.rows}
    assert [rows[name].rule for name in "pq"] == ["shift(shots = 100)"] * 2
    assert rows["p"].verdict == "unbiased" and "100 shots at each of 9" in rows["p"].reason
    again = programs[1]["parts"].compile(rules={"p": "shift", "q": "shift(shots = 7)"}).ledger
    assert {row.address: row.verdict for row in again.rows} == {"z": "unbiased", "p": "exact", "q": "unbiased"} and again.unbiased


@pytest.mark.parametrize("body", ["log(p[0])", "p[0] / sum(p)", "p[0] * p[1]", "abs(p[0] - p[1])", "(p[0] if stop(p[1]) > 0.5 else 0.0)"])
def test_what_is_not_linear_in_frequencies_is_biased(body):
    text = f"{SHOTS}objective f(t: real, u: real) {{allow}}:\n    p = D(t, u) by shift(shots = 50)\n    return {body}\n"
    with pytest.raises(pb.ProgramError, match="not linear in the frequencies `p`"):
        pb.loads(text.replace("{allow}", ""))
    assert not pb.loads(text.replace("{allow}", "allow biased"))["f"].compile().ledger.unbiased


@pytest.mark.parametrize("diagram, rule, message", [
    ("ket(0) >> Ry(t)", "shift(shots = 10)", "amplitudes"),
    ("(ket(0) >> Ry(t) >> measure) * scale(2.0 * t)", "shift(shots = 10)", "no shift rule"),
    ("F(k) >> measure", "shift(shots = 10)", "no circuit has"),
    ("ket(0) >> measure", "shift(shots = 0)", "from 1 up"),
    ("3.0", "shift(shots = 8)", "rule of a measured diagram")])
def test_what_shots_need(diagram, rule, message):
    with pytest.raises(pb.ProgramError, match=message):
        pb.loads("from pullback.gates import ket, Ry, scale, measure, qubit\ntype n\nbox k: -> n\n"
                 "functor F:\n    n => qubit\n    k => [1.0, 2.0]\n"
                 f"objective f(t: real):\n    p = {diagram} by {rule}\n    return p[0]\n")


def test_shots_in_python(programs):
    p = programs[0]["D"].array(**AT, shots=100, key=jax.random.key(0))
    assert np.allclose(100 * p, np.round(100 * p), atol=1e-4) and not np.allclose(p, programs[0]["D"].array(**AT), atol=1e-6)
    with pytest.raises(pb.ArgumentError, match="key"):
        programs[0]["D"].array(**AT, shots=10)
    with pytest.raises(pb.ProgramError, match="given the rule `held`"):
        programs[1]["parts"].compile(rules={"p": "held"}).ledger
