"""Expressions of diagrams: types, boxes, `>> * + ^`, what stands after a point, and wires by name.

A type is a `Ty`, a diagram a `Diagram`; a declared type, box or diagram without parameters is read as one where it is due.
In a block with wires by name (`x = f(theta)(y)`) a wire is a `Points`, and boxes are put on the `Board` of the block.
"""
from __future__ import annotations

from dataclasses import dataclass, field as data_field, replace
from typing import Any, Callable

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Reported
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.build import Boundary, Untyped
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Object
from pullback.dsl import syntax as s
from pullback.dsl.context import Activation, Binding, Call, Context, Scope, error
from pullback.dsl.values import WRONG, Declared, Diagram, GateName, Points, Poisoned, Sentences, Ty, describe


def concerns(value: Any) -> bool:
    """Is this value a type, a diagram, or what is read as one?"""
    return isinstance(value, (Ty, Diagram, Points, GateName)) or isinstance(value, Declared) and value.kind in (
        "type", "box", "diagram")


def told(span: Span | None, make: Callable[[], Any]) -> Any:
    """What `make` gives; what does not fit is said of the span."""
    try:
        return make()
    except Untyped as problem:
        raise untyped(problem, span) from None


def untyped(problem: Untyped, span: Span | None, code: str = "type") -> Reported:
    return error(code, problem.message, span, help=problem.help, notes=tuple((None, note) for note in problem.notes))


# ---------------------------------------------------------------- types


def as_ty(ctx: Context, value: Any, span: Span | None, what: str = "this") -> Boundary:
    match value:
        case Ty(atoms):
            return atoms
        case Declared("type", name, node):
            return (Object(name, linear=node.linear),)
    raise error("kind", f"{what} is a type of wires, and this is {describe(value)}", span)


def boundary(ctx: Context, node: s.Type | None) -> Boundary:
    """The type that a boundary states."""
    match node:
        case s.DiagramType(None):
            return ()
        case s.DiagramType(value):
            return as_ty(ctx, ctx.value(value), value.span)
        case s.NamedType(name) if not node.sizes:
            call: Any = s.Name(name, span=node.span)
            if node.arguments:
                call = s.Call(call, tuple(s.Argument(None, one, span=one.span) for one in node.arguments), span=node.span)
            return as_ty(ctx, ctx.value(call), node.span)
    raise error("kind", "this is no type of wires", node.span)


def states_wires(ctx: Context, node: s.Type | None) -> bool:
    """Is a parameter of this type a wire of the boundary?"""
    if isinstance(node, s.DiagramType):
        return True
    if not isinstance(node, s.NamedType) or node.sizes:
        return False
    found = ctx.module.find(node.name) if ctx.module is not None else None
    return isinstance(found, Ty) or isinstance(found, Declared) and found.kind == "type" or node.name == "dim"


# ---------------------------------------------------------------- diagrams


def as_diagram(ctx: Context, value: Any, span: Span | None, what: str = "this") -> Graph:
    match value:
        case Diagram(graph):
            return graph
        case Declared("box" | "diagram"):
            return as_diagram(ctx, placed(ctx, value, (), span), span, what)
        case GateName(name):
            from pullback.dsl.gates import gate_of
            return gate_of(ctx, name, [], span)
        case (Ty() | Declared("type")) as found:
            names = build.shown(as_ty(ctx, found, span))
            raise error("kind", f"{what} is a diagram, and `{names}` is a type", span, help=f"`id({names})`")
    if value is WRONG:
        raise Poisoned
    raise error("kind", f"{what} is a diagram, and this is {describe(value)}", span)


def composed(ctx: Context, node: s.Chain) -> Any:
    """`f >> g >> h`."""
    values = [ctx.value(operand) for operand in node.operands]
    if isinstance(values[0], Points):
        found: Any = values[0]
        for value, operand in zip(values[1:], node.operands[1:]):
            found = put(ctx, as_diagram(ctx, value, operand.span), (found,), operand.span)
        return found
    if isinstance(values[0], Sentences):  # what is done to each of them
        found = values[0]
        for value, operand in zip(values[1:], node.operands[1:]):
            after = as_diagram(ctx, value, operand.span, "what stands after `>>`")
            found = replace(found, changes=(*found.changes, lambda graph, after=after, span=operand.span: told(
                span, lambda: build.then(graph, build.fresh(after)))))
        return found
    image = any(isinstance(value, Diagram) and value.image for value in values)
    graph = as_diagram(ctx, values[0], node.operands[0].span, "what stands before `>>`")
    for value, operand in zip(values[1:], node.operands[1:]):
        after = as_diagram(ctx, value, operand.span, "what stands after `>>`")
        graph = told(operand.span, lambda: build.then(graph, after))
    return Diagram(graph, node.span, image)


def combined(ctx: Context, sign: str, a: Any, b: Any, b_span: Span, span: Span) -> Any:
    """a ⊕ b, where one of them is a diagram or a type.  Images of functors are numbers to `*` and `^`."""
    types = [isinstance(x, Ty) or isinstance(x, Declared) and x.kind == "type" for x in (a, b)]
    from pullback.dsl.arithmetic import binary
    images = [isinstance(x, Diagram) and x.image for x in (a, b)]
    if sign == "*" and all(images) or sign == "^" and images[0]:
        return binary(ctx, sign, number_of(ctx, a, span), number_of(ctx, b, b_span), b_span, span)
    if sign == "*" and all(types):
        return Ty((*as_ty(ctx, a, span), *as_ty(ctx, b, b_span)))
    if sign == "^" and isinstance(b, int) and not isinstance(b, bool):
        if b < 0:
            raise error("type", "a power of diagrams is a number of copies, 0 at least", b_span)
        return Ty(as_ty(ctx, a, span) * b) if types[0] else Diagram(build.power(as_diagram(ctx, a, span), b), span)
    if sign == "*" and (isinstance(a, Points) or isinstance(b, Points)):
        return Points((*points(ctx, a, span).wires, *points(ctx, b, b_span).wires), span)
    if sign == "*" and concerns(a) and concerns(b):
        return Diagram(build.beside(as_diagram(ctx, a, span), as_diagram(ctx, b, b_span)), span)
    if sign in "+-" and concerns(a) and concerns(b):
        terms = [(1, as_diagram(ctx, a, span)), (1 if sign == "+" else -1, as_diagram(ctx, b, b_span))]
        return Diagram(told(span, lambda: build.add(terms, span)), span, all(images))
    if sign == "*" or sign == "/" and concerns(a):
        number, graph = (b, as_diagram(ctx, a, span)) if concerns(a) else (a, as_diagram(ctx, b, b_span))
        if isinstance(number, (int, float)) and not isinstance(number, bool):
            factor = number if sign == "*" else 1 / number
            return Diagram(build.add([(factor, graph)], span), span, any(images))
        if isinstance(number, Wire) and isinstance(number.type, Array) and not number.type.shape and number.type.kind != "complex":
            from pullback.dsl.gates import scalar
            return Diagram(build.beside(scalar(ctx, number, graph, sign == "/", span), graph), span, any(images))
    return binary(ctx, sign, number_of(ctx, a, span), number_of(ctx, b, b_span), b_span, span)


def number_of(ctx: Context, value: Any, span: Span) -> Any:
    """A diagram read as an array; a number as it is."""
    return ctx.wire(Diagram(as_diagram(ctx, value, span), span), span) if concerns(value) else value


def field(ctx: Context, value: Any, node: s.Dot) -> Any:
    """`n.r`, `f.dagger`."""
    if isinstance(value, Ty) or isinstance(value, Declared) and value.kind == "type":
        atoms = as_ty(ctx, value, node.span)
        if node.field not in ("l", "r"):
            raise error("name", f"a type has no `{node.field}`", node.field_span, help="its adjoints are `.l` and `.r`")
        return Ty(build.adjoint(atoms, 1 if node.field == "r" else -1))
    change = {"dagger": build.dagger, "transpose": build.transpose, "conjugate": build.conjugate}.get(node.field)
    if change is None:
        raise error("name", f"a diagram has no `{node.field}`", node.field_span, help="`.dagger`, `.transpose`, `.conjugate`")
    return Diagram(change(as_diagram(ctx, value, node.value.span)), node.span)


# ---------------------------------------------------------------- declarations


def without_wires(ctx: Context, declared: Declared) -> tuple[Declared, tuple[s.Parameter, ...]]:
    """The declaration with its numeric parameters only, and those that are wires."""
    outer = Context(ctx.work, declared.module, Scope(), Activation(declared, declared.kind))
    wires = tuple(p for p in declared.node.parameters if states_wires(outer, p.type))
    rest = tuple(p for p in declared.node.parameters if p not in wires)
    return Declared(declared.kind, declared.name, replace(declared.node, parameters=rest), declared.module), wires


def placed(ctx: Context, declared: Declared, arguments: tuple[s.Argument, ...], span: Span | None) -> Any:
    """A declared box or diagram with its numbers; `f(x)` on wires where it has none."""
    from pullback.dsl.models import parameters
    bare, wires = without_wires(ctx, declared)
    if arguments and not bare.node.parameters:
        return put(ctx, as_diagram(ctx, declared, span), [ctx.value(one.value) for one in arguments], span)
    scope = parameters(ctx, bare, arguments, span)
    if declared.kind == "box":
        return Diagram(box(ctx, declared, scope, span), span)
    return Diagram(body(ctx, declared, scope, wires, span), span)


def box(ctx: Context, declared: Declared, scope: Scope, span: Span | None) -> Graph:
    outer = Context(ctx.work, declared.module, Scope(), Activation(declared, "box"))
    given = [number(ctx, scope.names[p.name].value, p, span) for p in declared.node.parameters]
    return build.named(declared.name, given, boundary(outer, declared.node.domain), boundary(outer, declared.node.codomain), span)


def number(ctx: Context, value: Any, parameter: s.Parameter | None, span: Span | None) -> Wire:
    """A parameter of a box as a wire."""
    whole = parameter is not None and isinstance(parameter.type, s.NamedType) and parameter.type.name in ("int", "bool")
    if isinstance(value, (int, float)) and not whole:
        value = float(value)
    return ctx.wire(value, span, f"`{parameter.name}`" if parameter is not None else "a parameter")


def body(ctx: Context, declared: Declared, scope: Scope, wires: tuple[s.Parameter, ...], span: Span | None) -> Graph:
    """What a diagram's block returns."""
    from pullback.dsl.statements import NOTHING, run
    if any(call.declared.node is declared.node for call in ctx.work.calls):
        raise error("recursion", f"`{declared.name}` is defined by itself", span)
    outer = Context(ctx.work, declared.module, Scope(), Activation(declared, "diagram"))
    board = Board()
    for parameter in wires:
        found = build.wires(boundary(outer, parameter.type))
        board.inputs += found
        scope.names[parameter.name] = Binding(Points(found, parameter.span), "parameter", parameter.span)
    inside = Context(ctx.work, declared.module, Scope(scope), Activation(declared, "diagram", board=board), ctx.path,
                     guarded=ctx.guarded)
    ctx.work.calls.append(Call(declared, span))
    try:
        value = run(inside, declared.node.body)
    finally:
        ctx.work.calls.pop()
    if value is NOTHING:
        raise error("kind", f"the diagram `{declared.name}` returns nothing", declared.node.span)
    if value is WRONG:
        raise Poisoned
    last = declared.node.body[-1]
    at = last.value.span if isinstance(last, s.Return) else last.span
    if board.inputs or board.boxes or isinstance(value, Points):
        return board.closed(points(inside, value, at))
    return as_diagram(inside, value, at, f"what `{declared.name}` returns")


# ---------------------------------------------------------------- wires by name


@dataclass(eq=False)
class Board:
    """The boxes that a block has put on wires so far."""

    inputs: list[Wire] = data_field(default_factory=list)
    boxes: list[Box] = data_field(default_factory=list)
    spans: dict[Wire, Span | None] = data_field(default_factory=dict)

    def closed(self, found: Points) -> Graph:
        """The diagram: a wire that is read more than once is copied, one that nothing reads is an error."""
        reads: dict[Wire, int] = {}
        for one in (*(w for b in self.boxes for w in build.inner_inputs(b)), *found.wires):
            reads[one] = reads.get(one, 0) + 1
        made = [*self.inputs, *(w for b in self.boxes for w in b.outputs)]
        for one in made:
            if reads.get(one, 0) == 0:
                raise error("type", f"nothing reads a wire `{one.type}`", self.spans.get(one) or found.span,
                            help="a wire ends in a box, in a cup, in `discard(…)`, or is returned")
        copies: dict[Wire, list[Wire]] = {}
        after: dict[Wire, Box] = {}
        for one in made:
            if reads[one] > 1:
                if one.type.linear:
                    raise error("type", f"a wire `{one.type}` is read {reads[one]} times, and its type is linear: it may not be copied",
                                self.spans.get(one) or found.span)
                copies[one] = list(build.wires((one.type,) * reads[one]))
                after[one] = Box(op.spider, (one,), tuple(copies[one]))

        def next_of(one: Wire) -> Wire:
            return copies[one].pop(0) if one in copies else one
        boxes = [after[one] for one in self.inputs if one in after]
        for one in self.boxes:
            count = one.get("numbers", 0)
            boxes.append(one.but(inputs=(*one.inputs[:count], *map(next_of, one.inputs[count:]))))
            boxes += [after[w] for w in one.outputs if w in after]
        numbers = build.together(w for b in boxes for w in b.inputs[:b.get("numbers", 0)])
        return Graph((*numbers, *self.inputs), tuple(boxes), tuple(map(next_of, found.wires)))


def points(ctx: Context, value: Any, span: Span | None) -> Points:
    """A value as wires: a diagram without a domain is put down."""
    if isinstance(value, Points):
        return value
    graph = as_diagram(ctx, value, span)
    if build.domain(graph):
        raise error("type", f"a diagram `{build.signature(graph)}` stands among wires, and nothing is given to it", span,
                    help="put it on wires: `f(x)`")
    return put(ctx, graph, (), span)


def put(ctx: Context, graph: Graph, values: Any, span: Span | None) -> Points:
    """A diagram on wires."""
    board = ctx.activation.board
    if board is None:
        raise error("kind", "wires have names in a block of a `diagram` only", span)
    given = tuple(w for value in values for w in points(ctx, value, span).wires)
    types = tuple(w.type for w in given)
    if types != build.domain(graph):
        raise untyped(build.mismatch(types, build.domain(graph)), span)
    graph = build.fresh(graph)
    graph = build.renamed(graph, dict(zip(build.entering(graph), given)))
    board.boxes += graph.boxes
    for one in graph.outputs:
        board.spans.setdefault(one, span)
    return Points(graph.outputs, span)


def unpacked(ctx: Context, value: Any, span: Span) -> list[Points]:
    """`(l, m, r) = w`: each wire by itself."""
    return [Points((one,), span) for one in points(ctx, value, span).wires]


def called(ctx: Context, found: Any, node: s.Call) -> Any:
    """`Ry(t)`, `f(theta)(x)`."""
    values = [ctx.value(argument.value) for argument in node.arguments]
    if isinstance(found, GateName):
        from pullback.dsl.gates import gate_of
        if values and all(isinstance(value, Points) for value in values):
            return put(ctx, gate_of(ctx, found.name, [], node.span), values, node.span)
        given = [(argument.name, value, argument.value.span) for argument, value in zip(node.arguments, values)]
        return Diagram(gate_of(ctx, found.name, given, node.span), node.span)
    if isinstance(found, Diagram):
        return put(ctx, found.graph, values, node.span)
    raise error("kind", f"{describe(found)} can't be called", node.function.span)
