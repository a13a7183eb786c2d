"""What joins the two copies of a doubled reading, and scalars.

    measure: qubit -> bit      the two copies and the bit are one index
    discard: t ->              the trace: the two copies are joined
    prepare: bit -> qubit      the basis state that the bit says
    weight(p)                  a scalar that counts once: a probability.  A diagram that holds one is read doubled.
    scale(x)                   a scalar amplitude; of an array, the state that it is on `dim` axes
"""
from __future__ import annotations

from typing import Any

from pullback.compiler.gate import BIT, QUBIT, Gate, Maker, dim
from pullback.compiler.type import Object


def scalar(name: str, kind: Any, doc: str) -> Maker:
    def make(*shape: int) -> Gate:
        return Gate(name, (), tuple(map(dim, shape)), lambda x: x, tuple(range(len(shape))), ("x",), shape, kind, real=True,
                    additive=False, doc=doc)
    return Maker(name, make, "none", ("x",), doc)


def discard(*types: Object) -> Gate:
    return Gate("discard", tuple(types), (), static=tuple(types), kind="discard")


_measure = Gate("measure", (QUBIT,), (BIT,), kind="measure")
_prepare = Gate("prepare", (BIT,), (QUBIT,), kind="prepare")
CHANNELS = (
    Maker("measure", lambda: _measure, doc="A measurement: `measure: qubit -> bit`."),
    Maker("prepare", lambda: _prepare, doc="The state that a bit says."),
    Maker("discard", discard, "types", doc="The trace of what a type carries: `discard(qubit^2)`."),
    scalar("scale", "pure", "A scalar, or a state of plain axes."),
    scalar("weight", "weight", "A scalar that counts as a probability."))
