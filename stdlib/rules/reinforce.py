"""`by reinforce`: differentiate the density, not the value."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
from jax.lax import stop_gradient

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Computed, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Reinforce:
    """The score-function estimator: differentiate the density, not the value.

    Use it for: discrete choices, and costs that jump.   Rather not: long smooth chains (`reparam`).
    Points: K = k.  values [k, …] held constant; weights exp(log p − stop(log p)) / k.
    baseline: `loo` subtracts from each cost the mean of the others': over the k samples, or over the particles where k is 1;
    a value of the run, `baseline = b`, is subtracted from the costs that depend on the choice (in the objective that makes it);
    it stands above the choice, so it knows nothing of it; `none` subtracts nothing.  As w̃ₖ = wₖ − mean of the others' (wⱼ − 1) it touches weights only and leaves value, gradient
    and second derivatives unbiased.
    Cost: k evaluations of everything downstream.   Bias: none, for value and gradient.
    Errors: `support` if the support moves with a parameter; `density` if the choice has no log density.
    Source: Williams (1992), Machine Learning 8; Kool, van Hoof and Welling (2019), Buy 4 REINFORCE samples, get a baseline
    for free.
    """

    k: int = 1
    baseline: str = "none"
    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "weight"
    computed: ClassVar[tuple[str, ...]] = ("baseline",)

    @property
    def center(self) -> str | None:
        return None if self.baseline == "none" or isinstance(self.baseline, Computed) else "k" if self.k > 1 else "particles"

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        if self.baseline not in ("none", "loo") and not isinstance(self.baseline, Computed):
            return facts.refuse(box, "rule", f"`reinforce` has the baselines `loo` and `none`, not `{self.baseline}`",
                                help="or a value that stands above the choice, where the rule stands at the choice itself")
        if not isinstance(self.k, int) or self.k < 1:
            return facts.refuse(box, "rule", f"`reinforce` draws k samples, and k is {self.k}")
        if self.center == "particles" and facts.particles < 2:
            return facts.refuse(box, "rule", "`baseline = loo` needs at least two samples to compare",
                                help="`k = 2` or more, or run with `particles 2` or more")
        return facts.moves(box)

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        values = stop_gradient(choice.sample(key, (self.k,)))
        return Points(values, log_weights=self.log_weights(choice, values))

    def log_weights(self, choice: Any, values: Any) -> Any:
        score = choice.log_prob(values)
        return score - stop_gradient(score) - jnp.log(self.k)
