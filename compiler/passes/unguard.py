"""Evaluate the side of a branch once, where it does not depend on the values of the choice that decides it.

    k ~ d by enum,  guard(x, k == 1)      ⇒      x        if nothing in that side reads k

A guard keeps what was not taken out of the derivative.  Where the condition is decided by enumerated choices, some value of
them takes the side, and what the side computes is the same for all values: then nothing in it is computed in vain, and it
needs no axis of the choice.

Needs: loops open, rules chosen.  Leaves: fewer guards and masks.
"""
from __future__ import annotations

import operator
from typing import Iterable

from pullback.compiler import ops as op
from pullback.compiler.analyses.shapes import point_shape
from pullback.compiler.ir import Box, Graph, Wire

COMPARISONS = {"eq": operator.eq, "ne": operator.ne, "lt": operator.lt, "le": operator.le, "gt": operator.gt,
               "ge": operator.ge}

Sites = dict[Wire, frozenset[str]]


def unguard(graph: Graph) -> Graph:
    for condition in dict.fromkeys(box.inputs[1] for box in graph.boxes if box.op is op.guard):
        graph = without(graph, condition)
    return graph


def without(graph: Graph, condition: Wire) -> Graph:
    """The graph with nothing guarded by the condition, if that is right."""
    deciding, branch = decided(graph, condition)
    if not deciding:
        return graph
    guards = [box for box in graph.boxes if box.op is op.guard and box.inputs[1] == condition]
    bare = opened(graph, condition)
    sites = values(bare)
    free = all(set(box.inputs[0].axes) == set(box.output.axes) and not sites[box.inputs[0]] & deciding for box in guards)
    inside = {box.inputs[0] for box in guards} | {box.output for box in graph.boxes if masked(box, condition)}
    return bare if free and all(not sites[wire] & deciding for wire in reached(graph, condition, branch)) and inside else graph


def masked(box: Box, condition: Wire) -> bool:
    return box.op is op.draw and box.get("masked", False) and box.inputs[-1] == condition


def opened(graph: Graph, condition: Wire) -> Graph:
    """Without the guards of the condition, and without its masks where a draw has no weight to mask."""
    same: dict[Wire, Wire] = {}
    boxes: list[Box] = []
    for box in graph.boxes:
        box = box.but(inputs=tuple(same.get(w, w) for w in box.inputs), regions=tuple(r.rename(same) for r in box.regions))
        if box.op is op.guard and box.inputs[1] == condition:
            same[box.output] = box.inputs[0]
        elif masked(box, condition) and not point_shape(box).weighted:
            boxes.append(box.but(inputs=box.inputs[:-1], attributes={"masked": False}))
        else:
            boxes.append(box)
    return Graph(graph.inputs, tuple(boxes), tuple(same.get(w, w) for w in graph.outputs), graph.name)


def decided(graph: Graph, condition: Wire) -> tuple[frozenset[str], Wire]:
    """The enumerated choice that decides the condition, if one of its values does; and what the branch asks."""
    makers = graph.producers()
    box, wanted, asked = makers.get(condition), True, condition
    if box is not None and box.op is op.not_:
        wanted, asked = False, box.inputs[0]
        box = makers.get(asked)
    if box is None or box.op.name not in COMPARISONS:
        return frozenset(), asked
    drawn, constant = (makers.get(wire) for wire in box.inputs)
    if drawn is None or constant is None or constant.op is not op.constant or not static(drawn):
        return frozenset(), asked
    limits = drawn.output.type.constraint
    if limits is None or limits.name != "range" or not all(isinstance(end, int) for end in limits.arguments):
        return frozenset(), asked
    compare = COMPARISONS[box.op.name]
    taken = any(compare(value, constant["value"]) == wanted for value in range(*limits.arguments))
    return frozenset({drawn["address"]}) if taken else frozenset(), asked


def static(box: Box) -> bool:
    """A choice whose values are the same in every run."""
    return box.op is op.draw and getattr(box.rule, "axis", "points") == "finite" and point_shape(box).common


def values(graph: Graph) -> Sites:
    """The choices that each value depends on; that an enumerated value has a probability is no matter of its value."""
    found: Sites = {wire: frozenset() for wire in graph.inputs}
    for box in graph.boxes:
        sites = frozenset().union(*(found[wire] for wire in box.inputs))
        if box.op is op.draw:
            sites = frozenset({box["address"]}) if static(box) else sites | {box["address"]}
        for region in box.regions:
            sites |= {inner["address"] for inner in region.walk() if inner.op is op.draw}
        found.update((wire, sites) for wire in box.outputs)
    return found


def reached(graph: Graph, condition: Wire, asked: Wire) -> Iterable[Wire]:
    """What is computed in the side: all that reads what is guarded, up to where the sides meet."""
    found: set[Wire] = set()
    guarded: set[Wire] = set()
    for box in graph.boxes:
        if box.op is op.guard and box.inputs[1] == condition:
            guarded.add(box.output)
        elif masked(box, condition):
            found.update(box.outputs)
        elif not (box.op is op.where and box.inputs[0] == asked) and any(w in found or w in guarded for w in box.inputs):
            found.update(box.outputs)
    return found
