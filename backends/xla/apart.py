"""A box that reads copies: its value from what was copied, once; the derivatives of the copies one by one.

A batch of equal matrices is never there, as in `vmap(grad(…), in_axes = None)`: x[i] @ w'[i] is x @ w, and only the derivatives are
outer products, one an element.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable, Mapping, Sequence

import jax
import jax.numpy as jnp

from pullback.compiler.ir import Axis, Box, Wire, canonical

Whole = Mapping[str, tuple[Any, tuple[Axis, ...]]]  # what a wire is a copy of, and the axes of that


def fits(box: Box, whole: Whole) -> bool:
    """Does a box read copies, and have the axes of its outputs without them?"""
    if box.op.kind != "pure" or box.op.elementwise or not any(wire.name in whole for wire in box.inputs):
        return False
    left = canonical([*box.get("axes", ()), *(axis for wire in box.inputs for axis in axes_of(wire, whole))])
    return all(wire.axes == left for wire in box.outputs)


def axes_of(wire: Wire, whole: Whole) -> tuple[Axis, ...]:
    return whole[wire.name][1] if wire.name in whole else wire.axes


def without(box: Box, axes: Sequence[Axis]) -> Box:
    """The box for one element of these axes."""
    def less(wires: tuple[Wire, ...]) -> tuple[Wire, ...]:
        return tuple(replace(wire, axes=tuple(axis for axis in wire.axes if axis not in axes)) for wire in wires)
    return box.but(inputs=less(box.inputs), outputs=less(box.outputs))


def apart(box: Box, arrays: Sequence[Any], whole: Whole, meaning: Callable[[Box, Sequence[Any]], tuple[Any, ...]]) -> tuple[Any, ...]:
    """The outputs of the box, of arrays [*axes, …] (pytrees) of its inputs.   meaning: (box, arrays) ↦ outputs."""
    given = [whole[wire.name][0] if wire.name in whole else array for wire, array in zip(box.inputs, arrays)]
    once = box.but(inputs=tuple(replace(wire, axes=axes_of(wire, whole)) for wire in box.inputs))
    leaves, structure = jax.tree.flatten(given)
    owner = [box.inputs[place] for place, one in enumerate(given) for _ in jax.tree.leaves(one)]
    real = [at for at, leaf in enumerate(leaves) if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)]
    copies = [at for at in real if owner[at].name in whole]
    every = jax.tree.leaves(list(arrays))
    over = canonical(axis for wire in box.inputs if wire.name in whole for axis in wire.axes if axis not in whole[wire.name][1])
    alone = without(once, over)

    @jax.custom_vjp
    def value(wide: list[Any], leaves: list[Any]) -> tuple[Any, ...]:
        return meaning(once, jax.tree.unflatten(structure, leaves))

    def ahead(wide: list[Any], leaves: list[Any]) -> tuple[Any, Any]:
        return value(wide, leaves), leaves

    def pull(leaves: list[Any], cotangents: tuple[Any, ...]) -> list[Any]:
        def of(reals: list[Any]) -> tuple[Any, ...]:
            now = list(leaves)
            for at, leaf in zip(real, reals):
                now[at] = leaf
            return meaning(alone, jax.tree.unflatten(structure, now))
        return jax.vjp(of, [leaves[at] for at in real])[1](cotangents)[0]

    def back(leaves: list[Any], cotangents: tuple[Any, ...]) -> tuple[Any, Any]:
        found = mapped(pull, 0)(leaves, cotangents)
        by = dict(zip(real, found))
        return [by[at] for at in copies], [None if at in copies else by.get(at) for at in range(len(leaves))]

    def mapped(pull: Callable, level: int) -> Callable:
        """`pull` over the axes from `level` on, outermost first."""
        if level == len(over):
            return pull
        axis, gone = over[level], over[:level]

        def place(axes: tuple[Axis, ...]) -> int | None:
            axes = tuple(one for one in axes if one not in gone)
            return axes.index(axis) if axis in axes else None
        into = [place(axes_of(wire, whole)) for wire in owner]
        out = [place(owner[at].axes) for at in real]
        inner = jax.vmap(mapped(pull, level + 1), in_axes=(into, tuple(place(wire.axes) for wire in box.outputs)),
                         out_axes=[0 if one is None else one for one in out])

        def summed(leaves: list[Any], cotangents: tuple[Any, ...]) -> list[Any]:
            found = inner(leaves, cotangents)
            return [jnp.sum(array, 0) if one is None else array for array, one in zip(found, out)]
        return summed
    value.defvjp(ahead, back)
    return value([every[at] for at in copies], leaves)
