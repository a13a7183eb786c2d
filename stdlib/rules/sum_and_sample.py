"""`by sum_and_sample(k)`: the likeliest values exactly, one of the others by its score."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class SumAndSample:
    """Rao-Blackwellized scores: the k − 1 likeliest values are summed, one of the rest is drawn.

    Use it for: finite choices of many values, few of which are likely.   Rather not: flat laws.
    Points: K = k.  The k − 1 likeliest values S, weights p(v; θ); one r ∉ S drawn by p, weight
    (1 − P(S))·exp(log p(r; θ) − stop(·)).
    Cost: k evaluations of everything downstream.   Bias: none, for value, gradient and second derivatives.
    Errors: `support` if the support is not finite; `support` in a loop that something reads as a whole.
    Source: Liang, Norouzi, Berant, Le and Lao (2018), Memory augmented policy optimization; Liu, Regier, Tripuraneni, Jordan
    and McAuliffe (2019), Rao-Blackwellized stochastic gradients for discrete distributions.
    """

    k: int
    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "weight"

    def __post_init__(self) -> None:
        if not isinstance(self.k, int) or self.k < 2:
            raise ValueError(f"the number of points is an int of at least 2, and this is {self.k}")

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        if box["distribution"].rank:
            return facts.refuse(box, "rule", f"`sum_and_sample` is not known for `{box['distribution'].name}`")
        return facts.infinite(box)

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        support, chance = choice.support(), choice.probabilities()
        size = support.shape[0]
        chance = jnp.moveaxis(jnp.broadcast_to(chance, (size, *choice.batch)), 0, -1)
        top = min(self.k - 1, size)
        _, place = jax.lax.top_k(stop_gradient(chance), top)
        weights = jnp.take_along_axis(chance, place, -1)
        if top < size:
            left = jnp.where(jax.nn.one_hot(place, size, dtype=bool).any(-2), 0.0, stop_gradient(chance))
            other = jax.random.categorical(key, jnp.log(left), -1)[..., None]
            p = jnp.take_along_axis(chance, other, -1)
            safe = jnp.where(stop_gradient(p) > 0, p, 1.0)
            weights = jnp.concatenate([weights, left.sum(-1, keepdims=True) * safe / stop_gradient(safe)], -1)
            place = jnp.concatenate([place, other], -1)
        return Points(support[jnp.moveaxis(place, -1, 0)], weights=jnp.moveaxis(weights, -1, 0))
