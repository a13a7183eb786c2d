"""States, effects and gates without a parameter."""
from __future__ import annotations

import math
from typing import Any

import numpy as np

from pullback.compiler.gate import QUBIT, Gate, Maker

Q = (QUBIT,)
S2 = 1 / math.sqrt(2)
DIAGONAL, MATRIX, CONTROLLED = (0, 0), (0, 1), (0, 1, 0, 2)
IDENTITY = ((1, 0), (0, 1))
# name: legs, the array with the axes [in, out] (a vector where it is diagonal; [control, in, out] where controlled), doc
TABLE: dict[str, tuple[tuple[int, ...], Any, str]] = {
    "X": (MATRIX, ((0, 1), (1, 0)), "NOT."),
    "Y": (MATRIX, ((0, 1j), (-1j, 0)), "Pauli Y."),
    "Z": (DIAGONAL, (1, -1), "Pauli Z."),
    "H": (MATRIX, ((S2, S2), (S2, -S2)), "Hadamard."),
    "S": (DIAGONAL, (1, 1j), "A quarter turn of the phase, U1(0.25)."),
    "T": (DIAGONAL, (1, complex(S2, S2)), "An eighth of a turn of the phase, U1(0.125)."),
    "CX": (CONTROLLED, (IDENTITY, ((0, 1), (1, 0))), "NOT of the second where the first is 1."),
}


def fixed(name: str, legs: tuple[int, ...], values: Any, doc: str) -> Maker:
    wires = Q * (len(legs) // 2)
    array = np.array(values)
    gate = Gate(name, wires, wires, lambda: array, legs, real=not np.iscomplexobj(array), unitary=True, doc=doc)
    return Maker(name, lambda: gate, doc=doc)


def bits(name: str, domain: bool) -> Maker:
    """|b…⟩ and ⟨b…|: `ket(0, 1)`, without a bit the scalar 1."""
    doc = f"The {'effect' if domain else 'state'} of given bits: `{name}(0, 1)`."

    def make(*given: int) -> Gate:
        array = np.zeros((2,) * len(given))
        array[tuple(given)] = 1.0
        wires = Q * len(given)
        parts = tuple(make(bit) for bit in given) if len(given) > 1 else ()
        return Gate(name, wires if domain else (), () if domain else wires, lambda: array, tuple(range(len(given))),
                    static=given, real=True, factors=parts, doc=doc)
    return Maker(name, make, "bits", doc=doc)


_cz = Gate("CZ", Q * 2, Q * 2, lambda: np.array([[1, 1], [1, -1]]), (0, 1, 0, 1), real=True, unitary=True)
BASIC = (bits("ket", False), bits("bra", True), *(fixed(name, *row) for name, row in TABLE.items()),
         Maker("CZ", lambda: _cz, doc="Z of the second where the first is 1."))
