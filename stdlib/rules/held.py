"""`by held`: a draw that passes no derivative on."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from jax.lax import stop_gradient

from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Held:
    """A draw without a derivative: neither its value nor its law is differentiated.

    Use it for: samples of a policy or a guide that is not what is optimized (wake-sleep).   Rather not: an objective whose
    draws its parameters decide.
    Points: K = 1, stop(x), weight 1.
    Cost: one evaluation of everything downstream.   Bias: none where no parameter of the choice carries a derivative; else
    biased, which has to be allowed.
    Source: Bornschein and Bengio (2015), Reweighted wake-sleep.
    """

    bias: ClassVar[Bias] = Bias.biased
    through: ClassVar[str] = "weight"

    def verdict(self, box: Any, facts: Any) -> tuple[Bias, str]:
        carried = facts.carries(box)
        if not carried:
            return Bias.none, "no parameter carries a derivative"
        return Bias.biased, f"the derivative through `{carried[0]}` is left out"

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        return Points(stop_gradient(choice.sample(key, (1,))))
