"""Contraction: Σ over axes of costs times weights, as one einsum over an optimized path; and its logarithm.

linear:  Σ over plates and finite axes, mean over points and particles, of cost · Π weights
log:     sites are eliminated one by one, those in the deepest plates first:
             new factor = log Σ over the site's axis of exp(Σ factors that have the axis)
         and what is left is summed over its plates (a product of independent elements)
Leave-one-out is a linear map of the weights: w̃ₖ = wₖ − mean over j ≠ k of (wⱼ − 1).
"""
from __future__ import annotations

from typing import Any, Sequence

import jax
import jax.numpy as jnp

from pullback.compiler.einsum import einsum as contraction_of
from pullback.compiler.ir import Axis, Box, canonical

Factor = tuple[Any, tuple[Axis, ...]]


def along(factor: Factor, axes: Sequence[Axis]) -> Any:
    """The array with size 1 along the axes that it lacks."""
    array, have = factor
    sizes = dict(zip(have, array.shape))
    return array.reshape(tuple(sizes.get(axis, 1) for axis in axes))


def added(factors: Sequence[Factor]) -> Factor:
    """The sum of factors, over all their axes."""
    axes = canonical(axis for _, have in factors for axis in have)
    total = along(factors[0], axes)
    for factor in factors[1:]:
        total = total + along(factor, axes)
    return jnp.broadcast_to(total, tuple(axis.size for axis in axes)), axes


def reduced(factor: Factor, axes, function) -> Factor:
    """The factor reduced over those of its axes that are in `axes`."""
    array, have = factor
    places = tuple(i for i, axis in enumerate(have) if axis in axes)
    return (function(array, axis=places), tuple(a for a in have if a not in axes)) if places else factor


def centered(weight: Factor, axis: Axis) -> Factor:
    """w̃ₖ = wₖ − mean of the others' (wⱼ − 1)."""
    array, have = weight
    if axis not in have or axis.size < 2:
        return weight
    place = have.index(axis)
    others = (array.sum(place, keepdims=True) - array) / (axis.size - 1)
    return array - (others - 1), have


def einsum(factors: Sequence[Factor], keep: Sequence[Axis]) -> Any:
    """Σ over all axes but `keep` of the product of the factors."""
    if len(factors) > 1:
        return contraction_of(factors, keep)
    array, have = factors[0]
    array = array.sum(tuple(i for i, axis in enumerate(have) if axis not in keep))
    left = [axis for axis in have if axis in keep]
    return jnp.transpose(array, [left.index(axis) for axis in keep])


def contract(box: Box, arrays: list[Factor]) -> Any:
    """A group of terms times the weights of its ancestors."""
    cost, *weights = arrays
    factors: list[Factor] = []
    logs: dict[str | None, list[Factor]] = {}
    pieces: dict[Axis, list[Factor]] = {}
    for weight, kind, mixed in zip(weights, box["weights"], box["mixed"]):
        shared = next((axis for axis in kind.axes if axis.kind == "perturbation"), None)
        if shared is not None:
            pieces.setdefault(shared, []).append(weight)
        elif kind.log:
            weight = reduced(weight, mixed, jnp.sum)
            if kind.center == "k":
                own = next((a for a in kind.axes if a.kind == "points"), None)
                weight = jnp.exp(weight[0]), weight[1]
                factors.append(centered(weight, own) if own is not None else weight)
            else:
                logs.setdefault(kind.center, []).append(weight)
        else:
            weight = reduced(weight, mixed, jnp.prod)
            cost = shielded(cost, weight)
            factors.append(weight)
    for center, group in logs.items():
        array, axes = added(group)
        weight = jnp.exp(array), axes
        if center == "particles":
            particles = next((a for a in axes if a.kind == "particles"), None)
            weight = centered(weight, particles) if particles is not None else weight
        factors.append(weight)
    for axis, group in pieces.items():
        weight = at_first(added(group), axis)
        cost = shielded(cost, weight)
        factors.append(weight)
    total = einsum([cost, *factors], box["keep"])
    count = 1
    for axis in box["mean"]:
        count *= axis.size
    return total / count if count > 1 else total


def at_first(pieces: Factor, axis: Axis) -> Factor:
    """The weight on a perturbation axis: 1 at slot 0, plus the pieces of the sites."""
    array, have = pieces
    first = jnp.zeros(axis.size, array.dtype).at[0].set(1.0)
    return array + along((first, (axis,)), have), have


def shielded(cost: Factor, weight: Factor) -> Factor:
    """The cost with 0 where the weight is 0 and the cost infinite: 0 · log 0 is 0."""
    array, axes = cost
    zero = along(reduced((weight[0] != 0, weight[1]), set(weight[1]) - set(axes), jnp.any), axes) == 0
    return jnp.where(zero & ~jnp.isfinite(array), 0.0, array), axes


def forward(box: Box, arrays: list[Factor]) -> Any:
    """One step of forward filtering."""
    rename = dict(box["relabel"])
    target = box.output.axes
    if box["semiring"] == "log":
        total = eliminated(list(arrays), box["sites"], set(box["plates"]), set(box["summed"]))
        array, axes = total
    else:
        factors = [(jnp.exp(a) if log else a, axes) for (a, axes), log in zip(arrays, box["logs"])]
        axes = canonical(a for _, have in factors for a in have if a not in box["summed"])
        array = einsum(factors, axes)
    axes = tuple(rename.get(axis, axis) for axis in axes)
    return jnp.broadcast_to(jnp.transpose(array, [axes.index(axis) for axis in target]), tuple(a.size for a in target))


def log_contract(box: Box, arrays: list[Factor]) -> Any:
    """log Σ over the sites of the product of all factors."""
    array, axes = eliminated(list(arrays), box["sites"], set(box["plates"]), None)
    keep = box["keep"]
    array = along((array, axes), keep)
    return jnp.broadcast_to(array, tuple(axis.size for axis in keep))


def eliminated(factors: list[Factor], sites, plates: set[Axis], only: set[Axis] | None) -> Factor:
    """All sites summed out (or only the axes in `only`), inner plates multiplied out."""
    for axes, around in sorted(sites, key=lambda site: -len(site[1])):
        for axis in axes:
            if only is not None and axis not in only:
                continue
            mine = [reduced(f, plates - set(around), jnp.sum) for f in factors if axis in f[1]]
            if not mine:
                continue
            factors = [f for f in factors if axis not in f[1]]
            factors.append(log_sum(mine, axis))
    if not factors:
        return jnp.zeros(()), ()
    return added([reduced(f, plates, jnp.sum) for f in factors])


def log_sum(factors: list[Factor], axis: Axis) -> Factor:
    """log Σ over the axis of exp(sum of the factors).

    Two factors of different axes (a weight and a transition) are a matrix product of their exponentials, each shifted by its
    own maximum: log Σ = log(Σ e^(f−max f)·e^(g−max g)) + max f + max g.  Where the maxima stand so far apart that the product
    underflows, the plain sum is taken.
    """
    if len(factors) == 2 and len({have for _, have in factors}) == 2:
        return matrix_log_sum(factors, axis)
    array, axes = added(factors)
    place = axes.index(axis)
    top = finite(jax.lax.stop_gradient(array.max(place, keepdims=True)))
    summed = jnp.exp(array - top).sum(place)
    return log_or_zero(summed) + jnp.squeeze(top, place), tuple(a for a in axes if a != axis)


def matrix_log_sum(factors: list[Factor], axis: Axis) -> Factor:
    axes = canonical(a for _, have in factors for a in have if a != axis)
    shifted, tops = [], []
    for array, have in factors:
        place = have.index(axis)
        top = finite(jax.lax.stop_gradient(array.max(place, keepdims=True)))
        shifted.append((jnp.exp(array - top), have))
        tops.append((jnp.squeeze(top, place), tuple(a for a in have if a != axis)))
    top = sum(along(t, axes) for t in tops)
    summed = einsum(shifted, axes)

    def fast() -> Any:
        return log_or_zero(summed) + top

    def plain() -> Any:
        array, have = added(factors)
        place = have.index(axis)
        top = finite(jax.lax.stop_gradient(array.max(place, keepdims=True)))
        return log_or_zero(jnp.exp(array - top).sum(place)) + jnp.squeeze(top, place)
    return jax.lax.cond(jnp.any(summed < 1e-25), plain, fast), axes


def finite(top: Any) -> Any:
    return jnp.where(jnp.isfinite(top), top, 0.0)


def log_or_zero(summed: Any) -> Any:
    """log, −inf with derivative 0 at 0."""
    return jnp.where(summed > 0, jnp.log(jnp.where(summed > 0, summed, 1.0)), -jnp.inf)
