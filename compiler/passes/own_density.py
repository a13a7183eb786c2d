"""Tell the log density of a draw at its own parameters from its noise.

    x = T(ε; θ) by reparam,  log q(x | θ)      ⇒      log q(T(ε; θ) | θ) as a function of ε and θ

Both are the same function of (ε, θ), and so are all its derivatives; but nothing is computed back from x: no triangular system is
solved, and no digit is lost.  Only where the parameters are the very wires that the draw reads (`stop(θ)` is another wire).

Needs: lifted.  Leaves: such densities with the draw's address (attribute `own`).
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.analyses.ranges import parameters
from pullback.compiler.ir import Box, Graph


def own_density(graph: Graph) -> Graph:
    made = graph.producers()
    boxes = []
    for box in graph.boxes:
        box = box.but(regions=tuple(map(own_density, box.regions))) if box.regions else box
        drawn = made.get(box.inputs[0]) if box.op is op.density else None
        boxes.append(box.but(attributes={"own": drawn["address"]}) if drawn is not None and its_own(box, drawn) else box)
    return replace(graph, boxes=tuple(boxes))


def its_own(density: Box, drawn: Box) -> bool:
    """Does the draw come plainly from its noise, by the parameters that the density has?"""
    law = density["distribution"]
    return (drawn.op is op.points and drawn["distribution"] is law and getattr(drawn.rule, "plain", False)
            and law.noise is not None and law.noise.log_density is not None and drawn["axis"] is None
            and density.get("onto") is None and drawn.get("onto") is None and parameters(density) == parameters(drawn))
