"""Evaluate a density once for all values that it can be asked for, where these are fewer than the times that it is asked.

    log p(k | f(table[i]))  for each of many (i, k)      ⇒      t = log p(· | f(table[·]));  t[i, k]

i and k are ints of known ranges.  The derivative is then one scatter of numbers into a small table, not one of rows.

Needs: lifted.  Leaves: the same values and derivatives.
"""
from __future__ import annotations

from dataclasses import replace
from math import prod

from pullback.compiler import ops as op
from pullback.compiler.analyses.ranges import parameters, support_size
from pullback.compiler.ir import Axis, Box, Graph, Names, Wire, canonical
from pullback.compiler.type import Array, known


def tabulate(graph: Graph) -> Graph:
    return tabulated(graph, graph.names()).numbered()


def tabulated(graph: Graph, names: Names) -> Graph:
    made = graph.producers()
    boxes: list[Box] = []
    for box in graph.boxes:
        if box.regions:
            box = box.but(regions=tuple(tabulated(region, names) for region in box.regions))
        table = Table.of(box, made)
        boxes += [box] if table is None else table.boxes(names)
    return replace(graph, boxes=tuple(boxes))


class Table:
    """A density box, the int that its parameters depend on, and the boxes between them."""

    def __init__(self, box: Box, at: Wire, chain: list[Box]):
        self.box, self.at, self.chain = box, at, chain

    @staticmethod
    def of(box: Box, made: dict[Wire, Box]) -> Table | None:
        """The table of a box, if it has one that is worth it."""
        if box.op not in (op.density, op.score) or box["distribution"].finite is None or box.get("onto") is not None:
            return None
        if box.get("axis") is not None or box.get("masked") or box.get("summed"):
            return None
        value, size = box.inputs[0], support_size(box)
        if not from_zero(value) or value.type.bounds[1] != size or value in parameters(box):
            return None
        chain: dict[int, Box] = {}
        found = leaves(parameters(box), made, chain)
        if found is None or len(found) != 1 or not from_zero(*found):
            return None
        (at,) = found
        sizes = [axis.size for axis in box.output.axes]
        if not all(map(known, sizes)) or 2 * size * at.type.bounds[1] > prod(sizes):
            return None
        return Table(box, at, [chain[key] for key in reversed(chain)])

    def boxes(self, names: Names) -> list[Box]:
        box, value = self.box, self.box.inputs[0]
        written: list[Box] = []

        def every(wire: Wire) -> Wire:
            axis = Axis("plate", f"{names.fresh(wire.name)}.values", wire.type.bounds[1])
            output = replace(wire, name=names.fresh(wire.name), axes=(axis,))
            written.append(Box(op.iota, (), (output,), attributes={"axis": axis, "axes": (axis,), "start": 0}))
            return output
        same = {self.at: every(self.at), value: every(value)}
        rows, columns = same[self.at].axes[0], same[value].axes[0]
        for inner in self.chain:
            for wire in inner.outputs:
                same[wire] = replace(wire, name=names.fresh(wire.name), axes=(rows,))
            written.append(again(inner, same))
        (out,) = box.outputs
        same[out] = replace(out, name=names.fresh(out.name), axes=canonical((rows, columns)))
        written.append(again(box, same))
        array = same[out]
        for axis in (columns, rows):
            array = Wire(names.fresh(out.name), replace(array.type, shape=(axis.size, *array.type.shape)),
                         tuple(a for a in array.axes if a != axis))
            written.append(Box(op.stack_axis, (same[out] if axis == columns else written[-1].output,), (array,),
                               attributes={"axis": axis}))
        written.append(Box(op.index, (array, self.at, value), (out,), attributes={"pattern": ("i", "i")}, span=box.span))
        return written


def again(box: Box, same: dict[Wire, Wire]) -> Box:
    """The box over the table's axes."""
    inputs = tuple(same.get(wire, wire) for wire in box.inputs)
    axes = canonical(axis for wire in inputs for axis in wire.axes)
    return box.but(inputs=inputs, outputs=tuple(same[wire] for wire in box.outputs), number=None,
                   attributes={"axes": axes} if "axes" in box.attributes else {},
                   origin=() if box.number is None else (box.number,))


def from_zero(wire: Wire) -> bool:
    bounds = wire.type.bounds if isinstance(wire.type, Array) and wire.type.kind == "int" and not wire.type.rank else None
    return bounds is not None and bounds[0] == 0 and known(bounds[1])


def leaves(wires: tuple[Wire, ...], made: dict[Wire, Box], chain: dict[int, Box]) -> set[Wire] | None:
    """The ints of many values that these are functions of, all else being the same for all; None if there is more."""
    found: set[Wire] = set()
    for wire in wires:
        if not wire.axes:
            continue
        if from_zero(wire):
            found.add(wire)
            continue
        box = made.get(wire)
        if box is None or box.op.kind != "pure" or box.op.host or box.regions or box.rule is not None:
            return None
        chain.pop(id(box), None)
        chain[id(box)] = box  # a box is written before all that read it
        below = leaves(box.inputs, made, chain)
        if below is None:
            return None
        found |= below
    return found
