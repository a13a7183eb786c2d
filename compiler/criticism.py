"""The derivative of an objective with respect to a text: an ordered tuple of criticisms.

    zero = ()        a + b = merge(a, b)        merge(a, a) = a

Addition merges by `source`, so it is associative and commutative, a box read twice gives one criticism a slot, and
going backward twice changes nothing.  The order is that of the sources, never of hashing or of who answered first.
Source: the tuples and their laws are this project's; the idea of criticism as derivative is TextGrad's (Yuksekgonul et
al., 2024, arXiv 2406.07496).
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterable

Source = tuple[int | str, ...]


@dataclass(frozen=True, slots=True)
class Context:
    """What the box saw that a criticism speaks of: its role, its inputs by name, its output."""

    role: str = ""
    inputs: tuple[tuple[str, str], ...] = ()
    output: str = ""


@dataclass(frozen=True, slots=True)
class Criticism:
    """How a text should change to raise the objective.

    text: in words, never empty (nothing to say is the empty tuple).   source: the edge and the datum that it came from,
    names and indices; it defines the order, numbers as numbers.   context: what the box saw.   weight: ≥ 0, how much the
    objective moves with the verifier behind it.   score: the value of that datum, where there is one.
    """

    text: str
    source: Source = ()
    context: Context = Context()
    weight: float = 1.0
    score: float | None = None

    def __post_init__(self) -> None:
        object.__setattr__(self, "source", tuple(self.source))
        if not self.text.strip():
            raise ValueError("a criticism says something; no criticism is the empty tuple")
        if not self.weight >= 0:
            raise ValueError(f"a criticism's weight is at least 0, and this is {self.weight}")

    def under(self, *source: int | str) -> Criticism:
        """The same, come by way of one more edge or datum: names and indices are put before its source."""
        return replace(self, source=(*source, *self.source))

    def json(self) -> dict[str, Any]:
        """All of it as JSON data; `criticism(data)` reads it back."""
        return {"text": self.text, "source": list(self.source), "weight": self.weight, "score": self.score, "context": {
            "role": self.context.role, "inputs": [list(pair) for pair in self.context.inputs], "output": self.context.output}}


def criticism(data: dict[str, Any]) -> Criticism:
    """A criticism from its JSON data."""
    context = data["context"]
    inputs = tuple((name, text) for name, text in context["inputs"])
    return Criticism(data["text"], tuple(data["source"]), Context(context["role"], inputs, context["output"]), data["weight"],
                     data["score"])


def order(source: Source) -> tuple[Any, ...]:
    """The key that sorts sources: numbers as numbers, before names."""
    return tuple((0, part, "") if isinstance(part, int) else (1, 0, part) for part in source)


def merge(*cotangents: Iterable[Criticism]) -> tuple[Criticism, ...]:
    """Their sum.  Of two with one source the heavier stays, of equal weights the first in the alphabet."""
    found: dict[Source, Criticism] = {}
    for item in (item for cotangent in cotangents for item in cotangent):
        held = found.get(item.source)
        if held is None or rank(item) < rank(held):
            found[item.source] = item
    return tuple(found[source] for source in sorted(found, key=order))


def rank(item: Criticism) -> tuple[Any, ...]:
    return (-item.weight, item.text, repr(item.context), repr(item.score))


def scaled(cotangent: Iterable[Criticism], weight: float) -> tuple[Criticism, ...]:
    """The cotangent times a number ≥ 0: empty at 0."""
    return tuple(replace(item, weight=item.weight * weight) for item in cotangent) if weight else ()
