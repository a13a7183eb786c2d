"""Rewrites of diagrams.  Each keeps the value.

    connected     spiders fused: snakes straightened, identities gone; what is left joins three wires or more, or is a cup or cap
    fused         G(a) >> G(b) is G(a + b) for rotations; U >> U.dagger is nothing; spiders of one color that touch are one, their
                  phases added
    normal_form   both until nothing changes, like terms collected, boxes by depth
    recolored     H on every wire of a Z spider or of Rz makes it an X spider, Rx, and back
    cups_away     a state all of whose wires end in cups is the effect that it is turned upside down: fewer wires, the same value
Sources: Coecke, Duncan (2011), New J. Phys. 13 (spiders); Lorenz et al. (2023), JAIR 76 (fewer qubits).
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any

from pullback.compiler import gate as gates
from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.connect import Union
from pullback.compiler.diagrams.derive import regathered
from pullback.compiler.diagrams.equal import collected, numbers_of
from pullback.compiler.diagrams.numbers import Form, Numbers, constant
from pullback.compiler.gate import Gate
from pullback.compiler.ir import Box, Graph, Wire, in_order
from pullback.compiler.type import REAL


def connected(graph: Graph) -> Graph:
    """Each class of joined wires as one spider, or as none where a wire will do."""
    union = Union()
    for box in graph.boxes:
        if box.op is op.spider:
            union.join((*box.inputs, *box.outputs))
    classes: dict[Wire, list[Wire]] = {}
    for wire in graph.wires():
        if wire in union.parent:
            classes.setdefault(union.find(wire), []).append(wire)
    rest = [box for box in graph.boxes if box.op is not op.spider]
    made = {wire for box in rest for wire in box.outputs} | set(build.entering(graph))
    read = {wire for box in rest for wire in build.inner_inputs(box)} | set(graph.outputs)
    for group in classes.values():
        sources, sinks = [w for w in group if w in made], [w for w in group if w in read]
        both = [w for w in sources if w in sinks]
        assert not both, "a wire that a spider holds is made or read by it"
        if not sources and not sinks:
            (loop,) = build.wires((group[0].type,))
            (back,) = build.wires(build.adjoint((group[0].type,)))
            rest += [Box(op.spider, (), (loop, back)), Box(op.spider, (loop, back), ())]
        elif len(sources) == 1 == len(sinks) and sources[0].type == sinks[0].type and not reaches(rest, sinks[0], sources[0]):
            rest, outputs = renamed_reads(rest, graph.outputs, sinks[0], sources[0])
            graph = replace(graph, outputs=outputs)
            read = {wire for box in rest for wire in build.inner_inputs(box)} | set(graph.outputs)
        else:
            rest += joined(rest, sources, sinks)
    pure = [box for box in rest if box.op.kind != "diagram"]
    boxes = in_order([box for box in rest if box.op.kind == "diagram"])
    return replace(graph, boxes=(*pure, *boxes))


def renamed_reads(boxes: list[Box], outputs: tuple[Wire, ...], old: Wire, new: Wire) -> tuple[list[Box], tuple[Wire, ...]]:
    def now(wires: tuple[Wire, ...]) -> tuple[Wire, ...]:
        return tuple(new if wire == old else wire for wire in wires)
    return [box.but(inputs=now(box.inputs)) if old in box.inputs else box for box in boxes], now(outputs)


def reaches(boxes: list[Box], start: Wire, end: Wire) -> bool:
    """Does a wire lead to another through boxes?"""
    readers: dict[Wire, list[Box]] = {}
    for box in boxes:
        for wire in box.inputs:
            readers.setdefault(wire, []).append(box)
    todo, seen = [start], set()
    while todo:
        wire = todo.pop()
        if wire == end:
            return True
        for box in readers.get(wire, []):
            todo += [w for w in box.outputs if w not in seen]
            seen.update(box.outputs)
    return False


def joined(boxes: list[Box], sources: list[Wire], sinks: list[Wire]) -> list[Box]:
    """A spider from sources to sinks.  Where that would feed a box its own output the sink is bent: a cap, and a leg above."""
    loose, made, above = [], [], list(sources)
    for sink in sinks:
        if any(reaches(boxes, sink, source) for source in sources):
            (back,) = build.wires(build.adjoint((sink.type,)))
            made.append(Box(op.spider, (), (sink, back)))
            above.append(back)
        else:
            loose.append(sink)
    return [*made, Box(op.spider, tuple(above), tuple(loose))]


# ---------------------------------------------------------------- fusion of neighbors


def fused(graph: Graph) -> Graph:
    """Two neighbors on the same wires as one, once; the same graph where there are none."""
    reader = {wire: box for box in graph.boxes for wire in build.inner_inputs(box) if box.op.kind == "diagram"}
    for box in graph.boxes:
        record = box.get("gate")
        if box.op is not op.box or record is None:
            continue
        known = Numbers(graph.boxes)
        if record.additive and record.domain and box["numbers"] == 1:
            angle = known.linear(box.inputs[0])
            if angle.fixed and abs(angle.constant) < 1e-14:
                return removed(graph, box, None)
        second = touching(graph, box, reader)
        if second is not None:
            return one_spider(graph, box, second, known)
        after = reader.get(box.outputs[0]) if box.outputs else None
        if after is None or after.op is not op.box or build.inner_inputs(after) != box.outputs or after.get("gate") is None:
            continue
        other = after["gate"]
        if (record.unitary and (other.name, other.static) == (record.name, record.static) and after["legs"] == flipped_legs(box)
                and after["dagger"] != box["dagger"] and numbers_of(graph, box) == numbers_of(graph, after)):
            return removed(graph, box, after)
        if record.additive and other.name == record.name and record.domain and after["turns"] == box["turns"]:
            a, b = known.linear(box.inputs[0]), known.linear(after.inputs[0])
            a = a.scaled(-1.0) if box["dagger"] else a
            b = b.scaled(-1.0) if after["dagger"] else b
            return merged(graph, box, after, a.plus(b), known)
    return graph


def touching(graph: Graph, box: Box, reader: dict[Wire, Box]) -> Box | None:
    """A spider of the same color that reads a wire of this one, and nothing that comes of it by another way."""
    if not is_spider(box):
        return None
    for wire in box.outputs:
        other = reader.get(wire)
        if other is not None and is_spider(other) and other["gate"].name == box["gate"].name:
            loose = [out for out in box.outputs if out not in other.inputs]
            rest = [one for one in graph.boxes if one.op.kind == "diagram"]
            if not any(reaches(rest, out, back) for out in loose for back in build.inner_inputs(other) if back not in box.outputs):
                return other
    return None


def is_spider(box: Box) -> bool:
    return box.op is op.box and box.get("gate") is not None and gates.find(box["gate"].name).statics == "legs"


def one_spider(graph: Graph, first: Box, second: Box, known: Numbers) -> Graph:
    """Spiders of one color sum over one index: the wires between them go, and their phases add up."""
    phases = [known.linear(box.inputs[0]).scaled(-1.0 if box["dagger"] else 1.0) for box in (first, second)]
    ins = (*build.inner_inputs(first), *(w for w in build.inner_inputs(second) if w not in first.outputs))
    loose = [*(w for w in first.outputs if w not in second.inputs), *second.outputs]
    outs = tuple(sorted(loose, key=lambda w: graph.outputs.index(w) if w in graph.outputs else -1))  # legs have no order
    boxes, wire = computed(phases[0].plus(phases[1]), graph)
    record = gates.find(first["gate"].name).make(len(ins), len(outs))
    return put(graph, (first, second), boxes, Box(op.box, (wire, *ins), outs, attributes=plain(record, 1), span=first.span))


def plain(record: Gate, numbers: int) -> dict[str, Any]:
    """The attributes of a gate that stands upright."""
    return {"name": record.name, "numbers": numbers, "dagger": False, "turns": 0, "legs": record.legs, "gate": record}


def put(graph: Graph, gone: tuple[Box, ...], computed: list[Box], made: Box) -> Graph:
    rest = [box for box in graph.boxes if box not in gone]
    pure = [box for box in rest if box.op.kind != "diagram"]
    diagram = [*(box for box in rest if box.op.kind == "diagram"), made]
    return used(replace(graph, boxes=(*pure, *computed, *in_order(diagram))))


def flipped_legs(box: Box) -> tuple[int, ...]:
    count = len(build.inner_inputs(box))
    return (*box["legs"][count:], *box["legs"][:count])


def removed(graph: Graph, first: Box, second: Box | None) -> Graph:
    last = second or first
    same = dict(zip(last.outputs, build.inner_inputs(first)))
    boxes = tuple(box for box in graph.boxes if box is not first and box is not second)
    return used(replace(graph, boxes=boxes).rename(same))


def merged(graph: Graph, first: Box, second: Box, angle: Form, known: Numbers) -> Graph:
    boxes, wire = computed(angle, graph)
    one = first.but(inputs=(wire, *build.inner_inputs(first)), outputs=second.outputs,
                    attributes={"dagger": False, "legs": first["gate"].legs if not first["turns"] % 2 else first["legs"]})
    found = [box if box is not first else one for box in graph.boxes if box is not second]
    diagram = [box for box in found if box.op.kind == "diagram"]
    pure = [box for box in found if box.op.kind != "diagram"]
    return used(replace(graph, boxes=(*pure, *boxes, *in_order(diagram))))


def computed(form: Form, graph: Graph) -> tuple[list[Box], Wire]:
    """A linear form as boxes: 2 * t + 0.5."""
    boxes: list[Box] = []
    terms: list[Wire] = []
    there = {wire.name: wire for wire in (*graph.inputs, *(w for box in graph.boxes for w in box.outputs))}
    for (name, element), c in sorted(form.parts.items()):
        if abs(c) < 1e-14:
            continue
        wire = there[name]
        if element:
            boxes.append(Box(op.index, (wire,), (build.wire(REAL),), attributes={"pattern": element}))
            wire = boxes[-1].output
        if c != 1:
            boxes.append(constant(int(c) if float(c).is_integer() else c))
            boxes.append(Box(op.mul, (boxes[-1].output, wire), (build.wire(REAL),)))
            wire = boxes[-1].output
        terms.append(wire)
    if abs(form.constant) > 1e-14 or not terms:
        boxes.append(constant(float(form.constant)))
        terms.append(boxes[-1].output)
    if len(terms) == 1:
        return boxes, terms[0]
    boxes.append(Box(op.add, tuple(terms), (build.wire(REAL),)))
    return boxes, boxes[-1].output


def used(graph: Graph) -> Graph:
    """Without boxes that compute numbers which nothing reads."""
    needed: set[Wire] = set()
    kept: list[Box] = []
    for box in reversed(graph.boxes):
        if box.op.kind == "diagram" or any(wire in needed for wire in box.outputs):
            kept.append(box)
            needed.update(box.inputs)
    return regathered(replace(graph, boxes=tuple(reversed(kept))))


# ---------------------------------------------------------------- on demand

COLORS = {"ZSpider": "XSpider", "XSpider": "ZSpider", "Rz": "Rx", "Rx": "Rz"}


def recolored(graph: Graph) -> Graph:
    """H · Z(a) · H = X(a), wherever every wire of the box has its H."""
    while True:
        maker = {wire: box for box in graph.boxes for wire in box.outputs}
        reader = {wire: box for box in graph.boxes for wire in build.inner_inputs(box) if box.op.kind == "diagram"}
        for box in graph.boxes:
            other = COLORS.get(box["gate"].name) if box.op is op.box and box.get("gate") is not None else None
            before, after = [maker.get(w) for w in build.inner_inputs(box)] if other else [], [reader.get(w) for w in box.outputs]
            if not before + after or other is None or not all(one is not None and is_h(one) for one in before + after):
                continue
            record = gates.find(other).make(*box["gate"].static)
            ins, outs = (w for one in before for w in build.inner_inputs(one)), (w for one in after for w in one.outputs)
            boxes, wire = computed(Numbers(graph.boxes).linear(box.inputs[0]).scaled(-1.0 if box["dagger"] else 1.0), graph)
            graph = put(graph, (box, *before, *after), boxes, Box(op.box, (wire, *ins), tuple(outs), attributes=plain(record, 1), span=box.span))
            break
        else:
            return graph


def is_h(box: Box) -> bool:
    return box.op is op.box and box.get("gate") is not None and box["gate"].name == "H"


def cups_away(graph: Graph) -> Graph:
    """States whose wires all end in cups, as effects on what they meet there; one state at a time, in their order."""
    while True:
        ends = {wire: (box, other) for box in graph.boxes if box.op is op.spider and len(box.inputs) == 2 and not box.outputs
                for wire, other in (box.inputs, box.inputs[::-1])}
        for box in graph.boxes:
            if box.op is not op.box or build.inner_inputs(box) or not box.outputs or not all(
                    wire in ends and ends[wire][1] not in box.outputs for wire in box.outputs):
                continue
            cups = tuple(ends[wire][0] for wire in box.outputs)
            meets = tuple(ends[wire][1] for wire in box.outputs)
            turned = build.transpose(replace(graph, boxes=(box,), inputs=box.inputs, outputs=box.outputs)).boxes[0]
            effect = turned.but(inputs=(*box.inputs, *reversed(meets)))
            graph = put(graph, (box, *cups), [], effect)
            break
        else:
            return graph


# ---------------------------------------------------------------- all together


def normal_form(graph: Graph) -> Graph:
    """The simplest form: a sum of distinct terms, each connected, fused, and in the order of depth."""
    terms = collected([(c, simplest(term)) for c, term in build.summands(graph)])
    found = build.add(terms, signature_of=(build.domain(graph), build.codomain(graph)))
    return replace(found, inputs=(*build.numbers(graph), *build.entering(found)), name=graph.name)


def simplest(graph: Graph) -> Graph:
    while True:
        graph = connected(graph)
        after = fused(graph)
        if after is graph:
            return by_depth(graph)
        graph = after


def by_depth(graph: Graph) -> Graph:
    """Boxes as early as they can be, otherwise as they stood."""
    depth: dict[Wire, int] = {}
    ranked = []
    for at, box in enumerate(box for box in graph.boxes if box.op.kind == "diagram"):
        level = max((depth.get(wire, 0) for wire in build.inner_inputs(box)), default=0)
        depth.update((wire, level + 1) for wire in box.outputs)
        ranked.append((level, at, box))
    pure = [box for box in graph.boxes if box.op.kind != "diagram"]
    return replace(graph, boxes=(*pure, *(box for _, _, box in sorted(ranked, key=lambda one: one[:2]))))
