"""`by shift`: a measured diagram at its point and at the shifted points of every gate, in one contraction.

    value = p(φ) + Σⱼ (φⱼ − stop φⱼ) Σ c · stop p(φ + s eⱼ)      (c, s): the rule of gate j as a channel

so that the value is exact and JAX's derivative is the shift rule's: m gates with two terms cost 1 + 2m evaluations.  With
shots each p is a draw of frequencies, and value and derivative are unbiased.
Sources: Mitarai et al. (2018), Phys. Rev. A 98; Wierichs et al. (2022), Quantum 6.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.connect import connect, mixed
from pullback.compiler.ir import Box, Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array
from pullback.dsl.context import Context, error
from pullback.dsl.reading import Reader, refuse_meaningless
from pullback.dsl.values import Diagram


def read_by_shift(ctx: Context, value: Diagram, span: Span | None, shots: int | None = None, key: Wire | None = None) -> Wire:
    """The probabilities of a measured diagram; with shots frequencies, drawn with the key."""
    graph = value.graph
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
        for c, shift in rule(ctx, box, span):
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
    inputs = [every, *angles] + ([key] if key is not None else [])
    return ctx.writer.emit(op.shifted, inputs, {"weights": tuple((at, angle, c) for at, angle, c, _ in weights), "shots": shots},
                           span=span, types=(Array("real", every.type.shape[1:]),))[0]


def rule(ctx: Context, box: Box, span: Span | None) -> tuple[tuple[float, float], ...]:
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

