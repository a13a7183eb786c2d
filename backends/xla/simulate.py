"""A model's graph as it is run: each choice drawn once, in order, over all of its plates.

`answer` says what a choice is worth: a draw from a key here, a sample site of NumPyro in `export/numpyro.py`.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from pullback.backends.xla.lower import Keys, Run, aligned
from pullback.compiler import ops as op
from pullback.compiler.choice import Choice
from pullback.compiler.ir import Box, Graph
from pullback.compiler.passes.inline import inline
from pullback.compiler.passes.loops import loops
from pullback.compiler.analyses.ranges import parameters, support_size
from pullback.compiler.passes.simplify import simplify


@dataclass(frozen=True)
class Asked:
    """A choice that is to be answered: its box, itself, and whether its branch was taken (None: it is in none)."""

    box: Box
    choice: Choice
    taken: Any = None

    @property
    def address(self) -> str:
        return self.box["address"]


def opened(graph: Graph) -> Graph:
    """A model's graph without calls, plates and branches, as it can be run."""
    return simplify(loops(simplify(inline(graph))))


def simulate(graph: Graph, env: Mapping[str, Any], key: Any) -> tuple[Any, ...]:
    """The outputs of an opened graph, with every choice drawn."""
    run = Simulation(dict(env), Keys(key))
    run.graph(graph)
    return tuple(run.env[wire.name] for wire in graph.outputs)


class Simulation(Run):
    def meaning(self, box: Box) -> tuple[Any, ...]:
        if box.op is not op.draw:
            return super().meaning(box)
        axes = box.output.axes
        arrays = tuple(aligned(self[wire], wire, axes) for wire in parameters(box))
        choice = Choice(box["distribution"], arrays, tuple(axis.size for axis in axes), (False,) * len(axes),
                        tuple(box.output.type.shape), support_size(box), box.get("onto"))
        taken = aligned(self[box.inputs[-1]], box.inputs[-1], axes) if box.get("masked") else None
        return (self.answer(Asked(box, choice, taken)),)

    def answer(self, asked: Asked) -> Any:
        return asked.choice.sample(self.keys.of(asked.address))
