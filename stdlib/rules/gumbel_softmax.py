"""`by gumbel_softmax(temperature)`: a relaxed coin in the place of a coin."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class GumbelSoftmax:
    """The concrete relaxation of a coin: σ((logit + logistic noise)/temperature), a number between 0 and 1.

    Use it for: networks of many coins, where a bias is bearable.   Rather not: anything else; `mvd` is unbiased.
    Points: K = 1, the relaxed value with its pathwise derivative; weight 1.
    Cost: one evaluation of everything downstream.   Bias: biased, in value and gradient, even where the value enters linearly.
    Errors: `rule` for another distribution than `bernoulli`; `smoothness` if something needs 0 or 1, a density too; `bias`
    without `allow biased`.
    Source: Jang, Gu and Poole (2017); Maddison, Mnih and Teh (2017), The concrete distribution.
    """

    temperature: float = 0.5
    bias: ClassVar[Bias] = Bias.biased
    through: ClassVar[str] = "value"

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        if box["distribution"].name != "bernoulli":
            return facts.refuse(box, "rule", f"`gumbel_softmax` relaxes coins, and `{box.output.name}` is drawn from "
                                f"`{box['distribution'].name}`", help=facts.admissible(box))
        return facts.relaxed(box, densities=True)

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        shape = (1, *(1 if s else n for n, s in zip(choice.batch, choice.shared)))
        value = jax.nn.sigmoid((choice.logit() + jax.random.logistic(key, shape, choice.real)) / self.temperature)
        return Points(jnp.broadcast_to(value, (value.shape[0], *choice.batch)))
