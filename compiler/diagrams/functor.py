"""Functors: box by box substitution.

F(f >> g) = F(f) >> F(g),  F(f * g) = F(f) * F(g),  F of a spider is a spider for each atom of the image; a sum and a bubble
go term by term.  The image of an adjoint is the adjoint of the image: reversed.
"""
from __future__ import annotations

from typing import Callable

from pullback.compiler import ops as op
from pullback.compiler.diagrams.build import (Boundary, adjoint, entering, flipped, fresh, inner_inputs, is_object, numbers, ordered,
                                              outside, renamed, together, wires)
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.type import Object


def image_of(atom: Object, objects: Callable[[Object], Boundary]) -> Boundary:
    """The image of an atom, from those of atoms with z = 0."""
    plain = objects(atom.turned(-atom.z))
    for _ in range(abs(atom.z)):
        plain = adjoint(plain, 1 if atom.z > 0 else -1)
    return plain


def apply(graph: Graph, objects: Callable[[Object], Boundary], image: Callable[[Box], Graph]) -> Graph:
    """The image of a diagram.  `image(box)` is the diagram that a box stands for, before it is mirrored or turned."""
    start = {one: wires(image_of(one.type, objects)) for one in entering(graph)}
    boxes, outputs = mapped(graph, start, objects, image)
    inputs = tuple(new for one in entering(graph) for new in start[one])
    boxes = ordered(boxes)
    own = {one for box in boxes for one in box.outputs}
    reads = together(one for box in boxes for one in box.inputs if not is_object(one) and one not in own)
    return Graph((*together((*numbers(graph), *reads)), *inputs), boxes, outputs)


def mapped(graph: Graph, env: dict[Wire, tuple[Wire, ...]], objects: Callable, image: Callable) -> tuple[list[Box], tuple[Wire, ...]]:
    boxes: list[Box] = []
    for box in graph.boxes:
        if box.op.kind != "diagram":
            boxes.append(box)
            continue
        ins = [env[one] for one in inner_inputs(box)]
        flat = tuple(new for group in ins for new in group)
        if box.op is op.box:
            found = fresh(flipped(image(box), box["dagger"], box["turns"]))
            found = renamed(found, dict(zip(entering(found), flat)))
            boxes += found.boxes
            rest = list(found.outputs)
            for one in box.outputs:
                count = len(image_of(one.type, objects))
                env[one], rest = tuple(rest[:count]), rest[count:]
            continue
        for one in box.outputs:
            env[one] = wires(image_of(one.type, objects))
        outs = [env[one] for one in box.outputs]
        if box.op is op.spider:
            boxes += spiders(box, ins, outs)
            continue
        regions, outer = [], list(box.inputs[:box["numbers"]])
        for region in box.regions:
            inside = apply(region, objects, image)
            boxes += [one for one in inside.boxes if one.op.kind != "diagram"]
            inside = outside(inside)
            regions.append(inside)
            outer += numbers(inside)
        outer = list(together(outer))
        boxes.append(box.but(inputs=(*outer, *flat), outputs=tuple(new for group in outs for new in group), regions=tuple(regions),
                             attributes={"numbers": len(outer)}))
    return boxes, tuple(new for one in graph.outputs for new in env[one])


def spiders(box: Box, ins: list[tuple[Wire, ...]], outs: list[tuple[Wire, ...]]) -> list[Box]:
    """One spider for each atom of the image; a leg that is an odd adjoint is counted from its end."""
    ends = [*zip(inner_inputs(box), ins), *zip(box.outputs, outs)]
    count = len(ends[0][1]) if ends else 0

    def leg(one: Wire, group: tuple[Wire, ...], at: int) -> Wire:
        return group[count - 1 - at if one.type.z % 2 else at]
    made = []
    for at in range(count):
        made.append(box.but(inputs=tuple(leg(one, group, at) for one, group in ends[:len(ins)]),
                            outputs=tuple(leg(one, group, at) for one, group in ends[len(ins):])))
    return made
