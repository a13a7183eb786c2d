"""Subtract from an objective what its choices' baselines say.

    x ~ d(θ) by reinforce(baseline = b)    ⇒    value − after(b, x) + b        (b held fixed)

`after(b, x)` is multiplied by the weight W of x, as every term that depends on x is: together they are −(W − 1)·b, which is 0
in value, and 0 in the mean of its derivative, since b knows nothing of x.  It is added to the value of the objective that
makes the choice, so that the cost and the baseline are scaled alike.

Needs: loops open.  Leaves: no `baseline` box.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Axis, Box, Graph, Names, Wire, canonical, closed
from pullback.compiler.rule import Computed
from pullback.compiler.type import REAL, Array, ratio

Found = list[tuple[str, Wire]]  # the site, and what is added to the objective that holds it


def baselines(graph: Graph) -> Graph:
    if not any(box.op is op.baseline for box in graph.walk()):
        return graph
    work = Adding(graph.names())
    inner, found = work.region(graph)
    boxes = list(inner.boxes)
    (value,) = inner.outputs
    value = work.added(boxes, value, found)
    return replace(inner, boxes=tuple(boxes), outputs=(value,)).numbered()


class Adding:
    def __init__(self, names: Names):
        self.names = names

    def emit(self, boxes: list[Box], what, inputs: tuple[Wire, ...], type: Array = REAL, **attributes) -> Wire:
        axes = canonical(axis for wire in inputs for axis in wire.axes if axis != attributes.get("axis"))
        wire = Wire(self.names.fresh(inputs[0].name if inputs else "zero"), type, axes)
        boxes.append(Box(what, inputs, (wire,), attributes=attributes, span=inputs[0].span if inputs else None))
        return wire

    def region(self, graph: Graph) -> tuple[Graph, Found]:
        boxes: list[Box] = []
        found: Found = []
        same: dict[Wire, Wire] = {}
        made: dict[Wire, Box] = {}
        for box in graph.boxes:
            box = box.but(inputs=tuple(same.get(w, w) for w in box.inputs), regions=tuple(r.rename(same) for r in box.regions))
            if box.op is op.baseline:
                x, b = box.inputs
                same[box.output] = x
                draw = made.get(x)
                options = [getattr(draw.rule, key) for key in getattr(draw.rule, "computed", ())] if draw is not None else []
                if any(isinstance(option, Computed) for option in options):
                    found.append((box["site"], self.control(boxes, draw, x, b)))
                continue
            if box.op is op.scan:
                box, inside = self.scan(boxes, box)
                found += inside
                continue
            if box.regions:
                box = box.but(regions=tuple(self.region(region)[0] for region in box.regions))
            if box.op is op.expectation and (mine := [one for one in found if one[0] in box["sites"]]):
                found = [one for one in found if one not in mine]
                box = box.but(inputs=(self.added(boxes, box.inputs[0], mine),))
            made.update(dict.fromkeys(box.outputs, box))
            boxes.append(box)
        return replace(graph, boxes=tuple(boxes), outputs=tuple(same.get(w, w) for w in graph.outputs)), found

    def control(self, boxes: list[Box], draw: Box, x: Wire, b: Wire) -> Wire:
        b = self.emit(boxes, op.stop, (b,))
        if draw.get("masked"):
            zero = self.emit(boxes, op.constant, (), value=0.0)
            b = self.emit(boxes, op.where, (draw.inputs[-1], b, zero))
        return self.emit(boxes, op.sub, (b, self.emit(boxes, op.after, (b, x))))

    def scan(self, boxes: list[Box], box: Box) -> tuple[Box, Found]:
        """A loop gives what its steps add, one number a step."""
        body, found = self.region(box.regions[0])
        around = frozenset(box.get("axes", ()))
        inner, outputs, outer = list(body.boxes), [], []
        for site, wire in found:
            wire = self.summed(inner, wire, around)
            outputs.append(wire)
            outer.append((site, replace(wire, name=self.names.fresh(wire.name), type=replace(REAL, shape=(box["size"],)))))
        body = closed(replace(body, boxes=tuple(inner), outputs=(*body.outputs, *outputs)))
        count = 1 + box["carries"]
        box = box.but(inputs=(*box.inputs[:box["carries"]], *body.inputs[count:]), regions=(body,),
                      outputs=(*box.outputs, *(wire for _, wire in outer)))
        boxes.append(box)
        return box, [(site, self.emit(boxes, op.reduce, (wire,), function="sum")) for site, wire in outer]

    def summed(self, boxes: list[Box], wire: Wire, kept: frozenset[Axis]) -> Wire:
        """The wire summed over the loops that are not around."""
        for axis in reversed([axis for axis in wire.axes if axis not in kept]):
            element = wire
            stacked = self.emit(boxes, op.stack_axis, (element,), replace(REAL, shape=(axis.size,)), axis=axis)
            wire = self.emit(boxes, op.reduce, (stacked,), function="sum")
            if axis.total is not None:
                boxes.append(Box(op.mix, (wire,), (now := replace(wire, name=self.names.fresh(wire.name)),),
                                 attributes={"coefficients": (ratio(axis.total, axis.size),)}))
                wire = now
        return wire

    def added(self, boxes: list[Box], value: Wire, found: Found) -> Wire:
        """The value of an objective with what belongs to it."""
        parts = tuple(self.summed(boxes, wire, frozenset(value.axes)) for _, wire in found)
        return self.emit(boxes, op.add, (value, *parts)) if parts else value
