"""Declared diagrams, functors and lexicons as whole graphs, and what is wrong with them for every size."""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from pullback.compiler import ops as op
from pullback.compiler import rule as registry
from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.diagrams import build
from pullback.compiler.ir import Graph, Wire
from pullback.compiler.passes.inline import inline
from pullback.compiler.type import Array
from pullback.dsl import functors, lexicons
from pullback.dsl.check import static_names
from pullback.dsl.context import Activation, Context, Scope, Work
from pullback.dsl.derivatives import absorbed, released
from pullback.dsl.diagrams import body, box, boundary, without_wires
from pullback.dsl.gates import doubled
from pullback.dsl.graphs import finished, inputs_of, top
from pullback.dsl.reading import read
from pullback.dsl.shifts import read_by_shift
from pullback.dsl.values import Declared, Diagram, Poisoned, Record, Undetermined, Words


def settled(ctx: Context, graph: Graph, inputs: list[Wire]) -> Graph:
    """A diagram with the boxes that compute its numbers, its parameters as inputs in their order, and printed names."""
    if ctx.work.found:
        from pullback.compiler.diagnostic import ProgramError
        raise ProgramError(ctx.work.found)
    whole = absorbed(ctx, graph)
    whole = replace(whole, inputs=(*inputs, *build.entering(whole)))
    if any(one.op is op.call for one in whole.boxes):
        whole = inline(whole)
    return build.settled(whole, ctx.writer.bases)


def diagram_graph(declared: Declared, work: Work, sizes: Mapping[str, int]) -> Graph:
    """A diagram or a box on its own."""
    ctx = top(declared, work, declared.kind)
    bare, wires = without_wires(ctx, declared)
    inputs: list[Wire] = []
    inputs_of(ctx, bare, bare.node.parameters, static_names(bare), {}, sizes, {}, None, inputs)
    graph = box(ctx, bare, ctx.scope, declared.node.span) if declared.kind == "box" else body(
        ctx, declared, ctx.scope, wires, declared.node.span)
    return replace(settled(ctx, graph, inputs), name=declared.name)


def functor_graph(declared: Declared | None, work: Work, diagram: Graph, reading: str, sizes: Mapping[str, int],
                  shapes: Mapping[str, Any], shots: int | None = None) -> Graph:
    """The image of a diagram, as a diagram of the target or as its array; without a functor the diagram is its own image."""
    ctx = top(declared, work, "functor") if declared is not None else Context(work, None, Scope(), Activation(None, "functor"))
    numbers = build.numbers(diagram)
    own = [ctx.writer.wire(one.name, one.type, one.span) for one in numbers]
    inputs: list[Wire] = []
    if declared is not None:
        inputs_of(ctx, declared, declared.node.parameters, static_names(declared), {}, sizes, shapes, None, inputs)
    image = released(ctx, build.renamed(build.fresh(diagram), dict(zip(numbers, own))))
    if declared is not None:
        image = functors.image(ctx, declared, ctx.scope, image, None)
    if reading == "double":
        image = doubled(ctx, image, None)
    if reading == "image":
        return settled(ctx, image, [*own, *inputs])
    if reading == "shots":
        key = ctx.writer.wire("shot_key", Array("int", (2,)))
        return finished(ctx, [*own, *inputs, key], [read_by_shift(ctx, Diagram(image), None, registry.find("shift")(shots), key=key)], diagram.name)
    return finished(ctx, [*own, *inputs], [read(ctx, Diagram(image), None)], diagram.name)


def sentence_graph(declared: Declared, work: Work, text: str) -> Graph:
    """The diagram of a sentence; its inputs are the arrays of the classes that its words are of."""
    ctx = top(declared, work, "lexicon")
    inputs: dict[str, Wire] = {}
    fields: dict[str, Any] = {}
    for name, parameters in lexicons.shapes(ctx, declared).items():
        for key, shape in parameters.items():
            label = name if len(parameters) == 1 else f"{name}.{key}"
            inputs[label] = ctx.writer.wire(label, Array("real", shape))
        fields[name] = inputs[name] if len(parameters) == 1 else Record({key: inputs[f"{name}.{key}"] for key in parameters})
    graph = lexicons.sentence(ctx, Words(declared, Record(fields)), text, None)
    needed = set(build.numbers(absorbed(ctx, graph)))
    return replace(settled(ctx, graph, [wire for wire in inputs.values() if wire in needed]), name=text)


def checked(declared: Declared, work: Work) -> list[Diagnostic]:
    """What is wrong with a declaration of a diagram's kind."""
    ctx = top(declared, work, declared.kind)
    match declared.kind:
        case "box":
            boundary(ctx, declared.node.domain)
            boundary(ctx, declared.node.codomain)
        case "diagram":
            diagram_graph(declared, work, {})
        case "lexicon":
            outer = Context(work, declared.module, Scope(), Activation(declared, "lexicon"))
            boundary(outer, declared.node.goal)
            for one in declared.node.classes:
                boundary(outer, one.type)
            lexicons.dictionary(declared)
            lexicons.shapes(ctx, declared)
        case "functor":
            try:
                inputs_of(ctx, declared, declared.node.parameters, static_names(declared), {}, {}, {}, None, [])
            except (Undetermined, Poisoned):
                return work.found
            return [*work.found, *functors.checked(ctx, declared, ctx.scope)]
    return work.found


