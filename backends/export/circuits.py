"""What circuits of other libraries are written with: numbers that are known, and a diagram read box by box."""
from __future__ import annotations

from typing import Any, Mapping

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import ArgumentError
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.numbers import Numbers
from pullback.compiler.ir import Box, Graph, Wire


def is_circuit(graph: Graph) -> bool:
    """Are all wires qubits and bits?"""
    return all(wire.type.name in ("qubit", "bit") for wire in graph.wires() if build.is_object(wire))


class Values:
    """The numbers of a diagram whose parameters are bound."""

    def __init__(self, graph: Graph, known: Mapping[str, Any]):
        self.known, self.numbers = dict(known), Numbers(graph.boxes)
        missing = [wire.name for wire in build.numbers(graph) if wire.name not in self.known]
        if missing:
            raise ArgumentError(f"the parameters {', '.join(f'`{name}`' for name in missing)} are not bound: `s({missing[0]}=…)`")

    def of(self, wire: Wire) -> Any:
        if wire.name not in self.known:
            box = self.numbers.maker[wire]
            given = [self.of(one) for one in box.inputs]
            self.known[wire.name] = box["value"] if box.op is op.constant else box.op.lower(box.attributes, *given)
        return self.known[wire.name]

    def turns(self, box: Box) -> list[float]:
        return [float(self.of(wire)) for wire in box.inputs[:box["numbers"]]]


def refuse(box: Box, target: str) -> ArgumentError:
    what = f"`{box['name']}`" if box.op is op.box else {op.formal_sum: "a sum", op.bubble: "a bubble"}.get(box.op, "a spider")
    return ArgumentError(f"{target} has no {what}")
