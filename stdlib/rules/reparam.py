"""`by reparam`: differentiate through the value."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Reparam:
    """The pathwise estimator: x = T(θ, ε), and the derivative flows through the value.

    Use it for: continuous choices whose readers are continuous: usually the least variance.   Rather not: anything that jumps.
    Points: K = 1, weight 1.   Where the distribution has no T (gamma, beta, …) the derivative is implicit,
    dx/dθ = −(∂F/∂θ) / p(x).
    Cost: one evaluation of everything downstream.   Bias: none, for value and gradient, where it is admitted.
    Errors: `smoothness` if the choice is discrete, or something downstream jumps in its value.
    Source: Kingma and Welling (2014), Auto-encoding variational Bayes; Figurnov et al. (2018), Implicit reparameterization
    gradients.
    """

    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "value"
    plain: ClassVar[bool] = True

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        return facts.no_path(box) or facts.jump(box)

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        return Points(choice.sample(key, (1,)))
