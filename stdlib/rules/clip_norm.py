"""`by clip_norm(c)`: no element of a junction moves the parameters by more than c."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import jax
import jax.numpy as jnp

from pullback.compiler.rule import Bias, rule
from pullback.stdlib.joining import inner, times


@rule
@dataclass(frozen=True, slots=True)
class ClipNorm:
    """Scale the derivative of each element, or term, down to norm c where it is longer; the norm is over all parameters.

    Use it for: `mean` over data with outliers, or a `combine` of which one term must not take over.
    Pullback: gᵢ ↦ gᵢ · min(1, c/‖gᵢ‖), then the sum; of a `mean` the elements' own derivatives are clipped, not their n-th part.
    Cost: the derivatives of all elements at once, n × the parameters.   Bias: biased, unless none is longer than c.
    Errors: `bias` without `allow biased`; `rule` where nothing that is differentiated is read.
    Source: Abadi et al. (2016), Deep learning with differential privacy (its first half).
    """

    c: float
    bias: ClassVar[Bias] = Bias.biased

    def __post_init__(self) -> None:
        if isinstance(self.c, bool) or not isinstance(self.c, (int, float)) or not self.c > 0:
            raise ValueError(f"the longest norm is a positive number, and this is {self.c}")

    def pull(self, key: Any, inputs: Any, output: Any, cotangent: Any, state: Any) -> tuple[Any, Any]:
        square = inner(cotangent, cotangent)
        norm = jnp.sqrt(jnp.where(square > 0, square, 1.0))
        factor = jnp.where(square > 0, jnp.minimum(1.0, self.c / norm), 1.0)
        return jax.tree.map(lambda g: times(factor, g), cotangent), state
