"""Boxes of diagrams, and what their values are computed with.

Wires of object types join boxes; a box reads its numbers first (attribute `numbers`: how many), then its domain.

    spider(…)        joins all its wires: a cup (2, 0), a cap (0, 2), a copy (1, 2), …; on plain types any number
    box(…)           a box of the program, a gate (attribute `gate`), or an array (`array`, whose axes are its wires)
    formal_sum(…)    a region a term, of one signature, with constant `coefficients`
    bubble(…)        a region, and `function`: the elementwise op on its array; `order`: which derivative of it

Attributes of `box`: `name`; `legs`: for each wire, inputs first, the axis of the array that it reads; `dagger`, `turns` (half
turns: 1 is the transpose): how it is drawn; `derivative`: the place of the number in which it is differentiated, whose axes
are then the last of its array.

    gate_array(turns)    the array of a gate
    contraction(a, …)    Σ over indices; `operands`: (which input, its indices, conjugated) for each factor
    table(a, …)          the inputs stacked, row by row as `rows` says: what differs between terms of a sum
    elementwise_derivative(x)   of attribute `function`, `order` times
    shifted(p, φ, …)     p[0], whose derivative in φ is that of a shift rule on the other rows of p (attribute `weights`)
    frequencies(p, key)  each row of p, drawn in `shots` shots
    jacobian(x, …)       the derivative of a closed graph of pure ops (attribute `graph`) in its first input
"""
from __future__ import annotations

from typing import Any, Mapping

import jax
import jax.numpy as jnp

from pullback.compiler.diagnostic import ArgumentError
from pullback.compiler.einsum import einsum
from pullback.compiler.op import Op, define

for _name in ("spider", "box", "formal_sum", "bubble"):
    define(Op(_name, kind="diagram"))


def _gate_array(attributes: Mapping[str, Any], *turns: Any) -> Any:
    return jnp.asarray(attributes["gate"].array(*turns))


def _contraction(attributes: Mapping[str, Any], *arrays: Any) -> Any:
    """`output`: its indices, a repeated one on the diagonal; `sizes`: of indices that no operand has; `factor`."""
    factors = [(jnp.conj(arrays[place]) if conjugated else arrays[place], indices)
               for place, indices, conjugated in attributes["operands"]]
    factors += [(jnp.ones(size), (index,)) for index, size in attributes["sizes"]]
    sizes = {index: size for array, indices in factors for index, size in zip(indices, array.shape)}
    keep: list[Any] = []
    for at, index in enumerate(attributes["output"]):
        if index in keep:
            factors.append((jnp.eye(sizes[index]), (index, ("again", at))))
            index = ("again", at)
        keep.append(index)
    total = einsum(factors, keep) if factors else jnp.ones(())
    factor = attributes["factor"]
    return total if factor == 1 else factor * total


def _table(attributes: Mapping[str, Any], *arrays: Any) -> Any:
    return jnp.stack(jnp.broadcast_arrays(*arrays))[jnp.asarray(attributes["rows"])]


def values(graph: Any, *arrays: Any) -> tuple[Any, ...]:
    """The outputs of a graph of pure ops."""
    known = {wire.name: array for wire, array in zip(graph.inputs, arrays)}
    for box in graph.boxes:
        result = box.op.lower(box.attributes, *(known[wire.name] for wire in box.inputs))
        known.update(zip((wire.name for wire in box.outputs), result if isinstance(result, tuple) else (result,)))
    return tuple(known[wire.name] for wire in graph.outputs)


def _jacobian(attributes: Mapping[str, Any], x: Any, *others: Any) -> Any:
    graph = attributes["graph"]

    def of(x: Any) -> Any:
        return values(graph, x, *others)[0]
    return jax.jacfwd(of)(jnp.asarray(x, jnp.result_type(float)))


def _elementwise_derivative(attributes: Mapping[str, Any], x: Any) -> Any:
    def function(one: Any) -> Any:
        return attributes["function"].lower({}, one)
    for _ in range(attributes["order"]):
        function = (lambda inner: lambda one: jax.jvp(inner, (one,), (jnp.ones_like(one),))[1])(function)
    return function(jnp.asarray(x))


define(Op("elementwise_derivative", _elementwise_derivative, elementwise=True, doc="A derivative of an elementwise function."))
@jax.custom_jvp
def _once(slope: Any, angle: Any) -> Any:
    """The slope, held constant once: a first derivative in the angle may pass, and there is no second one."""
    return slope


@jax.custom_jvp
def _held(slope: Any, angle: Any) -> Any:
    return slope


@_held.defjvp
def _held_jvp(primals: tuple, tangents: tuple) -> tuple:
    raise ArgumentError("a second derivative by `shift` would be wrong: `shift` is right to first order only")


@_once.defjvp
def _once_jvp(primals: tuple, tangents: tuple) -> tuple:
    return _held(*primals), jnp.zeros_like(primals[0])


def _frequencies(attributes: Mapping[str, Any], p: Any, key: Any) -> Any:
    from pullback.compiler.diagrams.shots import by_rows
    return by_rows(jax.random.wrap_key_data(key.astype(jnp.uint32)), p, attributes["shots"], p.ndim)


def _shifted(attributes: Mapping[str, Any], p: Any, *angles: Any) -> Any:
    p = jax.lax.stop_gradient(p)
    total = p[0]
    for row, at, c in attributes["weights"]:
        angle = jnp.asarray(angles[at], p.dtype)
        total = total + (angle - jax.lax.stop_gradient(angle)) * _once(c * p[row], angle)
    return total


define(Op("shifted", _shifted, linear=((0,),), doc="Probabilities with the derivative of a shift rule."))
define(Op("frequencies", _frequencies, doc="Frequencies of outcomes."))
define(Op("gate_array", _gate_array, doc="The array of a gate."))
define(Op("contraction", _contraction, doc="A sum over indices of a product of arrays."))
define(Op("table", _table, linear=("all",), doc="Rows of stacked arrays."))
define(Op("jacobian", _jacobian, doc="The derivative of pure ops, in their first input."))
