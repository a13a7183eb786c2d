"""What a device gives for probabilities: frequencies of a number of shots.

    frequencies(key, p, shots)    counts / shots of one multinomial draw for each row of outcomes
    FREQUENCIES[rank]             the same as a choice's distribution: `p` has `rank` dimensions, rows first
    largest(graph)                a bound of p: a diagram with cups, or with spiders that begin or end wires, is a circuit times a number
"""
from __future__ import annotations

from functools import lru_cache
from math import prod
from typing import Any, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.distribution import Distribution, Field, Support
from pullback.compiler.ir import Box, Graph

NAME = "frequencies"


def frequencies(key: Any, p: Any, shots: int) -> Any:
    """Frequencies [..., outcomes] of the outcomes of each row; what is left of 1 is a failure, which is an outcome too."""
    p = jnp.clip(jax.lax.stop_gradient(p), 0.0, 1.0)
    whole = jnp.concatenate([p, jnp.clip(1.0 - p.sum(-1, keepdims=True), 0.0, 1.0)], -1)
    counts = jax.random.multinomial(key, jnp.asarray(shots, p.dtype), whole / whole.sum(-1, keepdims=True))
    return (counts[..., :-1] / shots).astype(p.dtype)


def by_rows(key: Any, p: Any, shots: int, rank: int) -> Any:
    """p [..., rows, *outcomes], of which the last `rank` dimensions are one choice's."""
    lead = p.shape[:p.ndim - rank + 1]
    return frequencies(key, p.reshape(*lead, -1), shots).reshape(p.shape)


@lru_cache(maxsize=64)
def distribution(rank: int, shots: int | None = None) -> Distribution:
    """The choice of frequencies; the rule `shift` says of how many shots, and has the only derivative."""
    def sample(key: Any, shape: tuple[int, ...], p: Any) -> Any:
        event = p.shape[p.ndim - rank:]
        p = jnp.broadcast_to(p, (*jnp.broadcast_shapes(shape, p.shape[:p.ndim - rank]), *event))
        return p if shots is None else by_rows(key, p, shots, rank)
    return Distribution(NAME, (Field("p", "unit", rank),), Support("unit", 0, 1), "real", None, sample, lambda shapes: shapes["p"],
                        None, rank=rank)


def largest(graph: Graph, known: Mapping[str, float]) -> float | None:
    """B with Σ p ≤ B, so that p / B are probabilities: the product of the squared norms of boxes; None if one is not known.

    `known`: numbers by the names of their wires.  The norm of what has a shift rule doesn't depend on its turns."""
    total = 1.0
    for box in graph.boxes:
        if box.op.kind != "diagram":
            continue
        found = spider(box) if box.op is op.spider else gate(box, known)
        if found is None:
            return None
        total *= found
    return total


def spider(box: Box) -> float:
    """A quantum cup or cap doubles; a classical spider does where it begins wires."""
    wires = (*build.inner_inputs(box), *box.outputs)
    if not wires or len(box.outputs) and len(build.inner_inputs(box)):
        return 1.0
    return float(wires[0].type.size) if wires[0].type.linear or box.outputs else 1.0


def gate(box: Box, known: Mapping[str, float]) -> float | None:
    record = box.get("gate")
    if record is None:
        return None
    if record.unitary or record.kind in ("measure", "discard", "prepare"):
        return 1.0
    turns = [known.get(wire.name, 0.0 if record.doubled else None) for wire in box.inputs[:box["numbers"]]]
    if None in turns or record.turns == ("x",) and record.static:
        return None
    with jax.ensure_compile_time_eval():
        array = np.asarray(record.array(*turns))
    if record.kind == "weight":
        return float(array) if array >= 0 else None
    if len(set(record.legs)) == len(record.legs):
        norm = np.linalg.norm(array.reshape(prod(w.size for w in record.domain), -1), 2)
    else:  # diagonal: its legs share one index
        norm = np.abs(array).max() if record.domain and record.codomain else np.linalg.norm(array)
    return float(norm) ** 2
