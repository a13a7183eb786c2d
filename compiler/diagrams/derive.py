"""The formal derivative of a diagram: a sum of diagrams, a term for each occurrence of a box that holds the parameter.

    ∂(f >> g) = ∂f >> g + f >> ∂g,   ∂(f * g) = ∂f * g + f * ∂g,   ∂(Σ cᵢ Dᵢ) = Σ cᵢ ∂Dᵢ,   ∂ of a plain spider = 0
    ∂(D†) = (∂D)†,   ∂ bubble(f, D) = bubble(f′, D) ⊙ ∂D        (⊙: copied before, merged after)
    ∂G(φ) = φ′ · (the gate's own rule at φ); of a box without a rule: the box d(f(φ), φ) · φ′

A number in front is a coefficient of the sum where it is known, else the box `scale` (`weight`, where the diagram is read
doubled: there a gate's rule is that of its channel).  An array parameter adds one wire for each of its axes, the last ones.
Source: Toumi, Yeung, de Felice, Diagrammatic Differentiation for Quantum Machine Learning (QPL 2021), EPTCS 343.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from pullback.compiler import gate as gates
from pullback.compiler import ops as op
from pullback.compiler.diagrams.build import (Boundary, Untyped, add, beside, codomain, domain, base, bubble, entering, flipped,
                                              gate, identity, inner_inputs, is_object, numbers, opened, ordered, renamed,
                                              spider, then, together, wire, wires)
from pullback.compiler.diagrams.connect import mixed
from pullback.compiler.diagrams.numbers import Numbers, constant, shifted
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.type import known

Term = tuple[float, Graph]
MOST = 4096


class Underivable(Untyped):
    """A box that has no derivative in the parameter."""


def derivative(graph: Graph, x: Wire) -> Graph:
    """Σ over the boxes that hold x.  The signature is the diagram's, with x's axes behind the codomain."""
    if not all(map(known, x.type.shape)):
        raise Underivable(f"the size of `{x}` must be known to differentiate by it")
    if x.type.kind != "real":
        raise Underivable(f"`{x}` is a `{x.type}`: a derivative is in a real")
    axes = tuple(gates.dim(size) for size in x.type.shape)
    found = Rule(graph, x, axes, mixed(graph)).whole(graph)
    return replace(found, inputs=(*together((*numbers(graph), *numbers(found))), *entering(found)))


class Rule:
    """The product rule over one graph.  `axes`: the wires that the parameter adds."""

    def __init__(self, graph: Graph, x: Wire, axes: Boundary, doubled: bool):
        self.x, self.axes, self.doubled = x, axes, doubled
        self.pure = [box for box in graph.boxes if box.op.kind != "diagram"]
        self.numbers = Numbers(self.pure)
        self.shifts: dict[tuple[Wire, float], list[Box]] = {}
        self.slopes: dict[Wire, Any] = {}

    def whole(self, graph: Graph) -> Graph:
        terms = []
        for box in graph.boxes:
            if box.op.kind == "diagram":
                for c, instead in self.box(box):
                    terms.append((c, spliced(graph, box, instead, len(self.axes))))
            if len(terms) > MOST:
                raise Underivable(f"this derivative has more than {MOST:,} terms")
        return add(terms, signature_of=(domain(graph), (*codomain(graph), *self.axes)))

    # ---- one box

    def box(self, box: Box) -> list[Term]:
        """The terms that a box's derivative puts in its place; their codomains end in the parameter's axes."""
        match box.op:
            case op.formal_sum:
                inner = [(c, self.whole(opened(self.pure, region))) for c, region in zip(box["coefficients"], box.regions)]
                inner = [(c, graph) for c, graph in inner if not empty(graph)]
                return [(1.0, add(inner))] if inner else []
            case op.bubble:
                return self.bubble(box)
            case op.box:
                found = []
                for place, given in enumerate(box.inputs[:box["numbers"]]):
                    if self.numbers.depends(given, self.x):
                        found += self.in_number(box, place, given)
                return found
        return []

    def in_number(self, box: Box, place: int, given: Wire) -> list[Term]:
        record, plain = box.get("gate"), not box["dagger"] and box["turns"] == 0
        if self.doubled and record is None and (not box.get("array") or any(one.type.linear for one in (*inner_inputs(box), *box.outputs))):
            raise Underivable(f"`{box['name']}` has no rule for a reading as a channel",
                              help="leave `double` and the measurement out, and differentiate amplitudes")
        if self.doubled and record is not None and record.name == "scale" and not given.type.shape:
            return [self.square(given)]
        if box.get("array"):
            slope, boxes = self.slope(given)
            return [(1.0, self.array(box, slope, boxes))]
        if record is not None and record.name in ("scale", "weight"):
            return [self.scalar(given, record.name, given.type.shape)]
        if record is None or box.get("derivative") is not None:
            return [self.unruled(box, place, given)]
        coefficient, factor = self.factor(given)
        found = []
        if self.doubled and record.kind == "pure":
            if record.doubled is None:
                raise Underivable(f"`{record.name}` has no rule for a reading as a channel",
                                  help="leave `double` and the measurement out, and differentiate amplitudes")
            rules = tuple((c, 0.0, record.name, shift) for c, shift in record.doubled)
        else:
            rules = record.derivative or ()
        for c, turn, name, shift in rules:
            moved, at = self.shift(given, shift)
            target = record if name == record.name else gates.find(name).make(*record.static)
            instead = gate(target, (at,))
            instead = replace(instead, boxes=(*moved, *instead.boxes))
            instead = regathered(instead)
            if turn:
                quarter = constant(turn)
                scalar = gate(gates.find("phase").make(), (quarter.output,))
                instead = beside(instead, regathered(replace(scalar, boxes=(quarter, *scalar.boxes))))
            if not plain:
                instead = flipped(instead, box["dagger"], box["turns"])
            found.append((c * coefficient, instead if factor is None else beside(instead, factor)))
        return found

    def unruled(self, box: Box, place: int, given: Wire) -> Term:
        """The box d(f(φ), φ), times φ′."""
        if box.get("derivative") is not None:
            raise Underivable(f"the second derivative of `{box['name']}` has no form of its own",
                              help="read the first as an array, and differentiate that")
        inner = tuple(gates.dim(size) for size in given.type.shape)
        found = self.alone(box, place, inner)
        coefficient, factor = self.factor(given)
        if given == self.x:
            return 1.0, found
        if not inner:
            return coefficient, found if factor is None else beside(found, factor)
        slope, boxes = self.slope(given)
        jacobian = self.state("weight" if self.doubled else "scale", slope, boxes, (*given.type.shape, *self.x.type.shape))
        joined = beside(found, jacobian)
        keep = len(box.outputs)
        outputs = joined.outputs
        cups = tuple(Box(op.spider, (a, b), ()) for a, b in zip(outputs[keep:keep + len(inner)], outputs[keep + len(inner):]))
        return 1.0, Graph(joined.inputs, (*joined.boxes, *cups), (*outputs[:keep], *outputs[keep + 2 * len(inner):]))

    def alone(self, box: Box, place: int, inner: Boundary) -> Graph:
        """d(f(φ), φ) with φ's axes last; of a mirrored or turned box the mirrored derivative, its axes bent to the end."""
        back = flipped(Graph(box.inputs, (box,), box.outputs), False, 0)
        back = flipped(back, box["dagger"], -box["turns"])
        (straight,) = back.boxes
        more = wires(inner)
        marked = straight.but(outputs=(*straight.outputs, *more), attributes={
            "derivative": place, "legs": longer(straight["legs"], len(more))})
        found = flipped(Graph(back.inputs, (marked,), marked.outputs), box["dagger"], box["turns"])
        (one,) = found.boxes
        axes = dict(zip((*inner_inputs(one), *one.outputs), one["legs"]))
        first = len(axes) - len(more)
        last = sorted((w for w in axes if axes[w] >= first), key=axes.__getitem__)
        bends = {w: wire(w.type) for w in last if w in found.inputs}
        caps = tuple(Box(op.spider, (), (w, bends[w])) for w in last if w in bends)
        return Graph((*numbers(found), *(w for w in entering(found) if w not in bends)), (*caps, one),
                     (*(w for w in found.outputs if w not in last), *(bends.get(w, w) for w in last)))

    def array(self, box: Box, slope: Any, boxes: tuple[Box, ...]) -> Graph:
        """An array is linear in itself: its derivative is an array with more axes behind."""
        if not isinstance(slope, Wire):
            made = constant(slope)
            boxes, slope = (*boxes, made), made.output
        more = wires(self.axes)
        ins = wires(tuple(one.type for one in inner_inputs(box)))
        outs = wires(tuple(one.type for one in box.outputs))
        marked = box.but(inputs=(slope, *ins), outputs=(*outs, *more), attributes={"legs": longer(box["legs"], len(more))})
        return regathered(Graph((slope, *ins), (*boxes, marked), (*outs, *more)))

    def scalar(self, given: Wire, name: str, shape: tuple) -> Term:
        slope, boxes = self.slope(given)
        if isinstance(slope, float) and not shape and not self.axes:
            return slope, Graph((), (), ())
        return 1.0, self.state(name, slope, boxes, (*shape, *self.x.type.shape))

    def square(self, given: Wire) -> Term:
        """A scalar stands twice in a doubled reading: ∂s² is a weight."""
        twice = Box(op.mul, (given, given), (wire(given.type),))
        slope, boxes = Numbers((*self.pure, twice)).slope(twice.output, self.x)
        return 1.0, self.state("weight", slope, boxes, tuple(self.x.type.shape))

    def bubble(self, box: Box) -> list[Term]:
        region = opened(self.pure, box.regions[0])
        inside = self.whole(region)
        if empty(inside):
            return []
        dom, cod = domain(region), codomain(region)
        if any(atom.linear for atom in (*dom, *cod)):
            raise Underivable("the derivative of a bubble copies what goes into it, and a linear type may not be copied")
        outer = bubble(box["function"], box["order"] + 1, region)
        n = len(dom)
        copies = identity(())
        for atom in dom:
            copies = beside(copies, spider((atom,), (atom, atom)))
        copied = list(copies.outputs)
        copies = replace(copies, outputs=tuple(copied[0::2] + copied[1::2]))
        both = then(copies, beside(outer, inside)) if n else beside(outer, inside)
        count = len(cod)
        merged = []
        outputs = []
        for a, b in zip(both.outputs[:count], both.outputs[count:2 * count]):
            one = wire(a.type)
            merged.append(Box(op.spider, (a, b), (one,)))
            outputs.append(one)
        return [(1.0, Graph(both.inputs, (*both.boxes, *merged), (*outputs, *both.outputs[2 * count:])))]

    # ---- numbers

    def slope(self, given: Wire) -> tuple[Any, tuple[Box, ...]]:
        if given not in self.slopes:
            self.slopes[given] = self.numbers.slope(given, self.x)
        return self.slopes[given]

    def factor(self, given: Wire) -> tuple[float, Graph | None]:
        """φ′ for a scalar φ: a number, and the box that holds what is no number."""
        if given.type.shape:
            return 1.0, None
        slope, boxes = self.slope(given)
        if isinstance(slope, float):
            return slope, None
        return 1.0, self.state("weight" if self.doubled else "scale", slope, boxes, tuple(self.x.type.shape))

    def state(self, name: str, slope: Any, boxes: tuple[Box, ...], shape: tuple) -> Graph:
        if not isinstance(slope, Wire):
            made = constant(slope)
            boxes, slope = (*boxes, made), made.output
        found = gate(gates.find(name).make(*shape), (slope,))
        return regathered(replace(found, boxes=(*boxes, *found.boxes)))

    def shift(self, given: Wire, by: float) -> tuple[list[Box], Wire]:
        """φ + shift, computed once for all terms."""
        if not by:
            return [], given
        if (given, by) not in self.shifts:
            self.shifts[given, by] = shifted(given, by)
        boxes = self.shifts[given, by]
        return boxes, boxes[-1].output


def longer(legs: tuple[int, ...], more: int) -> tuple[int, ...]:
    """The axes of an array that has more of them behind."""
    last = max(legs, default=-1) + 1
    return (*legs, *range(last, last + more))


def empty(graph: Graph) -> bool:
    """Is it the sum of no terms?"""
    return any(box.op is op.formal_sum and not box.regions for box in graph.boxes)


def regathered(graph: Graph) -> Graph:
    """The graph with the numbers that it really reads as its inputs."""
    own = {one for box in graph.boxes for one in box.outputs}
    reads = together(one for box in graph.boxes for one in (box.inputs if box.op.kind != "diagram" else box.inputs[:box.get("numbers", 0)])
                     if one not in own)
    return replace(graph, inputs=(*reads, *entering(graph)))


def spliced(graph: Graph, box: Box, instead: Graph, extra: int) -> Graph:
    """The graph with a diagram in place of a box; what its codomain has more goes out at the end."""
    instead = keep_numbers(instead)
    same = dict(zip(entering(instead), inner_inputs(box)))
    instead = renamed(instead, same)
    outs = dict(zip(box.outputs, instead.outputs))
    last = instead.outputs[len(instead.outputs) - extra:] if extra else ()
    read = {w for one in instead.boxes for w in inner_inputs(one)}
    aside = [one for one in instead.boxes if one.op.kind == "diagram" and not inner_inputs(one)  # factors stand at the end, in all terms
             and not any(w in read or w in instead.outputs[:len(box.outputs)] for w in one.outputs)]
    boxes: list[Box] = []
    for one in graph.boxes:
        if one is box:
            boxes += [new for new in instead.boxes if new not in aside]
        else:
            boxes.append(one.but(inputs=tuple(outs.get(w, w) for w in one.inputs)) if any(w in outs for w in one.inputs) else one)
    boxes += aside
    found = Graph((*numbers(graph), *entering(graph)), ordered(dict.fromkeys(boxes)), (*(outs.get(w, w) for w in graph.outputs), *last))
    return regathered(found)


def keep_numbers(graph: Graph) -> Graph:
    """A copy with fresh object wires; numbers stay what they are, so that terms share them."""
    return renamed(graph, {one: replace(wire(one.type, base(one)), span=one.span) for one in graph.wires() if is_object(one)})

