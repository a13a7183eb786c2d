"""Write the value as a sum of terms, as far as linearity reaches.

    E[a + c·b + Σᵢ eᵢ + (u if k else v)]   =   E[a] + c·E[b] + Σᵢ E[eᵢ] + E[u·1ₖ] + E[v·1₋ₖ]

Each term is later multiplied by the weights of its own ancestors only.  Linearity reaches through `add`, `sub`, `neg`, scaling
by what is not random, sums and means over plates, the sides of a branch, sums over what a scan gives at each step, and
accumulators that a scan only adds to: their terms stand inside the scan, and its `totals` are sums over its steps.

Needs: loops open.  Leaves: a last box `terms` (attributes `coefficients`, `sums`) in the graph, and in each marginal.
"""
from __future__ import annotations

from dataclasses import dataclass, replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Axis, Box, Graph, Names, Wire, canonical, in_order
from pullback.compiler.type import REAL, ratio

RANDOM = ("draw", "points", "rows")


def terms(graph: Graph) -> Graph:
    names = graph.names()
    (value,) = graph.outputs
    return split(graph, value, names, frozenset()).numbered()


def split(graph: Graph, value: Wire, names: Names, random: frozenset[Wire]) -> Graph:
    """The graph whose output is the sum of the terms of `value`; `random`: inputs that are random."""
    work = Split(graph, names, random)
    found = work.counted(value)
    boxes = work.finish()
    output = replace(value, name=names.fresh("total"), axes=())
    boxes.append(Box(op.terms, tuple(term.wire for term in found), (output,), span=value.span, attributes={
        "coefficients": tuple(term.coefficient for term in found), "sums": tuple(term.sums for term in found)}))
    return replace(graph, boxes=tuple(boxes), outputs=(output,))


@dataclass(frozen=True, slots=True)
class Term:
    wire: Wire
    coefficient: object      # a number, or a size expression
    sums: tuple[Axis, ...]


class Split:
    """The terms of one graph; boxes that splitting adds are put behind those they come from."""

    def __init__(self, graph: Graph, names: Names, random: frozenset[Wire]):
        self.graph, self.names = graph, names
        self.boxes = list(graph.boxes)
        self.producer = graph.producers()
        self.readers = graph.readers()
        self.random = dependents(graph, random)
        self.scans: dict[int, list[Term]] = {}
        self.added: list[Box] = []
        self.constants = {box.output: box["value"] for box in graph.boxes if box.op is op.constant}

    def emit(self, what, inputs, base: str, **changes) -> Wire:
        axes = canonical(axis for wire in inputs for axis in wire.axes)
        wire = Wire(self.names.fresh(base), REAL, axes)
        self.added.append(Box(what, tuple(inputs), (wire,), **changes))
        if any(w in self.random for w in inputs):
            self.random.add(wire)
        return wire

    def counted(self, wire: Wire) -> list[Term]:
        """The terms of a wire; one that is the same for every element of a plate counts as often as there are elements."""
        found = []
        for term in self.terms(wire, 1.0, ()):
            coefficient = term.coefficient
            for axis in term.sums:
                if axis not in term.wire.axes:
                    coefficient = coefficient * ratio(axis.size)
            found.append(replace(term, coefficient=coefficient, sums=tuple(a for a in term.sums if a in term.wire.axes)))
        return found

    def terms(self, wire: Wire, coefficient, sums: tuple[Axis, ...]) -> list[Term]:
        box = self.producer.get(wire)
        if box is None or box.rule is not None or wire in self.graph.inputs:
            return [Term(wire, coefficient, sums)]
        match box.op:
            case op.add if box.op is op.add and all(w.type.rank == 0 for w in box.inputs):
                return [term for w in box.inputs for term in self.terms(w, coefficient, sums)]
            case op.sub if wire.type.rank == 0:
                a, b = box.inputs
                return self.terms(a, coefficient, sums) + self.terms(b, -1 * coefficient, sums)
            case op.neg if wire.type.rank == 0:
                return self.terms(box.inputs[0], -1 * coefficient, sums)
            case op.factor | op.expectation | op.estimate:
                return self.terms(box.inputs[0], coefficient, sums)
            case op.mix if wire.type.rank == 0:
                return [term for w, c in zip(box.inputs, box["coefficients"]) for term in self.terms(w, coefficient * c, sums)]
            case op.mul | op.div if wire.type.rank == 0:
                return self.scaled(box, wire, coefficient, sums)
            case op.combine:
                return [term for w in box.inputs for term in self.terms(w, coefficient, sums)]
            case op.reduce | op.sum | op.mean if self.function(box) in ("sum", "mean") and wire.type.rank == 0:
                found = self.reduced(box, coefficient, sums)
                return found if found is not None else [Term(wire, coefficient, sums)]
            case op.where if wire.type.rank == 0 and box.get("branch"):
                return self.sides(box, coefficient, sums)
            case op.scan:
                return self.accumulated(box, wire, coefficient, sums)
            case op.constant if self.constants[wire] in (0, 0.0):
                return []
            case _:
                return [Term(wire, coefficient, sums)]

    @staticmethod
    def function(box: Box) -> str:
        return box["function"] if box.op is op.reduce else box.op.name

    def scaled(self, box: Box, wire: Wire, coefficient, sums) -> list[Term]:
        """c · x where c is not random: the terms of x, scaled."""
        a, b = box.inputs
        if box.op is op.mul and b in self.random and a not in self.random:
            a, b = b, a
        if b in self.random or a not in self.random:
            return [Term(wire, coefficient, sums)]
        if isinstance(self.constants.get(b), (int, float)) and self.constants[b] != 0:
            factor = self.constants[b]
            return self.terms(a, coefficient * factor if box.op is op.mul else coefficient / factor, sums)
        inner = self.terms(a, 1.0, ())
        if len(inner) == 1 and inner[0].wire == a:
            return [Term(wire, coefficient, sums)]
        found = []
        for term in inner:
            if set(term.sums) & set(b.axes):  # the sum must be taken before it is scaled
                return [Term(wire, coefficient, sums)]
            scaled = self.emit(box.op, (term.wire, b), term.wire.name, span=box.span)
            found.append(Term(scaled, coefficient * term.coefficient, canonical([*sums, *term.sums])))
        return found

    def reduced(self, box: Box, coefficient, sums) -> list[Term] | None:
        """A sum or a mean over a plate, or over what a scan gives at each step."""
        (array,) = box.inputs
        size = array.type.shape[0] if array.type.rank == 1 else None
        source = self.producer.get(array)
        if source is None or size is None:
            return None
        mean = self.function(box) == "mean"
        if source.op is op.stack_axis:
            axis, element = source["axis"], source.inputs[0]
            share = ratio(1, axis.size) if mean else 1
            if axis not in element.axes:  # the same for every element
                return self.terms(element, coefficient * (1 if mean else ratio(axis.size)), sums)
            return self.terms(element, coefficient * share, canonical([*sums, axis]))
        if source.op is op.scan and self.boxes_of(source):
            count, place = source["carries"], source.outputs.index(array)
            if place >= count:
                inner = source.regions[0].outputs[place]
                scale = ratio(1, source["size"]) if mean else 1
                return [self.total(source, inner, coefficient * scale, sums)]
        if source.op is op.stack and all(w.type.rank == 0 for w in source.inputs):
            scale = 1 / len(source.inputs) if mean else 1
            return [term for w in source.inputs for term in self.terms(w, coefficient * scale, sums)]
        return None

    def boxes_of(self, box: Box) -> bool:
        return any(b is box for b in self.boxes)

    def sides(self, box: Box, coefficient, sums) -> list[Term]:
        """A branch: each side's terms, where it is taken."""
        condition, *values = box.inputs
        found = []
        for side, value in enumerate(values):
            for term in self.terms(value, 1.0, ()):
                zero = self.emit(op.constant, (), "zero", attributes={"value": 0.0})
                pair = (term.wire, zero) if side == 0 else (zero, term.wire)
                where = self.emit(op.where, (condition, *pair), term.wire.name, span=box.span, origin=(box.number,),
                                  attributes={"split": box["branch"]})
                found.append(Term(where, coefficient * term.coefficient, canonical([*sums, *term.sums])))
        return found

    # ------------------------------------------------------------ scans

    def accumulated(self, box: Box, wire: Wire, coefficient, sums) -> list[Term]:
        """The end of a carry that the scan only adds to: its start, and the sum of what is added."""
        body, count, place = box.regions[0], box["carries"], box.outputs.index(wire)
        if place >= count or wire.type.rank:
            return [Term(wire, coefficient, sums)]
        carry, after = body.inputs[1 + place], body.outputs[place]
        parts = self.additions(body, carry, after)
        if parts is None:
            return [Term(wire, coefficient, sums)]
        found = self.terms(box.inputs[place], coefficient, sums)
        for part, sign in parts:
            found.append(self.total(box, part, coefficient * sign, sums))
        return found

    def additions(self, body: Graph, carry: Wire, after: Wire) -> list[tuple[Wire, int]] | None:
        """The summands of after = carry + …, if nothing else reads the carry."""
        producers, readers = body.producers(), body.readers()
        uses = sum(box.inputs.count(carry) for box in readers.get(carry, ())) + body.outputs.count(carry)
        if after == carry:
            return []
        found: list[tuple[Wire, int]] = []
        todo, seen = [(after, 1)], 0
        while todo:
            wire, sign = todo.pop()
            if wire == carry:
                if sign != 1:
                    return None
                seen += 1
                continue
            box = producers.get(wire)
            deep = box is not None and carry in ancestors_of(body, wire)
            if deep and box.op is op.add:
                todo += [(w, sign) for w in box.inputs]
            elif deep and box.op is op.sub:
                todo += [(box.inputs[0], sign), (box.inputs[1], -sign)]
            elif deep:
                return None
            else:
                found.append((wire, sign))
        return found if seen == 1 and uses == 1 else None

    def total(self, box: Box, inner: Wire, coefficient, sums) -> Term:
        """A new output of the scan: the sum over its steps of one of its inner wires."""
        totals = self.scans.setdefault(id(box), [])
        for term in totals:
            if term.coefficient == inner:
                return Term(term.wire, coefficient, sums)
        wire = Wire(self.names.fresh(inner.name + "_sum"), REAL, canonical(inner.axes))
        self.random.add(wire)
        totals.append(Term(wire, inner, ()))
        return Term(wire, coefficient, sums)

    def finish(self) -> list[Box]:
        """The boxes with the scans' totals, and what was added behind them."""
        done = []
        for box in self.boxes:
            if id(box) in self.scans:
                box = self.with_totals(box, self.scans[id(box)])
            elif box.op is op.scan:
                body = box.regions[0]
                box = box.but(regions=(replace(body, boxes=tuple(Split(body, self.names, frozenset()).finish())),))
            if box.op in (op.marginal, op.expected):
                region = split(box.regions[0], box.regions[0].outputs[0], self.names, frozenset())
                box = box.but(regions=(region,))
            done.append(box)
        return list(in_order([*done, *self.added]))

    def with_totals(self, box: Box, totals: list[Term]) -> Box:
        """Split each total inside the body; every inner term becomes one entry of the body's `terms` box."""
        body = box.regions[0]
        carries = set(body.inputs[1:1 + box["carries"]])
        inner = Split(body, self.names, frozenset(w for w in body.inputs if w in carries or w in self.random))
        groups = []
        for total in totals:
            groups.append(inner.counted(total.coefficient))
        boxes = inner.finish()
        outputs = []
        for total, group in zip(totals, groups):
            axes = canonical(set(total.wire.axes))
            output = Wire(self.names.fresh(total.wire.name + "_t"), REAL, axes)
            boxes.append(Box(op.terms, tuple(t.wire for t in group), (output,), span=box.span, attributes={
                "coefficients": tuple(t.coefficient for t in group), "sums": tuple(t.sums for t in group)}))
            outputs.append(output)
        body = replace(body, boxes=tuple(boxes), outputs=(*body.outputs, *outputs))
        return box.but(regions=(body,), outputs=(*box.outputs, *(total.wire for total in totals)),
                       attributes={"totals": len(totals)})


def dependents(graph: Graph, random: frozenset[Wire]) -> set[Wire]:
    """The wires that depend on a choice."""
    found = set(random)
    for box in graph.boxes:
        inside = any(b.op.name in RANDOM for region in box.regions for b in region.walk())
        if box.op.name in RANDOM or (inside and box.op not in (op.marginal, op.expected)) or any(w in found for w in box.inputs):
            found.update(box.outputs)
    return found


def ancestors_of(graph: Graph, wire: Wire) -> set[Wire]:
    producers, found, todo = graph.producers(), set(), [wire]
    while todo:
        at = todo.pop()
        if at not in found:
            found.add(at)
            if at in producers:
                todo += producers[at].inputs
    return found

