"""Sum out an expectation where it stands, if what reads it is not linear in it.

    E[f(x)], every choice inside `by enum`     ⇒     expected { x = …; f(x) }, a number that anything may read

The region holds what lies between the choices inside the call and its value; all else it reads from outside.

Needs: the `exact` marks of the bias check.  Leaves: no mark.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph, Wire, closed


def nest(graph: Graph) -> Graph:
    boxes = [box.but(regions=tuple(map(nest, box.regions))) if box.regions else box for box in graph.boxes]
    for marked in [box for box in boxes if box.op is op.expectation and box.get("exact")]:
        boxes = gathered(boxes, marked)
    return replace(graph, boxes=tuple(boxes))


def gathered(boxes: list[Box], marked: Box) -> list[Box]:
    """The boxes with those between the choices of one expectation and its value in a region."""
    sites, random = marked["sites"], set()
    for box in boxes:
        inside = (box, *(b for region in box.regions for b in region.walk()))
        if any(b.op is op.draw and b["address"] in sites for b in inside) or any(wire in random for wire in box.inputs):
            random.update(box.outputs)
    needed, region, rest = {marked.inputs[0]}, [], []
    for box in reversed(boxes):
        if any(wire in random and wire in needed for wire in box.outputs):
            needed.update(box.inputs)
            region.append(box)
        else:
            rest.append(box)
    if not region:
        return boxes
    body = closed(Graph((), tuple(reversed(region)), marked.inputs))
    output: Wire = marked.output
    now = Box(op.expected, body.inputs, (output,), (body,), {"name": marked["name"]}, span=marked.span, number=marked.number,
              origin=marked.origin, frame=marked.frame)
    return [now if box is marked else box for box in reversed(rest)]
