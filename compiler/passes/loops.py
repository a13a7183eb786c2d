"""Open plates and branches: a plate becomes an axis of the wires inside it, a branch a choice between two values.

    plate i: 3 { y = sin(x[i]) }     ⇒     x' {i: 3} = spread(x);  y {i: 3} = sin(x');  stack_axis(y)
    branch c { a } { b }             ⇒     a = f(guard(x, c));  b = g(guard(x, not c));  where(c, a, b)

Needs: no calls.  Leaves: no `plate`, no `branch`; scans and marginals keep their regions, opened inside.

Reading `x[i]` at a plate's own index costs nothing: if x was stacked by a plate over the same range, the two plates *are*
one axis (so that element i of a guide meets element i of its model and no other), else the first dimension of x is the axis.
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Axis, Box, Graph, Names, Wire, canonical, closed
from pullback.compiler.analyses.align import aligned
from pullback.compiler.analyses.host import costly, sampled
from pullback.compiler.type import Array, known, ratio, same, within


def loops(graph: Graph) -> Graph:
    opening = Opening(graph.names(), aligned(graph))
    opening.scope.known.update({wire.name: wire for wire in graph.inputs})
    opening.graph(graph)
    outputs = tuple(opening.look(wire) for wire in graph.outputs)
    return replace(graph, boxes=tuple(opening.boxes), outputs=outputs).numbered()


@dataclass
class Scope:
    """The wires that can be seen, by name; inside a branch, what says that it was taken."""

    known: dict[str, Wire] = field(default_factory=dict)
    taken: Wire | None = None
    parent: Scope | None = None
    owner: Opening | None = None  # the list that what is guarded for this branch is written to


@dataclass
class Opening:
    """One list of boxes that is being written: the whole graph's, or that of a scan's or marginal's region."""

    names: Names
    same_axis: dict[str, str]
    boxes: list[Box] = field(default_factory=list)
    scope: Scope = field(default_factory=Scope)
    context: tuple[Axis, ...] = ()
    stacked: dict[Wire, tuple[Wire, Axis]] = field(default_factory=dict)
    iotas: dict[Wire, tuple[Axis, int]] = field(default_factory=dict)
    opened: dict[str, tuple[Axis, Wire]] = field(default_factory=dict)
    constants: dict[Wire, object] = field(default_factory=dict)
    guards: dict[Wire, tuple[Wire, Wire]] = field(default_factory=dict)  # a guarded array → the array, and what guards it

    def look(self, wire: Wire, scope: Scope | None = None) -> Wire:
        """The opened wire; inside a branch what comes from outside is guarded."""
        scope = scope or self.scope
        if wire.name in scope.known:
            return scope.known[wire.name]
        if scope.parent is None:
            return wire
        outer = self.look(wire, scope.parent)
        if scope.taken is not None:
            outer = scope.owner.guarded(outer, scope)
        scope.known[wire.name] = outer
        return outer

    def guarded(self, wire: Wire, scope: Scope) -> Wire:
        if not isinstance(wire.type, Array) or wire.type.kind != "real" or wire in self.constants:
            return wire
        if wire in self.stacked:
            element, axis = self.stacked[wire]
            return self.stack(self.guarded(element, scope), axis, self.fresh(wire.name, wire.type))
        return self.masked(wire, scope.taken, wire.name)

    def masked(self, wire: Wire, taken: Wire, name: str) -> Wire:
        made = self.emit(op.guard, (wire, taken), wire.type, name)
        if wire.type.rank:
            self.guards[made] = (wire, taken)
        return made

    def fresh(self, base: str, type: Array, axes: tuple[Axis, ...] = ()) -> Wire:
        return Wire(self.names.fresh(base), type, axes)

    def emit(self, what, inputs, type, base: str, **changes) -> Wire:
        """Write a box with one new output over the axes of its inputs."""
        own = changes.get("attributes", {}).get("axes", ())
        axes = canonical([*own, *(axis for wire in inputs for axis in wire.axes)])
        output = self.fresh(base, type, axes)
        self.boxes.append(Box(what, tuple(inputs), (output,), **changes))
        return output

    def stack(self, element: Wire, axis: Axis, output: Wire) -> Wire:
        """`output` is the axis of `element` as a first dimension."""
        axes = tuple(a for a in element.axes if a != axis)
        output = replace(output, axes=axes)
        self.boxes.append(Box(op.stack_axis, (element,), (output,), attributes={"axis": axis}))
        self.stacked[output] = (element, axis)
        return output

    def graph(self, graph: Graph) -> None:
        for box in graph.boxes:
            match box.op:
                case op.plate:
                    self.plate(box)
                case op.scan:
                    self.scan(box)
                case op.branch:
                    self.branch(box)
                case op.marginal | op.expected:
                    self.inside(box)
                case op.index:
                    self.index(box)
                case _:
                    self.plain(box)

    def bind(self, old: Wire, new: Wire) -> None:
        self.scope.known[old.name] = new

    def plain(self, box: Box) -> None:
        inputs = tuple(self.look(wire) for wire in box.inputs)
        if box.op.elementwise and box.rule is None and self.unstacked(box, inputs):
            return
        factor = self.share(box, inputs)
        if factor is not None:
            self.reweighted(box, inputs, factor)
            return
        attributes = dict(box.attributes)
        if box.op is op.draw:
            attributes["axes"] = self.context
            if (taken := self.taken()) is not None:
                attributes["masked"] = True
                inputs = (*inputs, taken)
        if sampled(box):
            attributes["axes"] = self.context
        if costly(box) and (taken := self.taken()) is not None:
            attributes["masked"] = True
            inputs = (*inputs, taken)
        axes = canonical([*attributes.get("axes", ()), *(axis for wire in inputs for axis in wire.axes)])
        outputs = tuple(replace(wire, axes=axes) for wire in box.outputs)
        self.boxes.append(replace(box, inputs=inputs, outputs=outputs, attributes=attributes))
        for wire in outputs:
            self.bind(wire, wire)
        if box.op is op.constant:
            self.constants[outputs[0]] = box["value"]
        elif box.op.kind == "pure" and box.rule is None and all(wire in self.constants for wire in inputs):
            self.constants.update((wire, None) for wire in outputs)
        if box.op in (op.add, op.sub):
            self.shifted(box.op, inputs, outputs[0])

    def shifted(self, what, inputs, output: Wire) -> None:
        """An index plus a constant is the index of an axis that starts elsewhere."""
        if len(inputs) != 2:
            return
        a, b = inputs
        if a in self.iotas and isinstance(self.constants.get(b), int):
            axis, first = self.iotas[a]
            self.iotas[output] = (axis, first + self.constants[b] * (1 if what is op.add else -1))
        elif what is op.add and b in self.iotas and isinstance(self.constants.get(a), int):
            axis, first = self.iotas[b]
            self.iotas[output] = (axis, first + self.constants[a])

    def unstacked(self, box: Box, inputs: tuple[Wire, ...]) -> bool:
        """Write an elementwise box on stacked arrays as one on their elements: elements then stay apart."""
        rank = max((wire.type.rank for wire in inputs if isinstance(wire.type, Array)), default=0)
        axis = next((self.stacked[wire][1] for wire in inputs if wire in self.stacked and wire.type.rank == rank), None)
        if rank == 0 or axis is None:
            return False
        elements = []
        for wire in inputs:
            if wire.type.rank == 0:
                elements.append(wire)
            elif wire in self.stacked and self.stacked[wire][1] == axis:
                elements.append(self.stacked[wire][0])
            elif axis.total is None and axis not in wire.axes and same(wire.type.shape[0], axis.size):
                elements.append(self.spread(wire, axis, 0, 0))
            else:
                return False
        (output,) = box.outputs
        element = self.fresh(output.name, replace(output.type, shape=output.type.shape[1:]))
        self.plain(replace(box, inputs=tuple(elements), outputs=(element,)))
        self.bind(output, self.stack(self.look(element), axis, output))
        return True

    def share(self, box: Box, inputs: tuple[Wire, ...]):
        """n/b of a sum over rows that `subsample` drew (of a sum of all elements, the product over its loops); else None."""
        whole, first = box.op is op.sum, box.op is op.reduce and box["function"] == "sum"
        if not (whole or first):
            return None
        factor, array = 1, inputs[0]
        while array in self.stacked:
            array, axis = self.stacked[array]
            if axis.total is not None:
                factor = factor * ratio(axis.total, axis.size)
            if first:
                break
        return None if isinstance(factor, int) else factor

    def reweighted(self, box: Box, inputs: tuple[Wire, ...], factor) -> None:
        """The sum over the rows drawn, times n/b: an unbiased estimate of the sum over all."""
        (output,) = box.outputs
        axes = canonical(axis for wire in inputs for axis in wire.axes)
        drawn = replace(self.fresh(output.name, output.type), axes=axes)
        self.boxes.append(replace(box, inputs=inputs, outputs=(drawn,)))
        output = replace(output, axes=axes)
        self.boxes.append(Box(op.mix, (drawn,), (output,), attributes={"coefficients": (factor,)}, span=box.span,
                              frame=box.frame))
        self.bind(output, output)

    def axis(self, box: Box) -> tuple[Axis, Wire]:
        """The axis of a plate and the wire that holds its index; plates that are aligned share both."""
        name = self.same_axis.get(box["name"], box["name"])
        if name not in self.opened:
            size, total = box["size"], None
            if box.rule is not None:
                rows = box.rule.rows(size)
                size, total = rows, size
            axis = Axis("plate", name, size, total, len(self.opened))
            index = self.fresh(box["index"], Array("int"), (axis,))
            if total is None:
                self.outermost(Box(op.iota, (), (index,), attributes={"axis": axis, "axes": (axis,), "start": box["start"]},
                                   span=box.span))
            else:
                self.outermost(Box(op.rows, (), (index,), rule=box.rule, span=box.span, attributes={
                    "axis": axis, "axes": (axis,), "start": box["start"], "address": box.get("share") or box["name"]}))
            self.opened[name] = (axis, index)
        return self.opened[name]

    def outermost(self, box: Box) -> None:
        self.boxes.append(box)

    def plate(self, box: Box) -> None:
        body = box.regions[0]
        axis, index = self.axis(box)
        if axis.total is None and known(box["start"]):
            self.iotas[index] = (axis, box["start"])
        elif axis.total is not None:
            self.iotas[index] = (axis, None)
        outer, outer_context = self.scope, self.context
        self.scope = Scope({body.inputs[0].name: index}, None, outer)
        self.context = canonical([*self.context, axis])
        self.graph(body)
        results = [self.look(wire) for wire in body.outputs]
        self.scope, self.context = outer, outer_context
        for output, result in zip(box.outputs, results):
            shape = (axis.size, *output.type.shape[1:])
            output = replace(output, type=replace(output.type, shape=shape))
            self.bind(output, self.stack(result, axis, output))

    def spread(self, wire: Wire, axis: Axis, dimension: int, start: int) -> Wire:
        """The wire with one of its dimensions turned into the axis."""
        shape = wire.type.shape
        kept = replace(wire.type, shape=shape[:dimension] + shape[dimension + 1:])
        if kept.constraint is not None and kept.constraint.name not in ("range", "positive", "unit", "interval"):
            kept = kept.plain()
        return self.emit(op.spread, (wire,), kept, wire.name,
                         attributes={"axis": axis, "axes": (axis,), "dimension": dimension, "start": start})

    def index(self, box: Box) -> None:
        """Read, then guard what was read: a guarded array would be there once for each element of the branch's loops."""
        array, *dynamic = (self.look(wire) for wire in box.inputs)
        (output,), taken = box.outputs, []
        while array in self.guards:
            array, mask = self.guards[array]
            taken.insert(0, mask)
        if not taken:
            return self.read(box, array, dynamic)
        plain = replace(output, name=self.names.fresh(output.name))
        self.read(replace(box, outputs=(plain,)), array, dynamic)
        found = self.look(plain)
        for mask in taken:
            found = self.masked(found, mask, output.name)
        self.bind(output, found)

    def read(self, box: Box, array: Wire, dynamic: list[Wire]) -> None:
        (output,) = box.outputs
        remaining, rest, moved = [], [], False
        position = 0
        for entry in box["pattern"]:
            if entry == "i":
                at = dynamic.pop(0)
                axis, first = self.iotas.get(at, (None, None))
                if axis is not None and position == 0 and first in (0, None) and not remaining \
                        and self.stacked.get(array, (None, None))[1] == axis:
                    array, moved = self.stacked[array][0], True
                    continue
                if axis is not None and first is not None and axis not in array.axes and within(first, first + axis.size, array.type.shape[position]):
                    array, moved = self.spread(array, axis, position, first), True
                    continue
                rest.append(at)
            remaining.append(entry)
            position += 1
        if not any(entry != "all" for entry in remaining):
            if moved:
                self.bind(output, array)
                return
        axes = canonical(axis for wire in (array, *rest) for axis in wire.axes)
        if len(rest) == 1 and remaining[0] == "i" and rest[0] in self.stacked and rest[0].type.rank == 1:
            element, axis = self.stacked[rest[0]]  # loc[z] of a stacked z: element by element
            inner = self.fresh(output.name, replace(output.type, shape=output.type.shape[1:]))
            self.boxes.append(replace(box, inputs=(array, element), outputs=(replace(inner, axes=canonical(
                [*array.axes, *element.axes])),), attributes={**box.attributes, "pattern": tuple(remaining)}))
            self.bind(output, self.stack(replace(inner, axes=canonical([*array.axes, *element.axes])), axis, output))
            return
        output = replace(output, axes=axes)
        self.boxes.append(replace(box, inputs=(array, *rest), outputs=(output,),
                                  attributes={**box.attributes, "pattern": tuple(remaining)}))
        self.bind(output, output)

    def branch(self, box: Box) -> None:
        condition = self.look(box.inputs[0])
        if condition.type.kind != "bool":
            zero = self.emit(op.constant, (), Array("int"), "zero", attributes={"value": 0})
            condition = self.emit(op.ne, (condition, zero), Array("bool"), condition.name, span=box.span)
        opposite = self.emit(op.not_, (condition,), Array("bool"), "otherwise", span=box.span)
        sides = []
        for region, taken in zip(box.regions, (condition, opposite)):
            outer = self.scope
            above = self.taken()
            if above is not None:
                taken = self.emit(op.and_, (above, taken), Array("bool"), "taken", span=box.span)
            self.scope = Scope({}, taken, outer, self)
            self.graph(region)
            sides.append([self.look(wire) for wire in region.outputs])
            self.scope = outer
        for output, a, b in zip(box.outputs, *sides):
            axes = canonical(axis for wire in (condition, a, b) for axis in wire.axes)
            output = replace(output, axes=axes)
            self.boxes.append(Box(op.where, (condition, a, b), (output,), span=box.span, frame=box.frame,
                                  attributes={"branch": box.get("name", "if")}, origin=(box.number,)))
            self.bind(output, output)

    def taken(self) -> Wire | None:
        scope: Scope | None = self.scope
        while scope is not None:
            if scope.taken is not None:
                return scope.taken
            scope = scope.parent
        return None

    def inner(self) -> Opening:
        """The list of boxes of a region, in the place where it stands."""
        return Inner(names=self.names, same_axis=self.same_axis, scope=Scope({}, None, self.scope), context=self.context,
                     stacked=self.stacked, iotas=self.iotas, opened=self.opened, constants=self.constants, guards=self.guards, above=self)

    def scan(self, box: Box) -> None:
        body, count = box.regions[0], box["carries"]
        index, carries = body.inputs[0], body.inputs[1:1 + count]
        initial = [self.look(wire) for wire in box.inputs[:count]]
        axes = [wire.axes for wire in initial]
        while True:
            inner = self.inner()
            bound = [replace(wire, axes=a) for wire, a in zip(carries, axes)]
            inner.scope.known.update({wire.name: wire for wire in (index, *bound)})
            inner.graph(body)
            results = [inner.look(wire) for wire in body.outputs]
            wider = [canonical([*a, *wire.axes]) for a, wire in zip(axes, results)]
            if wider == axes:
                break
            axes = wider
        region = closed(Graph((index, *bound), tuple(inner.boxes), tuple(results)))
        captured = region.inputs[1 + count:]
        outputs = [replace(wire, axes=a) for wire, a in zip(box.outputs, axes)]
        outputs += [replace(wire, axes=result.axes) for wire, result in zip(box.outputs[count:], results[count:])]
        self.boxes.append(replace(box, inputs=(*initial, *captured), outputs=tuple(outputs), regions=(region,),
                                  attributes={**box.attributes, "axes": self.context}))
        for wire in outputs:
            self.bind(wire, wire)

    def inside(self, box: Box) -> None:
        inner = self.inner()
        inner.graph(box.regions[0])
        results = tuple(inner.look(wire) for wire in box.regions[0].outputs)
        region = closed(Graph((), tuple(inner.boxes), results))
        outputs = tuple(replace(wire, axes=result.axes) for wire, result in zip(box.outputs, results))
        self.boxes.append(replace(box, inputs=region.inputs, outputs=outputs, regions=(region,),
                                  attributes={**box.attributes, "axes": self.context}))
        for wire in outputs:
            self.bind(wire, wire)


@dataclass
class Inner(Opening):
    """A region's list; an axis opened in it has its index outside, once."""

    above: Opening | None = None

    def outermost(self, box: Box) -> None:
        self.above.outermost(box)

