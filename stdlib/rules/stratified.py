"""`by stratified(k)`: one draw out of each of k equal parts of the law."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Stratified:
    """The pathwise estimator over k strata of the noise, of probability 1/k each.

    Use it for: one or two choices that a cost varies with smoothly.   Rather not: many choices, whose strata do not meet.
    Points: K = k, T(θ, F⁻¹((π(i) + u)/k)) with u uniform and π a random order, drawn anew for every element of a loop (a
    Latin hypercube); weights 1/k.
    Cost: k evaluations of everything downstream.   Bias: none, for value and gradient.
    Errors: as `reparam`; `rule` if the quantiles of the noise are not known.
    Source: McKay, Beckman and Conover (1979), Technometrics 21.
    """

    k: int
    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "value"

    def __post_init__(self) -> None:
        if not isinstance(self.k, int) or self.k < 1:
            raise ValueError(f"the number of strata is a positive int, and this is {self.k}")

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        return facts.no_path(box) or facts.no_law(box, "quantile") or facts.jump(box)

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        one, two = jax.random.split(key)
        shape = jax.eval_shape(lambda: choice.noise(key, (self.k,))).shape
        order = jnp.broadcast_to(jnp.arange(self.k).reshape(-1, *[1] * (len(shape) - 1)), shape)
        order = jax.random.permutation(one, order, axis=0, independent=True)
        within = jax.random.uniform(two, shape, choice.real)
        u = jnp.clip((order + within) / self.k, jnp.finfo(choice.real).tiny, 1 - jnp.finfo(choice.real).epsneg)
        return Points(choice.push(choice.distribution.noise.law.quantile(u)))
