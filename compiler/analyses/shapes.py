"""How many points a rule gives for a choice, and what comes with them: JAX tells, by shape."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp

from pullback.compiler.analyses.ranges import parameters, support_size
from pullback.compiler.choice import Choice
from pullback.compiler.ir import Box
from pullback.compiler.type import Size, known, same


@dataclass(frozen=True, slots=True)
class Shape:
    """size: number of points (None: one, no axis); kind of the axis; is there a weight, is it a logarithm; are the points the
    same for every element of the batch."""

    size: Size | None
    kind: str
    weighted: bool
    log: bool
    common: bool = False


def point_shape(box: Box) -> Shape:
    """What `box.rule.points` gives for one element of the choice."""
    rule, distribution = box.rule, box["distribution"]
    kind = getattr(rule, "axis", "points")
    size = support_size(box)
    if kind == "finite" and size is not None and not known(size):
        return Shape(size, kind, True, False, True)
    types = [wire.type for wire in parameters(box)]

    common = []

    def give(key: Any, *given: Any) -> Any:
        choice = Choice(distribution, given, event=tuple(box.output.type.shape), size=size, onto=box.get("onto"),
                        box=box)
        found = rule.points(key, choice, None)
        common.append(found.common)
        return found.values, found.weights, found.log_weights
    shaped = [jax.ShapeDtypeStruct(t.shape, {"real": jnp.result_type(float), "int": jnp.int32, "bool": bool}[t.kind])
              for t in types]
    values, weights, logs = jax.eval_shape(give, jax.eval_shape(lambda: jax.random.key(0)), *shaped)
    count = values.shape[0]
    one = bool(same(count, 1)) and kind == "points"
    return Shape(None if one else count, kind, weights is not None or logs is not None, logs is not None, common[-1])
