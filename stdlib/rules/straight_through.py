"""`by straight_through`: the value of a draw, the derivative of its mean."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from jax.lax import stop_gradient

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class StraightThrough:
    """The straight-through estimator: a discrete draw passes the derivative on to its mean.

    Use it for: networks of many coins, where a bias is bearable.   Rather not: anything else; `mvd` is unbiased.
    Points: K = 1, value stop(x) + m(θ) − stop(m(θ)) with m the mean; weight 1.
    Cost: one evaluation of everything downstream.   Bias: biased, unless what reads the value is affine in it.
    Errors: `rule` if the mean has no closed form; `smoothness` if what reads the value needs a whole number; `bias` without
    `allow biased`.
    Source: Bengio, Léonard and Courville (2013), Estimating or propagating gradients through stochastic neurons.
    """

    bias: ClassVar[Bias] = Bias.biased
    through: ClassVar[str] = "value"

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        distribution = box["distribution"]
        if distribution.kind != "int" or distribution.mean is None or distribution.rank:
            return facts.refuse(box, "rule", f"`straight_through` is for counts and coins whose mean is known, not for "
                                f"`{distribution.name}`", help=facts.admissible(box))
        return facts.relaxed(box, densities=False)

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        mean = choice.distribution.mean(*choice.parameters)
        return Points(stop_gradient(choice.sample(key, (1,))) + (mean - stop_gradient(mean)))
