"""The graph while it is written: blocks of boxes, regions, names.

A block is the list of boxes of a graph or of a region that is not closed yet.  Boxes of a region read wires of the
blocks around it freely; `close` lists what is read from outside as captured inputs.  Wires get their names at the very
end (`finish`), from what the program calls them, so that whatever was tried and thrown away on the way leaves no gap.
"""
from __future__ import annotations

from contextlib import contextmanager
from dataclasses import replace
from types import MappingProxyType
from typing import Any, Iterable, Iterator, Mapping, Sequence

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Diagnostic, Reported
from pullback.compiler.ir import Box, Graph, Names, Wire
from pullback.compiler.op import Op
from pullback.compiler.source import Span
from pullback.compiler.type import INT, Array, Constraint, Type, known

LARGEST = 2**31


class Block:
    """Boxes in the order in which they are written, the wires that the region binds itself, and constants made here."""

    def __init__(self, parent: Block | None, bound: Sequence[Wire] = ()):
        self.parent, self.bound = parent, tuple(bound)
        self.boxes: list[Box] = []
        self.constants: dict[Any, Wire] = {}


class Writer:
    """`affine[w] = (i, c)`: the wire w is the loop index i plus c.  `values[w]`: the number that a constant wire is."""

    def __init__(self) -> None:
        self.block = Block(None)
        self.bases: dict[str, str] = {}
        self.anonymous: set[str] = set()
        self.affine: dict[str, tuple[Wire, Any]] = {}
        self.values: dict[str, Any] = {}
        self.wholes: dict[tuple, Any] = {}
        self.count = 0

    # ---- wires

    def wire(self, base: str, type: Type, span: Span | None = None, anonymous: bool = False) -> Wire:
        """A new wire; `base` is what its name will be made of."""
        name = f"{base}\0{self.count}"
        self.count += 1
        self.bases[name] = base
        if anonymous:
            self.anonymous.add(name)
        return Wire(name, type, span=span)

    def call_it(self, wire: Wire, base: str) -> Wire:
        """Name a wire after the variable that it is assigned to, if nothing named it yet."""
        if wire.name in self.anonymous:
            self.anonymous.discard(wire.name)
            self.bases[wire.name] = base
        return wire

    def suggest(self, wire: Wire, base: str) -> None:
        """A better name than its op's for a wire that no variable names."""
        if wire.name in self.anonymous:
            self.bases[wire.name] = base

    def title(self, wire: Wire) -> str | None:
        """What the program calls a wire, if it has a name of its own."""
        return None if wire.name in self.anonymous else self.bases.get(wire.name)

    # ---- boxes

    def emit(self, what: Op, inputs: Sequence[Wire], attributes: Mapping[str, Any] = MappingProxyType({}), *, span: Span | None = None,
             base: str = "", rule: Any = None, types: Sequence[Type] | None = None, regions: Sequence[Graph] = (),
             bases: Sequence[str] = ()) -> tuple[Wire, ...]:
        """Write a box; its outputs.  Types are the op's own, unless they are given."""
        if types is None:
            try:
                types = what.infer([wire.type for wire in inputs], attributes)
            except TypeError as error:
                raise Reported(self.complaint(what, str(error), inputs, span)) from None
            except KeyError as missing:  # a static parameter that the op can't do without
                raise Reported(Diagnostic("argument", f"`{what.name}` takes `{missing.args[0]}`", span,
                                          help=f"it is {what.usage()}")) from None
        for type in types:
            check_size(type, span)
        names = list(bases) or [base or what.name] * len(types)
        outputs = tuple(self.wire(name, type, span, anonymous=not (bases or base)) for name, type in zip(names, types))
        self.block.boxes.append(Box(what, tuple(inputs), outputs, tuple(regions), dict(attributes), rule, span))
        return outputs

    def complaint(self, what: Op, message: str, inputs: Sequence[Wire], span: Span | None) -> Diagnostic:
        """What an op has to say of its inputs, with the places where they were declared."""
        code = "index" if what is op.index and "outside" in message else (
            "size" if "shape" in message or "size" in message else "type")
        notes = []
        for wire in dict.fromkeys(inputs):
            title = self.title(wire)
            if title and wire.span and wire.span != span and isinstance(wire.type, Array) and wire.name not in self.values:
                notes.append((wire.span, f"`{title}` is a `{wire.type.plain()}`"))
        return Diagnostic(code, message, span, notes=tuple(notes[:3]))

    def constant(self, value: Any, span: Span | None = None) -> Wire:
        """A wire that is this number (or nested tuple of numbers); a symbolic size becomes its value when it is known."""
        key = (type(value).__name__, str(value))
        if key in self.block.constants:
            return self.block.constants[key]
        symbolic = hasattr(value, "_get_vars")
        types = (replace(INT, constraint=Constraint("range", (value, value + 1))),) if symbolic else None
        (wire,) = self.emit(op.constant, (), {"value": value}, span=span, types=types)
        self.block.constants[key] = wire
        self.values[wire.name] = value
        return wire

    # ---- regions

    @contextmanager
    def region(self, bound: Sequence[Wire] = ()) -> Iterator[Block]:
        """Write into a new block inside the present one."""
        with self.inside(Block(self.block, bound)) as block:
            yield block

    @contextmanager
    def inside(self, block: Block) -> Iterator[Block]:
        """Write into this block for a while."""
        before, self.block = self.block, block
        try:
            yield block
        finally:
            self.block = before

    def close(self, block: Block, outputs: Sequence[Wire], name: str = "") -> Graph:
        """The block as a closed graph: what it binds, then what it captures."""
        made = set(block.bound)
        captured: dict[Wire, None] = {}

        def read(wires: Iterable[Wire]) -> None:
            captured.update((wire, None) for wire in wires if wire not in made)
        boxes = alive(block.boxes, outputs)
        for box in boxes:
            read(box.inputs)
            made.update(box.outputs)
        read(outputs)
        return Graph((*block.bound, *captured), tuple(boxes), tuple(outputs), name)

    def finish(self, graph: Graph) -> Graph:
        """The graph with the names that are printed, each taken once, and numbered boxes."""
        names, pretty = Names(), {}

        def now(wires: Iterable[Wire]) -> tuple[Wire, ...]:
            for wire in wires:
                if wire.name not in pretty:
                    pretty[wire.name] = replace(wire, name=names.fresh(self.bases.get(wire.name, wire.name)))
            return tuple(pretty[wire.name] for wire in wires)

        def rename(graph: Graph) -> Graph:
            inputs, boxes = now(graph.inputs), []
            for box in graph.boxes:
                ins, outs = now(box.inputs), now(box.outputs)
                boxes.append(box.but(inputs=ins, outputs=outs, regions=tuple(rename(region) for region in box.regions)))
            return replace(graph, inputs=inputs, boxes=tuple(boxes), outputs=now(graph.outputs))
        return rename(graph).numbered()


def alive(boxes: Sequence[Box], outputs: Iterable[Wire]) -> list[Box]:
    """The boxes without those whose value nothing reads: choices stay, they are part of the program."""
    read, kept = set(outputs), []
    for box in reversed(boxes):
        if box.op.kind == "choice" or any(wire in read for wire in box.outputs) or chooses(box):
            kept.append(box)
            read.update(box.inputs)
    return kept[::-1]


def chooses(box: Box) -> bool:
    """Is there a choice inside?"""
    return any(inner.op.kind == "choice" for region in box.regions for inner in region.walk())


def check_size(type: Type, span: Span | None) -> None:
    if not isinstance(type, Array):
        return
    count = 1
    for size in type.shape:
        count *= size if known(size) else 1
    if count > LARGEST:
        raise Reported(Diagnostic(
            "size", f"an array `{type.plain()}` has {count:,} elements", span, label=f"at most {LARGEST:,} are allowed"))
