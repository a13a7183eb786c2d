"""Write the steps of a short loop one after another.

A scan whose carry can't be enumerated by value is unrolled where its length is known and the product of the supports of its
enumerable choices stays within the points that one enumeration may have; and with it the short scans that read what its steps
give, so that step t of one meets step t of the other and what both compute is computed once.

Needs: nothing.  Leaves: no scan of the given names; site `z` of step t is `z[t]`, also in the sites of an expectation.
"""
from __future__ import annotations

import re
from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph, Names, Wire
from pullback.compiler.analyses.ranges import support_size
from pullback.compiler.passes.copied import copied
from pullback.compiler.type import Array, known

LIMIT = 4096
STEPS = 16
COPY = re.compile(r"(\[\d+\])+$")


def original(loop: str | None) -> str | None:
    """The loop of the program that a loop in an unrolled step is a copy of: `z` for `z[t]`."""
    return None if loop is None else COPY.sub("", loop)


def short(graph: Graph, loop: str | None) -> bool:
    """Is the loop short enough to be unrolled?"""
    for box in graph.walk():
        if box.op is op.scan and box["name"] == loop:
            if not known(box["size"]) or box["size"] > STEPS:
                return False
            points = 1
            for inner in box.regions[0].walk():
                size = support_size(inner) if inner.op is op.draw else None
                if known(size or 1) and getattr(inner.rule, "axis", "finite") == "finite":
                    points *= size or 1
            return points ** box["size"] <= LIMIT
    return False


def unroll(graph: Graph, loops: set[str]) -> Graph:
    return opened(graph, loops, graph.names(), set(), {}) if loops else graph


def opened(graph: Graph, loops: set[str], names: Names, given: set[Wire], copies: dict[str, list[str]]) -> Graph:
    """`given`: the arrays that unrolled steps give; `copies`: the sites that stand for a site of an unrolled loop."""
    boxes: list[Box] = []
    same: dict[Wire, Wire] = {}
    for box in graph.boxes:
        box = box.but(inputs=tuple(same.get(w, w) for w in box.inputs),
                      regions=tuple(opened(region.rename(same), loops, names, given, copies) for region in box.regions))
        if box.op is op.scan and (box["name"] in loops or (not given.isdisjoint(box.inputs) and short(graph, box["name"]))):
            found = steps(box, boxes, names)
            for site in drawn(box.regions[0]):
                copies[site] = [f"{site}[{t}]" for t in range(box["size"])]
            same.update(zip(box.outputs, found))
            given.update(found[box["carries"]:])
        else:
            boxes.append(box)
    outputs = tuple(same.get(w, w) for w in graph.outputs)
    return replace(graph, boxes=tuple(boxes), outputs=outputs).map(lambda box: renamed(box, copies))


def drawn(graph: Graph) -> set[str]:
    return {box["address"] for box in graph.walk() if box.op is op.draw}


def renamed(box: Box, copies: dict[str, list[str]]) -> Box:
    """An expectation with the sites that there are now inside it."""
    if box.op is not op.expectation or copies.keys().isdisjoint(box["sites"]):
        return box
    sites = frozenset(new for site in box["sites"] for new in copies.get(site, [site]))
    return renamed(box.but(attributes={"sites": sites}), copies)


def steps(box: Box, boxes: list[Box], names: Names) -> list[Wire]:
    """Write every step; the wires that stand for the scan's outputs."""
    body, count = box.regions[0], box["carries"]
    carries = list(box.inputs[:count])
    given: list[list[Wire]] = [[] for _ in body.outputs[count:]]
    for t in range(box["size"]):
        index = Wire(names.fresh(body.inputs[0].name), Array("int"), span=box.span)
        boxes.append(Box(op.constant, (), (index,), attributes={"value": box["start"] + t}, span=box.span))
        same = {body.inputs[0]: index, **dict(zip(body.inputs[1:1 + count], carries))}
        step = copied(body, same, names, f"[{t}]", drawn(body))
        boxes += step.boxes
        carries = list(step.outputs[:count])
        for found, wire in zip(given, step.outputs[count:]):
            found.append(wire)
    stacked = []
    for output, items in zip(box.outputs[count:], given):
        boxes.append(Box(op.stack, tuple(items), (output,), span=box.span))
        stacked.append(output)
    return carries + stacked
