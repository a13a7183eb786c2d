"""`by mvd`: differentiate the measure, as a difference of two expectations."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp
from jax.lax import stop_gradient

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.first_order import refused, slope
from pullback.compiler.rule import Bias, Points, rule

COUPLINGS = ("antithetic", "independent", "same")


@rule
@dataclass(frozen=True, slots=True)
class Mvd:
    """Measure-valued derivatives: ∂p = c·(p⁺ − p⁻), estimated by c·(f(x⁺) − f(x⁻)).

    Use it for: costs that jump, supports that move, discrete choices that share their noise downstream.   Rather not: many
    choices before a costly objective (`reparam`, `reinforce`).
    Points: the draw x, and one or two perturbed values for each parameter that carries a derivative; the draw itself serves as
    p⁺ or p⁻ where it has that law.  All choices share one axis, perturbed one at a time: m parameters cost at most 1 + 2m
    evaluations; perturbed costs have no reverse pass.  Weights have value 0 and derivative ±c.
    Finite supports: one other value v, drawn evenly: (K − 1)·∂p(v)·(f(v) − f(x)).
    coupling, of a normal's loc: `antithetic` (least variance for monotone costs), `same` (for even ones), `independent`.
    In a loop whose steps depend on the choice every step is a choice of its own: short loops only.
    Bias: none, for value and gradient; a second derivative is an error.
    Errors: `rule` if a parameter that carries a derivative has no decomposition; `derivative`.
    Source: Pflug (1996), Optimization of stochastic models; Mohamed, Rosca, Figurnov and Mnih (2020), Monte Carlo gradient
    estimation in machine learning, JMLR 21.
    """

    coupling: str = "antithetic"
    bias: ClassVar[Bias] = Bias.none
    axis: ClassVar[str] = "perturbation"
    carried: ClassVar[bool] = False
    through: ClassVar[str] = "weight"

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        distribution = box["distribution"]
        if self.coupling not in COUPLINGS:
            return facts.refuse(box, "rule", f"`mvd` has the couplings {', '.join(f'`{c}`' for c in COUPLINGS)}, not `{self.coupling}`")
        missing = [name for name in facts.carries(box) if name not in distribution.measures]
        if missing and (distribution.finite is None or distribution.rank or box.get("onto") is not None):
            return facts.refuse(box, "rule", f"`mvd` knows no decomposition of `{distribution.name}` in `{missing[0]}`",
                                help=f"`stop(…)` around `{missing[0]}` if no derivative in it is meant, or another rule")
        return None

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        x = stop_gradient(choice.sample(key, (1,)))[0]
        values, weights = [], []
        known = [name for name in choice.carries if name in choice.distribution.measures]
        if len(known) < len(choice.carries):
            values, weights = self.another(jax.random.fold_in(key, 1), choice, x)
        else:
            for place, name in enumerate(known):
                found, slopes = choice.perturbed(name, x, *self.pair(jax.random.fold_in(key, place + 1), x))
                theta = choice.parameters[choice.place(name)]
                for e in range(found.shape[0]):
                    values.append(found[e])
                    weights.append(self.piece(choice, theta, slopes[e]))
        weights = [jnp.broadcast_to(w, x.shape) for w in weights]
        first = -sum(weights) if weights else jnp.zeros(x.shape)
        return Points(jnp.stack([x, *(jnp.broadcast_to(v, x.shape).astype(x.dtype) for v in values)]), weights=jnp.stack([first, *weights]))

    def pair(self, key: Any, x: Any) -> tuple[Any, Any]:
        """Two uniform variates for each element, coupled."""
        shape, dtype = x.shape, jnp.result_type(float)
        one, two = jax.random.split(key)
        tiny = jnp.finfo(dtype).tiny
        u = jax.random.uniform(one, shape, dtype, tiny, 1.0)
        match self.coupling:
            case "antithetic":
                return u, jnp.maximum(1 - u, tiny)
            case "same":
                return u, u
        return u, jax.random.uniform(two, shape, dtype, tiny, 1.0)

    def another(self, key: Any, choice: Any, x: Any) -> tuple[list, list]:
        """Another value of a finite support, drawn evenly."""
        support, probabilities = choice.support(), choice.probabilities()
        size = support.shape[0]
        if size == 1:
            return [], []
        step = 1 if size == 2 else jax.random.randint(key, x.shape, 1, size)
        place = (x - support[0] + step) % size
        chance = jnp.take_along_axis(jnp.broadcast_to(probabilities, (size, *x.shape)), place[None], 0)[0]
        return [support[place]], [self.piece(choice, chance, jnp.asarray(size - 1, chance.dtype))]

    def piece(self, choice: Any, theta: Any, factor: Any) -> Any:
        return slope(theta, factor, lambda: refused(self.name, choice.box))
