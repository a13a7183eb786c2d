"""Turn the terms into contractions: Σ over axes of cost × Π weights of its own ancestors.

Terms with the same weights, axes and sums are added first (`mix`), so that each group is one contraction.  In the linear
semiring a contraction is Σ over plates and finite axes and the mean over points and particles; in the log semiring (a
marginal) all terms are factors of one, and its sites are eliminated one by one.

Needs: lifted.  Leaves: no `terms`.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph, Names, Wire, canonical
from pullback.compiler.type import REAL


def contract(graph: Graph) -> Graph:
    return opened(graph, graph.names()).numbered()


def opened(graph: Graph, names: Names) -> Graph:
    boxes: list[Box] = []
    for box in graph.boxes:
        if box.regions:
            box = box.but(regions=tuple(opened(region, names) for region in box.regions))
        if box.op is op.terms:
            boxes += product(box, names) if box["semiring"] == "log" else sums(box, names)
        else:
            boxes.append(box)
    return replace(graph, boxes=tuple(boxes))


def product(box: Box, names: Names) -> list[Box]:
    """One contraction in the log semiring of all factors and all weights."""
    costs, weights = box.inputs[:box["costs"]], box.inputs[box["costs"]:]
    boxes, factors = [], []
    for wire, coefficient in zip(costs, box["coefficients"]):
        factors.append(wire if coefficient == 1 else mixed(boxes, names, [wire], [coefficient]))
    context = box["context"]
    plates = {axis for one in box["sums"] for axis in one} | {
        axis for kind in box["kinds"] for axis in kind.plates if axis not in context}
    boxes.append(Box(op.contract, (*factors, *weights), box.outputs, span=box.span, origin=own(box), attributes={
        "semiring": "log", "costs": len(factors), "keep": box.output.axes, "plates": canonical(plates),
        "sites": tuple((kind.axes, kind.plates) for kind in box["kinds"])}))
    return boxes


def sums(box: Box, names: Names) -> list[Box]:
    costs, weights = box.inputs[:box["costs"]], box.inputs[box["costs"]:]
    groups: dict[tuple, list[tuple[Wire, object]]] = {}
    for wire, coefficient, axes, mine in zip(costs, box["coefficients"], box["sums"], box["weights"]):
        groups.setdefault((mine, wire.axes, canonical(axes)), []).append((wire, coefficient))
    boxes: list[Box] = []
    parts: list[Wire] = []
    for (mine, _, axes), members in groups.items():
        if len(members) > 1 or members[0][1] != 1:
            cost = mixed(boxes, names, [wire for wire, _ in members], [c for _, c in members])
        else:
            cost = members[0][0]
        given = tuple(weights[place] for place, _ in mine)
        every = canonical([*cost.axes, *(a for (_, m), w in zip(mine, given) for a in w.axes if a not in m)])
        keep = tuple(a for a in every if a in box.output.axes)
        part = Wire(names.fresh(f"{box.output.name}_part"), REAL, keep)
        boxes.append(Box(op.contract, (cost, *given), (part,), span=box.span, origin=own(box), attributes={
            "semiring": "linear", "keep": keep, "weights": tuple(box["kinds"][place] for place, _ in mine),
            "mixed": tuple(m for _, m in mine),
            "mean": tuple(a for a in every if a.kind in ("points", "particles") and a not in keep),
            "sum": tuple(a for a in every if a.kind not in ("points", "particles") and a not in keep)}))
        parts.append(part)
    boxes.append(Box(op.mix, tuple(parts), box.outputs, span=box.span, origin=own(box),
                     attributes={"coefficients": tuple(1.0 for _ in parts)}))
    return boxes


def mixed(boxes: list[Box], names: Names, wires: list[Wire], coefficients: list) -> Wire:
    axes = canonical(axis for wire in wires for axis in wire.axes)
    output = Wire(names.fresh("cost"), REAL, axes, frozenset().union(*(w.ancestors for w in wires)))
    boxes.append(Box(op.mix, tuple(wires), (output,), attributes={"coefficients": tuple(coefficients)}))
    return output


def own(box: Box) -> tuple[int, ...]:
    return () if box.number is None else (box.number,)
