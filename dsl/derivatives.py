"""`d(D, theta)`: the formal derivative of a diagram, and of a number.

The numbers of a diagram are computed by boxes of the graph that is being written; for the derivative those between the
parameter and the diagram are looked at (`absorbed`), and what the derivative computes anew is written (`released`).
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from pullback.compiler.diagrams.build import Untyped, base, entering, is_object, numbers
from pullback.compiler.diagrams.derive import derivative, regathered
from pullback.compiler.diagrams.numbers import Numbers
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array
from pullback.dsl import syntax as s
from pullback.dsl.context import Context, error
from pullback.dsl.diagrams import as_diagram, concerns, untyped
from pullback.dsl.values import Constant, Diagram, describe


def written(ctx: Context) -> list[Box]:
    """The boxes that are there so far, of the blocks around too."""
    found: list[Box] = []
    block = ctx.writer.block
    while block is not None:
        found = [*block.boxes, *found]
        block = block.parent
    return found


def absorbed(ctx: Context, graph: Graph) -> Graph:
    """The diagram with the boxes that compute its numbers."""
    known = Numbers(written(ctx))
    boxes: dict[Box, None] = {}
    for one in numbers(graph):
        boxes.update(dict.fromkeys(known.upstream(one)))
    return regathered(replace(graph, boxes=(*boxes, *graph.boxes)))


def released(ctx: Context, graph: Graph) -> Graph:
    """The diagram alone; boxes that compute its numbers and are not written yet are written."""
    there = {one for box in written(ctx) for one in box.outputs}
    for box in graph.boxes:
        if box.op.kind != "diagram" and not any(one in there for one in box.outputs):
            ctx.writer.block.boxes.append(box)
            for one in box.outputs:
                ctx.writer.bases.setdefault(one.name, base(one))
                ctx.writer.anonymous.add(one.name)
    boxes = tuple(box for box in graph.boxes if box.op.kind == "diagram")
    return regathered(Graph(entering(graph), boxes, graph.outputs))


def derived(ctx: Context, value: Any, by: Any, span: Span) -> Any:
    """`d(D, theta)`."""
    x = ctx.value(by)
    if not isinstance(x, Wire) or is_object(x):
        raise error("derivative", f"a derivative is in a parameter, and this is {describe(x)}", by.span)
    if isinstance(x.type, Array) and x.type.kind in ("int", "bool"):
        raise error("derivative", f"`{by.span.text}` is {'an' if x.type.kind == 'int' else 'a'} {x.type.kind}: it has no derivative", by.span,
                    help="declare it `real`")
    if not isinstance(x.type, Array):
        raise error("derivative", f"a derivative is in an array, and `{by.span.text}` is {describe(x)}", by.span)
    if not isinstance(by, (s.Name, s.Dot)):
        return inner(ctx, value, x, by, span)
    if not concerns(value):
        return slope(ctx, value, x, span)
    return formal(ctx, absorbed(ctx, as_diagram(ctx, value, span)), x, span)


def inner(ctx: Context, value: Any, x: Wire, by: Any, span: Span) -> Diagram:
    """`d(f(2 * t), 2 * t)`: the derivative of a box in its own number, as the chain rule leaves it."""
    graph = as_diagram(ctx, value, span) if concerns(value) else None
    known = Numbers(written(ctx))
    if graph is not None and len(graph.boxes) == 1 and not x.type.shape:
        for given in numbers(graph):
            if not given.type.shape and known.key(given) == known.key(x):
                return formal(ctx, graph, given, span)
    raise error("derivative", "a derivative is in a parameter by its name", by.span)


def formal(ctx: Context, graph: Graph, x: Wire, span: Span) -> Diagram:
    try:
        return Diagram(released(ctx, derivative(graph, x)), span)
    except Untyped as problem:
        raise untyped(problem, span, "derivative") from None


def slope(ctx: Context, value: Any, x: Wire, span: Span) -> Any:
    """The derivative of a number."""
    y = ctx.wire(value, span, "what is differentiated")
    known = Numbers(written(ctx))
    if not known.depends(y, x):
        found: Any = 0.0
        for size in reversed(x.type.shape):
            found = (found,) * size
    else:
        found, boxes = known.slope(y, x)
        for box in boxes:
            ctx.writer.block.boxes.append(box)
            ctx.writer.bases[found.name] = base(found)
            ctx.writer.anonymous.add(found.name)
    return Constant(found) if isinstance(found, tuple) else found
