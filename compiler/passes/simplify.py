"""Drop what nothing reads, and what stands twice.

Needs: nothing.  Leaves: the same values, derivatives and choices.  A draw is never merged with another (each is a choice of
its own); a density, a read of an array and any pure box with the same inputs is, and so are two arrays that two loops fill alike.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Mapping

from pullback.compiler import ops as op
from pullback.compiler.ir import Axis, Box, Graph, Wire, free
from pullback.compiler.passes.known import instead

MERGED = ("pure", "density", "estimator")
LABELS = ("branch", "split")  # say where in the program a box comes from; that they are there is what matters


def simplify(graph: Graph) -> Graph:
    return _used(Merging().graph(graph, {}, {}))


def key(value: Any, bound: Mapping[Axis, int] = {}) -> Any:
    """A hashable stand-in for an attribute; axes that are bound in an array are told by their place."""
    if isinstance(value, dict):
        return tuple((name, key(item, bound)) for name, item in sorted(value.items()))
    if isinstance(value, (list, tuple)):
        return tuple(key(item, bound) for item in value)
    if isinstance(value, Axis) and value in bound:
        return "bound", bound[value], str(value.size)
    if isinstance(value, (bool, int, float)):  # 1, 1.0 and True are three constants
        return type(value).__name__, repr(value)
    try:
        hash(value)
    except TypeError:
        return id(value)
    return value


def mergeable(box: Box) -> bool:
    return box.op.kind in MERGED and box.rule is None and not box.regions


class Merging:
    """One sweep in order: what a box reads is merged before it."""

    def __init__(self) -> None:
        self.makers: dict[Wire, Box] = {}
        self.numbers: dict[Any, int] = {}
        self.inside: dict[Any, Any] = {}  # what stands for a wire inside the loops that are bound

    def graph(self, graph: Graph, seen: dict, same: dict[Wire, Wire]) -> Graph:
        boxes = []
        for box in graph.boxes:
            box = box.but(inputs=tuple(same.get(wire, wire) for wire in box.inputs))
            if (known := instead(box, self.makers)) is not None:
                same[box.output] = known
                continue
            if mergeable(box):
                what = self.number(box, {})
                if what in seen:
                    same.update(zip(box.outputs, seen[what]))
                    continue
                seen[what] = box.outputs
            elif box.regions:
                box = box.but(regions=tuple(self.graph(region, dict(seen), same) for region in box.regions))
            self.makers.update((wire, box) for wire in box.outputs)
            boxes.append(box)
        inputs = tuple(same.get(wire, wire) for wire in graph.inputs)
        return replace(graph, inputs=inputs, boxes=tuple(boxes), outputs=tuple(same.get(wire, wire) for wire in graph.outputs))

    def number(self, box: Box, bound: Mapping[Axis, int]) -> int:
        """One number for all boxes that give the same; a loop's own axis is bound in the array that it fills."""
        if box.op is op.stack_axis:
            bound = {**bound, box["axis"]: len(bound)}
        attributes = {name: name in LABELS or value for name, value in box.attributes.items()
                      if name not in ("address", "name") or box.op.name == "field"}
        what = (box.op.name, tuple(self.read(wire, bound) for wire in box.inputs), key(attributes, bound))
        return self.numbers.setdefault(what, len(self.numbers))

    def read(self, wire: Wire, bound: Mapping[Axis, int]) -> Any:
        if not any(axis in bound for axis in wire.axes):
            return wire
        place = wire, frozenset(bound.items())
        if place not in self.inside:
            box = self.makers.get(wire)
            own = frozenset((axis, bound[axis]) for axis in wire.axes if axis in bound)  # filled along them, not the same along all
            self.inside[place] = (self.number(box, bound), box.outputs.index(wire)) if box and mergeable(box) else (wire, own)
        return self.inside[place]


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
