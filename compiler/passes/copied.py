"""A part of a graph a second time, under names of its own."""
from __future__ import annotations

from dataclasses import replace
from typing import Collection

from pullback.compiler import ops as op
from pullback.compiler.ir import Graph, Names, Wire


def copied(graph: Graph, same: dict[Wire, Wire], names: Names, suffix: str, sites: Collection[str] = ()) -> Graph:
    """The graph with fresh names for all that it makes; `sites`: its choices, whose addresses get the suffix."""
    same = dict(same)

    def now(wire: Wire) -> Wire:
        return same.get(wire, wire)
    boxes = []
    for box in graph.boxes:
        bound = [w for region in box.regions for w in region.inputs if w not in box.inputs]
        for wire in (*bound, *box.outputs):
            same[wire] = replace(wire, name=names.fresh(wire.name))
        attributes = dict(box.attributes)
        for key in ("address", "name"):
            if key in attributes and (box.op in (op.draw, op.plate, op.scan) or key == "address"):
                attributes[key] = f"{attributes[key]}{suffix}"
        if box.op is op.expectation:
            attributes["sites"] = frozenset(f"{site}{suffix}" if site in sites else site for site in box["sites"])
        regions = []
        for region in box.regions:
            inner = copied(region, same, names, suffix, sites)
            regions.append(replace(inner, inputs=tuple(now(w) for w in region.inputs)))
        boxes.append(replace(box, inputs=tuple(map(now, box.inputs)), outputs=tuple(map(now, box.outputs)),
                             regions=tuple(regions), attributes=attributes, number=None,
                             origin=() if box.number is None else (box.number,)))
    return replace(graph, boxes=tuple(boxes), outputs=tuple(map(now, graph.outputs)))
