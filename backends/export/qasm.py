"""Circuits as OpenQASM 3.  Angles there are radians: `Rx(t)` is `rx(2 * pi * t)`.

Parameters that are not bound are `input float` declarations.  What OpenQASM has no word for (effects, scalars, spiders) is an
`ArgumentError`.  Source: Cross et al. (2022), OpenQASM 3, ACM Transactions on Quantum Computing 3.
"""
from __future__ import annotations

from typing import Any, Mapping

from pullback.backends.export.circuits import is_circuit, refuse
from pullback.compiler.diagnostic import ArgumentError
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.show import Text
from pullback.compiler.ir import Graph, Wire

NAMES = {"H": "h", "X": "x", "Y": "y", "Z": "z", "S": "s", "T": "t", "CX": "cx", "CZ": "cz", "Rx": "rx", "Ry": "ry", "Rz": "rz", "U1": "p",
         "CRx": "crx", "CRy": "cry", "CRz": "crz", "CU1": "cp"}


def to_qasm(graph: Graph, known: Mapping[str, Any]) -> str:
    """The program.  The domain's qubits are its first ones, in order; the codomain is told in a comment at the end."""
    if not is_circuit(graph) or build.summands(graph)[0][1] is not graph:
        raise ArgumentError("only circuits are OpenQASM: one term, all of whose wires are qubits and bits")
    text = Text(graph, known)
    place: dict[Wire, str] = {}
    lines: list[str] = []
    qubits = bits = 0
    for wire in build.entering(graph):
        if wire.type.name != "qubit":
            raise ArgumentError("a circuit that reads bits is no OpenQASM program of its own")
        place[wire] = f"q[{qubits}]"
        qubits += 1
    for box in graph.boxes:
        if box.op.kind != "diagram":
            continue
        ins, outs = build.inner_inputs(box), box.outputs
        if box.get("gate") is None or box["turns"] % 2 and box["name"] not in NAMES:
            raise refuse(box, "OpenQASM")
        name, record = box["name"], box["gate"]
        if name == "ket" and not box["dagger"]:
            for wire, bit in zip(outs, record.static):
                place[wire] = f"q[{qubits}]"
                lines += [f"reset q[{qubits}];"] + [f"x q[{qubits}];"] * bit
                qubits += 1
        elif name == "measure" and not box["dagger"]:
            lines.append(f"c[{bits}] = measure {place[ins[0]]};")
            place[outs[0]] = f"c[{bits}]"
            bits += 1
        elif name == "discard" and not box["dagger"]:
            lines += [f"reset {place[wire]};" for wire in ins]
        elif name == "phase":
            lines.append(f"{'inv @ ' if box['dagger'] else ''}gphase(2 * pi * ({text.number(box.inputs[0])}));")
        elif name in NAMES and not box["turns"] % 2:
            angle = f"(2 * pi * ({text.number(box.inputs[0])}))" if box["numbers"] else ""
            lines.append(f"{'inv @ ' if box['dagger'] else ''}{NAMES[name]}{angle} {', '.join(place[wire] for wire in ins)};")
            place.update({after: place[before] for before, after in zip(ins, outs)})
        else:
            raise refuse(box, "OpenQASM")
    head = ["OPENQASM 3.0;", 'include "stdgates.inc";']
    for wire in build.numbers(graph):
        if wire.name not in known:
            shape = getattr(wire.type, "shape", ())
            if len(shape) > 1:
                raise ArgumentError(f"`{wire.name}: {wire.type}` is no input of OpenQASM: bind it")
            head.append(f"input array[float[64], {shape[0]}] {wire.name};" if shape else f"input float[64] {wire.name};")
    head += [f"qubit[{qubits}] q;"] * bool(qubits) + [f"bit[{bits}] c;"] * bool(bits)
    tail = f"// out: {', '.join(place[wire] for wire in graph.outputs)}" if graph.outputs else "// out: nothing"
    return "\n".join([*head, *lines, tail]) + "\n"
