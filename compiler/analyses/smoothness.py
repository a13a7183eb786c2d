"""Is everything downstream of a value continuous in it?

A derivative that flows through a value misses what happens where a reader jumps.  Graphs are read backwards: for each
wire, the first box that jumps in it on a way to the objective.

    jump(w) = first of   b             over readers b of w that jump in it
                         jump(b(w))    over readers that are continuous in it

Only what reaches the objective counts.  `stop` ends a way (its derivative is 0 by request), and so do the parameters of a
choice: either its value is followed in turn, and then the same question is put to it, or its weights are, and they are
continuous.  A comparison does not jump where all that reads it are choices between branches that agree at its boundary
(`boundary.py`).  Networks and externs are looked into (`jaxprs.py`); `assume continuous` is noted.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterator, Mapping, Sequence

from pullback.compiler import ops as op
from pullback.compiler.analyses import jaxprs
from pullback.compiler.analyses.boundary import agree
from pullback.compiler.analyses.ranges import Values, contained, values
from pullback.compiler.analyses.support import name_of
from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.op import OPS
from pullback.compiler.type import Array, Params, Type, known, substitute

COMPARISONS = (op.lt, op.le, op.gt, op.ge, op.eq, op.ne)


@dataclass(frozen=True, slots=True)
class Jump:
    """A box that jumps in what it reads; `why` in words where the op alone does not tell; `order`: its place."""

    box: Box
    order: int
    why: str = ""


@dataclass(frozen=True, slots=True)
class Jumps:
    """For each wire the first box downstream that jumps in it, and what was assumed not to."""

    found: Mapping[Wire, Jump]
    assumed: Mapping[Wire, str]

    def __getitem__(self, wire: Wire) -> Box | None:
        jump = self.found.get(wire)
        return jump.box if jump is not None else None


def jumps(graph: Graph) -> Jumps:
    work = Backward(graph)
    work.start()
    return Jumps(work.jump, work.assumed)


def live(graph: Graph) -> frozenset[Wire]:
    """The wires through which a derivative reaches what the graph returns."""
    work = Backward(graph)
    work.start()
    return frozenset(work.live)


class Backward:
    """live: wires through which a derivative reaches the objective; used: whose value does."""

    def __init__(self, graph: Graph):
        self.whole, self.values = graph, Values(graph)
        self.order = {id(box): place for place, box in enumerate(graph.walk())}
        self.readers: dict[Wire, list[tuple[Box, int]]] = {}
        self.returned: set[Wire] = set(graph.outputs)
        for box in graph.walk():
            for place, wire in own_inputs(box):
                self.readers.setdefault(wire, []).append((box, place))
            for region in box.regions:
                self.returned |= set(region.outputs)
        self.live: set[Wire] = set()
        self.used: set[Wire] = set()
        self.jump: dict[Wire, Jump] = {}
        self.assumed: dict[Wire, str] = {}
        self.summed: dict[str, Jump] = {}       # choices of an expectation whose value something jumps in
        self.looked: dict[int, tuple[str | None, ...] | None] = {}

    def start(self) -> None:
        self.live |= set(self.whole.outputs)
        self.used |= set(self.whole.outputs)
        self.graph(self.whole)

    def graph(self, graph: Graph) -> None:
        for box in reversed(graph.boxes):
            if box.regions:
                self.regions(box)
            else:
                self.box(box)

    # -------------------------------------------------------------- boxes

    def box(self, box: Box) -> None:
        if not any(wire in self.used for wire in box.outputs):
            return
        self.used |= set(box.inputs)
        if box.op is op.draw:
            self.live |= set(box.inputs)
            if (found := self.summed.get(box["address"])) is not None:
                for wire in box.inputs:
                    self.note(wire, found)
        elif box.op is not op.stop and any(wire in self.live for wire in box.outputs):
            for place, wire in enumerate(box.inputs[:1] if box.op is op.baseline else box.inputs):
                self.live.add(wire)
                found = self.at(box, place)
                if found is not None:
                    self.note(wire, found)
                else:
                    for output in box.outputs:
                        self.follow(output, wire)
            if box.op is op.expectation and box.output in self.jump:  # a number that is continuous in what its choices read
                self.summed.update(dict.fromkeys(box["sites"], self.jump[box.output]))

    def note(self, wire: Wire, jump: Jump) -> None:
        before = self.jump.get(wire)
        if before is None or jump.order < before.order:
            self.jump[wire] = jump

    def follow(self, output: Wire, wire: Wire) -> None:
        """What is so of an output is so of what it is continuous in."""
        if output in self.live:
            self.live.add(wire)
        if output in self.used:
            self.used.add(wire)
        if output in self.jump:
            self.note(wire, self.jump[output])
        if output in self.assumed:
            self.assumed.setdefault(wire, self.assumed[output])

    def at(self, box: Box, place: int) -> Jump | None:
        """The jump of a box in one of its inputs."""
        here = Jump(box, self.order[id(box)])
        if box.op in COMPARISONS:
            return None if self.agrees(box, box.output) else here
        if box.op is op.density:
            why = self.density(box, place)
            return Jump(box, here.order, why) if why else None
        if box.op in (op.network, op.extern):
            return self.inside(box, place)
        if box.op is op.reduce:
            function = OPS.get(box["function"])
            return here if function is not None and function.smoothness(0) == "jump" else None
        if box.op in (op.where, op.and_, op.or_, op.not_, op.logical_xor) or box.op.smoothness(place) != "jump":
            return None  # a condition is no number: what makes it from numbers has jumped already
        return here

    def agrees(self, comparison: Box, condition: Wire) -> bool:
        """Is every reader of the condition a choice between branches that agree where both sides are equal?"""
        if condition in self.returned:
            return False
        p, q = comparison.inputs
        for reader, place in self.readers.get(condition, ()):
            live = [k for k, wire in enumerate(reader.outputs) if wire in self.live]
            if not live:
                continue
            if reader.op is op.not_:
                if not self.agrees(comparison, reader.output):
                    return False
            elif reader.op is op.where and place == 0:
                if not agree(self.values.view, p, q, *reader.inputs[1:]):
                    return False
            elif reader.op is op.branch and place == 0:
                yes, no = reader.regions
                if not all(agree(self.values.view, p, q, yes.outputs[k], no.outputs[k]) for k in live):
                    return False
            else:
                return False
        return True

    def density(self, box: Box, place: int) -> str:
        """Why a log density jumps in its value, or in a parameter; at the parameters that drew the value it does not."""
        distribution = box["distribution"]
        if self.values.own(box):
            return ""
        if place > 0:
            field = distribution.fields[place - 1].name if place <= len(distribution.fields) else ""
            return f"the density of `{distribution.name}` jumps in `{field}`" if (
                field in distribution.jumps_in or field in distribution.support.moves) else ""
        if distribution.value_smooth == "jump":
            return f"the density of `{distribution.name}` jumps in its value"
        asked = values(box)
        if contained(self.values.region(box.inputs[0]), asked):
            return ""
        return f"the density of `{distribution.name}` ends at the edge of {asked}" if not any(
            box["distribution"].support.moves) else f"the density of `{distribution.name}` ends at an edge"

    def inside(self, box: Box, place: int) -> Jump | None:
        """A network's or an extern's jump, by its jaxpr."""
        if id(box) not in self.looked:
            function = box["network"].apply if box.op is op.network else box.get("function")
            types = concrete([wire.type for wire in box.inputs])
            if box.op is op.network and getattr(types[0], "tree", None) is None:
                types[0] = Params(getattr(box["network"], "leaves", None))
            self.looked[id(box)] = jaxprs.continuity(function, types) if function is not None else None
        found = self.looked[id(box)]
        if found is None and box.op is op.network and getattr(box["network"], "smooth", "smooth") != "jump":
            return None  # of shapes not known yet: its layers say what they are
        if found is not None and found[place] is None:
            return None
        name, assume = box.get("name"), box.get("assume") or ()
        if "continuous" in ((assume,) if isinstance(assume, str) else tuple(assume)):
            self.assumed.setdefault(box.inputs[place], f"`{name}` is assumed to be continuous")
            return None
        why = f"`{name}` holds {found[place]}" if found is not None else f"`{name}` can't be looked into"
        return Jump(box, self.order[id(box)], why)

    # -------------------------------------------------------------- regions

    def regions(self, box: Box) -> None:
        if not any(wire in self.used for wire in box.outputs):
            return
        carries = box["carries"] if box.op is op.scan else 0
        if box.op is op.marginal and box.output in self.jump:
            self.summed.update((inner["address"], self.jump[box.output]) for inner in box.regions[0].walk() if inner.op is op.draw)
        for _ in range(2 * len(box.outputs) + 4):
            before = (len(self.live), len(self.used), len(self.assumed), tuple(
                jump.order for jump in map(self.jump.get, carried(box)) if jump is not None))
            for region in box.regions:
                for output, inner in zip(box.outputs, region.outputs):
                    self.follow(output, inner)
                for inner, start in zip(region.outputs[:carries], region.inputs[1:1 + carries]):
                    self.follow(start, inner)
                self.graph(region)
            after = (len(self.live), len(self.used), len(self.assumed), tuple(
                jump.order for jump in map(self.jump.get, carried(box)) if jump is not None))
            if after == before:
                break
        if box.op is op.branch:
            self.used.add(box.inputs[0])
            if any(wire in self.live for wire in box.outputs):
                self.live.add(box.inputs[0])
        for start, inner in zip(box.inputs[:carries], carried(box)):
            self.follow(inner, start)


def carried(box: Box) -> Sequence[Wire]:
    """The wires that a scan's body binds to what it carries."""
    return box.regions[0].inputs[1:1 + box["carries"]] if box.op is op.scan else ()


def own_inputs(box: Box) -> Iterator[tuple[int, Wire]]:
    """What a box itself reads, captured wires left out."""
    if not box.regions:
        yield from enumerate(box.inputs)
    elif box.op is op.branch:
        yield 0, box.inputs[0]
    elif box.op is op.scan:
        yield from enumerate(box.inputs[:box["carries"]])


def concrete(types: Sequence[Type]) -> list[Type]:
    """The types with a number for each size that is not known yet: whether a function jumps does not depend on it."""
    names: dict[str, int] = {}

    def number(type: Type) -> Type:
        if not isinstance(type, Array):
            return type
        for size in type.shape:
            if not known(size):
                for name in size._get_vars():
                    names.setdefault(str(name), 3 + len(names))
        return Array(type.kind, tuple(substitute(size, names) for size in type.shape))
    return [number(type) for type in types]


# ------------------------------------------------------------------ what is said


def jump(box: Box, jumps: Jumps, admissible: str = "") -> Diagnostic | None:
    """The error of following a choice's value where something downstream jumps in it."""
    found = jumps.found.get(box.output)
    if found is None:
        return None
    name, rule = name_of(box), getattr(box.rule, "name", None) or "reparam"
    does, at = action(found)
    return Diagnostic(
        "smoothness", f"`{name}` is drawn `by {rule}`, but {does}", box.span,
        f"the gradient through `{name}` would silently miss the jump{at}",
        notes=((found.box.span, found.why or "here"),) if found.box.span is not None else (),
        help="; or ".join(filter(None, [admissible, remedy(found.box)])))


def action(found: Jump) -> tuple[str, str]:
    """What the box that jumps does, and where."""
    box, span = found.box, found.box.span
    line, text = (f"line {span.line}", excerpt(span.text)) if span is not None else ("what follows", "")
    shown, at = (f": `{text}`" if text else ""), (f" at line {span.line}" if span is not None else "")
    if found.why:
        return f"{line} reads it where {found.why}{shown}" if box.op is op.density else f"{found.why}{shown}", at
    if box.op in COMPARISONS:
        return f"{line} compares it{shown}", at
    if box.op is op.index:
        return f"{line} uses it as an index{shown}", at
    function = box["function"] if box.op is op.reduce else box.op.title
    return f"{line} takes its `{function}`, which jumps{shown}", at


def excerpt(text: str) -> str:
    line = " ".join(text.split())
    return line if len(line) <= 60 else line[:59] + "…"


def remedy(box: Box) -> str:
    return f"`assume continuous` after the extern `{box['name']}`, if it is" if box.op is op.extern else ""


def assumed(box: Box, jumps: Jumps) -> str:
    """What had to be assumed for the choice to be continuous downstream ("" for nothing)."""
    return jumps.assumed.get(box.output, "")
