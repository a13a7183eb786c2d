"""The terms of an estimator: each cost with the weights of its own ancestors, and what it is summed over.

Before `contract` they stand in one `terms` box; after it in `contract` boxes, whose costs of equal weights were added by a
`mix` before.  Both are read as the same list.
"""
from __future__ import annotations

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


def parts(coefficient: Any) -> tuple[float, list[str], list[str]]:
    """A coefficient as a number, sizes that are not known yet above it, and below."""
    if isinstance(coefficient, (int, float)):
        return float(coefficient), [], []
    above, below = getattr(coefficient, "above", (coefficient,)), getattr(coefficient, "below", ())
    return getattr(coefficient, "number", 1.0), list(map(str, above)), list(map(str, below))


def sign(coefficient: Any) -> str:
    """`− ` where the coefficient is negative."""
    return "− " if parts(coefficient)[0] < 0 else ""


def means(term: Term, plates: list[Axis]) -> list[Axis]:
    """Those of the plates over which the term is averaged: whose sizes its coefficient divides by."""
    for count in range(len(plates), 0, -1):
        for some in combinations(plates, count):
            if divides(term.coefficient, [axis.size for axis in some]):
                return list(some)
    return []


def divides(coefficient: Any, sizes: list[Any]) -> bool:
    """Is |coefficient| one over the product of the sizes?"""
    number, above, below = parts(coefficient)
    for size in sizes:
        if isinstance(size, int):
            number *= size
        elif str(size) in below:
            below.remove(str(size))
        else:
            return False
    return abs(abs(number) - 1) < 1e-6 and sorted(above) == sorted(below)


def times(a: Any, b: Any) -> Any:
    """The product of two coefficients."""
    return b * a if isinstance(a, (int, float)) else a * b
