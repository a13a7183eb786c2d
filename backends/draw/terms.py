"""The terms of an estimator: each cost with the weights of its own ancestors, and what it is summed over.

Before `contract` they stand in one `terms` box; after it in `contract` boxes, whose costs of equal weights were added by a
`mix` before.  Both are read as the same list.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import Any

from pullback.compiler.ir import Axis, Box, Graph, Wire, canonical


@dataclass(frozen=True, slots=True)
class Term:
    cost: Wire
    coefficient: Any
    weights: tuple[Wire, ...]
    summed: tuple[Axis, ...]     # plates and points
    means: tuple[Axis, ...]      # particles, and points of a random rule
    box: Box

    @property
    def axes(self) -> tuple[Axis, ...]:
        """All axes that the term is evaluated over."""
        return canonical([*self.cost.axes, *(axis for wire in self.weights for axis in wire.axes)])


def is_sum(box: Box) -> bool:
    return box.op.name in ("terms", "contract", "mix")


def terms_of(graph: Graph) -> list[Term]:
    """The terms of a graph, or of the body of a loop (not those of regions inside)."""
    made = graph.producers()
    found: list[Term] = []
    for box in graph.boxes:
        if box.op.name == "terms":
            found += listed(box)
        elif box.op.name == "contract" and box["semiring"] == "linear":
            found += contracted(box, made)
        elif box.op.name == "contract":
            costs = box["costs"]
            rest = tuple(axis for wire in box.inputs for axis in wire.axes if axis not in box["keep"])
            for cost in box.inputs[:costs]:
                found.append(Term(cost, 1.0, box.inputs[costs:], canonical(rest), (), box))
    return found


def listed(box: Box) -> list[Term]:
    count = box.get("costs", len(box.inputs))
    weights, kept = box.inputs[count:], set(box.output.axes)
    found = []
    described = box.get("weights") or ((),) * count
    log = box.get("semiring") == "log"
    for cost, coefficient, mine in zip(box.inputs, box["coefficients"], described):
        own = weights if log else tuple(weights[place] for place, _ in mine)
        rest = [axis for wire in (cost, *own) for axis in wire.axes if axis not in kept]
        found.append(Term(cost, coefficient, own, canonical(axis for axis in rest if axis.kind not in ("particles",)),
                          canonical(axis for axis in rest if axis.kind == "particles"), box))
    return found


def contracted(box: Box, made: dict[Wire, Box]) -> list[Term]:
    cost, *weights = box.inputs
    mix = made.get(cost)
    members = [(cost, 1.0)]
    if mix is not None and mix.op.name == "mix":
        members = list(zip(mix.inputs, mix["coefficients"]))
    points = [axis for axis in box["mean"] if axis.kind == "points"]
    return [Term(wire, coefficient, tuple(weights), canonical([*box["sum"], *points]),
                 tuple(axis for axis in box["mean"] if axis.kind == "particles"), box) for wire, coefficient in members]


def sign(coefficient: Any) -> str:
    """`− ` where the coefficient is negative."""
    value = getattr(coefficient, "above", coefficient)
    try:
        return "− " if value < 0 else ""
    except Exception:  # a size that is not known has no sign; sizes are positive
        return ""


def means(term: Term, plates: list[Axis]) -> list[Axis]:
    """Those of the plates over which the term is averaged: whose sizes its coefficient divides by."""
    for count in range(len(plates), 0, -1):
        for some in combinations(plates, count):
            if divides(term.coefficient, math.prod(axis.size for axis in some)):
                return list(some)
    return []


def divides(coefficient: Any, size: Any) -> bool:
    """Is |coefficient| = 1 / size?"""
    above, below = getattr(coefficient, "above", coefficient), getattr(coefficient, "below", 1)
    try:
        return abs(abs(above) * size - below) < 1e-6 * abs(below)
    except Exception:  # sizes that are not known: equal as expressions, or not
        return str(above * size) == str(below)


def times(a: object, b: object) -> object:
    """The product of two coefficients; of sizes that are not known, the one that is no number."""
    try:
        return a * b
    except TypeError:
        return a if hasattr(a, "above") else b
