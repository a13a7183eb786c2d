"""To other libraries and back, where they are installed."""
import numpy as np
import pytest

import pullback as pb

GATES = ("from pullback.gates import qubit, ket, bra, H, X, Y, Z, S, T, CX, CZ, Rx, Ry, Rz, U1, CRx, CRy, CRz, CU1, measure, discard, "
         "scale, phase, ZSpider, XSpider\n")
CIRCUITS = ("ket(0, 0) >> H * Ry(t) >> CRz(t) >> CX >> Rx(t) * U1(t) >> bra(0) * id(qubit)",
            "cap(qubit, qubit) >> S * T.dagger >> CZ >> CRx(0.3) >> swap(qubit, qubit) >> Y * Z >> CU1(t)",
            "ket(0, 1) >> CRy(t) >> X * H >> scale(0.5) * id(qubit^2) * phase(0.1)")


def circuit(body):
    return pb.loads(f"{GATES}diagram D(t: real): {body}\n")["D"](t=0.37)


@pytest.mark.parametrize("body", CIRCUITS)
def test_circuits_to_discopy_and_back(body):
    pytest.importorskip("discopy")
    d = circuit(body)
    there = pb.diagrams.to_discopy(d)
    assert np.allclose(there.eval().array, d.array(), atol=1e-6)
    assert np.allclose(pb.diagrams.from_discopy(there).array(), d.array(), atol=1e-6)


@pytest.mark.parametrize("gate", ["Rx(t)", "Ry(t)", "Rz(t)", "CRz(t)", "CRx(t)"])
def test_derivatives_are_those_of_discopy(gate):
    pytest.importorskip("discopy")
    sympy = pytest.importorskip("sympy")
    from discopy.quantum import gates as theirs
    t = sympy.Symbol("t")
    formal = getattr(theirs, gate[:-3])(t).grad(t, mixed=False)
    value = formal.lambdify(t)(0.37).eval()
    ours = pb.loads(f"{GATES}diagram D(t: real): {gate}\n")["D"].derivative("t").array(t=0.37)
    assert np.allclose(np.asarray(value.array, complex), ours, atol=1e-6)


def test_sentences_to_discopy_and_back():
    pytest.importorskip("discopy")
    p = pb.loads("type n, s\nbox Alice: -> n\nbox Bob: -> n\nbox loves: -> n.r * s * n.l\n"
                 "diagram D: Alice * loves * Bob >> cup(n, n.r) * id(s) * cup(n.l, n)\ndiagram E: loves.dagger\n")
    for name in "DE":
        there = pb.diagrams.to_discopy(p[name])
        assert pb.diagrams.from_discopy(there) == p[name]


def test_qasm_is_in_radians():
    text = pb.diagrams.to_qasm(pb.loads(f"{GATES}diagram D(t: real): ket(0, 1) >> Rx(t) * H >> CRz(0.25) >> measure * discard(qubit)\n")["D"])
    assert text.splitlines() == [
        "OPENQASM 3.0;", 'include "stdgates.inc";', "input float[64] t;", "qubit[2] q;", "bit[1] c;", "reset q[0];", "reset q[1];",
        "x q[1];", "rx(2 * pi * (t)) q[0];", "h q[1];", "crz(2 * pi * (0.25)) q[0], q[1];", "c[0] = measure q[0];", "reset q[1];",
        "// out: c[0]"]
    with pytest.raises(pb.ArgumentError, match="bra"):
        pb.diagrams.to_qasm(circuit(CIRCUITS[0]))


def test_qasm_is_read_by_its_own_parser():
    openqasm3 = pytest.importorskip("openqasm3")
    program = openqasm3.parse(pb.diagrams.to_qasm(circuit("ket(0, 0) >> H * Ry(t) >> CRz(t) >> CX >> Rx(t).dagger * U1(t) >> measure^2")))
    gates = [one for one in program.statements if isinstance(one, openqasm3.ast.QuantumGate)]
    assert [gate.name.name for gate in gates] == ["h", "ry", "crz", "cx", "rx", "p"]


@pytest.mark.parametrize("body", [
    "ket(0, 0) >> H * id(qubit) >> CX >> Rz(t) * Rx(t) >> CZ >> S.dagger * T", "ZSpider(1, 2, t) >> H * XSpider(1, 2, 0.25) >> CX * X",
    "id(qubit) * cap(qubit, qubit) >> cup(qubit, qubit) * U1(t) >> scale(0.3)* id(qubit) * phase(t)", "swap(qubit, qubit) >> bra(1) * H"])
def test_zx_diagrams_to_pyzx_and_back(body):
    pytest.importorskip("pyzx")
    d = circuit(body)
    there = pb.diagrams.to_pyzx(d)
    inputs = d.domain.count("qubit")
    tensor = np.asarray(there.to_tensor())                  # outputs first
    tensor = tensor.transpose([*range(tensor.ndim - inputs, tensor.ndim), *range(tensor.ndim - inputs)])
    assert np.allclose(tensor, d.array(), atol=1e-6)
    assert np.allclose(pb.diagrams.from_pyzx(there).array(), d.array(), atol=1e-6)
