"""`by enum`: all values of a finite choice, each with its probability."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Enum:
    """Exact summation over a finite support.

    Use it for: discrete choices with few values.   Rather not: many values that each cost much downstream (`reinforce`).
    Points: K = size of the support.  values: the support; weights: p(value; θ), taken from the probabilities themselves.
    Cost: K evaluations of everything downstream; in a plate n·K, in a scan K² a step.   Bias: none; without variance.
    Errors: `support` if the support is not finite, or not known before the run.
    """

    bias: ClassVar[Bias] = Bias.exact
    axis: ClassVar[str] = "finite"
    through: ClassVar[str] = "weight"

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        return facts.infinite(box)

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        return Points(choice.support(), weights=choice.probabilities(), common=True)
