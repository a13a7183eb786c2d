"""The JAX program: one box for each box of the estimator that its equations come from, not one for each equation.

The backend runs every box in a named scope `box-12`, forward and backward, so an equation's name stack says where it
belongs.  Operations and bytes are counts by shape: what the equation would do and move on its own, before XLA fuses.
"""
from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass, field
from typing import Any, Iterator, Sequence

from pullback.backends.draw import words
from pullback.backends.draw.expression import ATOM, Text, express
from pullback.backends.draw.scene import Line, Node, Scene
from pullback.compiler.ir import Box, Graph, Wire

BACKWARD = "transpose("  # in the name stack of an equation of the derivative, which is counted and has no line
SCOPE = re.compile(r"box-(\d+)")
MOVES = frozenset("broadcast_in_dim reshape transpose slice dynamic_slice gather concatenate squeeze convert_element_type "
                  "copy iota pad rev select_n stop_gradient".split())


@dataclass
class Group:
    """The equations of one box."""

    primitives: Counter = field(default_factory=Counter)
    flops: int = 0
    bytes: int = 0
    text: list[str] = field(default_factory=list)


def jaxpr(closed: Any, graph: Graph | None = None, name: str = "", inputs: Sequence[str] = ()) -> Scene:
    """The scene of a `ClosedJaxpr`; `graph` tells what the numbered boxes are, `inputs` what its arguments are called."""
    reading = Reading(closed.jaxpr)
    boxes = {box.number: box for box in graph.walk()} if graph is not None else {}
    called = names(graph) if graph is not None else {}
    scene = Scene(name or (graph.name if graph is not None else "") or "program", "jaxpr")
    scene.nodes += reading.inputs(inputs)
    for key, group in reading.groups.items():
        scene.nodes.append(node(key, group, boxes.get(key), called.get(key, "between boxes")))
    scene.nodes.append(Node("output-0", "objective", scene.name, classes=("objective",), tip=(scene.name,)))
    for source, target in reading.lines:
        scene.lines.append(Line(source, target, "plain", classes=("plain",)))
    total = Group()
    for group in reading.groups.values():
        total.flops += group.flops
        total.bytes += group.bytes
    scene.words = [f"{sum(sum(g.primitives.values()) for g in reading.groups.values())} equations",
                   f"{amount(total.flops)}flop", f"{amount(total.bytes)}B"]
    return scene


def node(key: int | None, group: Group, box: Box | None, name: str) -> Node:
    """`x ~ normal`, how much it does, and its commonest primitives; the equations in the tooltip."""
    common = " ".join(name for name, _ in group.primitives.most_common(4))
    return Node(f"box-{key}" if key is not None else "box-rest", "fold", name,
                f"{sum(group.primitives.values())} eqns   {amount(group.flops)}flop   {amount(group.bytes)}B", common,
                classes=words.classes("box", box) if box is not None else ("box",), tip=tuple(group.text),
                line=box.span.line if box is not None and box.span is not None else None)


def names(graph: Graph) -> dict[int, str]:
    """What each numbered box is called: its value's name, or the text of its value."""
    texts: dict[Wire, Text] = {}
    found: dict[int, str] = {}
    for box in walk(graph):
        text = short(box) or express(box, lambda wire: texts.get(wire, (words.plain(wire.name), ATOM)),
                                     lambda axis: words.axis_name(axis, {}))
        name = words.assigned(box) if box.op.kind == "pure" else None
        shown = (name, ATOM) if name else text
        texts.update({wire: shown for wire in box.outputs})
        if box.op.name == "points":
            texts[box.outputs[0]] = (words.binder(box), ATOM)
        if box.number is not None:
            found[box.number] = f"{name} = {text[0]}" if name else text[0]
    return found


def walk(graph: Graph) -> Iterator[Box]:
    """Every box, those inside a region before the box that holds it."""
    for box in graph.boxes:
        for region in box.regions:
            yield from walk(region)
        yield box


def short(box: Box) -> Text | None:
    """Boxes that are no expression."""
    match box.op.name:
        case "points" | "draw":
            return f"{words.binder(box)} ~ {box['distribution'].name}", ATOM
        case "density":
            return f"log p({words.binder(box)})", ATOM
        case "scan":
            return f"scan {box['index']}", ATOM
        case "contract":
            return "log Σ" if box.get("semiring") == "log" else "Σ", ATOM
        case "mix":
            return "sum of terms", ATOM
        case "forward":
            return "α", ATOM
        case "level" | "lands" | "marginal" | "expected":
            return box.op.name, ATOM
    return None


def amount(count: float) -> str:
    """`3.1 k`."""
    for unit in ("", "k", "M", "G", "T"):
        if count < 1000:
            return f"{count:.3g} {unit}"
        count /= 1000
    return f"{count:.3g} P"


class Reading:
    """The equations of a jaxpr by the boxes that they come from, and who reads whose results."""

    def __init__(self, top: Any):
        self.top = top
        self.groups: dict[int | None, Group] = {}
        self.lines: dict[tuple[str, str], None] = {}
        self.made: dict[int, str] = {id(var): f"input-{place}" for place, var in enumerate(top.invars)}
        self.walk(top, None, 1)
        for var in top.outvars[:1]:
            if id(var) in self.made:
                self.lines[self.made[id(var)], "output-0"] = None

    def inputs(self, names: Sequence[str]) -> list[Node]:
        used = {source for source, _ in self.lines}
        called = dict(enumerate(names))
        return [Node(f"input-{place}", "data", called.get(place, f"input {place}"), str(var.aval), classes=("data",),
                     tip=(str(var.aval),))
                for place, var in enumerate(self.top.invars) if f"input-{place}" in used]

    def walk(self, inner: Any, outer: int | None, times: int) -> None:
        for equation in inner.eqns:
            found = SCOPE.findall(str(equation.source_info.name_stack))
            key = int(found[-1]) if found else outer
            bodies = [body for value in equation.params.values() for body in jaxprs(value)]
            count = times * equation.params.get("length", 1) if equation.primitive.name == "scan" else times
            if bodies:
                self.through(equation, bodies)
                for body in bodies:
                    self.walk(body, key, count)
            else:
                self.add(self.groups.setdefault(key, Group()), equation, times)
            here = f"box-{key}" if key is not None else "box-rest"
            if bodies and key not in self.groups or BACKWARD in str(equation.source_info.name_stack):
                continue
            for var in equation.invars:
                source = self.made.get(id(var))
                if source is not None and source != here:
                    self.lines[source, here] = None
            for var in equation.outvars:
                self.made[id(var)] = here

    def through(self, equation: Any, bodies: list[Any]) -> None:
        """What goes into a call is what its body reads."""
        for body in bodies:
            for inside, outside in zip(reversed(body.invars), reversed(equation.invars)):
                if id(outside) in self.made:
                    self.made.setdefault(id(inside), self.made[id(outside)])

    @staticmethod
    def add(group: Group, equation: Any, times: int) -> None:
        name = equation.primitive.name
        group.primitives[name] += 1
        sizes = [var.aval for var in (*equation.invars, *equation.outvars) if hasattr(var.aval, "shape")]
        group.bytes += times * sum(int(math.prod(a.shape)) * getattr(a.dtype, "itemsize", 4) for a in sizes)
        if name not in MOVES:
            group.flops += times * work(equation)
        group.text.append(str(equation).partition("[")[0].strip() if len(str(equation)) > 160 else str(equation))


def jaxprs(value: Any) -> list[Any]:
    """The jaxprs in a parameter of an equation."""
    if hasattr(value, "eqns"):
        return [value]
    if hasattr(value, "jaxpr"):
        return [value.jaxpr]
    if isinstance(value, (tuple, list)):
        return [body for one in value for body in jaxprs(one)]
    return []


def work(equation: Any) -> int:
    """Operations of one equation, by shape."""
    out = sum(int(math.prod(getattr(var.aval, "shape", ()))) for var in equation.outvars)
    if equation.primitive.name == "dot_general":
        contracted, _ = equation.params["dimension_numbers"]
        shape = equation.invars[0].aval.shape
        return 2 * out * int(math.prod(shape[axis] for axis in contracted[0]))
    if equation.primitive.name.startswith(("reduce_", "arg", "cum", "scatter")):
        return int(math.prod(getattr(equation.invars[0].aval, "shape", ())))
    return out
