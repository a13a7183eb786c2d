"""Write the way back: for each box from the last to the first what becomes of its cotangents, numbers and words.

    segment     pull          real cotangents of its real inputs: the VJP of the forward pass
    host box    criticize     the weight |c| and the sign of its real outputs, and what is said of its texts, as feedback by its rule
    wire        gather        feedback of all its readers, merged by source; over axes that it lacks, by the rules of their loops

A wire has a cotangent only if it depends on what is differentiated and reaches the objective.  No call is made here: the graph is
printed, drawn and counted as any other.  A number that enters a host box has no derivative there: that is an error where the
number depends on a parameter.

Needs: segments.  Leaves: outputs (value, cotangents of the differentiated inputs in their order).
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any, Iterable, Mapping

from pullback.compiler import ops as op
from pullback.compiler.analyses.host import on_host
from pullback.compiler.diagnostic import Diagnostic, Reported
from pullback.compiler.ir import Box, Graph, Names, Wire
from pullback.compiler.type import Array, Params, is_text

MOVES = (op.spread, op.stack_axis)  # what they say of an input is over its own axes


def criticize(graph: Graph, over: Iterable[Wire], gathers: Mapping[str, tuple] = {}, sign: float = 1.0, biased: bool = False) -> Graph:
    """`over`: the inputs that are differentiated.  `gathers`: for a loop by its axis' name, the rules by which what is said of its
    elements meets.  `sign`: −1 where the objective is to be lowered.  `biased`: is a missing derivative allowed?"""
    over = [wire for wire in over if is_text(wire.type) or real(wire)]
    work = Backward(graph, graph.names(), live(graph, over), dict(gathers))
    found = work.run(over, sign)
    wrong = [problem for wire in over for problem in work.missing(wire, biased)]
    if wrong:
        raise Reported(*wrong)
    return replace(graph, boxes=tuple(work.boxes), outputs=(*graph.outputs, *found)).numbered()


def real(wire: Wire) -> bool:
    return isinstance(wire.type, Params) or isinstance(wire.type, Array) and wire.type.kind in ("real", "complex")


def live(graph: Graph, over: Iterable[Wire]) -> set[Wire]:
    """The wires whose derivative in what is differentiated may not be 0."""
    found = set(over)
    for box in graph.boxes:
        if box.op is op.segment:
            found |= live(box.regions[0], [wire for wire in box.inputs if wire in found])
        elif not any(wire in found for wire in box.inputs) or box.op is op.stop:
            continue
        elif box.op is op.points:
            value, weight = box.outputs
            found |= {weight} if real(weight) else set()
            found |= {value} if getattr(box.rule, "through", "weight") == "value" else set()
        elif on_host(box):
            carried = [wire for wire in box.inputs if wire in found and not (real(wire) and not is_text(wire.type))]
            found |= set(box.outputs) if carried else set()
        else:
            found |= {wire for wire in box.outputs if real(wire)}
    return found


@dataclass
class Backward:
    graph: Graph
    names: Names
    live: set[Wire]
    gathers: Mapping[str, tuple]
    boxes: list[Box] = field(default_factory=list)
    slopes: dict[Wire, list[Wire]] = field(default_factory=dict)
    said: dict[Wire, list[Wire]] = field(default_factory=dict)
    opaque: dict[Wire, Box] = field(default_factory=dict)

    def run(self, over: list[Wire], sign: float) -> list[Wire]:
        """Write all boxes; the cotangents of `over`."""
        (value,) = self.graph.outputs
        forward: list[Box] = []
        self.slopes[value] = [self.emit(op.constant, (), "seed", value.type.plain(), value, attributes={"value": sign})]
        for box in reversed(self.graph.boxes):
            forward.append(self.box(box))
        back = self.boxes
        self.boxes = []
        found = [self.total(wire) for wire in over]
        self.boxes = [*reversed(forward), *back, *self.boxes]
        return found

    def emit(self, what: Any, inputs: Iterable[Wire], base: str, type: Any, like: Wire, **changes: Any) -> Wire:
        wire = Wire(self.names.fresh(base), type, like.axes, span=like.span)
        self.boxes.append(Box(what, tuple(inputs), (wire,), **changes))
        return wire

    # ------------------------------------------------------------ wires

    def slope(self, wire: Wire) -> Wire | None:
        """The real cotangent of a wire: the sum over its readers; None if nothing numeric comes back."""
        found = self.slopes.get(wire, [])
        if len(found) > 1:
            found = self.slopes[wire] = [self.emit(op.add, found, f"d_{wire.name}", plain(wire.type), wire, attributes={"axes": wire.axes})]
        return found[0] if found else None

    def words(self, wire: Wire) -> Wire | None:
        """The feedback on a wire: what all readers say, over its own axes."""
        found = self.said.get(wire, [])
        extra = {axis for one in found for axis in one.axes if axis not in wire.axes}
        if len(found) > 1 or extra:
            rules = {axis.name: self.gathers[axis.name] for axis in extra if axis.name in self.gathers}
            found = self.said[wire] = [self.emit(
                op.gather, found, f"on_{wire.name}", Array("feedback", wire.type.shape), wire,
                attributes={"over": tuple(sorted(extra, key=lambda axis: axis.order)), **({"rules": rules} if rules else {})})]
        return found[0] if found else None

    def total(self, wire: Wire) -> Wire:
        """The cotangent of a differentiated input, of 0 or of nothing if none came back."""
        found = self.words(wire) if is_text(wire.type) else self.slope(wire)
        if found is not None:
            return found
        kind = Array("feedback", wire.type.shape) if is_text(wire.type) else wire.type
        return self.emit(op.gather if is_text(wire.type) else op.zero, () if is_text(wire.type) else (wire,), f"on_{wire.name}", kind,
                         wire, attributes={"over": ()} if is_text(wire.type) else {})

    # ------------------------------------------------------------ boxes

    def box(self, box: Box) -> Box:
        """Write what comes back through a box; the box as it stands in the forward pass."""
        return self.segment(box) if box.op is op.segment else self.host(box)

    def segment(self, box: Box) -> Box:
        wanted = tuple(wire for wire in box.inputs if wire in self.live and real(wire))
        through = tuple(wire for wire in box.outputs if real(wire) and self.slopes.get(wire))
        if not wanted or not through:
            return box
        given = [self.slope(wire) for wire in through]
        pullback = Wire(self.names.fresh("pullback"), Array("pullback"))
        outputs = tuple(Wire(self.names.fresh(f"d_{wire.name}"), plain(wire.type), wire.axes, span=wire.span) for wire in wanted)
        self.boxes.append(Box(op.pull, (pullback, *given), outputs, span=box.span, origin=own(box), attributes={
            "to": tuple(wire.name for wire in wanted), "from": tuple(wire.name for wire in through)}))
        for wire, output in zip(wanted, outputs):
            self.slopes.setdefault(wire, []).append(output)
        return box.but(outputs=(*box.outputs, pullback), attributes={
            "to": tuple(wire.name for wire in wanted), "from": tuple(wire.name for wire in through)})

    def host(self, box: Box) -> Box:
        slopes = [(place, self.slope(wire)) for place, wire in enumerate(box.outputs) if self.slopes.get(wire)]
        said = [(place, self.words(wire)) for place, wire in enumerate(box.outputs) if self.said.get(wire)]
        for wire in box.inputs if box.op is not op.stop else ():
            if real(wire) and wire in self.live:
                self.opaque.setdefault(wire, box)
        if not slopes and not said or box.op is op.stop:
            return box
        count = len(box.inputs) - bool(box.get("masked"))
        wanted = tuple(place for place, wire in enumerate(box.inputs[:count]) if wire in self.live and not real(wire))
        if not wanted:
            return box
        outputs = tuple(Wire(self.names.fresh(f"on_{box.inputs[place].name}"), Array("feedback", box.inputs[place].type.shape),
                             box.inputs[place].axes if box.op in MOVES else box.axes, span=box.inputs[place].span) for place in wanted)
        attributes = {"of": box.op.name, "wanted": wanted, "inputs": len(box.inputs), "outputs": len(box.outputs),
                      "slopes": tuple(place for place, _ in slopes), "said": tuple(place for place, _ in said), "box": box.number}
        self.boxes.append(Box(op.criticize, (*box.inputs, *box.outputs, *(w for _, w in slopes), *(w for _, w in said)), outputs,
                              attributes=attributes, rule=box.rule, span=box.span, origin=own(box), frame=box.frame))
        for place, output in zip(wanted, outputs):
            self.said.setdefault(box.inputs[place], []).append(output)
        return box

    # ------------------------------------------------------------ what is missing

    def missing(self, wire: Wire, biased: bool) -> list[Diagnostic]:
        """The error where a parameter has no derivative, or not the whole of it."""
        if is_text(wire.type):
            return [] if self.said.get(wire) or self.reaches(wire) else [Diagnostic(
                "unused", f"nothing is ever said of `{wire.name}`: no text that depends on it is judged or verified", wire.span,
                help="a verifier is a function of texts: `extern right(reply: text, answer: text) -> unit`; a comparison has no derivative")]
        dark = [(one, box) for one, box in self.opaque.items() if self.depends(one, wire)]
        if not dark or biased and self.slopes.get(wire):
            return []
        one, box = dark[0]
        name = box.get("name") if box.op is op.extern else {"format": "a template", "llm": "`llm`"}.get(box.op.name, f"`{box.op.name}`")
        only = "reaches the objective only" if not self.slopes.get(wire) else "also reaches the objective"
        return [Diagnostic(
            "opaque", f"`{wire.name}` {only} through {f'`{name}`' if box.op is op.extern else name}, where it has no derivative", box.span,
            f"`{one.name}` becomes text here" if box.op is op.format else f"`{one.name}` is read here",
            notes=((wire.span, f"`{wire.name}` is differentiated"),) if wire.span else (),
            help="a choice among texts has one: `prompt ~ choice(prompts, logits = l) by enum`")]

    def reaches(self, wire: Wire) -> bool:
        return wire in self.graph.outputs

    def depends(self, wire: Wire, on: Wire) -> bool:
        return wire in live(self.graph, [on])


def plain(type: Any) -> Any:
    return type.plain() if isinstance(type, Array) else type


def own(box: Box) -> tuple[int, ...]:
    return () if box.number is None else (box.number,)
