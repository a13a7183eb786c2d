"""What may be called in a diagram: `id`, `cup`, `cap`, `swap`, `spider`, `bubble`, `d`, `double`, `dim`, `parse`."""
from __future__ import annotations

from typing import Any, Callable

from pullback.compiler import gate as gates
from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.build import Boundary
from pullback.compiler.source import Span
from pullback.dsl import syntax as s
from pullback.dsl.context import DIAGRAM_FUNCTIONS, Context, error
from pullback.dsl.derivatives import derived
from pullback.dsl.diagrams import as_diagram, as_ty, points, put, told
from pullback.dsl.gates import doubled
from pullback.dsl.values import Declared, Diagram, Ty


def builtin(ctx: Context, name: str, node: s.Call) -> Any:
    """`id`, `cup`, `cap`, `swap`, `spider`, `bubble`, `d`, `double`; None for any other name."""
    if name not in DIAGRAM_FUNCTIONS:
        return None
    for argument in node.arguments:
        if argument.name is not None:
            raise error("argument", f"`{name}` takes its arguments in order", argument.span)
    return FUNCTIONS[name](ctx, [argument.value for argument in node.arguments], node.span)


def taking(name: str, count: int, nodes: list[Any], usage: str, span: Span) -> None:
    if len(nodes) != count:
        raise error("argument", f"`{name}` takes {count} argument{'s' * (count != 1)}", span, help=usage)


def identity(ctx: Context, nodes: list[Any], span: Span) -> Any:
    found: Boundary = ()
    for node in nodes:
        found += as_ty(ctx, ctx.value(node), node.span)
    return Diagram(build.identity(found), span)


def bent(make: Callable, name: str) -> Callable:
    def made(ctx: Context, nodes: list[Any], span: Span) -> Any:
        taking(name, 2, nodes, f"`{name}(n, n.r)`", span)
        values = [ctx.value(node) for node in nodes]
        if name == "cup" and not all(isinstance(v, Ty) or isinstance(v, Declared) and v.kind == "type" for v in values):
            a, b = (points(ctx, value, node.span) for value, node in zip(values, nodes))
            graph = told(span, lambda: make(tuple(w.type for w in a.wires), tuple(w.type for w in b.wires), span))
            return put(ctx, graph, (a, b), span)
        a, b = (as_ty(ctx, value, node.span) for value, node in zip(values, nodes))
        return Diagram(told(span, lambda: make(a, b, span)), span)
    return made


def swap(ctx: Context, nodes: list[Any], span: Span) -> Any:
    taking("swap", 2, nodes, "`swap(a, b)`", span)
    return Diagram(build.swap(*(as_ty(ctx, ctx.value(node), node.span) for node in nodes)), span)


def spider(ctx: Context, nodes: list[Any], span: Span) -> Any:
    """`spider(m, n, t)`: for each atom of t one, with m copies of t above and n below."""
    taking("spider", 3, nodes, "`spider(1, 2, n)` is a copy of n", span)
    m, n = (ctx.size(node, "a number of legs") for node in nodes[:2])
    atoms = as_ty(ctx, ctx.value(nodes[2]), nodes[2].span)
    if any(atom.linear for atom in atoms) and (m, n) != (1, 1):
        raise error("type", f"`{build.shown(atoms)}` is linear: it may not be copied, merged or thrown away", nodes[2].span,
                    help="`cup`, `cap` and `discard` are for linear types too")
    return Diagram(build.spiders(atoms, m, n, span), span)


def bubble(ctx: Context, nodes: list[Any], span: Span) -> Any:
    taking("bubble", 2, nodes, "`bubble(tanh, D)`", span)
    function, order = bubbled(ctx, nodes[0])
    return Diagram(build.bubble(function, order, as_diagram(ctx, ctx.value(nodes[1]), nodes[1].span), span), span)


def bubbled(ctx: Context, node: Any) -> tuple[Any, int]:
    """An elementwise function by its name, `d(tanh)` its derivative."""
    match node:
        case s.Call(s.Name("d"), (s.Argument(None, inner),)):
            function, order = bubbled(ctx, inner)
            return function, order + 1
        case s.Name(name):
            found = op.functions().get(name)
            if found is not None and found.elementwise and found.lower is not None:
                return found, 0
    raise error("kind", "a bubble takes a function of numbers by its name", node.span, help="`bubble(tanh, D)`")


def double(ctx: Context, nodes: list[Any], span: Span) -> Any:
    """The diagram, to be read as a channel."""
    taking("double", 1, nodes, "`double(D)`", span)
    return Diagram(doubled(ctx, as_diagram(ctx, ctx.value(nodes[0]), nodes[0].span), span), span)


def derivative(ctx: Context, nodes: list[Any], span: Span) -> Any:
    taking("d", 2, nodes, "`d(D, theta)`", span)
    return derived(ctx, ctx.value(nodes[0]), nodes[1], span)


def dim(ctx: Context, nodes: list[Any], span: Span) -> Any:
    """`dim(3)`: a plain axis."""
    taking("dim", 1, nodes, "`dim(3)`", span)
    return Ty((gates.dim(ctx.size(nodes[0], "a size")),))


def parse(ctx: Context, nodes: list[Any], span: Span) -> Any:
    from pullback.dsl.lexicons import parsed
    taking("parse", 2, nodes, "`parse(\"Alice loves Bob\", english)`", span)
    return parsed(ctx, nodes, span)


FUNCTIONS: dict[str, Callable] = {
    "id": identity, "cup": bent(build.cup, "cup"), "cap": bent(build.cap, "cap"), "swap": swap, "spider": spider, "bubble": bubble,
    "double": double, "d": derivative, "dim": dim, "parse": parse}
assert set(FUNCTIONS) == set(DIAGRAM_FUNCTIONS)
