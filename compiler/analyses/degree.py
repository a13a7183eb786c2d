"""Of what degree is the objective in a choice's value?

    degree(a + b) = max      degree(a·b) = sum      degree(xⁿ) = n·degree(x)      degree(log normal(x; m, s)) = 2·max

None where it is no polynomial, or where another choice's law depends on the value.
"""
from __future__ import annotations

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph, Wire


def degree(graph: Graph, wire: Wire) -> int | None:
    """The highest degree in `wire` of what the graph returns."""
    found = Degrees(wire)
    found.graph(graph)
    degrees = [found.of(output) for output in graph.outputs]
    return None if None in degrees else max(degrees)


class Degrees:
    def __init__(self, wire: Wire):
        self.known: dict[Wire, int | None] = {wire: 1}
        self.constants: dict[Wire, object] = {}
        self.own = wire

    def of(self, wire: Wire) -> int | None:
        return self.known.get(wire, 0)

    def graph(self, graph: Graph) -> None:
        for box in graph.boxes:
            if box.op is op.constant:
                self.constants[box.output] = box["value"]
            if box.regions:
                self.regions(box)
            elif self.own not in box.outputs:
                found = self.box(box)
                self.known.update((wire, found) for wire in box.outputs)

    def regions(self, box: Box) -> None:
        count = box["carries"] if box.op is op.scan else 0
        for region in box.regions:
            bound = region.inputs[1:1 + count]
            self.known.update((inner, self.of(outer)) for inner, outer in zip(bound, box.inputs))
            self.graph(region)
            after = {inner: self.of(last) for inner, last in zip(bound, region.outputs)}
            if any(after[inner] != self.of(inner) for inner in bound):  # it grows from step to step
                self.known.update((inner, None) for inner in bound if after[inner] != self.of(inner))
                self.graph(region)
        decided = box.op is op.branch and self.of(box.inputs[0]) != 0
        for place, wire in enumerate(box.outputs):
            degrees = [self.of(region.outputs[place]) for region in box.regions]
            curved = box.op is op.marginal and any(degrees)
            self.known[wire] = None if None in degrees or decided or curved else max(degrees)

    def box(self, box: Box) -> int | None:
        degrees = {place: self.of(wire) for place, wire in enumerate(box.inputs) if self.of(wire) != 0}
        if not degrees:
            return 0
        if None in degrees.values() or box.op is op.draw or box.rule is not None and box.op is not op.plate:
            return None
        if box.op is op.reduce:
            return max(degrees.values()) if box["function"] in ("sum", "mean") else None
        if box.op is op.density:
            gaussian = box["distribution"].name == "normal" and box.get("onto") is None and 2 not in degrees
            return 2 * max(degrees.values()) if gaussian else None
        if box.op is op.pow and set(degrees) == {0}:
            exponent = self.constants.get(box.inputs[1])
            return degrees[0] * int(exponent) if isinstance(exponent, (int, float)) and exponent == int(exponent) >= 0 else None
        if box.op is op.where:
            return None if 0 in degrees else max(degrees.values())
        if box.op in (op.stop, op.stack, op.identity) or box.op.linear_in(list(degrees)):
            return max(degrees.values())
        if all(box.op.linear_in([place]) for place in degrees):  # linear in each
            return sum(degrees.values())
        return None
