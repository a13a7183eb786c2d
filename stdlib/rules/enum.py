"""`by enum`: all values of a finite choice, each with its probability."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Enum:
    """Exact summation over a finite support.

    Use it for: discrete choices with few values.   Rather not: many values that each cost much downstream (`reinforce`).
    Points: K = size of the support.  values: the support; weights: p(value; θ), taken from the probabilities themselves.
    size: the first so many values of an endless support 0, 1, 2, ….  What is cut off, P(x ≥ size), is at most E x/size.
    Cost: K evaluations of everything downstream; in a plate n·K, in a scan K² a step.   Bias: none; without variance.
    With `size`: numerical, which has to be allowed.
    Errors: `support` if the support is not finite, or not known before the run.
    """

    size: int | None = None
    bias: ClassVar[Bias] = Bias.exact
    axis: ClassVar[str] = "finite"
    through: ClassVar[str] = "weight"

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        if self.size is None:
            return facts.infinite(box)
        if not isinstance(self.size, int) or self.size < 1:
            return facts.refuse(box, "rule", f"`size` of `enum` is a positive int, and this is {self.size}")
        if box["distribution"].support.name != "natural" or box.get("onto") is not None:
            return facts.refuse(box, "rule", f"`size` of `enum` is for the values 0, 1, 2, … without end, and "
                                f"`{box['distribution'].name}` has others", help=facts.admissible(box))
        return None

    def verdict(self, box: Any, facts: Any) -> tuple[Bias, str]:
        if self.size is None:
            return Bias.exact, ""
        return Bias.numerical, f"the values 0 to {self.size - 1}; what is cut off has a mass of at most E x / {self.size}"

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        if self.size is not None:
            values = jnp.arange(self.size, dtype=jnp.int32)
            return Points(values, weights=jnp.exp(choice.log_prob(values.reshape(-1, *[1] * len(choice.batch)))), common=True)
        return Points(choice.support(), weights=choice.probabilities(), common=True)
