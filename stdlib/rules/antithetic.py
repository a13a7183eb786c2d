"""`by antithetic`: a draw and its mirror image."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Antithetic:
    """The pathwise estimator at a noise and its mirror image.

    Use it for: costs that are nearly linear in the choice; what is odd around its middle cancels.   Rather not: even costs.
    Points: K = 2, T(θ, ε) and T(θ, ε′), where ε′ = −ε for symmetric noise, else the noise at probability 1 − F(ε); weights ½.
    Cost: two evaluations of everything downstream, whose other noise is fresh.   Bias: none, for value and gradient.
    Errors: as `reparam`; `rule` if the mirror image of the noise is not known.
    Source: Hammersley and Morton (1956), A new Monte Carlo technique: antithetic variates.
    """

    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "value"

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        return facts.no_path(box) or facts.no_law(box, "mirror") or facts.jump(box)

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        noise = choice.noise(key, (1,))
        return Points(choice.push(jnp.concatenate([noise, choice.distribution.noise.law.mirror(noise)])))
