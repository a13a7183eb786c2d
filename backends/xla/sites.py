"""Random choices in JAX: the points and weights of each site, laid out over the axes of its wires."""
from __future__ import annotations

import math
from dataclasses import replace
from typing import Any

import jax
import jax.numpy as jnp

from pullback.compiler.choice import Choice
from pullback.compiler.ir import Axis, Box, Graph, canonical
from pullback.compiler.ops import points as points_op
from pullback.compiler.analyses.ranges import parameters, support_size

SHARED = ("finite", "perturbation")


def place_points(run: Any, box: Box) -> tuple[Any, ...]:
    """The outputs of a `points` box: its values, and its weight where it has one."""
    own, value = box["axis"], box.output if len(box.outputs) == 1 else box.outputs[0]
    batch = batch_axes(box)
    choice = chosen(run, box, batch, tuple(value.type.shape))
    scanned = run.keys.scanned.get(box["address"]) if run.keys.scanned else None
    key = run.keys.of(box["address"])
    if scanned is not None:
        choice = Choice(**{**choice.__dict__, "scanned": (key, scanned)})
    if own is not None and own.kind == "perturbation":
        return perturbed(run, box, choice, key, batch)
    if box["marginal"]:
        values, weight, log, common = choice.support(), choice.log_probabilities(), True, True
    else:
        found = box.rule.points(key, choice, None)
        run.noise.update({box["address"]: choice.drawn[-1]} if choice.drawn else {})
        values, common = found.values, found.common
        log = found.log_weights is not None
        weight = found.log_weights if log else found.weights
    if weight is not None:
        weight = laid_weight(run, box, weight, log, batch)
    if box["joint"]:
        return joint(box, choice, values, weight, batch, common)
    result = [values_of(values, common, own, batch, value)]
    if len(box.outputs) > 1:
        result.append(with_own(weight, own, batch, box.outputs[1].axes))
    return tuple(result)


def laid_weight(run: Any, box: Box, weight: Any, log: bool, batch: tuple[Axis, ...]) -> Any:
    """The weight [K, *batch] of a site as the graph has it: as a logarithm or not; where a branch was not taken all points weigh
    the same, and 1 together."""
    own, count = box["axis"], weight.shape[0]
    weight = jnp.broadcast_to(weight, (count, *(axis.size for axis in batch)))
    mean = own is None or own.kind == "points"
    if mean:  # Σ wₖ fₖ is kept as the mean of K·wₖ fₖ
        weight = weight + jnp.log(count) if log and count > 1 else weight * count if count > 1 else weight
    if box.get("masked"):
        taken = box.inputs[-1]
        mask = laid(run[taken], taken.axes, batch)[None]
        even = 1.0 if mean else 1.0 / count
        weight = jnp.where(mask, weight, math.log(even) if log else even)
    return jnp.log(weight) if box["log"] and not log else weight


def score(run: Any, box: Box) -> Any:
    """The log weights of values that the draws of a loop gave."""
    own, batch, (value, *_) = box["axis"], batch_axes(box), box.inputs
    values, axes = run[value], value.axes
    if own is None:
        values = values[None]
    else:
        values, axes = jnp.moveaxis(values, axes.index(own), 0), tuple(axis for axis in axes if axis != own)
    values = jax.vmap(lambda one: laid(one, axes, batch))(values)
    weight = box.rule.log_weights(chosen(run, box, batch, tuple(value.type.shape)), values)
    return with_own(laid_weight(run, box, weight, True, batch), own, batch, box.output.axes)


def batch_axes(box: Box) -> tuple[Axis, ...]:
    """The axes that a choice is drawn over, less its own."""
    own = box["axis"]
    if own is not None and own.kind == "finite":
        return canonical(axis for axis in box.axes if axis != own)
    return tuple(axis for axis in box.outputs[0].axes if axis != own)


def laid(array: Any, axes: tuple[Axis, ...], want: tuple[Axis, ...]) -> Any:
    """The array with size 1 along the wanted axes that it lacks."""
    sizes = dict(zip(axes, array.shape))
    return array.reshape(*(sizes.get(axis, 1) for axis in want), *array.shape[len(axes):])


def chosen(run: Any, box: Box, batch: tuple[Axis, ...], event: tuple[int, ...]) -> Choice:
    """The choice with its parameters in order: own axis first where they have it, then the batch."""
    own, arrays = box["axis"], []
    for wire in parameters(box):
        array, axes = run[wire], wire.axes
        if own is not None and own in axes:
            array = jnp.moveaxis(array, axes.index(own), 0)
            axes = (own, *(axis for axis in axes if axis != own))
            arrays.append(laid(array, axes, (own, *batch)))
        else:
            arrays.append(laid(array, axes, batch))
    return Choice(box["distribution"], tuple(arrays), tuple(axis.size for axis in batch),
                  tuple(axis.kind in SHARED for axis in batch), event, support_size(box), box.get("onto"), box=box)


def values_of(values: Any, common: bool, own: Axis | None, batch: tuple[Axis, ...], wire: Any) -> Any:
    if common:
        return values if own is not None else values[0]
    return with_own(values, own, batch, wire.axes)


def with_own(array: Any, own: Axis | None, batch: tuple[Axis, ...], axes: tuple[Axis, ...]) -> Any:
    """[K, *batch, …] laid out over `axes`: the own axis in its place, or dropped where the rule gives one point."""
    if own is None:
        return array[0]
    return jnp.moveaxis(array, 0, axes.index(own))


def perturbed(run: Any, box: Box, choice: Choice, key: Any, batch: tuple[Axis, ...]) -> tuple[Any, ...]:
    """A choice on the shared axis: slot 0 what was drawn, its own slots its perturbed values, at all others the draw again,
    with the same noise, where what it depends on is perturbed there.

    Parameters are read at slot 0 for all but those.  Weights are pieces of value 0, added in the contraction."""
    own, start, size = box["axis"], box["slot"], box["axis"].size
    here, varies = [], False
    for f, p in zip(choice.distribution.fields, choice.parameters):
        varies = varies or jnp.ndim(p) > len(batch) + f.rank
        here.append(p[0] if jnp.ndim(p) > len(batch) + f.rank else p)
    found = box.rule.points(key, replace(choice, parameters=tuple(here)), None)
    values, weights = found.values, jnp.broadcast_to(found.weights, (found.values.shape[0], *choice.batch))
    if box.get("masked"):
        taken = box.inputs[-1]
        mask, axes = run[taken], taken.axes
        if own in axes:
            mask, axes = jnp.take(mask, 0, axes.index(own)), tuple(axis for axis in axes if axis != own)
        weights = jnp.where(laid(mask, axes, batch)[None], weights, 0.0)
    every = jnp.broadcast_to(values[0], (size, *values.shape[1:]))
    if varies:
        wide = tuple(p if jnp.ndim(p) > len(batch) + f.rank else p[None]
                     for f, p in zip(choice.distribution.fields, choice.parameters))
        again = replace(choice, parameters=wide, batch=(size, *choice.batch), shared=(True, *choice.shared))
        every = again.sample(key, (1,))[0]
    mixed = [axis for axis in batch if axis in box["joint"]]
    front = [1 + batch.index(axis) for axis in mixed]
    count = math.prod(axis.size for axis in mixed)
    added = values[1:]
    if mixed:  # slot (e, i): element i alone has its value e
        lead = jnp.moveaxis(added, front, range(1, 1 + len(front)))
        shape = lead.shape[1 + len(front):]
        base = jnp.moveaxis(jnp.broadcast_to(values[:1], added.shape), front, range(1, 1 + len(front))).reshape(
            len(added), 1, count, *shape)
        lead = lead.reshape(len(added), 1, count, *shape)
        alone = jnp.eye(count, dtype=bool).reshape(1, count, count, *[1] * len(shape))
        added = jnp.where(alone, lead, base).reshape(len(added) * count, *(axis.size for axis in mixed), *shape)
        added = jnp.moveaxis(added, range(1, 1 + len(front)), front)
        rest = jnp.moveaxis(weights, front, range(1, 1 + len(front))).reshape(
            len(weights), count, *(axis.size for axis in batch if axis not in box["joint"]))
        weights = jnp.concatenate([rest[:1].sum(1), rest[1:].reshape(-1, *rest.shape[2:])])
    every = jax.lax.stop_gradient(jnp.concatenate([every[:start], added.astype(every.dtype), every[start + len(added):]]))
    piece = jnp.zeros((size, *weights.shape[1:]), weights.dtype).at[0].set(weights[0])
    piece = piece.at[start:start + len(weights) - 1].set(weights[1:])
    axes = box.outputs[0].axes
    return jnp.moveaxis(every, 0, axes.index(own)), with_own(piece, own, batch, box.outputs[1].axes)


def joint(box: Box, choice: Choice, values: Any, weight: Any, batch: tuple[Axis, ...], common: bool) -> tuple[Any, ...]:
    """All combinations of a finite choice's values over the elements of its mixed plates: [Kⁿ, n] values, [Kⁿ] weights."""
    own, mixed = box["axis"], [axis for axis in batch if axis in box["joint"]]
    rest = [axis for axis in batch if axis not in box["joint"]]
    n = 1
    for axis in mixed:
        n *= axis.size
    base = values.shape[0]
    if not common:  # [K, *batch]: every element has values of its own
        lead = jnp.moveaxis(values, [1 + batch.index(axis) for axis in mixed], range(1, 1 + len(mixed)))
        lead = lead.reshape(base, n, *lead.shape[1 + len(mixed):])
    digits = (jnp.arange(own.size)[:, None] // base ** jnp.arange(n)[None, :]) % base
    event = values.shape[1:] if common else lead.shape[2:]
    grid = (values[digits] if common else lead[digits, jnp.arange(n)[None, :]]).reshape(
        own.size, *(axis.size for axis in mixed), *event)
    order = [1 + batch.index(axis) for axis in mixed] + [1 + batch.index(axis) for axis in rest]
    w = jnp.transpose(weight, (0, *order)).reshape(base, n, *(axis.size for axis in rest))
    picked = w[digits, jnp.arange(n)[None, :]]
    total = picked.sum(1) if box["log"] else picked.prod(1)
    value_axes, weight_axes = box.outputs[0].axes, box.outputs[1].axes
    have = (own, *mixed) if common else (own, *mixed, *rest)
    grid = jnp.transpose(grid, (*(have.index(axis) for axis in value_axes), *range(len(have), grid.ndim)))
    have = (own, *rest)
    return grid, jnp.transpose(total, tuple(have.index(axis) for axis in weight_axes))


def step_noise(run: Any, body: Graph, steps: Any) -> dict[str, Any]:
    """The noise of every step of a scan, drawn before it: the same numbers as drawn inside, in one call."""
    found = {}
    for box in body.boxes:
        if box.op is not points_op or box["distribution"].noise is None or box["marginal"] or (
                box["axis"] is not None and box["axis"].kind != "points"):
            continue
        batch = batch_axes(box)
        count = () if box["axis"] is None else (box["axis"].size,)
        sizes = tuple(1 if axis.kind in SHARED else axis.size for axis in batch)
        key = run.keys.of(box["address"])
        event, noise = tuple(box.outputs[0].type.shape), box["distribution"].noise

        def draw(step: Any) -> Any:
            return noise.draw(jax.random.fold_in(key, step), (*(count or (1,)), *sizes), jnp.result_type(float), event)
        found[box["address"]] = jax.vmap(draw)(steps)
    return found
