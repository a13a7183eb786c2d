"""What a rule of words sees: one evaluation of a box, and what came back to its outputs.

A rule says `pull(ask, cases) -> [{input: criticisms}]` for all cases of a box at once; `ask` puts questions to the engines of
the run.  A junction says `meet(ask, seed, groups, role) -> groups`, each group a tuple of criticisms of one text.
"""
from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import Any, Callable, Mapping

from pullback.compiler.criticism import Context, Criticism, Source
from pullback.compiler.ops.text import printed

Cotangent = tuple[Criticism, ...]


@dataclass(frozen=True, slots=True)
class Case:
    """role: what the box does, in words.   inputs, outputs: their values by name, in order.   slopes: for outputs that are
    numbers the derivative of what is raised.   said: of outputs that are texts.   wanted: the inputs of which something is to be said;
    roles: what each is for.   bounds: of outputs that have them, the lowest and the highest value.   source: the box and the datum.
    explain: the function that `words(f)` names.   options: what the outputs of a list of log-probabilities are of."""

    role: str
    inputs: tuple[tuple[str, Any], ...]
    outputs: tuple[tuple[str, Any], ...]
    wanted: tuple[str, ...]
    slopes: Mapping[str, Any] = field(default_factory=dict)
    said: Cotangent = ()
    roles: Mapping[str, str] = field(default_factory=dict)
    bounds: Mapping[str, tuple[float, float]] = field(default_factory=dict)
    source: Source = ()
    explain: Callable[..., str] | None = None
    options: tuple[str, ...] = ()

    def context(self) -> Context:
        return Context(self.role, tuple((name, printed(value)) for name, value in self.inputs), self.output())

    def output(self) -> str:
        """The outputs in words."""
        if len(self.outputs) == 1:
            return printed(self.outputs[0][1])
        return "\n".join(f"{name}: {printed(value)}" for name, value in self.outputs)

    def moves(self) -> list[tuple[str, float, float]]:
        """(output, value, slope) for each number that should move and can: not at the end of its range already."""
        found = []
        for name, value in self.outputs:
            slope = self.slopes.get(name)
            if slope is None:
                continue
            labels = [name] if not self.options else [f"{name}[{option}]" for option in self.options]
            values, slopes = ([value], [slope]) if not self.options else (list(value), list(slope))
            low, high = self.bounds.get(name, (-math.inf, math.inf))
            for label, at, c in zip(labels, map(float, values), map(float, slopes)):
                if c and math.isfinite(c) and not (at >= high if c > 0 else at <= low):
                    found.append((label, at, c))
        return found

    def spoken(self) -> Cotangent:
        """What was said of the outputs, and what the numbers among them should do, in fixed sentences."""
        found = []
        for name, value, slope in self.moves():
            way = "higher" if slope > 0 else "lower"
            what = f"`{name}` is {value:.6g}, and should be {way}."
            if self.options:
                option = name.partition("[")[2][:-1]
                what = f"The reply {option!r} should be {'more' if slope > 0 else 'less'} likely."
            found.append(Criticism(what, (*self.source, name), self.context(), abs(slope), value))
        return (*self.said, *found)
