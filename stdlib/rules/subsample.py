"""`by subsample(b)`: b rows of a loop in the place of all n."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from pullback.compiler.rule import Bias, rule


@rule
@dataclass(frozen=True, slots=True)
class Subsample:
    """Minibatches: an unbiased estimate of a sum over n rows from b of them, drawn without replacement.

    Use it for: sums and means over data.   Rather not: a plate that something non-linear reads as a whole.
    Points: b rows of the index, weights n/b (for a mean 1/b); all particles, and all loops set by one `with {i: …}`, share
    a draw.   b ≥ n takes every row.
    Cost: b evaluations of the body.   Bias: none, for value and gradient.
    Errors: `bias` if a non-linear function reads the loop's array.
    Source: Bentley and Floyd (1987), A sample of brilliance (the draw).
    """

    size: int
    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "index"

    def __post_init__(self) -> None:
        if isinstance(self.size, bool | float | str) or isinstance(self.size, int) and self.size < 1:
            raise ValueError(f"the number of rows is a positive int, and this is {self.size}")

    def rows(self, total: Any) -> Any:
        """How many rows are drawn out of `total`."""
        return min(self.size, total) if isinstance(total, int) else self.size

    def draw(self, key: Any, total: int) -> Any:
        """The rows drawn: ints [rows] in 0..total, without repetition.

        Few of many rows are drawn by Floyd's algorithm (row² comparisons), else by a permutation (a sort of all)."""
        count = self.rows(total)
        if count == total:
            return jnp.arange(total, dtype=jnp.int32)
        if count > 16 * total ** 0.5:
            return jax.random.permutation(key, total)[:count].astype(jnp.int32)
        last = jnp.arange(total - count, total, dtype=jnp.int32)
        tried = jax.random.randint(key, (count,), 0, last + 1)

        def add(place: Any, found: Any) -> Any:
            again = jnp.any(found == tried[place])
            return found.at[place].set(jnp.where(again, last[place], tried[place]))
        return jax.lax.fori_loop(0, count, add, jnp.full(count, -1, jnp.int32))
