"""A diagram read as an array: where a number is due, and by a functor from Python.

The network of each term is connected; terms whose networks are alike are one contraction, in which what differs between
them is a table over one index more.  An array that several boxes share is computed once.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.connect import Network, Operand, connect, mixed
from pullback.compiler.ir import Graph, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array
from pullback.dsl.context import Context, error
from pullback.dsl.values import Diagram

TERM = "term"


def read(ctx: Context, value: Diagram, span: Span | None, what: str = "this") -> Wire:
    """The array of a diagram: its axes are the domain, then the codomain; doubled, a wire of a linear type is two."""
    graph = value.graph
    refuse_meaningless(graph, what, span)
    doubled = mixed(graph)
    found = Reader(ctx, span).value(graph, doubled)
    if doubled and found.type.kind == "complex" and not any(w.type.linear for w in (*build.entering(graph), *graph.outputs)):
        (found,) = ctx.writer.emit(op.real, (found,), span=span)  # probabilities
    return found


def refuse_meaningless(graph: Graph, what: str, span: Span | None) -> None:
    """Every box must be a gate or an array, and every wire have a size."""
    without = sorted({box["name"] for box in graph.walk() if box.op is op.box and not box.get("gate") and not box.get("array")})
    bare = sorted({str(one.type) for one in graph.wires() if build.is_object(one) and one.type.size is None})
    if without or bare:
        named = ", ".join(f"`{name}`" for name in without or bare)
        raise error("image", f"{what} is a number or an array, and this is a diagram of {named}, which no functor gives a meaning yet",
                    span, help="apply a functor to it: `meaning(D)`")


class Reader:
    def __init__(self, ctx: Context, span: Span | None):
        self.ctx, self.span = ctx, span
        self.arrays: dict[tuple, Wire] = {}

    def value(self, graph: Graph, doubled: bool) -> Wire:
        """The array of a diagram."""
        groups: dict[tuple, list[tuple[float, Network, list[Wire]]]] = {}
        for c, term in build.summands(graph):
            network = connect(term, doubled)
            arrays = [self.array(operand, doubled) for operand in network.operands]
            key = (tuple((operand.indices, operand.conjugated, wire.type.shape) for operand, wire in zip(network.operands, arrays)),
                   network.output, network.loops)
            groups.setdefault(key, []).append((c, network, arrays))
        parts = [self.contraction(group) for group in groups.values()]
        if not parts:
            shape = self.shape(graph, doubled)
            return self.ctx.writer.emit(op.zeros, (), {"shape": shape}, span=self.span)[0]
        return parts[0] if len(parts) == 1 else self.ctx.writer.emit(op.add, parts, span=self.span)[0]

    def contraction(self, group: list[tuple[float, Network, list[Wire]]], keep: bool = False) -> Wire:
        """Terms of one form as one contraction: added, or (`keep`) one behind the other on a first axis."""
        _, network, first = group[0]
        operands, inputs = [], {}

        def place(wire: Wire) -> int:
            return inputs.setdefault(wire, len(inputs))
        for at, operand in enumerate(network.operands):
            column = [arrays[at] for _, _, arrays in group]
            if len(set(column)) == 1:
                operands.append((place(column[0]), operand.indices, operand.conjugated))
            else:
                operands.append((place(self.table(column)), (TERM, *operand.indices), operand.conjugated))
        coefficients = [c for c, _, _ in group]
        factor: Any = 1
        if keep:
            operands.append((place(self.ctx.writer.constant((1.0,) * len(group), self.span)), (TERM,), False))
        elif len(group) == 1 or len(set(coefficients)) == 1 and any(TERM in indices for _, indices, _ in operands):
            factor = coefficients[0]
        elif not any(TERM in indices for _, indices, _ in operands):
            factor = sum(coefficients)
        else:
            operands.append((place(self.ctx.writer.constant(tuple(map(float, coefficients)), self.span)), (TERM,), False))
        sizes = dict(network.sizes)
        for at in network.loops:
            factor = factor * sizes[at]
        held = {index for _, indices, _ in operands for index in indices}
        free = tuple((at, sizes[at]) for at in sorted(set(network.output)) if at not in held)
        real = all(wire.type.kind != "complex" for wire in inputs)
        output = (TERM, *network.output) if keep else network.output
        type = Array("real" if real else "complex", tuple(len(group) if at == TERM else sizes[at] for at in output))
        return self.ctx.writer.emit(op.contraction, tuple(inputs), {
            "operands": tuple(operands), "output": output, "sizes": free, "factor": factor}, span=self.span, types=(type,))[0]

    def table(self, column: list[Wire]) -> Wire:
        """The arrays of one operand in all terms."""
        own = list(dict.fromkeys(column))
        rows = tuple(own.index(wire) for wire in column)
        kind = "complex" if any(wire.type.kind == "complex" for wire in own) else "real"
        return self.ctx.writer.emit(op.table, own, {"rows": rows}, span=self.span,
                                    types=(Array(kind, (len(rows), *own[0].type.shape)),))[0]

    def array(self, operand: Operand, doubled: bool) -> Wire:
        """The array of a box."""
        box = operand.box
        if box.op is op.formal_sum:
            key: tuple = (id(box), operand.doubled)
        elif box.op is op.bubble:
            key = (id(box), operand.doubled)
        elif box.get("array"):
            return box.inputs[0]
        else:
            record = operand.gate or box["gate"]
            key = (record.name, record.static, *(self.turn(wire) for wire in box.inputs[:box["numbers"]]))
        if key not in self.arrays:
            self.arrays[key] = self.made(operand)
        return self.arrays[key]

    def turn(self, wire: Wire) -> Any:
        """What tells a number apart: its value where it is known."""
        value = self.ctx.writer.values.get(wire.name)
        return value if isinstance(value, (int, float)) else wire.name

    def made(self, operand: Operand) -> Wire:
        writer, box, doubled = self.ctx.writer, operand.box, operand.doubled
        if box.op is op.formal_sum:
            given = build.Graph((*box.inputs[:box["numbers"]], *build.inner_inputs(box)), (box,), box.outputs)
            return self.value(given, doubled)
        if box.op is op.bubble:
            inside = self.value(box.regions[0], doubled)
            return applied(self.ctx, box["function"], box["order"], inside, self.span)
        record, given = operand.gate or box["gate"], box.inputs[:box["numbers"]]
        if record.name in ("scale", "weight"):
            return given[0]
        return writer.emit(op.gate_array, given, {"gate": record}, span=self.span, base=record.name,
                           types=(Array("real" if record.real else "complex", record.shape),))[0]

    def shape(self, graph: Graph, doubled: bool) -> tuple:
        return tuple(size for one in (*build.entering(graph), *graph.outputs)
                     for size in (one.type.size,) * (2 if doubled and one.type.linear else 1))


def applied(ctx: Context, function: Any, order: int, x: Wire, span: Span | None) -> Wire:
    """An elementwise function, or a derivative of it, on an array."""
    if order == 0:
        return ctx.writer.emit(function, (x,), span=span)[0]
    return ctx.writer.emit(op.elementwise_derivative, (x,), {"function": function, "order": order}, span=span, types=(x.type,))[0]
