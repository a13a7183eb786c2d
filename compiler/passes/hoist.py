"""Take out of a scan what its steps do not need to repeat.

A box of the body that reads neither the step nor a carry is evaluated once, before the loop.  One that reads the step, but no
carry, is evaluated for all steps at once, over an axis of their own, and the loop reads its rows (`scanned`).

Needs: lifted.  Leaves: the same values.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Axis, Box, Graph, Names, Wire, canonical, free
from pullback.compiler.type import Array

STAY = ("terms", "forward", "contract", "scan")


def hoist(graph: Graph) -> Graph:
    return Hoisting(graph.names()).graph(graph, 0).numbered()


class Hoisting:
    def __init__(self, names: Names):
        self.names = names

    def graph(self, graph: Graph, depth: int) -> Graph:
        boxes: list[Box] = []
        for box in graph.boxes:
            if box.op is op.scan:
                boxes += self.scan(box, depth)
            elif box.regions:
                boxes.append(box.but(regions=tuple(self.graph(region, depth) for region in box.regions)))
            else:
                boxes.append(box)
        return replace(graph, boxes=tuple(boxes))

    def scan(self, box: Box, depth: int) -> list[Box]:
        body = self.graph(box.regions[0], depth + 1)
        count = box["carries"]
        index = body.inputs[0]
        axis = Axis("plate", f"{box['name']}.steps", box["size"], None, -100 + depth)
        once: set[Wire] = set(body.inputs[1 + count:])      # the same at every step
        each: set[Wire] = set()                             # known for every step before the loop
        before: list[Box] = []
        rest: list[Box] = []
        stacked: dict[Wire, Wire] = {}
        for inner in body.boxes:
            reads = set(inner.inputs)
            still = inner.op.name in STAY or inner.regions or (inner.op is op.points and not self.deterministic(inner))
            if not still and reads <= once:
                before.append(inner)
                once.update(inner.outputs)
            elif not still and reads <= once | each | {index} and self.worth(inner):
                if index in reads and index not in stacked:
                    stacked[index] = self.steps(before, box, index, axis)
                inputs = tuple(stacked.get(w, w) for w in inner.inputs)
                outputs = []
                for wire in inner.outputs:
                    stacked[wire] = replace(wire, name=self.names.fresh(wire.name), axes=canonical([*wire.axes, axis]))
                    outputs.append(stacked[wire])
                before.append(self.over_steps(replace(inner, inputs=inputs, outputs=tuple(outputs), number=None,
                                                      origin=() if inner.number is None else (inner.number,)), axis, box))
                each.update(inner.outputs)
            else:
                rest.append(inner)
        read = {w for b in rest for w in b.inputs} | set(body.outputs)
        scanned = tuple(wire for wire in body.wires() if wire in each and wire in read)
        bound = (index, *body.inputs[1:1 + count], *scanned)
        new = Graph(bound, tuple(rest), body.outputs)
        captured = free(new)
        before.append(box.but(inputs=(*box.inputs[:count], *(stacked[w] for w in scanned), *captured),
                              regions=(replace(new, inputs=(*bound, *captured)),),
                              attributes={"scanned": len(scanned), "steps": axis}))
        return before

    @staticmethod
    def deterministic(box: Box) -> bool:
        """The points of a finite support are the same each time."""
        return bool(box["common"]) and not box["joint"]

    @staticmethod
    def worth(box: Box) -> bool:
        return box.op is not op.constant

    def steps(self, before: list[Box], box: Box, index: Wire, axis: Axis) -> Wire:
        wire = Wire(self.names.fresh(index.name), Array("int"), (axis,))
        before.append(Box(op.iota, (), (wire,), attributes={"axis": axis, "axes": (axis,), "start": box["start"]}))
        return wire

    def over_steps(self, box: Box, axis: Axis, scan: Box) -> Box:
        """The box over all steps; reading an array at the step itself is its first dimension."""
        if box.op is op.points:
            return box.but(attributes={"axes": canonical([*box.get("axes", ()), axis])})
        return box
