"""Gates of `pullback.gates` in a program: `ket(0)`, `Ry(t)`, `ZSpider(1, 2, a)`, `discard(qubit)`, `iqp(3, turns)`."""
from __future__ import annotations

from typing import Any

from pullback.compiler import gate as gates
from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.connect import mixed
from pullback.compiler.ir import Graph, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, known
from pullback.dsl.context import Context, error
from pullback.dsl.diagrams import as_ty
from pullback.dsl.values import describe, is_size

Given = list[tuple[str | None, Any, Span]]


def gate_of(ctx: Context, name: str, given: Given, span: Span | None) -> Graph:
    """The diagram of a gate with what it is given: first what must be known, then its turns."""
    if name == "iqp":
        return iqp(ctx, given, span)
    maker = gates.find(name)
    statics: list[Any] = []
    rest = list(given)
    match maker.statics:
        case "bits":
            for _, value, at in rest:
                if not (isinstance(value, int) and value in (0, 1)):
                    raise error("kind", f"`{name}` takes bits, 0 or 1, and this is {describe(value)}", at)
            statics, rest = [int(value) for _, value, _ in rest], []
        case "legs":
            for _, value, at in rest[:2]:
                if not (is_size(value) and known(value) and value >= 0):
                    raise error("static", f"`{name}` takes numbers of legs that are known", at, help=f"`{name}(1, 2, turns)`")
            statics, rest = [value for _, value, _ in rest[:2]], rest[2:]
            if len(statics) < 2:
                raise error("argument", f"`{name}` takes two numbers of legs and its turns", span, help=f"`{name}(1, 2, turns)`")
        case "types":
            atoms = tuple(atom for _, value, at in rest for atom in as_ty(ctx, value, at))
            if not all(atom.linear for atom in atoms):
                return build.spiders(atoms, 1, 0, span)
            statics, rest = list(atoms), []
    if len(rest) != len(maker.turns) or any(key is not None and key not in maker.turns for key, _, _ in rest):
        raise error("argument", f"`{name}` takes {listed(maker)}, and {len(rest)} " + ("is" if len(rest) == 1 else "are") + " given", span,
                    help=maker.doc)
    wires = [turns(ctx, name, value, at) for _, value, at in rest]
    if name in ("scale", "weight"):
        statics = list(wires[0].type.shape)
    elif wires and any(wire.type.shape for wire in wires):
        raise error("type", f"the turns of `{name}` are one number, and this is {describe(wires[0])}", span)
    return build.gate(maker.make(*statics), wires, span)


def listed(maker: gates.Maker) -> str:
    return " and ".join(f"`{name}`" for name in maker.turns) or "no numbers"


def turns(ctx: Context, name: str, value: Any, span: Span) -> Wire:
    wire = ctx.wire(float(value) if isinstance(value, int) and not isinstance(value, bool) else value, span, f"a number of `{name}`")
    if not isinstance(wire.type, Array) or wire.type.kind not in ("real", "int"):
        raise error("kind", f"a number of `{name}` is real, and this is {describe(wire)}", span)
    return wire


def scalar(ctx: Context, wire: Wire, beside: Graph, below: bool, span: Span) -> Graph:
    """A number that multiplies a diagram (or divides it)."""
    if below:
        (wire,) = ctx.writer.emit(op.div, (ctx.writer.constant(1.0, span), wire), span=span)
    return build.gate(gates.find("weight" if mixed(beside) else "scale").make(), (wire,), span)


def doubled(ctx: Context, graph: Graph, span: Span | None) -> Graph:
    """The diagram with the scalar 1 as a probability beside it: so it is read doubled."""
    if mixed(graph):
        return graph
    return build.beside(graph, build.gate(gates.find("weight").make(), (ctx.writer.constant(1.0, span),), span))


def iqp(ctx: Context, given: Given, span: Span | None) -> Graph:
    """An instantaneous quantum polynomial circuit: for each row of turns, H on every qubit and CRz between neighbors; then H
    again.  One qubit: Rx, Rz, Rx by the three turns of each row."""
    if len(given) != 2 or not (is_size(given[0][1]) and known(given[0][1]) and given[0][1] > 0):
        raise error("argument", "`iqp` takes a known number of qubits and an array of turns", span, help="`iqp(3, turns)` with `turns: real[1, 2]`")
    count, (_, value, at) = given[0][1], given[1]
    wire = turns(ctx, "iqp", value, at)
    wide = 3 if count == 1 else count - 1
    if wire.type.rank != 2 or not all(map(known, wire.type.shape)) or wire.type.shape[1] != wide:
        raise error("size", f"`iqp({count}, turns)` takes turns `real[layers, {wide}]`, and this is {describe(wire)}", at)
    find = gates.find
    graph = build.identity((gates.QUBIT,) * count)
    for layer in range(wire.type.shape[0]):
        angles = [ctx.writer.emit(op.index, (wire,), {"pattern": (layer, i)}, span=span)[0] for i in range(wide)]
        if count == 1:
            for name, angle in zip(("Rx", "Rz", "Rx"), angles):
                graph = build.then(graph, build.gate(find(name).make(), (angle,), span))
            continue
        graph = build.then(graph, build.power(build.gate(find("H").make(), (), span), count))
        for i, angle in enumerate(angles):
            row = build.beside(build.identity((gates.QUBIT,) * i), build.gate(find("CRz").make(), (angle,), span))
            graph = build.then(graph, build.beside(row, build.identity((gates.QUBIT,) * (count - 2 - i))))
    return graph if count == 1 else build.then(graph, build.power(build.gate(find("H").make(), (), span), count))
