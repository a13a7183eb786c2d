"""Jumps whose place depends on a parameter, at a random height.

    d/dθ E[1 if x > θ else 0]  =  −p(θ),   but the derivative of each draw is 0

No rule for x mends this: the value of x is held, and the parameter moves the boundary past it.  Between parameters alone,
or with discrete choices, the boundary is met with probability 0 and nothing is missed.
"""
from __future__ import annotations

from typing import Iterable

from pullback.compiler import ops as op
from pullback.compiler.analyses.smoothness import Backward, Jump, action, excerpt
from pullback.compiler.analyses.support import derivable, flow
from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.ir import Box, Graph, Wire


def thresholds(graph: Graph, over: Iterable[Wire]) -> list[Diagnostic]:
    """The error for each place that jumps in a differentiated input and reads a continuous choice.

    Needs: a rule on every choice.  A choice that is followed through its value has been asked by `smoothness.jump`.
    """
    work = Backward(graph)
    work.start()
    over = tuple(over)
    held = {wire: flow(graph, (wire,), lambda box: box.op is not op.stop and box.op is not op.draw) for wire in over}
    random = flow(graph, [box.output for box in graph.walk() if box.op is op.draw and derivable(box.output)],
                  lambda box: True)
    found = []
    for box in graph.walk():
        if box.regions or not any(wire in work.live for wire in box.outputs) or not any(w in random for w in box.inputs):
            continue
        jumps = [jump for jump in (work.at(box, place) for place in range(len(box.inputs))) if jump is not None]
        for wire in over if jumps else ():
            if any(w in held[wire] for place, w in enumerate(box.inputs) if work.at(box, place) is not None):
                found.append(moved(wire, jumps[0], box))
                break
    return found


def moved(wire: Wire, jump: Jump, box: Box) -> Diagnostic:
    does, _ = action(jump)
    text = f": `{excerpt(box.span.text)}`" if box.span is not None else ""
    what = "compares it with what is drawn" if "compares it" in does else "jumps in it and in what is drawn"
    where = f"line {box.span.line}" if box.span is not None else "what follows"
    return Diagnostic(
        "smoothness", f"`{wire.name}` is differentiated, but {where} {what}{text}", box.span,
        f"`{wire.name}` moves this jump, and the gradient would silently miss it",
        help="a smooth step such as `sigmoid((a - b) / 0.1)`; "
             f"or `stop({wire.name})` here, if no derivative is meant")
