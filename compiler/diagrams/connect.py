"""Which wires are one index: a diagram as a tensor network.

Plain spiders join what they touch (union-find), so that snakes, interchange and the fusion of spiders hold by construction;
a gate joins the wires that share an axis of its array; a swap is nothing.  What is left is a list of operands, an index for
each axis, and loops: an index that no operand has and that does not leave is the factor of its dimension.

Doubled reading: a wire of a linear type is two, (w, 0) and (w, 1), a box stands twice, its second copy conjugated; a
measurement, a discard and a preparation join the two copies; a `weight` stands once.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Hashable, Iterable

from pullback.compiler import ops as op
from pullback.compiler.diagrams.build import entering, inner_inputs, is_object
from pullback.compiler.gate import Gate
from pullback.compiler.ir import Box, Graph, Wire

MIXED = ("weight", "measure", "discard", "prepare")
Index = Hashable


class Union:
    """Classes of what was joined; the number of a class is in the order of its first member."""

    def __init__(self) -> None:
        self.parent: dict[Any, Any] = {}

    def find(self, x: Any) -> Any:
        self.parent.setdefault(x, x)
        root = x
        while self.parent[root] != root:
            root = self.parent[root]
        while self.parent[x] != root:
            self.parent[x], x = root, self.parent[x]
        return root

    def join(self, items: Iterable[Any]) -> None:
        items = list(items)
        for other in items[1:]:
            self.parent[self.find(other)] = self.find(items[0])
        if items:
            self.find(items[0])


@dataclass(frozen=True, slots=True)
class Operand:
    """An array in the network: that of a box, or of `gate`, a factor of it; `doubled`: that of a sum or bubble which is read
    doubled itself."""

    box: Box
    indices: tuple[int, ...]
    conjugated: bool = False
    doubled: bool = False
    gate: Gate | None = None


@dataclass(frozen=True, slots=True)
class Network:
    operands: tuple[Operand, ...]
    output: tuple[int, ...]
    sizes: tuple[tuple[int, Any], ...]      # of each index, where that is known
    loops: tuple[int, ...]                  # indices that no operand has and that do not leave


def mixed(graph: Graph) -> bool:
    """Does the diagram need a doubled reading?"""
    return any(box.get("gate") is not None and box["gate"].kind in MIXED for box in graph.walk())


def copies(wire: Wire, doubled: bool) -> tuple[tuple[str, int], ...]:
    return ((wire.name, 0), (wire.name, 1)) if doubled and wire.type.linear else ((wire.name, 0),)


def wires_of(box: Box) -> tuple[Wire, ...]:
    return (*inner_inputs(box), *box.outputs)


def legs(box: Box) -> tuple[int, ...]:
    """The axis of the box's array that each of its wires reads, its inputs first."""
    return box["legs"] if box.op is op.box else tuple(range(len(inner_inputs(box)) + len(box.outputs)))


def connect(graph: Graph, doubled: bool = False) -> Network:
    """The network of a diagram whose boxes are gates, arrays, sums and bubbles."""
    union = Union()
    found: list[tuple[Box, list[tuple[str, int]], bool, bool, Gate | None]] = []
    for wire in (*entering(graph), *graph.outputs):
        for one in copies(wire, doubled):
            union.find(one)
    for box in graph.boxes:
        if box.op.kind != "diagram":
            continue
        wires = wires_of(box)
        kind = box["gate"].kind if box.get("gate") is not None else "pure"
        for wire in wires:
            for one in copies(wire, doubled):
                union.find(one)
        if box.op is op.spider:
            for copy in (0, 1) if doubled and wires and wires[0].type.linear else (0,):
                union.join((wire.name, copy) for wire in wires)
        elif kind in ("measure", "prepare"):
            union.join(one for wire in wires for one in copies(wire, True))
        elif kind == "discard":
            for wire in wires:
                union.join(copies(wire, True))
        else:
            own = doubled and box.op in (op.formal_sum, op.bubble) and any(map(mixed, box.regions))
            twice = doubled and kind == "pure" and not own and (not wires or any(wire.type.linear for wire in wires))
            axes = legs(box)
            for copy in (0, 1) if twice else (0,):
                places: dict[Any, list[tuple[str, int]]] = {}
                for wire, axis in zip(wires, axes):
                    if own:
                        for one in copies(wire, True):
                            places.setdefault((axis, one[1]), []).append(one)
                    else:
                        places.setdefault(axis, []).append((wire.name, copy if doubled and wire.type.linear else 0))
                for joined in places.values():
                    union.join(joined)
                turned = box.op is op.box and box["dagger"]
                ends = [joined[0] for _, joined in sorted(places.items())]
                parts = box["gate"].factors if box.get("gate") is not None else ()
                found += [(box, [end], turned != bool(copy), own, part) for end, part in zip(ends, parts)] or [
                    (box, ends, turned != bool(copy), own, None)]
    return numbered(graph, union, found, doubled)


def numbered(graph: Graph, union: Union, found: list, doubled: bool) -> Network:
    """Classes as numbers, in the order in which they are met."""
    number: dict[Any, int] = {}

    def index(one: Any) -> int:
        return number.setdefault(union.find(one), len(number))
    operands = tuple(Operand(box, tuple(map(index, places)), conjugated, own, part) for box, places, conjugated, own, part in found)
    output = tuple(index(one) for wire in (*entering(graph), *graph.outputs) for one in copies(wire, doubled))
    sizes: dict[int, Any] = {}
    for wire in graph.wires():
        for one in copies(wire, doubled) if is_object(wire) else ():
            if one in union.parent:
                at = index(one)
                if sizes.get(at) is None:
                    sizes[at] = wire.type.size
    held = {at for operand in operands for at in operand.indices} | set(output)
    return Network(operands, output, tuple(sorted(sizes.items())), tuple(at for at in sorted(number.values()) if at not in held))
