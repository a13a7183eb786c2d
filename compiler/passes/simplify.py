"""Drop what nothing reads, and what stands twice.

Needs: nothing.  Leaves: the same values, derivatives and choices.  A draw is never merged with another (each is a choice of
its own); a density, a read of an array and any pure box with the same inputs is.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph, Wire, free

MERGED = ("pure", "density", "estimator")


def simplify(graph: Graph) -> Graph:
    return _used(_merged(graph, {}, {}))


def key(value: Any) -> Any:
    """A hashable stand-in for an attribute."""
    if isinstance(value, dict):
        return tuple((name, key(item)) for name, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(key(item) for item in value)
    if isinstance(value, (bool, int, float)):  # 1, 1.0 and True are three constants
        return type(value).__name__, repr(value)
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def _merged(graph: Graph, seen: dict, same: dict[Wire, Wire]) -> Graph:
    boxes = []
    for box in graph.boxes:
        inputs = tuple(same.get(wire, wire) for wire in box.inputs)
        box = box.but(inputs=inputs)
        if box.regions:
            boxes.append(box.but(regions=tuple(_merged(region, dict(seen), same) for region in box.regions)))
            continue
        if box.op.kind not in MERGED or box.rule is not None:
            boxes.append(box)
            continue
        aside = ("address",) if box.op is op.field else ("address", "name")
        attributes = {name: value for name, value in box.attributes.items() if name not in aside}
        what = (box.op.name, inputs, key(attributes))
        if what in seen:
            same.update(zip(box.outputs, seen[what]))
        else:
            seen[what] = box.outputs
            boxes.append(box)
    inputs = tuple(same.get(wire, wire) for wire in graph.inputs)
    return replace(graph, inputs=inputs, boxes=tuple(boxes), outputs=tuple(same.get(wire, wire) for wire in graph.outputs))


def _used(graph: Graph) -> Graph:
    """The graph without boxes that no output depends on; regions keep only the outputs that are read."""
    read = set(graph.outputs)
    boxes: list[Box] = []
    for box in reversed(graph.boxes):
        if not any(wire in read for wire in box.outputs):
            continue
        box = trimmed(box, read)
        read |= set(box.inputs)
        boxes.append(box)
    return replace(graph, boxes=tuple(reversed(boxes)))


def trimmed(box: Box, read: set[Wire]) -> Box:
    """A box with regions, less the outputs that nothing reads and the captured wires that its regions no longer read."""
    if not box.regions:
        return box
    count = box.get("carries", 0)
    if box.op.name == "scan":
        body = box.regions[0]
        keep, before = set(), None
        wanted = {i for i, wire in enumerate(box.outputs) if wire in read}
        while keep != before:  # a carry is needed if its end is read, or a needed output of the body reads it
            before = set(keep)
            needed = _reach(body, [body.outputs[i] for i in wanted | keep])
            keep |= {i for i in range(count) if i in wanted or body.inputs[1 + i] in needed}
        kept = sorted(keep) + [i for i in range(count, len(box.outputs)) if i in wanted]
        start, rows = 1 + count, box.get("scanned", 0)
        body = replace(body, inputs=(body.inputs[0], *(body.inputs[1 + i] for i in sorted(keep)), *body.inputs[start:]),
                       outputs=tuple(body.outputs[i] for i in kept))
        body = _used(body)
        inside = _read(body)
        inner = body.inputs[1 + len(keep):1 + len(keep) + rows]
        scanned = [(w, outer) for w, outer in zip(inner, box.inputs[count:]) if w in inside]
        body = replace(body, inputs=(*body.inputs[:1 + len(keep)], *(w for w, _ in scanned)))
        captured = free(body)  # merging may have put an outer wire in the place of an inner one
        body = replace(body, inputs=(*body.inputs, *captured))
        return box.but(inputs=(*(box.inputs[i] for i in sorted(keep)), *(w for _, w in scanned), *captured), regions=(body,),
                       outputs=tuple(box.outputs[i] for i in kept),
                       attributes={"carries": len(keep), **({"scanned": len(scanned)} if rows else {})})
    kept = [i for i, wire in enumerate(box.outputs) if wire in read]
    bound = 1 if box.op.name == "plate" else 0
    first = 1 if box.op.name == "branch" else 0
    regions = tuple(_used(replace(region, outputs=tuple(region.outputs[i] for i in kept))) for region in box.regions)
    regions = tuple(replace(region, inputs=region.inputs[:bound]) for region in regions)
    captured = tuple(dict.fromkeys(wire for region in regions for wire in free(region)))
    regions = tuple(replace(region, inputs=(*region.inputs, *captured)) for region in regions)
    return box.but(inputs=(*box.inputs[:first], *captured), regions=regions, outputs=tuple(box.outputs[i] for i in kept))


def _read(graph: Graph) -> set[Wire]:
    return {wire for box in graph.boxes for wire in box.inputs} | set(graph.outputs)


def _reach(graph: Graph, wires: list[Wire]) -> set[Wire]:
    """All wires of the graph that these depend on."""
    producers, found, todo = graph.producers(), set(), list(wires)
    while todo:
        wire = todo.pop()
        if wire not in found:
            found.add(wire)
            if wire in producers:
                todo += producers[wire].inputs
    return found
