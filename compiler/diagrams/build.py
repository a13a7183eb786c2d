"""The algebra of diagrams: identities, boxes, spiders, `>>`, `*`, `+`, dagger and transpose.

A diagram is a `Graph`.  Its inputs are numbers (its parameters, shared by name) and then its domain, its outputs the codomain;
a wire of an object type is made once and read once.  A swap is no box: it is the order of the outputs.

    (a >> b)   the wires of b's domain become those of a's codomain
    (a * b)    the boundaries side by side
    dagger     the diagram read upwards, arrays conjugated;  transpose: turned by half a turn;  conjugate: both
"""
from __future__ import annotations

from dataclasses import replace
from itertools import count
from typing import Any, Callable, Iterable, Mapping, Sequence

from pullback.compiler import ops as op
from pullback.compiler.gate import Gate
from pullback.compiler.ir import Box, Graph, Names, Wire, free
from pullback.compiler.source import Span
from pullback.compiler.type import Object, Type

Boundary = tuple[Object, ...]
MARK = "\1"
_numbers = count()


class Untyped(TypeError):
    """Diagrams that do not fit; `notes` show both boundaries."""

    def __init__(self, message: str, notes: Sequence[str] = (), help: str = ""):
        super().__init__(message)
        self.message, self.notes, self.help = message, tuple(notes), help


# ---------------------------------------------------------------- boundaries


def is_object(wire: Wire) -> bool:
    return isinstance(wire.type, Object)


def numbers(graph: Graph) -> tuple[Wire, ...]:
    """The parameters of a diagram: its inputs that are numbers."""
    return tuple(wire for wire in graph.inputs if not is_object(wire))


def entering(graph: Graph) -> tuple[Wire, ...]:
    return tuple(wire for wire in graph.inputs if is_object(wire))


def domain(graph: Graph) -> Boundary:
    return tuple(wire.type for wire in entering(graph))


def codomain(graph: Graph) -> Boundary:
    return tuple(wire.type for wire in graph.outputs)


def adjoint(boundary: Boundary, by: int = 1) -> Boundary:
    """(a·b).r = b.r·a.r"""
    return tuple(atom.turned(by) for atom in reversed(boundary))


def shown(boundary: Iterable[Object]) -> str:
    return " * ".join(map(str, boundary)) or "nothing"


def signature(graph: Graph) -> str:
    return f"{shown(domain(graph)) if domain(graph) else ''} -> {shown(codomain(graph)) if codomain(graph) else ''}".strip()


def inner_inputs(box: Box) -> tuple[Wire, ...]:
    """The wires of object types that a box reads."""
    return box.inputs[box.get("numbers", 0):]


# ---------------------------------------------------------------- wires


def wire(type: Type, base: str = "") -> Wire:
    """A new wire; it gets its printed name from `settled`."""
    if not base:
        base = type.name if isinstance(type, Object) else "x"
    return Wire(f"{base}{MARK}{next(_numbers)}", type)


def wires(boundary: Boundary) -> tuple[Wire, ...]:
    return tuple(map(wire, boundary))


def renamed(graph: Graph, same: Mapping[Wire, Wire]) -> Graph:
    """The graph with wires replaced everywhere, also where they are made."""
    def now(found: Iterable[Wire]) -> tuple[Wire, ...]:
        return tuple(same.get(one, one) for one in found)
    boxes = tuple(box.but(inputs=now(box.inputs), outputs=now(box.outputs),
                          regions=tuple(renamed(region, same) for region in box.regions)) for box in graph.boxes)
    return replace(graph, inputs=now(graph.inputs), boxes=boxes, outputs=now(graph.outputs))


def made(graph: Graph) -> set[Wire]:
    """The wires of a graph that are its own: all but its numbers and what it captures."""
    shared = set(numbers(graph)) | set(free(graph))
    return {one for one in graph.wires() if one not in shared}


def fresh(graph: Graph) -> Graph:
    """A copy with wires of its own."""
    return renamed(graph, {one: replace(wire(one.type, base(one)), span=one.span) for one in made(graph)})


def base(one: Wire) -> str:
    return one.name.split(MARK)[0].split("\0")[0]


def apart(a: Graph, b: Graph) -> Graph:
    """b, with no wire in common with a but numbers."""
    return fresh(b) if a is b or not made(a).isdisjoint(made(b)) else b


def settled(graph: Graph, names: Mapping[str, str] | None = None) -> Graph:
    """The graph with the names that are printed, and boxes with numbers."""
    taken, pretty = Names(), {}
    for one in graph.wires():
        pretty[one] = replace(one, name=taken.fresh((names or {}).get(one.name) or base(one)))
    return renamed(graph, pretty).numbered()


def together(parts: Iterable[Wire]) -> tuple[Wire, ...]:
    return tuple(dict.fromkeys(parts))


# ---------------------------------------------------------------- diagrams of one box


def identity(boundary: Boundary) -> Graph:
    found = wires(boundary)
    return Graph(found, (), found)


def swap(a: Boundary, b: Boundary) -> Graph:
    left, right = wires(a), wires(b)
    return Graph((*left, *right), (), (*right, *left))


def single(box: Box) -> Graph:
    """The diagram of one box."""
    return Graph(box.inputs, (box,), box.outputs)


def spider(domain: Boundary, codomain: Boundary, span: Span | None = None) -> Graph:
    return single(Box(op.spider, wires(domain), wires(codomain), span=span))


def spiders(atoms: Boundary, m: int, n: int, span: Span | None = None) -> Graph:
    """A spider for each atom of a type, with m copies of the type above and n below."""
    above, below = [wires(atoms) for _ in range(m)], [wires(atoms) for _ in range(n)]
    boxes = tuple(Box(op.spider, tuple(group[at] for group in above), tuple(group[at] for group in below), span=span)
                  for at in range(len(atoms)))
    return Graph(tuple(one for group in above for one in group), boxes, tuple(one for group in below for one in group))


def cup(a: Boundary, b: Boundary, span: Span | None = None) -> Graph:
    """The cup of a type and its adjoint; that of a product is nested."""
    if b not in (adjoint(a, 1), adjoint(a, -1)):
        raise Untyped(f"a cup joins a type and its adjoint, and these are `{shown(a)}` and `{shown(b)}`",
                      help=f"`cup({bare(a)}, {bare(adjoint(a, 1))})` or `cup({bare(adjoint(a, -1))}, {bare(a)})`".replace("nothing", ""))
    found = wires((*a, *b))
    return Graph(found, tuple(Box(op.spider, (x, y), (), span=span) for x, y in zip(reversed(found[:len(a)]), found[len(a):])), ())


def cap(a: Boundary, b: Boundary, span: Span | None = None) -> Graph:
    try:
        below = cup(a, b, span)
    except Untyped as problem:
        raise Untyped(problem.message.replace("a cup", "a cap"), problem.notes, problem.help.replace("cup(", "cap(")) from None
    return dagger(below)


def bare(boundary: Boundary) -> str:
    return shown(boundary) if len(boundary) < 2 else f"({shown(boundary)})"


def gate(record: Gate, given: Sequence[Wire] = (), span: Span | None = None) -> Graph:
    """The diagram of a gate; `given`: its turns."""
    return named(record.name, given, record.domain, record.codomain, span, gate=record)


def named(name: str, given: Sequence[Wire], domain: Boundary, codomain: Boundary, span: Span | None = None, **more: Any) -> Graph:
    record = more.get("gate")
    legs = record.legs if record is not None and record.array is not None else tuple(range(len(domain) + len(codomain)))
    attributes = {"name": name, "numbers": len(given), "dagger": False, "turns": 0, "legs": legs, **more}
    return single(Box(op.box, (*given, *wires(domain)), wires(codomain), attributes=attributes, span=span))


# ---------------------------------------------------------------- composition


def then(a: Graph, b: Graph) -> Graph:
    """a >> b."""
    if codomain(a) != domain(b):
        raise mismatch(codomain(a), domain(b))
    if (drawn := factored(a, b, then)) is not None:
        return drawn
    b = apart(a, b)
    same = dict(zip(entering(b), a.outputs))
    b = b if not same else renamed(b, same)
    return Graph((*together((*numbers(a), *numbers(b))), *entering(a)), ordered(a.boxes + b.boxes), b.outputs)


def beside(a: Graph, b: Graph) -> Graph:
    """a * b."""
    if (drawn := factored(a, b, beside)) is not None:
        return drawn
    b = apart(a, b)
    inputs = (*together((*numbers(a), *numbers(b))), *entering(a), *entering(b))
    return Graph(inputs, ordered(a.boxes + b.boxes), a.outputs + b.outputs)


def factored(a: Graph, b: Graph, compose: Callable[[Graph, Graph], Graph]) -> Graph | None:
    """c·A >> B is c·(A >> B): a number in front of one diagram goes to the front of the whole."""
    left, right = summands(a), summands(b)
    if len(left) != 1 or len(right) != 1 or left[0][1] is a and right[0][1] is b:
        return None
    (c, first), (d, second) = left[0], right[0]
    return add([(c * d, compose(first, second))])


def ordered(boxes: Sequence[Box]) -> tuple[Box, ...]:
    """What computes numbers first, once each."""
    first = dict.fromkeys(box for box in boxes if box.op.kind != "diagram")
    return tuple(first) + tuple(box for box in boxes if box.op.kind == "diagram") if first else tuple(boxes)


def mismatch(a: Boundary, b: Boundary) -> Untyped:
    """Both boundaries aligned wire by wire, the first that differ underlined."""
    above, below = [str(atom) for atom in a], [str(atom) for atom in b]
    at = next((i for i, (x, y) in enumerate(zip(a, b)) if x != y), min(len(a), len(b)))
    columns = []
    for i in range(max(len(a), len(b))):
        x, y = (above[i] if i < len(a) else ""), (below[i] if i < len(b) else "")
        columns.append((x, y, max(len(x), len(y), 1)))

    def line(which: int) -> str:
        return "   ".join(column[which].ljust(column[2]) for column in columns).rstrip() or "nothing"
    place = sum(column[2] + 3 for column in columns[:at])
    mark = " " * place + "^" * columns[at][2] if columns else ""
    return Untyped(f"`>>` joins equal boundaries: `{shown(a)}` meets `{shown(b)}`",
                   (f"the first ends in     {line(0)}", f"the second begins in  {line(1)}", f"{'':22}{mark}"))


def power(graph: Graph, times: int) -> Graph:
    """D^n is D * D * …"""
    found = Graph((), (), ())
    for _ in range(times):
        found = beside(found, graph)
    return found


def add(terms: Sequence[tuple[float, Graph]], span: Span | None = None,
        signature_of: tuple[Boundary, Boundary] | None = None) -> Graph:
    """Σ cᵢ Dᵢ; a term that is a sum itself is spread out.  Without a term: 0, of the given signature."""
    flat: list[tuple[float, Graph]] = []
    for c, graph in terms:
        flat += [(c * inner, region) for inner, region in summands(graph) if c * inner != 0]
    first = terms[0][1] if terms else None
    for _, graph in terms[1:]:
        if (domain(graph), codomain(graph)) != (domain(first), codomain(first)):
            raise Untyped(f"the terms of a sum have one signature: `{signature(first)}` stands beside `{signature(graph)}`")
    if len(flat) == 1 and flat[0][0] == 1:
        return flat[0][1]
    dom, cod = signature_of or (domain(first), codomain(first))
    regions = []
    for _, graph in flat:
        regions.append(fresh(graph))
    pure = ordered([box for region in regions for box in region.boxes if box.op.kind != "diagram"])
    regions = [outside(region) for region in regions]
    outer = together(one for region in regions for one in numbers(region))
    box = Box(op.formal_sum, (*outer, *wires(dom)), wires(cod), tuple(regions),
              {"coefficients": tuple(c for c, _ in flat), "numbers": len(outer)}, span=span)
    return enclosed(pure, box)


def outside(graph: Graph) -> Graph:
    """A diagram as a region: boxes that compute numbers stand outside of it."""
    boxes = tuple(box for box in graph.boxes if box.op.kind == "diagram")
    return Graph((*together(one for box in boxes for one in box.inputs[:box.get("numbers", 0)]), *entering(graph)), boxes, graph.outputs)


def enclosed(pure: Sequence[Box], box: Box) -> Graph:
    """The diagram of a box with regions, with the boxes that compute what they capture."""
    own = {one for b in pure for one in b.outputs}
    reads = together(one for b in (*pure, box) for one in b.inputs if not is_object(one) and one not in own)
    return Graph((*reads, *inner_inputs(box)), (*pure, box), box.outputs)


def summands(graph: Graph) -> list[tuple[float, Graph]]:
    """The terms of a diagram that is a sum as a whole; else the diagram alone."""
    inner = [box for box in graph.boxes if box.op.kind == "diagram"]
    if len(inner) == 1 and inner[0].op is op.formal_sum and inner_inputs(inner[0]) == entering(graph) \
            and inner[0].outputs == graph.outputs:
        pure = [box for box in graph.boxes if box.op.kind != "diagram"]
        return [(c, opened(pure, region)) for c, region in zip(inner[0]["coefficients"], inner[0].regions)]
    return [(1, graph)]


def opened(pure: Sequence[Box], region: Graph) -> Graph:
    """A region as a diagram of its own, with the boxes that compute its numbers."""
    needed, kept = set(numbers(region)), []
    for box in reversed(pure):
        if any(one in needed for one in box.outputs):
            kept.append(box)
            needed |= set(box.inputs)
    own = {one for box in kept for one in box.outputs}
    reads = together(one for box in (*reversed(kept), *region.boxes) for one in box.inputs
                     if not is_object(one) and one not in own)
    return Graph((*reads, *entering(region)), (*reversed(kept), *region.boxes), region.outputs)


def bubble(function: Any, order: int, graph: Graph, span: Span | None = None) -> Graph:
    """An elementwise function of the array that a diagram is."""
    inside = fresh(graph)
    pure = [box for box in inside.boxes if box.op.kind != "diagram"]
    region = outside(inside)
    box = Box(op.bubble, (*numbers(region), *wires(domain(graph))), wires(codomain(graph)), (region,),
              {"function": function, "order": order, "numbers": len(numbers(region))}, span=span)
    return enclosed(pure, box)


# ---------------------------------------------------------------- dagger, transpose, conjugate


def dagger(graph: Graph) -> Graph:
    return flipped(graph, True, 0)


def transpose(graph: Graph) -> Graph:
    return flipped(graph, False, 1)


def conjugate(graph: Graph) -> Graph:
    return flipped(graph, True, 1)


def flipped(graph: Graph, dagger: bool, turns: int) -> Graph:
    """Each box mirrored: upside down for the dagger, turned by half a turn for the transpose, left to right for both."""
    upside = dagger != bool(turns % 2)
    same = {one: replace(wire(one.type.turned(turns), base(one)), span=one.span) for one in made(graph)
            if is_object(one)}
    same |= {one: replace(wire(one.type, base(one)), span=one.span) for one in made(graph) if not is_object(one)}
    graph = renamed(graph, same)

    def order(found: Sequence[Wire]) -> tuple[Wire, ...]:
        return tuple(reversed(found)) if turns % 2 else tuple(found)
    pure = [box for box in graph.boxes if box.op.kind != "diagram"]
    boxes = []
    for box in graph.boxes:
        if box.op.kind != "diagram":
            continue
        given = box.inputs[:box.get("numbers", 0)]
        ins, outs = order(inner_inputs(box)), order(box.outputs)
        axes = dict(zip((*inner_inputs(box), *box.outputs), box.get("legs", ())))
        if upside:
            ins, outs = outs, ins
        changes: dict[str, Any] = {}
        if box.op is op.box:
            turned = box["turns"] + turns
            around = all(one.type.selfdual for one in (*ins, *outs))
            changes = {"dagger": box["dagger"] != dagger, "turns": turned % 2 if around else turned,
                       "legs": tuple(axes[one] for one in (*ins, *outs))}
        regions = tuple(flipped(region, dagger, turns) for region in box.regions)
        boxes.append(box.but(inputs=(*given, *ins), outputs=outs, regions=regions, attributes=changes))
    ins, outs = order(entering(graph)), order(graph.outputs)
    if upside:
        ins, outs, boxes = outs, ins, boxes[::-1]
    return Graph((*numbers(graph), *ins), (*pure, *boxes), outs)
