"""`by orthogonal`: terms that may not work against the first."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from pullback.compiler.rule import Bias, rule
from pullback.stdlib.joining import inner, times


@rule
@dataclass(frozen=True, slots=True)
class Orthogonal:
    """Take from the derivative of every other term its part along that of one, by default the first.

    onto: the name of that term, or its place, counted from 0.
    Use it for: side objectives that help a main one, of which to first order they then change nothing.
    Pullback: g₁ stays; gⱼ ↦ gⱼ − (⟨gⱼ, g₁⟩ / ⟨g₁, g₁⟩) g₁ over all parameters together; where g₁ = 0 all stay.
    Cost: a pass backwards for each term.   Bias: biased, it is not the derivative of the sum.
    Errors: `bias` without `allow biased`; `rule` where terms share a draw whose parameters are differentiated.
    Source: Mao et al. (2024), ODICE: Revealing the mystery of distribution correction estimation via orthogonal-gradient update.
    """

    onto: str | int = 0
    bias: ClassVar[Bias] = Bias.biased

    def among(self, terms: tuple[str, ...]) -> Any:
        if isinstance(self.onto, str) and self.onto not in terms:
            raise ValueError(f"there is no term `{self.onto}`")
        place = terms.index(self.onto) if isinstance(self.onto, str) else self.onto
        if not 0 <= place < len(terms):
            raise ValueError(f"`onto` is a term, and there is no {place} among {len(terms)} that are counted from 0")
        return replace(self, onto=place)

    def pull(self, key: Any, inputs: Any, output: Any, cotangent: Any, state: Any) -> tuple[Any, Any]:
        main = jax.tree.map(lambda g: g[self.onto:self.onto + 1], cotangent)
        size, along = inner(main, main), inner(cotangent, main)
        share = jnp.where(size > 0, along / jnp.where(size > 0, size, 1.0), 0.0).at[self.onto].set(0.0)
        return jax.tree.map(lambda g, first: g - times(share, jnp.broadcast_to(first, g.shape)), cotangent, main), state
