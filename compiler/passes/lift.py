"""Say over which axes each box is evaluated: those of its inputs, and no others.

    axes(x ~ points)  =  its own axis ∪ axes(θ) ∪ its plates ∪ {particles}       a finite support: its own axis only
    axes(box)         =  ∪ axes(w) over its inputs w
    axes(terms)       =  those that were open outside the region

What does not depend on a choice is evaluated once.  A carry has the axes of its start and of what it becomes (a fixed point).

Needs: points.  Leaves: every wire's `axes` final.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.analyses.host import sampled
from pullback.compiler.ir import Axis, Box, Graph, Wire, canonical


def lift(graph: Graph, particles: int = 1) -> Graph:
    axis = Axis("particles", "particles", particles) if particles > 1 else None
    return Lifting(axis).region(graph, top=True)


class Lifting:
    def __init__(self, particles: Axis | None):
        self.particles = particles
        self.wires: dict[Wire, Wire] = {}

    def now(self, wire: Wire) -> Wire:
        return self.wires.get(wire, wire)

    def set(self, wire: Wire, axes) -> Wire:
        self.wires[wire] = replace(wire, axes=canonical(axes))
        return self.wires[wire]

    def region(self, graph: Graph, top: bool = False) -> Graph:
        boxes = tuple(self.box(box, top) for box in graph.boxes)
        return replace(graph, inputs=tuple(map(self.now, graph.inputs)), boxes=boxes,
                       outputs=tuple(map(self.now, graph.outputs)))

    def box(self, box: Box, top: bool) -> Box:
        inputs = tuple(map(self.now, box.inputs))
        axes = {axis for wire in inputs for axis in wire.axes} | set(box.get("axes", ()))
        if sampled(box) and self.particles:
            axes |= {self.particles}
            box = box.but(attributes={"axes": canonical([*box.get("axes", ()), self.particles])})
        match box.op:
            case op.scan:
                return self.scan(box, inputs)
            case op.points:
                return self.points(box, inputs, axes)
            case op.terms:
                return replace(box, inputs=inputs, outputs=(self.set(box.output, self.left(box, inputs, top)),))
            case op.forward:
                renamed = dict(box["relabel"])
                axes = {renamed.get(a, a) for a in axes - set(box["summed"]) - set(box["plates"]) }
                old = {b for a, b in box["relabel"] if a != b} - {renamed.get(a, a) for a in renamed}
                return replace(box, inputs=inputs, outputs=(self.set(box.output, axes - old),))
            case op.level:
                outputs = (self.set(box.outputs[0], axes), self.set(box.outputs[1], axes - set(box["over"])))
                return replace(box, inputs=inputs, outputs=outputs)
            case op.stack_axis:
                axes -= {box["axis"]}
            case op.marginal | op.expected:
                region = self.region(box.regions[0])
                box = replace(box, regions=(region,))
                axes = set(region.outputs[0].axes)
        return replace(box, inputs=inputs, outputs=tuple(self.set(wire, axes) for wire in box.outputs))

    def points(self, box: Box, inputs, axes) -> Box:
        own = {box["axis"]} if box["axis"] is not None else set()
        joint = set(box["joint"])
        if box["axis"] is not None and box["axis"].kind == "finite":
            weight = (axes | own) - joint
            value = own | joint if box["common"] else axes | own
        else:
            value = axes | own | ({self.particles} if self.particles else set())
            weight = value - joint
        outputs = tuple(self.set(wire, a) for wire, a in zip(box.outputs, (value, weight)))
        return replace(box, inputs=inputs, outputs=outputs)

    @staticmethod
    def left(box: Box, inputs: tuple[Wire, ...], top: bool) -> set[Axis]:
        """The axes that the sum of the terms keeps."""
        if top:
            return set()
        costs, weights = inputs[:box["costs"]], inputs[box["costs"]:]
        found: set[Axis] = set()
        if box["semiring"] == "log":
            inner = {axis for one in box["sums"] for axis in one}
            inner |= {axis for kind in box["kinds"] for axis in kind.plates if axis not in box["context"]}
            for wire in (*costs, *weights):
                found |= set(wire.axes) - inner
        else:
            for cost, sums, mine in zip(costs, box["sums"], box["weights"]):
                axes = set(cost.axes)
                for place, mixed in mine:
                    axes |= set(weights[place].axes) - mixed
                found |= axes - set(sums)
        return found - set(box["opened"])

    def scan(self, box: Box, inputs: tuple[Wire, ...]) -> Box:
        body, count = box.regions[0], box["carries"]
        carries = body.inputs[1:1 + count]
        axes = [set(wire.axes) for wire in inputs[:count]]
        while True:
            for carry, a in zip(carries, axes):
                self.set(carry, a)
            region = self.region(body)
            wider = [a | set(wire.axes) for a, wire in zip(axes, region.outputs)]
            if wider == axes:
                break
            axes = wider
        rest = [set(wire.axes) for wire in region.outputs[count:]]
        outputs = tuple(self.set(wire, a) for wire, a in zip(box.outputs, (*axes, *rest)))
        return replace(box, inputs=inputs, regions=(region,), outputs=outputs)
