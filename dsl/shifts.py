"""`by shift`: a measured diagram at its point and at the shifted points of every gate, in one contraction.

    value = p(φ) + Σⱼ (φⱼ − stop φⱼ) Σ c · stop p(φ + s eⱼ)      (c, s): the rule of gate j as a channel

so that the value is exact and JAX's derivative is the shift rule's: m gates with two terms cost 1 + 2m evaluations.  With
shots the rows of p are a choice, of frequencies: value and derivative are unbiased in what is linear in them.
Sources: Mitarai et al. (2018), Phys. Rev. A 98; Wierichs et al. (2022), Quantum 6.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.connect import connect, mixed
from pullback.compiler.diagrams.rewrite import connected
from pullback.compiler.diagrams.shots import distribution, largest
from pullback.compiler.ir import Box, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array
from pullback.dsl.context import Context, error
from pullback.dsl.reading import Reader, refuse_meaningless
from pullback.dsl.values import Diagram


def read_by_shift(ctx: Context, value: Diagram, span: Span | None, rule: Any = None, name: str = "", key: Wire | None = None) -> Wire:
    """The probabilities of a measured diagram; where the rule has shots frequencies, a choice of this name (or drawn with the key)."""
    graph, shots = connected(value.graph), getattr(rule, "shots", None)
    refuse_meaningless(graph, "this", span)
    if not mixed(graph) or any(one.type.linear for one in (*build.entering(graph), *graph.outputs)):
        raise error("type", f"`by shift` is of probabilities, and this is a diagram `{build.signature(graph)}` of amplitudes", span,
                    help="measure it: `D >> measure`")
    if build.entering(graph):
        raise error("type", f"`by shift` is of the outcomes of a measurement, and this diagram reads `{build.shown(build.domain(graph))}`", span)
    if len(build.summands(graph)) != 1 or build.summands(graph)[0][1] is not graph:
        raise error("type", "`by shift` is of one diagram, and this is a sum", span, help="a sum of probabilities is a sum of such reads")
    reader = Reader(ctx, span)
    terms, weights, angles = [graph], [], []
    for box in graph.boxes:
        for c, shift in terms_of(ctx, box, span):
            if not angles or angles[-1] is not box.inputs[0] or weights[-1][3] is not box:
                angles.append(box.inputs[0])
            (moved,) = ctx.writer.emit(op.add, (box.inputs[0], ctx.writer.constant(shift, span)), span=span)
            weights.append((len(terms), len(angles) - 1, c, box))
            terms.append(replace(graph, boxes=tuple(one if one is not box else box.but(inputs=(moved, *box.inputs[1:]))
                                                    for one in graph.boxes)))
    group = []
    for term in terms:
        network = connect(term, True)
        group.append((1.0, network, [reader.array(operand, True) for operand in network.operands]))
    every = reader.contraction(group, keep=True)
    if every.type.kind == "complex":
        (every,) = ctx.writer.emit(op.real, (every,), span=span)
    if shots is not None:
        every = sampled(ctx, every, largest(graph, ctx.writer.values), rule, name, key, span)
    return ctx.writer.emit(op.shifted, [every, *angles], {"weights": tuple((at, angle, c) for at, angle, c, _ in weights)},
                           span=span, types=(Array("real", every.type.shape[1:]),))[0]


def sampled(ctx: Context, every: Wire, largest: float | None, rule: Any, name: str, key: Wire | None, span: Span | None) -> Wire:
    """The rows drawn.  Cups make a diagram a circuit times a number: what is drawn are the circuit's outcomes."""
    if largest is None:
        raise error("derivative", "shots are of a circuit's outcomes, and this diagram holds a box that no circuit has", span,
                    help="`by shift` alone is exact; a number can stand outside: `2.0 * p[0]`")

    def times(wire: Wire, factor: float) -> Wire:
        return wire if factor == 1 else ctx.writer.emit(op.mul, (ctx.writer.constant(factor, span), wire), span=span)[0]
    every = times(every, 1 / largest)
    if key is not None:
        (drawn,) = ctx.writer.emit(op.frequencies, (every, key), {"shots": rule.shots}, span=span, types=(every.type,))
    else:
        path, address = ctx.work.address((*ctx.path, (name or "shots",)), ctx.mark)
        attributes = {"distribution": distribution(every.type.rank), "address": address, "onto": None, "path": path}
        (drawn,) = ctx.writer.emit(op.draw, (every,), attributes, span=span, base=name or "shots", rule=rule, types=(every.type,))
    return times(drawn, largest)


def terms_of(ctx: Context, box: Box, span: Span | None) -> tuple[tuple[float, float], ...]:
    """The terms of a box's derivative as a channel; none where its number is known."""
    if box.op.kind != "diagram" or not box.get("numbers"):
        return ()
    given, record = box.inputs[:box["numbers"]], box.get("gate")
    if all(wire.name in ctx.writer.values for wire in given):
        return ()
    if record is None or record.doubled is None:
        raise error("derivative", f"`{box['name']}` has no shift rule", span, help="the derivative of the exact value has no need of one: "
                    "leave `by shift` out")
    return record.doubled

