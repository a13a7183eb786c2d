"""`by disarm`: two antithetic coins whose difference is the derivative."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.first_order import refused, slope
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Disarm:
    """DisARM, or U2G: a coin and its antithetic twin; where they differ, so do their costs.

    Use it for: layers of many coins before one costly objective.   Rather not: few coins (`enum`).
    Points: K = 2, b = 1{u > 1 − p} and b′ = 1{u < p}; log weights ±g·(t − stop t) − log 2 with t the logit and
    g = (−1)^b′·1{b ≠ b′}·σ(|t|), so that the derivative is ½(f(b) − f(b′))·g.
    Cost: two evaluations of everything downstream.   Bias: none, for value and gradient; a second derivative is an error.
    Errors: `rule` for another distribution than `bernoulli`; `cost` in a loop whose steps depend on the choice; `derivative`.
    Source: Dong, Mnih and Tucker (2020), DisARM; Yin, Ho, Yan, Qian and Zhou (2020), Probabilistic best subset selection
    (U2G).
    """

    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "weight"
    carried: ClassVar[bool] = False

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        if box["distribution"].name != "bernoulli":
            return facts.refuse(box, "rule", f"`disarm` is for coins, and `{box.output.name}` is drawn from "
                                f"`{box['distribution'].name}`", help=facts.admissible(box))
        return None

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        t = choice.logit()
        shape = tuple(1 if s else n for n, s in zip(choice.batch, choice.shared))
        u = jax.random.uniform(key, shape, choice.real)
        p = stop_gradient(jax.nn.sigmoid(t))
        one, two = jnp.broadcast_to(u > 1 - p, choice.batch), jnp.broadcast_to(u < p, choice.batch)
        factor = jnp.where(one == two, 0.0, jnp.where(two, -1.0, 1.0) * jax.nn.sigmoid(jnp.abs(t)))
        piece = slope(jnp.broadcast_to(t, choice.batch), factor, lambda: refused(self.name, choice.box))
        return Points(jnp.stack([one, two]).astype(jnp.int32), log_weights=jnp.stack([piece, -piece]) - jnp.log(2.0))
