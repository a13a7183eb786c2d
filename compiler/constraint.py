"""Constrained sets and their bijections from the unconstrained space: NumPyro's, by the names of the types.

A fit optimizes in ℝⁿ, a density `onto` a type is pushed through the same map.  A type without a constraint is its own
unconstrained space.

>>> from pullback.compiler.type import Array, Constraint
>>> free, back = unconstrained_shape(Array("real", (3, 3), Constraint("cholesky"))), bijection(Constraint("positive"))
>>> free
(6,)
>>> float(back(0.0))
1.0
"""
from __future__ import annotations

from typing import Any, Callable

from pullback.compiler.type import Array, Constraint

# What a type's name is among NumPyro's constraints; a second entry: its arguments are the type's.
NAMES = {
    "positive": "positive", "nonnegative": "softplus_positive", "unit": "unit_interval", "interval": "interval",
    "greater_than": "greater_than", "less_than": "less_than", "simplex": "simplex", "ordered": "ordered_vector",
    "positive_ordered": "positive_ordered_vector", "cholesky": "lower_cholesky", "sphere": None,
    "softplus_lower_cholesky": "softplus_lower_cholesky", "corr_cholesky": "corr_cholesky",
    "positive_definite": "positive_definite", "corr_matrix": "corr_matrix", "zero_sum": "zero_sum",
    "circular": "circular", "l1_ball": "l1_ball", "real": "real"}
WITH_ARGUMENTS = {"interval", "greater_than", "less_than"}
WITH_RANK = {"zero_sum"}


def constraint(named: Constraint) -> Any:
    """NumPyro's constraint for a type's; a `KeyError` if there is no bijection for it."""
    from numpyro.distributions import constraints
    name = NAMES[named.name]
    if name is None:
        raise KeyError(named.name)
    found = getattr(constraints, name)
    if named.name in WITH_ARGUMENTS:
        return found(*named.arguments)
    return found(1) if named.name in WITH_RANK else found


def bijection(named: Constraint | None) -> Callable[..., Any]:
    """The map from the unconstrained space onto the set, with `inv`, `log_abs_det_jacobian` and `inverse_shape`."""
    from numpyro.distributions import biject_to, constraints
    if named is not None and named.name == "blocks":
        return Blocks(named.arguments)
    return biject_to(constraints.real if named is None else constraint(named))


class Blocks:
    """A vector of which each stretch has a bijection of its own: `blocks(onto(real), 2, onto(positive), 1)`.

    The stretches keep their lengths, so they are of elementwise constraints (or `ordered`).
    """

    def __init__(self, arguments: tuple):
        self.parts, at = [], 0
        for named, size in zip(arguments[::2], arguments[1::2]):
            self.parts.append((bijection(named), at, at + size))
            at += size

    def __call__(self, x: Any) -> Any:
        return self.each(lambda part, piece: part(piece), x)

    def inv(self, y: Any) -> Any:
        return self.each(lambda part, piece: part.inv(piece), y)

    def log_abs_det_jacobian(self, x: Any, y: Any) -> Any:
        total = 0.0
        for part, low, high in self.parts:
            found = part.log_abs_det_jacobian(x[..., low:high], y[..., low:high])
            total = total + (found.sum(-1) if found.ndim == x.ndim else found)
        return total

    def each(self, apply: Callable[..., Any], x: Any) -> Any:
        import jax.numpy as jnp
        return jnp.concatenate([apply(part, x[..., low:high]) for part, low, high in self.parts], -1)

    def forward_shape(self, shape: tuple) -> tuple:
        return shape

    def inverse_shape(self, shape: tuple) -> tuple:
        return shape


def unconstrained_shape(type: Array) -> tuple:
    """The shape of the unconstrained array behind a value of a type."""
    return tuple(bijection(type.constraint).inverse_shape(type.shape))
