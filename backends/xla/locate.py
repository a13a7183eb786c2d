"""Where a number stops being finite: the first value that is not, or through which a derivative is not, and its line.

The graph is evaluated once more, box by box.  From the value that is not finite the search goes back to an input that is
not, and so on, to a box all of whose inputs are finite: a −∞ that a branch masks, as a program may well have, is never
on that way.  For a derivative it goes the way of the cotangents.  A scan of few steps is run step by step and looked
into; of many steps, the loop is what is named.
"""
from __future__ import annotations

from typing import Any, Mapping

import jax
import jax.numpy as jnp

from pullback.backends.xla.lower import Keys, Run
from pullback.compiler.ir import Box, Graph
from pullback.compiler.source import Span

SHORT = 2000


def locate(graph: Graph, env: Mapping[str, Any], key: Any) -> tuple[str, Span | None] | None:
    """The name and place of what is first not finite in a lifted graph; None if value and derivative are finite."""
    steps = sum(box["size"] for box in graph.walk() if box.op.name == "scan" and isinstance(box["size"], int))
    with jax.disable_jit(steps <= SHORT):
        run = Watched(dict(env), Keys(key))
        run.graph(graph)
    culprit = run.culprit(graph)
    box = culprit or broken_derivative(graph, env, key)
    return None if box is None else described(graph, box)


def finite(array: Any) -> bool:
    """Are all elements finite?  What is traced, or holds no reals, counts as finite."""
    if isinstance(array, jax.core.Tracer) or not hasattr(array, "dtype") or not jnp.issubdtype(array.dtype, jnp.inexact):
        return True
    return bool(jnp.isfinite(array).all())


class Watched(Run):
    """An evaluation that remembers the first box inside each region that was not finite."""

    def __init__(self, env: dict[str, Any], keys: Keys, outer: Watched | None = None):
        super().__init__(env, keys)
        self.inside: list[Box] = [] if outer is None else outer.inside
        self.outer = outer

    def inner(self, env: dict[str, Any], keys: Keys) -> Watched:
        return Watched(env, keys, self)

    def graph(self, graph: Graph) -> None:
        super().graph(graph)
        if self.outer is not None and not self.inside and (box := self.culprit(graph)):
            self.inside.append(box)

    def culprit(self, graph: Graph) -> Box | None:
        """The box at which the outputs of a graph stopped being finite."""
        made = graph.producers()
        wrong = next((wire for wire in graph.outputs if not finite(self.env[wire.name])), None)
        while wrong in made:
            box = made[wrong]
            before = [wire for wire in box.inputs if not all(map(finite, jax.tree.leaves(self.env[wire.name])))]
            before.sort(key=lambda wire: not any(jnp.isnan(leaf).any() for leaf in jax.tree.leaves(self.env[wire.name])))
            nxt = next((wire for wire in before if wire in made), None)
            if nxt is None:
                return self.inside[0] if box.regions and self.inside and not before else box
            wrong = nxt
        return None


class Nudged(Run):
    """An evaluation that adds 0 to what each box gives: derivatives in these zeros are the cotangents."""

    zeros: Mapping[str, Any] = {}

    def inner(self, env: dict[str, Any], keys: Keys) -> Run:
        return Run(env, keys)

    def meaning(self, box: Box) -> tuple[Any, ...]:
        return tuple(array + self.zeros[wire.name] if wire.name in self.zeros else array
                     for wire, array in zip(box.outputs, super().meaning(box)))


def broken_derivative(graph: Graph, env: Mapping[str, Any], key: Any) -> Box | None:
    """The box that a finite cotangent enters and one that is not finite leaves, last in the program."""
    first = Run(dict(env), Keys(key))
    first.graph(graph)
    zeros = {wire.name: jnp.zeros_like(first.env[wire.name]) for box in graph.boxes for wire in box.outputs
             if jnp.issubdtype(jnp.asarray(first.env[wire.name]).dtype, jnp.floating)}
    given = {wire.name: env[wire.name] for wire in graph.inputs
             if all(jnp.issubdtype(jnp.asarray(leaf).dtype, jnp.floating) for leaf in jax.tree.leaves(env[wire.name]))}

    def value(zeros: Any, given: Any) -> Any:
        run = Nudged({**env, **given}, Keys(key))
        run.zeros = zeros
        run.graph(graph)
        return run.env[graph.outputs[0].name]
    inside, outside = jax.grad(value, argnums=(0, 1))(zeros, given)
    cotangents = {**inside, **outside}

    def sound(wire: Any) -> bool:
        return all(map(finite, jax.tree.leaves(cotangents.get(wire.name))))
    def breaks(box: Box) -> bool:
        """Is it this box, and not another reader of the same input, that gives a cotangent that is not finite?"""
        if box.regions or any(wire.name not in zeros for wire in box.outputs):
            return True
        own = {wire.name: first.env[wire.name] for wire in box.inputs if wire.name in cotangents}
        _, pull = jax.vjp(lambda own: Run({**first.env, **own}, Keys(key)).meaning(box), own)
        return not all(map(finite, jax.tree.leaves(pull(tuple(cotangents[wire.name] for wire in box.outputs)))))
    found = [box for box in reversed(graph.boxes) if all(map(sound, box.outputs)) and not all(map(sound, box.inputs))]
    return next(filter(breaks, found), found[0] if found else None)


def described(graph: Graph, box: Box) -> tuple[str, Span | None]:
    """The box as the user wrote it: the text of its span if that is short, else its name."""
    span = box.span or next((wire.span for wire in box.outputs if wire.span), None)
    text = span.text.strip() if span is not None else ""
    short = 0 < len(text) <= 40 and "\n" not in text
    return (text if short else box.get("address") or box.outputs[0].name), span
