"""`by quadrature(n)`: the nodes of Gauss in the place of draws."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax.numpy as jnp

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Quadrature:
    """Gaussian quadrature over the noise of a choice: Hermite, Legendre or Laguerre.

    Use it for: one or a few choices that a cost depends on smoothly.   Rather not: costs that jump, many choices.
    Points: K = n, T(θ, nodeₖ) with the derivative through the value; weights: those of the quadrature.
    Cost: n evaluations of everything downstream; without variance.   Bias: exact where all that reads the value is a
    polynomial in it of degree ≤ 2n − 1; else numerical, which has to be allowed.
    Errors: as `reparam`; `rule` if no quadrature is known for the noise; `bias` if numerical and not allowed.
    Source: Golub and Welsch (1969), Mathematics of Computation 23.
    """

    n: int
    bias: ClassVar[Bias] = Bias.numerical
    axis: ClassVar[str] = "finite"
    through: ClassVar[str] = "value"

    def __post_init__(self) -> None:
        if not isinstance(self.n, int) or not 1 <= self.n <= 128:
            raise ValueError(f"the number of nodes is an int from 1 to 128, and this is {self.n}")

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        return facts.no_path(box) or facts.no_law(box, "nodes", rank=False) or facts.jump(box)

    def verdict(self, box: Any, facts: Any) -> tuple[Bias, str]:
        degree = facts.degree(box)
        if degree is not None and degree <= 2 * self.n - 1:
            return Bias.exact, f"what reads it is a polynomial of degree {degree}, exact with {self.n} nodes"
        kind = "no polynomial" if degree is None else f"a polynomial of degree {degree}"
        return Bias.numerical, f"what reads it is {kind}: exact up to degree {2 * self.n - 1} only"

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        nodes, weights = choice.distribution.noise.law.nodes(self.n)
        ones = [1] * len(choice.batch)
        values = choice.push(jnp.asarray(nodes, choice.real).reshape(-1, *ones))
        return Points(values, weights=jnp.asarray(weights, choice.real).reshape(-1, *ones))
