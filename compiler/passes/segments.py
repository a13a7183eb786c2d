"""Cut the graph at its host boxes: what lies between them is numbers, and each stretch of it one jitted function.

    level(input) = 0      level(device box) = max of its inputs      level(host box) = 1 + max of its inputs

The device boxes of one level are one `segment`.  Host boxes of one level owe nothing to each other: what they ask engines is
asked at once.  Constants stand in every segment that reads them, so that their values are still seen under `jit`.

Needs: an estimator graph.  Leaves: `segment` and host boxes, in the order of their levels; no host box with a region.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.analyses.host import hosted, on_host
from pullback.compiler.diagnostic import Diagnostic, Reported
from pullback.compiler.ir import Box, Graph, Wire

FREE = frozenset({"constant", "iota", "zeros", "ones"})  # cheap, and known before the run


def segments(graph: Graph) -> Graph:
    for box in graph.boxes:
        if box.regions and any(hosted(region) for region in box.regions):
            raise Reported(inside(box))
    levels = leveled(graph)
    copied = {box.output: box for box in graph.boxes if box.op.name in FREE and not on_host(box)}
    device: dict[int, list[Box]] = {}
    host: dict[int, list[Box]] = {}
    for box in graph.boxes:
        if on_host(box):
            host.setdefault(max(levels[wire] for wire in box.outputs), []).append(box)
        elif not (box.op.name in FREE):
            device.setdefault(levels[box.outputs[0]], []).append(box)
    read = {wire for boxes in host.values() for box in boxes for wire in box.inputs} | set(graph.outputs)
    if (bare := [wire for wire in copied if wire in read]):
        device.setdefault(0, [])[:0] = [copied[wire] for wire in bare]
    boxes: list[Box] = []
    for level in sorted({*device, *host, 0}):
        boxes += host.get(level, [])
        if level in device:
            outside = read | {wire for other, inner in device.items() if other != level for box in inner for wire in box.inputs}
            boxes.append(segment(device[level], outside, copied, level, graph.name))
    return replace(graph, boxes=tuple(boxes)).numbered()


def leveled(graph: Graph) -> dict[Wire, int]:
    levels = dict.fromkeys(graph.inputs, 0)
    for box in graph.boxes:
        level = max((levels[wire] for wire in box.inputs), default=0) + (on_host(box) and bool(box.inputs))
        levels.update(dict.fromkeys(box.outputs, level))
    return levels


def segment(boxes: list[Box], read: set[Wire], copied: dict[Wire, Box], level: int, name: str) -> Box:
    """The boxes of one level as one box."""
    made = {wire for box in boxes for wire in box.outputs}
    inside = [copied[wire] for wire in dict.fromkeys(w for box in boxes for w in box.inputs) if wire in copied and wire not in made]
    made |= {wire for box in inside for wire in box.outputs}
    inputs = tuple(dict.fromkeys(wire for box in boxes for wire in box.inputs if wire not in made))
    outputs = tuple(wire for box in boxes for wire in box.outputs if wire in read)
    region = Graph(inputs, (*inside, *boxes), outputs, name)
    span = next((box.span for box in boxes if box.span is not None), None)
    return Box(op.segment, inputs, outputs, (region,), {"level": level}, span=span,
               origin=tuple(box.number for box in boxes if box.number is not None))


def inside(box: Box) -> Diagnostic:
    """A loop whose length is not known, or a marginal, with texts inside."""
    inner = next(inner for region in box.regions for inner in region.walk() if on_host(inner))
    if box.op is op.marginal:
        return Diagnostic("pending", "texts in a model that is marginalized can't be compiled yet", inner.span or box.span)
    return Diagnostic("static", "a loop that asks a language model has a length that is known", box.span,
                      label="how many steps this takes is not known before the run", help="`for t in 0..3:`")
