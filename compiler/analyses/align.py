"""Which plates are one axis: a plate that reads, at its own index, what another plate over the same range made.

    q: plate i { z ~ … }      p: plate j { x ~ normal(z[j], 1) }      ⇒      i = j

so that a cost of element j owes nothing to the other elements of z.  Two plates are never one if one stands inside the other.
"""
from __future__ import annotations

from typing import Iterable

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.type import Array, same


def aligned(graph: Graph) -> dict[str, str]:
    """For every plate the name of the plate whose axis it shares (its own, if it is the first)."""
    found = Plates()
    found.graph(graph, ())
    return {name: found.root(name) for name in found.boxes}


class Plates:
    def __init__(self) -> None:
        self.boxes: dict[str, Box] = {}
        self.around: dict[str, frozenset[str]] = {}
        self.parent: dict[str, str] = {}
        self.index: dict[Wire, str] = {}
        self.stacked: dict[Wire, tuple[str | None, ...]] = {}
        self.shares: dict[tuple, str] = {}

    def root(self, name: str) -> str:
        while self.parent[name] != name:
            name = self.parent[name]
        return name

    def members(self, name: str) -> list[str]:
        return [other for other in self.boxes if self.root(other) == self.root(name)]

    def graph(self, graph: Graph, context: tuple[str, ...]) -> None:
        for box in graph.boxes:
            match box.op:
                case op.plate:
                    self.plate(box, context)
                case op.index:
                    self.read(box)
                case _:
                    for region in box.regions:
                        self.graph(region, context)
                    self.through(box)

    def plate(self, box: Box, context: tuple[str, ...]) -> None:
        name, body = box["name"], box.regions[0]
        if name not in self.boxes:
            self.boxes[name], self.parent[name] = box, name
            self.around[name] = frozenset(context)
            if box.rule is not None and box.get("share"):
                first = self.shares.setdefault((box["share"], str(box["size"]), box["start"]), name)
                self.join(first, name)
        self.index[body.inputs[0]] = name
        self.graph(body, (*context, name))
        for outer, inner in zip(box.outputs, body.outputs):
            self.stacked[outer] = (name, *self.stacked.get(inner, ()))

    def through(self, box: Box) -> None:
        """What is made element by element of a stacked array is stacked by the same plate."""
        if box.op.elementwise:
            rank = max((w.type.rank for w in box.inputs if isinstance(w.type, Array)), default=0)
            stacks = [self.stacked[w] for w in box.inputs if w in self.stacked and w.type.rank == rank]
            if rank and stacks:
                self.stacked[box.output] = stacks[0]
                for other in stacks[1:]:
                    if other[0] and stacks[0][0]:
                        self.join(stacks[0][0], other[0])
        elif box.op is op.branch:
            for output, then, other in zip(box.outputs, *(region.outputs for region in box.regions)):
                stack = self.stacked.get(then) or self.stacked.get(other)
                if stack:
                    self.stacked[output] = stack
        elif box.op is op.scan:
            count = box["carries"]
            for output, inner in zip(box.outputs[count:], box.regions[0].outputs[count:]):
                self.stacked[output] = (None, *self.stacked.get(inner, ()))

    def read(self, box: Box) -> None:
        array, *dynamic = box.inputs
        dimensions = list(self.stacked.get(array, ()))
        kept: list[str | None] = []
        for entry in box["pattern"]:
            dimension = dimensions.pop(0) if dimensions else None
            if entry == "i":
                at = dynamic.pop(0)
                if at in self.stacked and at.type.rank == 1:
                    kept.append(self.stacked[at][0])
                if dimension and at in self.index:
                    self.join(dimension, self.index[at])
            elif not isinstance(entry, int):
                kept.append(dimension if entry == "all" else None)
        self.stacked[box.output] = tuple(kept + dimensions)

    def join(self, first: str, second: str) -> None:
        a, b = self.root(first), self.root(second)
        if a == b:
            return
        one, two = self.boxes[a], self.boxes[b]
        alike = same(one["size"], two["size"]) and one["start"] == two["start"] and one.rule == two.rule and (
            one.rule is None or one.get("share") == two.get("share"))
        inside = self.closure(self.members(a)) & set(self.members(b)) or self.closure(self.members(b)) & set(self.members(a))
        if alike and not inside:
            self.parent[b] = a

    def closure(self, names: Iterable[str]) -> set[str]:
        """The plates around these, with all that share their axes."""
        found: set[str] = set()
        todo = [outer for name in names for outer in self.around[name]]
        while todo:
            name = todo.pop()
            if name not in found:
                found.add(name)
                todo += [m for m in self.members(name) if m not in found]
                todo += self.around[name]
        return found
