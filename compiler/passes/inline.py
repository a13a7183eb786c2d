"""Open calls: the boxes of a callee stand where the call stood, and remember the path of calls in `frame`.

Needs: nothing.  Leaves: no `call` box.  The call of an objective leaves an `expectation` box on its value, the identity
whose reader the bias check looks at: log(E f) is not E log(f); an estimate of a log density leaves an `estimate` box.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph, Wire


MEANT = {"objective": op.expectation, "under": op.estimate, "over": op.estimate}


def inline(graph: Graph) -> Graph:
    same: dict[Wire, Wire] = {}
    return replace(_open(graph, (), same), name=graph.name)


def sites(graph: Graph) -> frozenset[str]:
    """What is drawn in a graph: its choices, but those of a marginal, and the loops of which some rows are."""
    found: set[str] = set()
    for box in graph.boxes:
        if box.op is op.draw:
            found.add(box["address"])
        elif box.op is op.plate and box.rule is not None:
            found.add(box["name"])
        if box.op is not op.marginal:
            found.update(*map(sites, box.regions))
    return frozenset(found)


def _open(graph: Graph, frame: tuple[str, ...], same: dict[Wire, Wire]) -> Graph:
    def now(wires: tuple[Wire, ...]) -> tuple[Wire, ...]:
        return tuple(same.get(wire, wire) for wire in wires)
    boxes: list[Box] = []
    for box in graph.boxes:
        if box.op is not op.call:
            regions = tuple(_open(region, frame, same) for region in box.regions)
            boxes.append(box.but(inputs=now(box.inputs), regions=regions, frame=box.frame or frame))
            continue
        body = _open(box.regions[0], (*frame, box.get("address") or box["name"]), same)
        boxes += body.boxes
        for outer, inner in zip(box.outputs, body.outputs):
            what = MEANT.get(box.get("kind"))
            if what is not None:
                rest = {"sites": sites(body)} if what is op.expectation else {"side": box["kind"]}
                boxes.append(Box(what, (inner,), (outer,), attributes={"name": box["name"], **rest}, span=box.span,
                                 origin=(box.number,) if box.number is not None else (), frame=frame))
            else:
                same[outer] = inner
    return replace(graph, inputs=now(graph.inputs), boxes=tuple(boxes), outputs=now(graph.outputs))
