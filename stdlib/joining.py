"""What rules of junctions share: products over all parameters, an element at a time."""
from __future__ import annotations

from typing import Any

import jax
import jax.numpy as jnp


def inner(a: Any, b: Any) -> Any:
    """⟨aᵢ, bᵢ⟩ over all arrays of two pytrees: [n, …] and [n, …] (or [1, …]) to [n]."""
    parts = jax.tree.map(lambda x, y: jnp.sum((x * jnp.conj(y)).real, tuple(range(1, x.ndim))), a, b)
    return sum(jax.tree.leaves(parts))


def times(factor: Any, array: Any) -> Any:
    """Each element of an array [n, …] times its factor, [n]."""
    return factor.reshape(-1, *[1] * (array.ndim - 1)) * array
