"""Move out of a scan what no later step needs.

    scan { x, w = step(x);  ℓ′ = ℓ + w;  Σ c(x)·eˡ }      ⇒      x = scan { … };  w = score(x);  ℓ = Σ before w;  Σ c(x)·eˡ

The terms, and the log weights of the past that they are multiplied by, are evaluated for all steps at once, over an axis of
their own, from what the loop gives.  A loop that keeps nothing that is differentiated then has no reverse pass.  The mirror of
`hoist`, which moves before the loop what reads no carry.

Needs: hoisted.  Leaves: the same values; bodies that hold what the next step reads, and draws.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Iterable

from pullback.compiler import ops as op
from pullback.compiler.ir import Axis, Box, Graph, Names, Wire, canonical, free
from pullback.compiler.type import ratio

LOG = ("forward", "level")  # in the body of a scan whose carries are enumerated: its terms are part of what it carries


def sink(graph: Graph) -> Graph:
    return sunk(graph, graph.names()).numbered()


def sunk(graph: Graph, names: Names) -> Graph:
    boxes: list[Box] = []
    for box in graph.boxes:
        if box.regions:
            box = box.but(regions=tuple(sunk(region, names) for region in box.regions))
        boxes += Sinking(box, names).boxes() if can_sink(box) else [box]
    return replace(graph, boxes=tuple(boxes))


def can_sink(box: Box) -> bool:
    """A scan that sums up terms and does not carry them in a joint weight."""
    return box.op is op.scan and box.get("totals", 0) > 0 and "steps" in box.attributes and not any(
        inner.op.name in LOG or inner.get("semiring") == "log" for inner in box.regions[0].boxes)


@dataclass
class Sinking:
    """One scan: `stay` are the boxes of its body that are left in it, `sums` the carries that only add up."""

    box: Box
    names: Names
    after: list[Box] = field(default_factory=list)
    rows: dict[Wire, Wire] = field(default_factory=dict)       # a wire of the body, for all steps
    stacks: dict[Wire, Wire] = field(default_factory=dict)     # what the loop gives at each step, as an array

    def __post_init__(self) -> None:
        box, body = self.box, self.box.regions[0]
        self.body, self.count = body, box["carries"]
        self.axis: Axis = box["steps"]
        self.carries = body.inputs[1:1 + self.count]
        self.made = body.producers()
        self.rows.update(zip(body.inputs[1 + self.count:], box.inputs[self.count:self.count + box["scanned"]]))
        self.sums = {place for place in range(self.count) if self.added(place) is not None}
        self.stay = self.needed()

    def added(self, place: int) -> Wire | None:
        """What a carry grows by at each step, if that is all that becomes of it."""
        carry, after = self.carries[place], self.body.outputs[place]
        box = self.made.get(after)
        if box is None or box.op is not op.add or after.type.rank or len(box.inputs) != 2 or box.inputs.count(carry) != 1:
            return None
        if self.body.outputs.count(after) > 1 or carry in self.body.outputs or any(after in b.inputs for b in self.body.boxes):
            return None
        return box.inputs[box.inputs[0] == carry]

    def needed(self) -> set[int]:
        """The boxes that the next step reads, and those that are not repeated: draws, what reads their noise, and loops."""
        stay: set[int] = set()
        todo = [self.body.outputs[place] for place in range(self.count) if place not in self.sums]
        for box in self.body.boxes:
            if box.regions or box.op is op.points or "own" in box.attributes:
                stay.add(id(box))
                todo += box.inputs
        seen: set[Wire] = set()
        while todo:
            wire = todo.pop()
            if wire in seen:
                continue
            seen.add(wire)
            if wire in self.made:
                stay.add(id(self.made[wire]))
                todo += self.made[wire].inputs
            elif wire in self.carries and self.carries.index(wire) in self.sums:  # a step reads the sum so far
                self.sums.remove(self.carries.index(wire))
                todo.append(self.body.outputs[self.carries.index(wire)])
        return stay

    def boxes(self) -> list[Box]:
        """The loop, and what follows it."""
        box, body = self.box, self.body
        last = len(body.outputs) - box["totals"]
        for outer, inner in zip(box.outputs[last:], body.outputs[last:]):
            self.total(outer, inner)
        for outer, inner in zip(box.outputs[self.count:last], body.outputs[self.count:last]):
            self.array(outer, inner)
        for place in self.sums:
            self.running(place)
        return [self.loop(), *self.after]

    # ------------------------------------------------------------ all steps at once

    def all(self, wire: Wire) -> Wire:
        """The wire for all steps."""
        if wire not in self.rows:
            box = self.made.get(wire)
            if wire == self.body.inputs[0]:
                self.rows[wire] = self.emit(op.iota, (), wire, start=self.box["start"])
            elif wire in self.carries and self.carries.index(wire) in self.sums:
                self.running(self.carries.index(wire))
            elif box is not None and box.op is op.points and wire != box.outputs[0] and weighs(box):
                given = (self.all(box.outputs[0]), *map(self.all, box.inputs))
                self.rows[wire] = self.repeated(box.but(op=op.score, inputs=given, outputs=(wire,)))[0]
            elif box is not None and (id(box) not in self.stay or self.again(wire)):
                self.rows.update(zip(box.outputs, self.repeated(box.but(inputs=tuple(map(self.all, box.inputs))))))
            elif box is not None or wire in self.carries:
                self.rows[wire] = self.emit(op.spread, (self.stack(wire),), wire, dimension=0, start=0)
            else:
                self.rows[wire] = wire  # captured: the same at every step
        return self.rows[wire]

    def again(self, wire: Wire) -> bool:
        """Is it better computed once more than given by the loop?  From values without a derivative: then the loop has none."""
        box = self.made.get(wire)
        if box is None or box.regions or box.op.kind not in ("pure", "estimator") or box.op.host or box.op in (op.points, op.terms) or still(wire, box):
            return False
        return all(wire not in self.carries and (wire not in self.made or still(wire, self.made[wire]) or self.again(wire))
                   or still(wire, None) for wire in box.inputs)

    def emit(self, what, inputs: tuple[Wire, ...], like: Wire, **attributes) -> Wire:
        """A box over the axis of the steps."""
        output = self.over(like, canonical([*like.axes, self.axis]))
        self.after.append(Box(what, inputs, (output,), span=self.box.span,
                              attributes={"axis": self.axis, "axes": (self.axis,), **attributes}))
        return output

    def over(self, wire: Wire, axes: Iterable[Axis]) -> Wire:
        return replace(wire, name=self.names.fresh(wire.name), axes=canonical(axes))

    def repeated(self, box: Box) -> tuple[Wire, ...]:
        """The box, that now reads wires for all steps; what it gives."""
        if not any(self.axis in wire.axes for wire in box.inputs):
            outputs = tuple(self.over(wire, wire.axes) for wire in box.outputs)
        else:
            outputs = tuple(self.over(wire, [*wire.axes, self.axis]) for wire in box.outputs)
        changes = {}
        if box.op is op.score:
            changes["axes"] = canonical([*box.get("axes", ()), self.axis])
        if box.op is op.terms:
            changes["kinds"] = renamed_kinds(box)
        self.after.append(box.but(outputs=outputs, attributes=changes, number=None,
                                  origin=() if box.number is None else (box.number,)))
        return outputs

    def stack(self, wire: Wire) -> Wire:
        """The array of what the loop gives."""
        if wire not in self.stacks:
            type = replace(wire.type, shape=(self.axis.size, *wire.type.shape))
            self.stacks[wire] = replace(self.over(wire, wire.axes), type=type)
        return self.stacks[wire]

    def running(self, place: int) -> None:
        """A sum that grows with the steps: what it is before each, and in the end."""
        carry, end = self.carries[place], self.box.outputs[place]
        if carry in self.rows:
            return
        added = self.all(self.added(place))
        self.rows[carry] = self.over(carry, [*carry.axes, *added.axes, self.axis])
        self.after.append(Box(op.running, (self.box.inputs[place], added), (self.rows[carry], end), span=self.box.span,
                              attributes={"axis": self.axis, "axes": (self.axis,)}))

    # ------------------------------------------------------------ what the scan gave

    def total(self, outer: Wire, inner: Wire) -> None:
        """The sum over the steps of some terms: a sum over one axis more."""
        box = self.made[inner]
        box = box.but(inputs=tuple(map(self.all, box.inputs)), outputs=(outer,), number=None,
                      origin=() if box.number is None else (box.number,))
        weights = box.inputs[box["costs"]:]
        coefficients, sums = [], []
        for cost, coefficient, axes, mine in zip(box.inputs, box["coefficients"], box["sums"], box["weights"]):
            steps = self.axis in cost.axes or any(self.axis in weights[place].axes for place, _ in mine)
            coefficients.append(coefficient if steps else coefficient * ratio(self.axis.size))
            sums.append((*axes, self.axis) if steps else axes)
        self.after.append(box.but(attributes={"coefficients": tuple(coefficients), "sums": tuple(sums), "kinds": renamed_kinds(box)}))

    def array(self, outer: Wire, inner: Wire) -> None:
        """What the scan gave at each step."""
        box = self.made.get(inner)
        if (box is None and inner in self.carries and self.carries.index(inner) not in self.sums) or (
                box is not None and id(box) in self.stay and not (box.op is op.points and inner != box.outputs[0])):
            if inner not in self.stacks:
                self.stacks[inner] = outer
                return
        wire = self.all(inner)
        self.after.append(Box(op.stack_axis, (wire,), (replace(outer, axes=tuple(a for a in wire.axes if a != self.axis)),),
                              attributes={"axis": self.axis}))

    def loop(self) -> Box:
        """The scan with what stays in it."""
        box, body = self.box, self.body
        places = [place for place in range(self.count) if place not in self.sums]
        outputs = (*(body.outputs[place] for place in places), *self.stacks)
        boxes = [inner for inner in body.boxes if id(inner) in self.stay]
        read = {wire for inner in boxes for wire in inner.inputs} | set(outputs)
        boxes = [inner.but(outputs=inner.outputs[:1]) if inner.op is op.points and read.isdisjoint(inner.outputs[1:]) else inner
                 for inner in boxes]
        rows = [(wire, outer) for wire, outer in zip(body.inputs[1 + self.count:], box.inputs[self.count:self.count + box["scanned"]])
                if wire in read]
        bound = (body.inputs[0], *(self.carries[place] for place in places), *(wire for wire, _ in rows))
        region = Graph(bound, tuple(boxes), outputs)
        captured = free(region)
        return box.but(
            inputs=(*(box.inputs[place] for place in places), *(outer for _, outer in rows), *captured),
            regions=(replace(region, inputs=(*bound, *captured)),),
            outputs=(*(box.outputs[place] for place in places), *self.stacks.values()),
            attributes={"carries": len(places), "scanned": len(rows), "totals": 0})


def still(wire: Wire, box: Box | None) -> bool:
    """A value that has no derivative: an int, or a draw whose weight has it."""
    return getattr(wire.type, "kind", "real") in ("int", "bool") or (
        box is not None and box.op is op.points and getattr(box.rule, "through", "value") == "weight")


def weighs(box: Box) -> bool:
    """Can the weights of drawn values be told without drawing them again?"""
    return box["log"] and not box["marginal"] and (box["axis"] is None or box["axis"].kind == "points") and hasattr(
        box.rule, "log_weights")


def renamed_kinds(box: Box) -> tuple:
    """The weights of a `terms` box, by the wires that it reads now."""
    return tuple(replace(kind, wire=wire) for kind, wire in zip(box["kinds"], box.inputs[box["costs"]:]))
