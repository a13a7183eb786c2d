"""Draws of what a fit's objective draws: the one model whose trace goes into the log density of another.

The goal's graph is cut down to what makes that model's trace, brought out through the calls and plates around it (a
subsampled plate is run in full), and drawn from.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, Iterator, Mapping

import jax

from pullback.backends.xla.compiled import environment
from pullback.backends.xla.simulate import opened, simulate
from pullback.compiler import ops as op
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, near
from pullback.compiler.ir import Box, Graph, Names, Wire
from pullback.compiler.type import Array


@dataclass(frozen=True, eq=False)
class Guide:
    """A draw of a model in an objective: its box, and the names that it goes by."""

    box: Box
    names: tuple[str, ...]


def guides(graph: Graph) -> list[Guide]:
    """The draws of models whose traces are scored by another model."""
    return [Guide(box, called(box)) for region in regions(graph) for box in region.boxes if drawn(box) and any(
        other["name"] != box["name"] for other in region.boxes
        if other.op is op.call and other.get("kind") == "logp" and set(other.inputs) & set(box.outputs))]


def regions(graph: Graph) -> Iterator[Graph]:
    """A graph and those inside it whose outputs can be brought out: of calls and plates."""
    yield graph
    for box in graph.boxes:
        if box.op is op.plate or box.op is op.call and box.get("kind") == "objective":
            yield from regions(box.regions[0])


def drawn(box: Box) -> bool:
    return box.op is op.call and box.get("kind") == "model" and bool(box.outputs)


def called(box: Box) -> tuple[str, ...]:
    """The binder, the objective's argument, the model."""
    for inner in box.regions[0].walk():
        if inner.op is op.draw:
            for segment in inner.get("path", ()):
                if box["name"] in segment:
                    return segment
    return (box["name"],)


def the_guide(graph: Graph, of: str | None, name: str) -> Guide:
    """The one that is meant; an `ArgumentError` lists them if that is not clear."""
    found = guides(graph)
    fit = [guide for guide in found if of is None or of in guide.names]
    if len(fit) == 1:
        return fit[0]
    names = [one for guide in found for one in guide.names]
    listed = ", ".join(f"`{'` or `'.join(guide.names)}`" for guide in found)
    if of is not None and not fit:
        help = near(of, names) or (f"it draws {listed}" if found else "")
        raise ArgumentError(Diagnostic("argument", f"`{name}` draws no model `{of}` that another scores", help=help))
    if not found:
        raise ArgumentError(Diagnostic("argument", f"`{name}` draws no model whose trace another model scores: there are no "
                                       "posterior draws"))
    raise ArgumentError(Diagnostic("argument", f"`{name}` draws several models: {listed}", help="say `of` which"))


def posterior(graph: Graph, guide: Guide) -> tuple[Graph, list[str]]:
    """The graph of the guide's trace alone, and the addresses of its outputs."""
    names = graph.names()
    cut = brought_out(graph, guide.box, names)
    binder = guide.box.get("address") or ""
    addresses = [wire.name.removeprefix(f"{binder}.") for wire in guide.box.outputs]
    return opened(cut), addresses


def brought_out(graph: Graph, target: Box, names: Names) -> Graph | None:
    """The graph with the target's outputs as its own, and nothing that they do not need; None if it is not inside."""
    for at, box in enumerate(graph.boxes):
        if box is target:
            return needed(replace(graph, outputs=box.outputs), at + 1)
        inner = brought_out(box.regions[0], target, names) if box.op in (op.call, op.plate) else None
        if inner is not None:
            outputs = tuple(Wire(names.fresh(wire.name), stacked(box, wire.type)) for wire in inner.outputs)
            made = replace(box, regions=(inner,), outputs=outputs, rule=None)
            boxes = (*graph.boxes[:at], made)
            return needed(replace(graph, boxes=boxes, outputs=outputs), at + 1)
    return None


def stacked(box: Box, type: Any) -> Any:
    return replace(type, shape=(box["size"], *type.shape)) if box.op is op.plate and isinstance(type, Array) else type


def needed(graph: Graph, upto: int) -> Graph:
    """The graph with only the boxes that its outputs are made by."""
    wanted, kept = set(graph.outputs), []
    for box in reversed(graph.boxes[:upto]):
        if wanted & set(box.outputs):
            kept.append(box)
            wanted |= set(box.inputs)
    return replace(graph, boxes=tuple(reversed(kept)))


def draws(graph: Graph, addresses: list[str], key: Any, params: Mapping[str, Any], data: Mapping[str, Any], count: int
          ) -> dict[str, Any]:
    """`count` draws of each address, stacked."""
    @jax.jit
    def run(key: Any, params: Any, data: Any) -> Any:
        env = environment(graph, params, data)
        return jax.vmap(lambda key: simulate(graph, env, key))(jax.random.split(key, count))
    return dict(zip(addresses, run(key, dict(params), dict(data))))
