"""ZX diagrams to and from PyZX, where they are rewritten further.

Phases there count half turns: a spider's is twice its turns.  Scalars are kept, so that values are the same, not only up to a
factor.  A gate that is no spider, H, or built of two spiders is an `ArgumentError`.
Source: Kissinger, van de Wetering (2020), PyZX, EPTCS 318.
"""
from __future__ import annotations

import cmath
import math
from fractions import Fraction
from typing import Any, Mapping

from pullback.backends.export.circuits import Values, refuse
from pullback.backends.export.discopy import scaled
from pullback.compiler import gate as gates
from pullback.compiler import ops as op
from pullback.compiler.diagnostic import ArgumentError
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.numbers import constant
from pullback.compiler.ir import Box, Graph, Wire

FIXED = {"Z": ("Z", 0.5), "S": ("Z", 0.25), "T": ("Z", 0.125), "X": ("X", 0.5)}
TURNED = {"U1": ("Z", 0.0), "Rz": ("Z", -0.5), "Rx": ("X", -0.5)}     # the spider, and the global phase in parts of its turns


def installed() -> Any:
    try:
        import pyzx
    except ImportError:
        raise ArgumentError("this needs PyZX: pip install pyzx") from None
    return pyzx


def to_pyzx(graph: Graph, known: Mapping[str, Any]) -> Any:
    """The diagram as a PyZX graph.  known: its parameters' values."""
    return Writer(graph, known).graph


class Writer:
    """`end`: for each wire the vertex that it leaves, and whether an H stands on it."""

    def __init__(self, graph: Graph, known: Mapping[str, Any]):
        self.zx, self.values = installed(), Values(graph, known)
        self.graph = self.zx.Graph()
        self.kinds = {"Z": self.zx.VertexType.Z, "X": self.zx.VertexType.X, "end": self.zx.VertexType.BOUNDARY}
        self.end: dict[Wire, tuple[int, bool]] = {}
        self.row = 0
        inputs = [self.vertex("end", at=i) for i in range(len(build.entering(graph)))]
        self.end.update({wire: (vertex, False) for wire, vertex in zip(build.entering(graph), inputs)})
        for box in graph.boxes:
            if box.op.kind == "diagram":
                self.row += 1
                self.box(box)
        self.row += 1
        outputs = [self.vertex("end", at=i) for i in range(len(graph.outputs))]
        for wire, vertex in zip(graph.outputs, outputs):
            self.join(wire, vertex)
        self.graph.set_inputs(tuple(inputs))
        self.graph.set_outputs(tuple(outputs))

    def vertex(self, kind: str, turns: float = 0.0, at: int = 0) -> int:
        """A new spider; a wire apart for each edge keeps two spiders from being joined twice."""
        return self.graph.add_vertex(self.kinds[kind], qubit=at, row=self.row, phase=Fraction(2 * turns).limit_denominator(10**9))

    def join(self, wire: Wire, vertex: int) -> None:
        start, hadamard = self.end[wire]
        between = self.vertex("Z")
        self.graph.add_edge((start, between), self.zx.EdgeType.HADAMARD if hadamard else self.zx.EdgeType.SIMPLE)
        self.graph.add_edge((between, vertex), self.zx.EdgeType.SIMPLE)

    def spider(self, kind: str, turns: float, ins: tuple[Wire, ...], outs: tuple[Wire, ...]) -> int:
        vertex = self.vertex(kind, turns)
        for wire in ins:
            self.join(wire, vertex)
        self.end.update({wire: (vertex, False) for wire in outs})
        return vertex

    def times(self, number: complex) -> None:
        self.graph.scalar.add_float(number)

    def box(self, box: Box) -> None:
        ins, outs = build.inner_inputs(box), box.outputs
        if box.op is op.spider and all(wire.type.name == "qubit" for wire in (*ins, *outs)):
            self.spider("Z", 0.0, ins, outs)
            return
        name, record = box.get("name"), box.get("gate")
        if record is None:
            raise refuse(box, "PyZX")
        sign = -1.0 if box["dagger"] else 1.0
        turns = [sign * t for t in self.values.turns(box)]
        if name in ("ZSpider", "XSpider"):
            self.spider(name[0], turns[0], ins, outs)
        elif name == "H":
            vertex, hadamard = self.end[ins[0]]
            self.end[outs[0]] = (vertex, not hadamard)
        elif name in FIXED:
            self.spider(FIXED[name][0], sign * FIXED[name][1], ins, outs)
        elif name in TURNED:
            kind, part = TURNED[name]
            self.spider(kind, turns[0], ins, outs)
            self.times(cmath.exp(2j * math.pi * part * turns[0]))
        elif name in ("CX", "CZ") and not box["turns"] % 2:
            a = self.spider("Z", 0.0, ins[:1], outs[:1])
            b = self.spider("X" if name == "CX" else "Z", 0.0, ins[1:], outs[1:])
            self.graph.add_edge((a, b), self.zx.EdgeType.SIMPLE if name == "CX" else self.zx.EdgeType.HADAMARD)
            self.times(math.sqrt(2))
        elif name in ("ket", "bra"):
            for wire, bit in zip((*ins, *outs), record.static):
                self.spider("X", 0.5 * bit, (wire,) if ins else (), () if ins else (wire,))
                self.times(1 / math.sqrt(2))
        elif name in ("scale", "phase") and not record.codomain:
            value = complex(self.values.of(box.inputs[0])) if name == "scale" else cmath.exp(2j * math.pi * turns[0])
            self.times(value)
        else:
            raise refuse(box, "PyZX")


def from_pyzx(zx: Any) -> Graph:
    """A PyZX graph of spiders, with simple and Hadamard edges, as a diagram of `ZSpider`, `XSpider` and `H`."""
    pyzx = installed()
    ends: dict[int, list[Wire]] = {}
    pure: list[Box] = []
    boxes: list[Box] = []
    inputs = {vertex: build.wire(gates.QUBIT) for vertex in zx.inputs()}
    outputs: dict[int, Wire] = {}
    for vertex in zx.vertices():
        kind = zx.type(vertex)
        if kind == pyzx.VertexType.BOUNDARY:
            ends[vertex] = [inputs[vertex]] if vertex in inputs else []
            continue
        if kind not in (pyzx.VertexType.Z, pyzx.VertexType.X):
            raise ArgumentError("only Z and X spiders are read from PyZX")
        angle = constant(float(zx.phase(vertex)) / 2)
        record = gates.find("ZSpider" if kind == pyzx.VertexType.Z else "XSpider").make(0, len(list(zx.neighbors(vertex))))
        found = build.gate(record, (angle.output,))
        pure.append(angle)
        boxes += found.boxes
        ends[vertex] = list(found.outputs)
    for edge in zx.edges():
        source, target = zx.edge_st(edge)
        hadamard = zx.edge_type(edge) == pyzx.EdgeType.HADAMARD
        if source in zx.outputs():
            source, target = target, source
        a = ends[source].pop()
        if hadamard:
            turned = build.gate(gates.find("H").make())
            boxes.append(turned.boxes[0].but(inputs=(a,)))
            a = turned.outputs[0]
        if target in zx.outputs():
            outputs[target] = a
        else:
            boxes.append(Box(op.spider, (a, ends[target].pop()), ()))
    graph = Graph(tuple(inputs.values()), (*pure, *boxes), tuple(outputs[vertex] for vertex in zx.outputs()))
    return build.settled(build.beside(graph, scaled(complex(zx.scalar.to_number()), "scale")))
