"""Along which lines the derivative comes back, and how: through values, or through probabilities.

For a box b and its j-th input, `into(b, j)` is a set of strands:

    a cost of a term                            {value}
    a weight of a term                          {weight}
    a parameter of a choice whose rule goes
    through the weight                          {weight}, if a term has the weight
    anything else                               the union over the readers of b's outputs, if b has a derivative there

and ∅ where no parameter is upstream (`active`).  A line is colored exactly if a `stop` on it would change the gradient.
In loops both are least fixed points: a carry's demand is that of its readers, in this step and in all later ones.
"""
from __future__ import annotations

from typing import Collection, Iterable

from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.type import Array

Strands = frozenset[str]
NONE: Strands = frozenset()
VALUE, WEIGHT = frozenset({"value"}), frozenset({"weight"})
SUMMED = frozenset({"contract", "terms"})
BARRED = frozenset({"stop", "iota", "rows", "values"})


def numeric(wire: Wire) -> bool:
    """Can a derivative pass at all?  Ints, bools and texts have none."""
    return not (isinstance(wire.type, Array) and wire.type.kind in ("int", "bool", "text"))


def through(rule: object) -> str:
    """Which way a rule's derivative takes: "value", "weight", or another word of its own."""
    return getattr(rule, "through", "value" if hasattr(rule, "pull") else "weight")


def weights_of(box: Box) -> frozenset[Wire]:
    """The inputs of a summing box that are weights."""
    if box.op.name == "forward":
        return frozenset(box.inputs[len(box.inputs) - len(box["sites"]):])
    if box.op.name not in SUMMED:
        return NONE
    return frozenset(box.inputs[box.get("costs", 1 if box.op.name == "contract" else len(box.inputs)):])


class Flow:
    """The analysis of one graph.  `parameters`: the inputs that are differentiated."""

    def __init__(self, graph: Graph, parameters: Collection[Wire]):
        self.graph = graph
        self.active: set[Wire] = {wire for wire in parameters if numeric(wire)}
        self.demand: dict[Wire, Strands] = dict.fromkeys(graph.outputs, VALUE)
        self.weighing: set[Wire] = set()
        self.settle(self.forward)
        self.settle(self.backward)

    def settle(self, sweep) -> None:
        while True:
            before = self.size()
            sweep(self.graph)
            if self.size() == before:
                return

    def size(self) -> int:
        return len(self.active) + len(self.weighing) + sum(map(len, self.demand.values()))

    # ------------------------------------------------------------ questions

    def passes(self, box: Box, place: int) -> bool:
        """Is the box's derivative in this input other than 0?"""
        wire, name = box.inputs[place], box.op.name
        if name in BARRED or not numeric(wire) or not any(map(numeric, box.outputs)):
            return False
        if name == "density":
            distribution = box["distribution"]
            if place == 0:
                return distribution.kind == "real" and distribution.value_smooth != "jump"
            return place - 1 >= len(distribution.fields) or distribution.fields[place - 1].kind == "real"
        if box.rule is not None and hasattr(box.rule, "pull"):
            return True
        return box.op.smoothness(place) != "jump"

    def into(self, box: Box, place: int) -> Strands:
        """How the derivative comes back along the line into this input."""
        wire = box.inputs[place]
        return self.wanted(box, place) if wire in self.active else NONE

    def wanted(self, box: Box, place: int) -> Strands:
        """`into`, if a parameter is upstream."""
        wire, name = box.inputs[place], box.op.name
        if wire in weights_of(box):
            return WEIGHT
        if name in SUMMED:
            return VALUE if numeric(wire) else NONE
        if name in ("points", "draw"):
            return self.parameter(box, place)
        if not self.passes(box, place):
            return NONE
        found = frozenset().union(*(self.demand.get(output, NONE) for output in box.outputs))
        return WEIGHT if found and box.rule is not None and through(box.rule) == "weight" else found

    def parameter(self, box: Box, place: int) -> Strands:
        distribution, wire = box["distribution"], box.inputs[place]
        if not numeric(wire) or place >= len(distribution.fields):
            return NONE
        found = NONE
        if len(box.outputs) > 1 and self.demand.get(box.outputs[1], NONE):
            found |= WEIGHT
        if through(box.rule) == "value" and distribution.fields[place].name in distribution.reparameterized:
            found |= self.demand.get(box.outputs[0], NONE)
        return found

    # ------------------------------------------------------------ sweeps

    def forward(self, graph: Graph) -> None:
        """Which wires a parameter reaches along derivatives."""
        for box in graph.boxes:
            if box.regions:
                for wire, inner in self.bound(box):
                    self.follow([wire], [inner])
                for region in box.regions:
                    self.forward(region)
                for inner, outer in self.results(box):
                    self.follow([inner], [outer])
                continue
            alive = [place for place, wire in enumerate(box.inputs) if wire in self.active]
            if box.op.name in ("points", "draw"):
                self.choice(box, alive)
            elif box.op.name in SUMMED or box.op.name == "forward":
                self.active.update(box.outputs if alive else ())
            elif any(self.passes(box, place) for place in alive):
                self.active.update(wire for wire in box.outputs if numeric(wire))
            if box.op.name == "forward" or box.op.name in ("add", "level") and any(w in self.weighing for w in box.inputs):
                self.weighing.update(box.outputs)

    def choice(self, box: Box, alive: list[int]) -> None:
        fields, value = box["distribution"].fields, through(box.rule) == "value"
        alive = [place for place in alive if place < len(fields)]
        if value and numeric(box.outputs[0]) and any(
                fields[place].name in box["distribution"].reparameterized for place in alive):
            self.active.add(box.outputs[0])
        for weight in box.outputs[1:]:
            self.weighing.add(weight)
            if alive:
                self.active.add(weight)

    def follow(self, sources: Iterable[Wire], targets: Iterable[Wire]) -> None:
        sources = list(sources)
        if any(wire in self.active for wire in sources):
            self.active.update(wire for wire in targets if numeric(wire))
        if any(wire in self.weighing for wire in sources):
            self.weighing.update(targets)

    def backward(self, graph: Graph) -> None:
        """What is wanted of each wire by those who read it."""
        for box in reversed(graph.boxes):
            if box.regions:
                for inner, outer in self.results(box):
                    self.want(inner, self.demand.get(outer, NONE))
                for region in reversed(box.regions):
                    self.backward(region)
                for wire, inner in self.bound(box):
                    self.want(wire, self.demand.get(inner, NONE))
                continue
            for place, wire in enumerate(box.inputs):
                self.want(wire, self.wanted(box, place))

    def want(self, wire: Wire, strands: Strands) -> None:
        if strands:
            self.demand[wire] = self.demand.get(wire, NONE) | strands

    def bound(self, box: Box) -> list[tuple[Wire, Wire]]:
        """What a region binds itself, with what it is bound to: initial carries.  Captured wires are the same inside."""
        if box.op.name != "scan":
            return []
        return list(zip(box.inputs, box.regions[0].inputs[1:1 + box["carries"]]))

    def results(self, box: Box) -> list[tuple[Wire, Wire]]:
        """Inner results with the wires that they become; those of a loop's step also become the next step's carries."""
        pairs = [pair for region in box.regions for pair in zip(region.outputs, box.outputs)]
        if box.op.name == "scan":
            count = box["carries"]
            pairs += zip(box.regions[0].outputs[:count], box.regions[0].inputs[1:1 + count])
        return pairs
