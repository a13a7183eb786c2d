"""Draws, densities, factors.  What a distribution is stands in its record (`compiler/distribution.py`)."""
from __future__ import annotations

from typing import Any, Mapping, Sequence

import jax.numpy as jnp

from pullback.compiler.constraint import bijection
from pullback.compiler.op import Op, define
from pullback.compiler.ops import infer
from pullback.compiler.type import EVENT_RANK, REAL, Array, Constraint, Size, Type, same


def numbers(distribution: Any, types: Sequence[Array]) -> dict[str, Size]:
    """The parameters whose value their type tells: ints from a range of one."""
    return {f.name: t.bounds[0] for f, t in zip(distribution.fields, types)
            if t.kind == "int" and not t.shape and t.bounds is not None and same(t.bounds[0] + 1, t.bounds[1])}


def event_shapes(distribution: Any, types: Sequence[Array]) -> dict[str, tuple[Size, ...]]:
    """The event shape of each parameter; of a size, its value."""
    known = numbers(distribution, types)
    for f in distribution.fields:
        if f.domain == "size" and f.name not in known:
            raise TypeError(f"`{f.name}` of `{distribution.name}` is a size, so its value must be known before the run")
    return {f.name: (known[f.name],) if f.domain == "size" else t.shape[t.rank - f.rank:]
            for f, t in zip(distribution.fields, types)}


def batch_shape(distribution: Any, types: Sequence[Array]) -> tuple[Size, ...]:
    """The shape that is left of the parameters when their events are taken off: () for one draw."""
    for f, t in zip(distribution.fields, types):
        if t.rank < f.rank:
            raise TypeError(f"`{f.name}` of `{distribution.name}` is {('a vector', 'a matrix')[min(f.rank, 2) - 1]}, "
                            f"and this is a `{t.plain()}`")
    return infer.meet(distribution.name, [Array(t.kind, t.shape[:t.rank - f.rank])
                                          for f, t in zip(distribution.fields, types)])


def _draw_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    """The type of a value: a finite support gives its range, `onto` its type's constraint."""
    distribution = attributes["distribution"]
    given = infer.arrays(distribution.name, types)
    batch, events = batch_shape(distribution, given), event_shapes(distribution, given)
    event, onto, constraint = tuple(distribution.event(events)), attributes.get("onto"), None
    if onto is not None and EVENT_RANK.get(onto.name):
        event = tuple(bijection(onto).forward_shape(event))
    shape = (*batch, *event)
    if isinstance(onto, Constraint):
        constraint = onto
    elif distribution.finite is not None and not distribution.rank:
        size = distribution.finite.size(events, numbers(distribution, given))
        low = distribution.support.low or 0
        constraint = Constraint("range", (low, low + size)) if size is not None else None
    return (Array(distribution.kind, shape, constraint),)


def _density_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    distribution = attributes["distribution"]
    value, *parameters = infer.arrays(distribution.name, types)
    if value.kind == "real" and distribution.kind == "int":
        raise TypeError(f"a value of `{distribution.name}` is an int, and this is a `{value}`")
    return (REAL,)


def _density(attributes: Mapping[str, Any], value: Any, *parameters: Any) -> Any:
    """log p, without `onto`: whoever opens a pushed-forward density gives the value's preimage."""
    return attributes["distribution"].log_prob(value, *parameters)


define(Op("draw", kind="choice", infer=_draw_type, doc="A random choice."))
define(Op("density", _density, _density_type, kind="density", doc="The log density of a choice at a value."))
define(Op("factor", lambda attributes, e: jnp.asarray(e), lambda types, attributes: (REAL,), kind="density",
          elementwise=True, linear=("all",), doc="A term of a log density."))
