"""`by importance(q, k)`: draw from another distribution, and weigh."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp
from jax.lax import stop_gradient

from pullback.compiler.analyses.ranges import contained, region, values
from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Importance:
    """Importance sampling: k draws of a proposal q, weighed by p/q.

    Use it for: rare events, and choices that must keep off a region.   Rather not: proposals with lighter tails than p.
    Points: K = k, values z of q held constant; weights p(z; θ)/q(z)/k.   q: a distribution of known parameters,
    `importance(normal(0, 3), k = 5)`; it changes the variance and nothing else.
    Cost: k evaluations of everything downstream.   Bias: none, for value, gradient and second derivatives.
    Errors: `support` if p has mass where q has none, or if the support of p moves with a parameter.
    Source: Kahn and Marshall (1953), Methods of reducing sample size in Monte Carlo computations.
    """

    q: Any
    k: int = 1
    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "weight"
    proposals: ClassVar[tuple[str, ...]] = ("q",)

    def __post_init__(self) -> None:
        if not hasattr(self.q, "record"):
            raise ValueError("the proposal is a distribution of known parameters, as in `importance(normal(0, 3), k = 5)`")
        if not isinstance(self.k, int) or self.k < 1:
            raise ValueError(f"the number of draws is a positive int, and this is {self.k}")

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        own, other = box["distribution"], self.q.record
        if own.kind != other.kind or own.rank or other.rank:
            return facts.refuse(box, "rule", f"`{box.output.name}` can't be proposed by `{other.name}`: `{own.name}` draws "
                                f"{'ints' if own.kind == 'int' else 'reals'}")
        has, wide = values(box), self.q.region(region)
        if contained(has, wide) is False:
            return facts.refuse(box, "support", f"`{box.output.name}` has mass on {has}, and its proposal draws from {wide} only",
                                help="a proposal must reach all that the choice can")
        return facts.moves(box)

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        q, shape = self.q.record, (self.k, *choice.batch)
        drawn = stop_gradient(q.sample(key, tuple(1 if s else n for n, s in zip(shape, (False, *choice.shared))), *self.q.parameters))
        drawn = jnp.broadcast_to(drawn, shape)
        ratio = choice.log_prob(drawn) - q.log_prob(drawn, *self.q.parameters)
        return Points(drawn, log_weights=ratio - jnp.log(self.k))
