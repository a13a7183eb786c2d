"""`by subsample(b)`: b rows of a loop in the place of all n."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax

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
    """

    size: int
    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "index"

    def rows(self, total: Any) -> Any:
        """How many rows are drawn out of `total`."""
        return min(self.size, total) if isinstance(total, int) else self.size

    def draw(self, key: Any, total: int) -> Any:
        """The rows drawn: ints [rows] in 0..total, without repetition."""
        return jax.random.choice(key, total, (self.rows(total),), replace=False)
