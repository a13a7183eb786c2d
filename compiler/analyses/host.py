"""Which boxes are evaluated on the host: those that ask an engine, and all that read or make a text.

Texts are no arrays of JAX: a graph with such boxes is cut at them (`passes/segments.py`).
"""
from __future__ import annotations

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph
from pullback.compiler.type import is_text


def on_host(box: Box) -> bool:
    """Is the box evaluated on the host?  (What has regions is asked box by box.)"""
    if box.regions:
        return False
    return box.op.host or any(is_text(wire.type) for wire in (*box.inputs, *box.outputs))


def hosted(graph: Graph) -> bool:
    """Is there such a box anywhere?"""
    return any(on_host(box) for box in graph.walk())


def costly(box: Box) -> bool:
    """Is the box evaluated only where it is needed: a call of an engine, a function from Python on texts?"""
    return box.op.kind == "engine" or box.op is op.extern and on_host(box)


def sampled(box: Box) -> bool:
    """Is the answer of an engine a draw: is the temperature above 0?"""
    return box.op is op.llm and box.get("temperature", 0.0) > 0


def loops(graph: Graph) -> set[str]:
    """The scans that hold boxes of the host."""
    return {box["name"] for box in graph.walk() if box.op is op.scan and hosted(box.regions[0])}
