"""Give each element of a ruled junction its own copy of the parameters; the rule stands where the copies' derivatives join.

    mean i by r: e(w, i)      ⇒    w' = copies(w) by r, one for each i;    mean i: e(w', i)
    combine by r: a(w), b(w)  ⇒    w', w'' = copies(w) by r;               a(w') + b(w'')

The derivative of a copy is the sum of what comes back from its readers; that of `copies` hands this, stacked, to the rule
first.  No value changes and no draw does, and what stands outside of the junction keeps its derivative.  What is left is a plain sum:
linearity and every rule of a choice work through it, and a score is a part of the derivative of the element that it weighs.  A
junction in a loop stands there once for each element of the loop.

Needs: loops open.  Leaves: one rule less on a `reduce` or a `combine`; axes that `lift` has to tell anew.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Collection, Sequence

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Diagnostic, Reported
from pullback.compiler.ir import Axis, Box, Graph, Wire, in_order
from pullback.compiler.passes.copied import copied
from pullback.compiler.rule import joining
from pullback.compiler.source import Span
from pullback.compiler.type import ratio

RANDOM = ("draw", "llm")


def junction(graph: Graph, over: Collection[str]) -> Graph | None:
    """The graph with the first ruled junction opened, or None if there is none.   over: the inputs that are differentiated.
    `Reported` where a rule can't stand."""
    deep = [box for outer in graph.boxes for region in outer.regions for box in region.walk() if joining(box)]
    if deep:
        raise Reported(*(Diagnostic("pending", f"{called(joining(box))} can't be compiled yet in a loop that carries a value, "
                                    "or in a number that something non-linear reads", box.span) for box in deep))
    parameters = tuple(wire for wire in graph.inputs if wire.name.partition(".")[0] in over)
    box = next((box for box in graph.boxes if joining(box)), None)
    return Junction(graph, box, parameters).opened().numbered() if box is not None else None


def called(rules: tuple) -> str:
    return " and ".join(f"`{rule.name}`" for rule in rules)


class Junction:
    """One ruled junction; boxes that it adds are put behind those they read."""

    def __init__(self, graph: Graph, box: Box, parameters: tuple[Wire, ...]):
        self.graph, self.box, self.parameters, self.names = graph, box, parameters, graph.names()
        self.moving = moving(graph, parameters)
        self.around = tuple(axis for axis in box.output.axes if axis.kind == "plate")
        self.added: list[Box] = []
        self.changed: dict[Box, Box] = {}

    def opened(self) -> Graph:
        box = self.box.but(rule=None)
        if "rules" in box.attributes:
            box = replace(box, attributes={name: value for name, value in box.attributes.items() if name != "rules"})
        if self.parameters:
            box = box.but(inputs=self.terms() if box.op is op.combine else (self.elements(),))
        self.changed[self.box] = box
        boxes = [self.changed.get(box, box) for box in self.graph.boxes]
        return replace(self.graph, boxes=in_order([*boxes, *self.added]))

    def elements(self) -> Wire:
        """The array of a reduction, each element with copies of its own."""
        (array,), made, joined = self.box.inputs, self.graph.producers(), []
        wire = array
        for _ in range(self.box["depth"]):
            joined.append(made[wire]["axis"])
            wire = made[wire].inputs[0]
        cone = self.cone(array)
        share = 1
        for axis in joined:
            share = share * (ratio(1, axis.size) if self.box["function"] == "mean" else ratio(axis.total or axis.size, axis.size))
        (copies,) = self.copies(self.read(cone, array), self.box.rule, 1, tuple(joined), share)
        inner = self.cone(wire)
        for box in inner:
            self.together(box, joined)
            self.whole(box, joined)
        return self.rewritten(cone, array, copies)

    def terms(self) -> tuple[Wire, ...]:
        """The terms of a `combine`, each with copies of its own."""
        terms = self.box.inputs
        cones = [self.cone(wire) for wire in terms]
        read = [self.read(cone, wire) for cone, wire in zip(cones, terms)]
        copies: list[dict[Wire, Wire]] = [{} for _ in terms]
        if self.box.rule:
            every = tuple(wire for wire in self.parameters if any(wire in one for one in read))
            copies = self.copies(every, self.box.rule, len(terms))
        found = []
        for wire, cone, mine, same, rules, name in zip(terms, cones, read, copies, self.box.get("rules", ((),) * len(terms)), self.box["terms"]):
            for box in cone:
                self.whole(box, self.around)
            if rules:
                (own,) = self.copies(mine, rules, 1, where=f"the term `{name}`", same=same, span=wire.span)
                same = {**same, **own}
            found.append(self.rewritten(cone, wire, same))
        return tuple(found)

    def copies(self, read: tuple[Wire, ...], rules: tuple, count: int, joined: tuple[Axis, ...] = (), share: Any = 1.0,
               where: str = "", same: dict[Wire, Wire] = {}, span: Span | None = None) -> list[dict[Wire, Wire]]:
        """For each of `count` places, what stands for the parameters that are read there."""
        where = where or f"this `{self.box.get('function', 'combine')}`"
        if not read:
            raise Reported(Diagnostic("rule", f"{called(rules)} acts on derivatives, and {where} reads nothing that is "
                                      "differentiated", span or self.box.span, help="what a fit has `over`, or what Python gives as parameters"))
        found = [{wire: replace(wire, name=self.names.fresh(wire.name)) for wire in read} for _ in range(count)]
        axes = (*self.around, *joined)
        self.added.append(Box(op.copies, tuple(same.get(wire, wire) for wire in read),
                              tuple(one[wire] for one in found for wire in read), rule=rules, span=self.box.span, frame=self.box.frame,
                              origin=() if self.box.number is None else (self.box.number,), attributes={
                                  "axes": axes, "joined": joined, "share": share, "names": tuple(wire.name for wire in read),
                                  "address": ".".join((*self.box.frame, self.box.output.name, where.replace("`", "")))}))
        return found

    def cone(self, wire: Wire) -> tuple[Box, ...]:
        """The boxes between the parameters and a wire."""
        need, found = {wire}, []
        for box in reversed(self.graph.boxes):
            if any(made in need and made in self.moving for made in box.outputs):
                need.update(box.inputs)
                found.append(box)
        return tuple(reversed(found))

    def read(self, cone: tuple[Box, ...], wire: Wire) -> tuple[Wire, ...]:
        every = {wire, *(w for box in cone for w in box.inputs)}
        return tuple(w for w in self.parameters if w in every)

    def together(self, box: Box, joined: list[Axis]) -> None:
        """Refuse a choice that several elements share: with copies it would be drawn for each."""
        for one in (box, *(inner for region in box.regions for inner in region.walk())):
            if one.op.name in RANDOM and not set(joined) <= {axis for wire in one.outputs for axis in wire.axes}:
                name = one.output.name
                raise Reported(Diagnostic(
                    "rule", f"{called(self.box.rule)} needs the derivative of each element, and all of them share `{name}`, whose "
                    "distribution has parameters that are differentiated", self.box.span,
                    notes=((one.span, f"`{name}` is drawn here, outside of the loop"),) if one.span else (),
                    help=f"draw `{name}` in the loop, or hold its parameters fixed with `stop(…)`"))

    def whole(self, box: Box, axes: Sequence[Axis]) -> None:
        """Refuse an element that reads all elements along an axis of the copies: it would mix theirs."""
        for one in (box, *(inner for region in box.regions for inner in region.walk())):
            if one.op is op.stack_axis and one["axis"] in axes:
                raise Reported(Diagnostic(
                    "pending", "a rule of derivatives can't be compiled yet where each element of a loop reads a whole array "
                    "over an equal loop, which depends on what is differentiated", self.box.span))

    def rewritten(self, cone: tuple[Box, ...], root: Wire, same: dict[Wire, Wire]) -> Wire:
        """The root with other wires in the place of parameters.  A box that something else reads too is there twice."""
        inside, same = set(cone), dict(same)
        readers, shared = self.graph.readers(), set()
        for box in reversed(cone):
            for wire in box.outputs:
                others = [one for one in readers.get(wire, ()) if one not in inside or one in shared]
                if wire == root and self.box.inputs.count(root) == 1:
                    others = [one for one in others if one is not self.box]
                if others or wire in self.graph.outputs or box in self.changed:
                    shared.add(box)
        for box in cone:
            if box not in shared:
                self.changed[box] = box.but(inputs=tuple(same.get(wire, wire) for wire in box.inputs),
                                            regions=tuple(region.rename(same) for region in box.regions))
                continue
            self.alone(box)
            twin = copied(Graph((), (box,), box.outputs), same, self.names, "")
            self.added += twin.boxes
            same.update(zip(box.outputs, twin.outputs))
        return same.get(root, root)

    def alone(self, box: Box) -> None:
        """Refuse a choice that is read inside and outside: it is one, and its derivative can't be told apart."""
        for one in (box, *(inner for region in box.regions for inner in region.walk())):
            if one.op.name in RANDOM:
                name, rules = one.output.name, self.box.rule or tuple(rule for own in self.box.get("rules", ()) for rule in own)
                raise Reported(Diagnostic(
                    "rule", f"{called(rules)} needs the derivative of each term, and `{name}`, whose distribution has "
                    "parameters that are differentiated, is read outside of the term too", self.box.span,
                    notes=((one.span, f"`{name}` is drawn here"),) if one.span else (),
                    help=f"a draw of its own in each term, or hold the parameters of `{name}` fixed with `stop(…)`"))


def moving(graph: Graph, parameters: tuple[Wire, ...]) -> set[Wire]:
    """The wires that a derivative in the parameters may come from."""
    found = set(parameters)
    for box in graph.boxes:
        if box.op is not op.stop and any(wire in found for wire in box.inputs):
            found.update(box.outputs)
    return found
