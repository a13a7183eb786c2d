"""What the numbers of a diagram are: linear forms of its parameters, and their derivatives.

    linear(y)       c + Σ cᵢ·xᵢ, where y is that (an x is a wire, or a fixed element of one); else y is its own x
    slope(y, x)     ∂y/∂x with x's axes behind y's: a number, nested tuples of numbers, or a wire with what computes it
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Iterable, Mapping

from pullback.compiler import ops as op
from pullback.compiler.diagrams.build import together, wire
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.type import REAL, Array, known

Atom = tuple[str, tuple[int, ...]]          # the name of a wire, and which element of it


@dataclass(frozen=True)
class Form:
    """c + Σ cᵢ·xᵢ."""

    constant: float
    parts: Mapping[Atom, float]

    def scaled(self, by: float) -> Form:
        return Form(self.constant * by, {a: c * by for a, c in self.parts.items()})

    def plus(self, other: Form) -> Form:
        parts = dict(self.parts)
        for a, c in other.parts.items():
            parts[a] = parts.get(a, 0.0) + c
        return Form(self.constant + other.constant, parts)

    @property
    def fixed(self) -> bool:
        return not any(abs(c) > 1e-14 for c in self.parts.values())


class Numbers:
    """The numbers of a graph, read off the boxes that compute them."""

    def __init__(self, boxes: Iterable[Box], inputs: Mapping[Wire, Any] | None = None):
        self.inputs = inputs or {}      # what inputs are called in keys, if not by their names
        self.maker = {one: box for box in boxes for one in box.outputs if box.op.kind != "diagram"}

    def linear(self, y: Wire, stop: Wire | None = None) -> Form:
        """The form of a number; `stop` is taken as it is, however it is computed."""
        box = self.maker.get(y)
        own = Form(0.0, {(y.name, ()): 1.0})
        if box is None or y == stop or not isinstance(y.type, Array) or y.type.shape:
            return own
        match box.op:
            case op.constant if isinstance(box["value"], (int, float)):
                return Form(float(box["value"]), {})
            case op.add:
                total = Form(0.0, {})
                for one in box.inputs:
                    total = total.plus(self.linear(one, stop))
                return total
            case op.sub:
                return self.linear(box.inputs[0], stop).plus(self.linear(box.inputs[1], stop).scaled(-1.0))
            case op.neg:
                return self.linear(box.inputs[0], stop).scaled(-1.0)
            case op.mul if len(box.inputs) == 2:
                a, b = (self.linear(one, stop) for one in box.inputs)
                return b.scaled(a.constant) if a.fixed else a.scaled(b.constant) if b.fixed else own
            case op.div:
                a, b = (self.linear(one, stop) for one in box.inputs)
                return a.scaled(1 / b.constant) if b.fixed and b.constant else own
            case op.index if all(isinstance(part, int) for part in box["pattern"]) and len(box.inputs) == 1:
                return Form(0.0, {(box.inputs[0].name, tuple(box["pattern"])): 1.0})
        return own

    def key(self, y: Wire) -> tuple:
        """What is equal for numbers that are computed alike: the linear form, its atoms by how they are computed."""
        if isinstance(y.type, Array) and y.type.shape:
            return (self.expression(y),)
        form = self.linear(y)
        parts = sorted((str(self.expression(self.named(name))), element, round(c, 12)) for (name, element), c in form.parts.items()
                       if abs(c) > 1e-14)
        return (round(form.constant, 12), *parts)

    def expression(self, y: Wire) -> Any:
        """How a wire is computed; an input by its name."""
        box = self.maker.get(y)
        if box is None:
            return self.inputs.get(y, y.name)
        inputs = tuple(map(self.key, box.inputs))
        if box.op is op.jacobian:
            graph = box["graph"]
            return ("d", Numbers(graph.boxes, dict(zip(graph.inputs, inputs))).key(graph.outputs[0]), inputs[0])
        return (box.op.name, str(sorted(box.attributes.items())), inputs)

    def upstream(self, y: Wire, stop: Wire | None = None) -> list[Box]:
        """The boxes that compute a wire, in order; what computes `stop` is left out."""
        found: dict[int, Box] = {}

        def visit(one: Wire) -> None:
            todo = [(one, False)]
            while todo:
                at, ready = todo.pop()
                box = self.maker.get(at)
                if box is None or at == stop or id(box) in found:
                    continue
                if ready:
                    found[id(box)] = box
                else:
                    todo.append((at, True))
                    todo += [(x, False) for x in reversed(box.inputs)]
        visit(y)
        return list(found.values())

    def depends(self, y: Wire, x: Wire) -> bool:
        return y == x or any(x in box.inputs for box in self.upstream(y, x))

    def slope(self, y: Wire, x: Wire) -> tuple[Any, tuple[Box, ...]]:
        """∂y/∂x, and the boxes that compute it where it is a wire."""
        form = self.linear(y, x)
        shape = tuple(x.type.shape)
        there = {name for name, _ in form.parts}
        straight = all(name == x.name or not self.depends(self.named(name), x) for name in there)
        whole = all(len(element) == len(shape) for name, element in form.parts if name == x.name)
        if straight and whole and not y.type.shape and all(map(known, shape)):
            return filled(shape, {element: c for (name, element), c in form.parts.items() if name == x.name}), ()
        boxes = self.upstream(y, x)
        others = together(one for box in boxes for one in box.inputs
                          if one != x and not any(one in made.outputs for made in boxes))
        graph = Graph((x, *others), tuple(boxes), (y,))
        found = wire(Array("real", (*y.type.shape, *shape)), "slope")
        return found, (Box(op.jacobian, (x, *others), (found,), attributes={"graph": graph}),)

    def named(self, name: str) -> Wire:
        return next((one for one in self.maker if one.name == name), Wire(name, REAL))


def filled(shape: tuple[int, ...], elements: Mapping[tuple[int, ...], float], at: tuple[int, ...] = ()) -> Any:
    """Nested tuples with these elements, 0 elsewhere."""
    if len(at) == len(shape):
        return elements.get(at, 0.0)
    return tuple(filled(shape, elements, (*at, i)) for i in range(shape[len(at)]))


def constant(value: Any, base: str = "c") -> Box:
    """A number, or an array of numbers, as a box."""
    (type,) = op.constant.infer((), {"value": value})
    return Box(op.constant, (), (wire(type, base),), attributes={"value": value})


def shifted(x: Wire, by: float) -> list[Box]:
    """x + by; the last box makes it."""
    step = constant(abs(by))
    return [step, Box(op.add if by > 0 else op.sub, (x, step.output), (wire(REAL),))]
