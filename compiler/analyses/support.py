"""Supports: finite or not, moving with a parameter or not, and those of a guide against those of its model.

    moves     ∂/∂θ ∫ f p_θ  =  ∫ f ∂p_θ  +  what enters and leaves at the moving edge: a score misses the second part
    mass      log p(x) at x ~ q is −∞ where q has mass and p has none; and E_q[p/q] < 1 where p has mass and q has none
"""
from __future__ import annotations

from functools import lru_cache
from typing import Callable, Iterable

from pullback.compiler import ops as op
from pullback.compiler.analyses.ranges import Region, Values, contained, values
from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.type import Array, Params


def moves(graph: Graph, box: Box) -> Diagnostic | None:
    """The error of a score where the support moves with a parameter that carries a derivative."""
    distribution = box["distribution"]
    for field, wire in zip(distribution.fields, box.inputs):
        if field.name in distribution.support.moves and wire in carriers(graph):
            return moving(box, field.name)
    return None


@lru_cache(maxsize=16)
def carriers(graph: Graph) -> frozenset[Wire]:
    """The wires that may carry a derivative in the graph's inputs: ints, conditions and what `stop` gives do not, nor does
    a choice whose parameters do not."""
    return flow(graph, graph.inputs, lambda box: box.op is not op.stop)


def flow(graph: Graph, start: Iterable[Wire], passes: Callable[[Box], bool]) -> frozenset[Wire]:
    """The real wires that are reached from some wires, through boxes that let pass."""
    found = {wire for wire in start if derivable(wire)}
    _flow(graph, found, passes)
    return frozenset(found)


def derivable(wire: Wire) -> bool:
    return isinstance(wire.type, Params) or isinstance(wire.type, Array) and wire.type.kind in ("real", "complex")


def _flow(graph: Graph, found: set[Wire], passes: Callable[[Box], bool]) -> None:
    for box in graph.boxes:
        if not box.regions:
            read = box.inputs[:1] if box.op is op.baseline else box.inputs  # a baseline is held fixed
            if passes(box) and any(wire in found for wire in read):
                found |= {wire for wire in box.outputs if derivable(wire)}
            continue
        carries, before = box["carries"] if box.op is op.scan else 0, -1
        while before != len(found):
            before = len(found)
            for region in box.regions:
                for carry, first, last in zip(region.inputs[1:1 + carries], box.inputs, region.outputs):
                    found |= {carry} if derivable(carry) and (first in found or last in found) else set()
                _flow(region, found, passes)
        for place, wire in enumerate(box.outputs):
            sources = [region.outputs[place] for region in box.regions]
            sources += box.inputs[place:place + 1] if place < carries else ()
            found |= {wire} if derivable(wire) and any(w in found for w in sources) else set()


def mass(graph: Graph) -> list[Diagnostic]:
    """Each choice that is given a density of another support: one that is 0 where the choice has mass; or, where its own
    density is read too (a guide's), one that has mass where the choice has none."""
    known = Values(graph)
    densities = [(box, known.drawn(box.inputs[0])) for box in graph.walk() if box.op is op.density]
    guides = {drawn["address"] for box, drawn in densities if drawn is not None and known.own(box)}
    found, said = [], set()
    for box, drawn in densities:
        if drawn is None or known.own(box):
            continue
        has, asked = values(drawn), values(box)
        if contained(has, asked) is False:
            problem = outside(drawn, box, has, asked)
        elif drawn["address"] in guides and contained(asked, has) is False:
            problem = missing(drawn, box, has, asked)
        else:
            continue
        if (drawn["address"], str(asked)) not in said:
            said.add((drawn["address"], str(asked)))
            found.append(problem)
    return found


# ------------------------------------------------------------------ what is said


def name_of(box: Box) -> str:
    """What the program calls a choice."""
    return box["address"].rpartition(".")[2] if box.get("address") else box.outputs[0].name


def moving(box: Box, field: str) -> Diagnostic:
    distribution, name = box["distribution"], name_of(box)
    help = "`by reparam` follows the edge" if field in distribution.reparameterized else ""
    argument = box.inputs[[f.name for f in distribution.fields].index(field)]
    return Diagnostic(
        "support", f"the values that `{name}` can take depend on `{field}` of `{distribution.name}`", box.span,
        "a score would silently miss what enters and leaves at the edge",
        help=f"{help}{'; or ' if help else ''}`stop(…)` around `{field}` if no derivative in it is meant",
        notes=((argument.span, f"`{field}` stands here"),) if argument.span is not None else ())


def outside(drawn: Box, density: Box, has: Region, asked: Region) -> Diagnostic:
    name, model = name_of(drawn), density["distribution"].name
    return Diagnostic(
        "support", f"`{name}` is drawn from {has}, but its density `{model}` is 0 outside of {asked}", drawn.span,
        f"`{drawn['distribution'].name}` draws values whose log density is −∞",
        notes=((density.span, f"`{model}` has mass on {asked} only"),), help=mend(drawn, density, asked))


def missing(drawn: Box, density: Box, has: Region, asked: Region) -> Diagnostic:
    name, model = name_of(drawn), density["distribution"].name
    return Diagnostic(
        "support", f"`{name}` of the guide never leaves {has}, but the model has mass on {asked}", drawn.span,
        f"`{drawn['distribution'].name}` draws no value outside of {has}",
        notes=((density.span, f"`{model}` has mass on {asked}"),), help=mend(drawn, density, asked))


def mend(drawn: Box, density: Box, asked: Region) -> str:
    if asked.name == "reals" and drawn["distribution"].kind == "real":
        name = density["distribution"].support.name if density.get("onto") is None else str(density["onto"])
        if name in ("positive", "unit", "circular"):
            return f"draw it `onto {name}`, or from a distribution on {asked}"
    return f"draw it from a distribution on {asked}"
