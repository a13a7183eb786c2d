"""Sum a density over its plates as a product of matrices.

    Σᵢ log p(xᵢ {row}; θᵢ {k})      ⇒      x {row, i} · η(θ) {i, k} − Σᵢ A(θᵢ) + Σᵢ h(xᵢ)

where the value and the parameters do not have the same axes: what only one of them has is then not evaluated over the axes of the
other.  Only a density whose record has a natural form, and whose sum is all that is read of it.

Needs: lifted.  Leaves: such densities with their plates summed (attribute `summed`).
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Axis, Box, Graph, canonical


def natural(graph: Graph) -> Graph:
    boxes = {id(box): box.but(regions=tuple(map(natural, box.regions))) if box.regions else box for box in graph.boxes}
    producers, readers = graph.producers(), graph.readers()
    for terms in (box for box in graph.boxes if box.op is op.terms):
        weighted = {axis for wire in terms.inputs[terms["costs"]:] for axis in wire.axes}
        costs, sums = list(terms.inputs[:terms["costs"]]), list(terms["sums"])
        for place, wire in enumerate(costs):
            density = producers.get(wire)
            if density is None or readers[wire] != [terms] or costs.count(wire) > 1 or wire in graph.outputs:
                continue
            if axes := summable(density, set(sums[place]) - weighted):
                costs[place] = replace(wire, axes=tuple(axis for axis in wire.axes if axis not in axes))
                sums[place] = tuple(axis for axis in sums[place] if axis not in axes)
                boxes[id(density)] = density.but(outputs=(costs[place],), attributes={"summed": canonical(axes)})
        boxes[id(terms)] = terms.but(inputs=(*costs, *terms.inputs[terms["costs"]:]), attributes={"sums": tuple(sums)})
    return replace(graph, boxes=tuple(boxes[id(box)] for box in graph.boxes))


def summable(box: Box, sums: set[Axis]) -> set[Axis]:
    """The plates over which the density becomes a product of matrices."""
    if box.op is not op.density or box["distribution"].natural is None or box.get("onto") is not None:
        return set()
    value, *parameters = box.inputs
    left, right = set(value.axes), {axis for wire in parameters for axis in wire.axes}
    return left & right & sums if left != right else set()
