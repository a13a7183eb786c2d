"""The copies of parameters that meet at a junction: the identity, whose derivative a rule joins."""
from __future__ import annotations

from typing import Any, Callable

import jax
import jax.numpy as jnp
import numpy as np

from pullback.compiler.ir import Axis, Box


def copies(box: Box, parameters: tuple[Any, ...], key: Any, share: float) -> tuple[Any, ...]:
    """For each place the parameters, [*axes, …] with the axes of the box.

    parameters: a pytree for each input of the box, [*its axes, …].   share: the weight with which the junction adds an element;
    rules see the derivatives of elements, without it.
    """
    leaves, structure = jax.tree.flatten(parameters)
    owners = [place for place, one in enumerate(parameters) for _ in jax.tree.leaves(one)]
    real = [at for at, leaf in enumerate(leaves) if jnp.issubdtype(jnp.result_type(leaf), jnp.inexact)]
    axes, have = box.outputs[0].axes, [box.inputs[owners[at]].axes for at in range(len(leaves))]
    count = len(box.outputs) // len(box.inputs)

    def wide(at: int, leaf: Any) -> Any:
        leaf = jnp.asarray(leaf)
        own = leaf.shape[len(have[at]):]
        sizes = dict(zip(have[at], leaf.shape))
        return jnp.broadcast_to(leaf.reshape(*(sizes.get(axis, 1) for axis in axes), *own), (*(axis.size for axis in axes), *own))

    def named(arrays: list[Any]) -> dict[str, Any]:
        """Arrays of the real leaves as a mapping from the parameters' names; None stands for the other leaves."""
        every: list[Any] = [None] * len(leaves)
        for at, array in zip(real, arrays):
            every[at] = array
        return dict(zip(box["names"], jax.tree.unflatten(structure, every)))

    @jax.custom_vjp
    def spread(key: Any, given: list[Any]) -> list[list[Any]]:
        return [[wide(at, leaf) for at, leaf in zip(real, given)] for _ in range(count)]

    def ahead(key: Any, given: list[Any]) -> tuple[Any, Any]:
        return spread(key, given), (key, given)

    def back(saved: Any, cotangents: list[list[Any]]) -> tuple[Any, Any]:
        key, given = saved
        stacks = [stacked([place[at] for place in cotangents], axes, box["joined"]) / share for at in range(len(real))]
        rest = tuple(axis for axis in axes if axis not in box["joined"])
        inputs = [moved(wide(at, leaf), axes, box["joined"]) for at, leaf in zip(real, given)]
        joined = by(box.rule, named, tuple(axis.size for axis in rest))(key, inputs, stacks)
        found = []
        for at, array in zip(real, joined):
            gone = tuple(place for place, axis in enumerate(rest) if axis not in have[at])
            found.append(share * jnp.sum(array, gone))
        return None, found
    spread.defvjp(ahead, back)
    outputs = []
    for place in spread(key, [leaves[at] for at in real]):
        every = [wide(at, leaf) for at, leaf in enumerate(leaves)]
        for at, array in zip(real, place):
            every[at] = array
        outputs += jax.tree.unflatten(structure, every)
    return tuple(outputs)


def by(rules: tuple[Any, ...], named: Callable, batch: tuple[int, ...]) -> Callable:
    """(key, inputs [*batch, …], stacks [n, *batch, …]) ↦ arrays [*batch, …]: the rules from left to right, then the sum."""
    def joined(key: Any, inputs: list[Any], stacks: list[Any]) -> list[Any]:
        inputs, stack = named(inputs), named(stacks)
        for place, rule in enumerate(rules):
            stack, _ = rule.pull(jax.random.fold_in(key, place), inputs, inputs, stack, None)
        return [added(array) for array in jax.tree.leaves([stack[name] for name in inputs])]
    if not batch:
        return joined
    size = int(np.prod(batch))

    def over(key: Any, inputs: list[Any], stacks: list[Any]) -> list[Any]:
        flat = jax.vmap(joined, in_axes=(0, 0, 1))(
            jax.random.split(key, size), [a.reshape(size, *a.shape[len(batch):]) for a in inputs],
            [a.reshape(a.shape[0], size, *a.shape[1 + len(batch):]) for a in stacks])
        return [a.reshape(*batch, *a.shape[1:]) for a in flat]
    return over


def added(array: Any) -> Any:
    """The sum over the first axis, as a product of matrices: XLA's CPU is several times slower at adding rows."""
    flat = array.reshape(len(array), -1)
    return jnp.matmul(jnp.ones(len(array), array.dtype), flat, precision="highest").reshape(array.shape[1:])


def stacked(places: list[Any], axes: tuple[Axis, ...], joined: tuple[Axis, ...]) -> Any:
    """[n, *rest, …]: the elements of the joined axes, or the places where there are none."""
    if not joined:
        return jnp.stack(places)
    (array,) = places
    front = [axes.index(axis) for axis in joined]
    array = jnp.moveaxis(array, front, range(len(front)))
    return array.reshape(-1, *array.shape[len(front):])


def moved(array: Any, axes: tuple[Axis, ...], joined: tuple[Axis, ...]) -> Any:
    """The parameter itself, [*rest, …]: the same along the joined axes."""
    return array[tuple(0 if axis in joined else slice(None) for axis in axes)]
