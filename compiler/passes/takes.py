"""An array read at the whole of an axis' own index is that array, with its dimension as the axis: no gather.

    v[z] {z: K}  with z = 0, 1, …, K − 1 along its axis      ⇒      spread(v)

Needs: lifted.  Leaves: the same values; no gather where a finite choice, a finite carry or a step reads a table.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Axis, Box, Graph, Wire
from pullback.compiler.type import Array, known


def takes(graph: Graph) -> Graph:
    return opened(graph, {})


def opened(graph: Graph, own: dict[Wire, tuple[Axis, int]]) -> Graph:
    """`own`: the wires that are first, first + 1, … along an axis."""
    boxes = []
    for box in graph.boxes:
        if box.regions:
            box = box.but(regions=tuple(opened(region, dict(own)) for region in box.regions))
        match box.op:
            case op.iota | op.values if known(box["start"]):
                own[box.output] = (box["axis"], box["start"])
            case op.points if box["common"] and not box["joint"] and box["axis"] is not None:
                value = box.outputs[0]
                if isinstance(value.type, Array) and value.type.bounds is not None and known(value.type.bounds[0]):
                    own[value] = (box["axis"], value.type.bounds[0])
            case op.index:
                box = taken(box, own)
        boxes.append(box)
    return replace(graph, boxes=tuple(boxes))


def taken(box: Box, own: dict[Wire, tuple[Axis, int]]) -> Box:
    array, *dynamic = box.inputs
    rest = [entry for entry in box["pattern"] if entry != "all"]
    if rest != ["i"] or dynamic[0] not in own:
        return box
    (axis, first), place = own[dynamic[0]], box["pattern"].index("i")
    size = array.type.shape[place]
    if first < 0 or not known(size) or not known(axis.size) or first + axis.size > size or axis in array.axes or dynamic[0].axes != (axis,):
        return box
    return replace(box, op=op.spread, inputs=(array,), attributes={
        "axis": axis, "axes": (axis,), "dimension": place, "start": first})
