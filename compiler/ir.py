"""The intermediate representation: a string diagram.

A `Graph` is a labelled hypergraph: a wire is a node, a box a hyperedge.  Programs, estimators, networks and diagrams
are all graphs.  Boxes stand in topological order.  Plates, scans, branches and calls are boxes with regions; a region
is closed, as in a jaxpr: it reads only its own inputs.  A captured wire keeps its name inside (the region's input *is*
the outer wire); what the box binds itself (an index, a carry) comes first among the region's inputs.

    wires are equal when their names are; a name is unique in a graph with all its regions
    axes(box) ⊇ ∪ axes(w) over its inputs w          (axes: see `Axis`; empty until loops are opened)
"""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Callable, Iterable, Iterator, Literal, Mapping

from pullback.compiler.source import Span
from pullback.compiler.type import Size, Type

if TYPE_CHECKING:
    from pullback.compiler.op import Op

AXIS_ORDER = ("points", "finite", "perturbation", "particles", "plate")


@dataclass(frozen=True, slots=True)
class Axis:
    """A dimension that a wire carries because it is evaluated many times: a record, never a position.

    kind: `points` of a random rule, `finite` (enum), `perturbation` (mvd, shift), `particles`, `plate`; canonical
    order, outermost first, is that of `AXIS_ORDER`, then of `rank` (the order of opening: outer loops first).  `name` is
    the address of the site, or of the loop.  `total` is the number of elements that the `size` ones stand for (a plate
    under `subsample`).
    """

    kind: Literal["points", "finite", "perturbation", "particles", "plate"]
    name: str
    size: Size = field(compare=False)
    total: Size | None = field(default=None, compare=False)
    rank: int = field(default=0, compare=False)

    @property
    def order(self) -> tuple:
        return (AXIS_ORDER.index(self.kind), self.rank, self.name)

    def __str__(self) -> str:
        return f"{self.name}: {self.size}"


def canonical(axes: Iterable[Axis]) -> tuple[Axis, ...]:
    """The axes once each, outermost first."""
    return tuple(sorted(set(axes), key=lambda axis: axis.order))


@dataclass(frozen=True, slots=True)
class Ancestor:
    """A choice that a wire depends on, with the plates over which it was mixed; `past`: in earlier steps of a scan."""

    site: str
    mixed: frozenset[Axis] = frozenset()
    past: bool = False

    def __str__(self) -> str:
        plates = "{" + ", ".join(sorted(axis.name for axis in self.mixed)) + "}" if self.mixed else ""
        return self.site + plates + ("'" if self.past else "")


@dataclass(frozen=True, slots=True)
class Wire:
    """A value: its name, its type without axes, the axes it carries, the choices it depends on."""

    name: str
    type: Type = field(compare=False)
    axes: tuple[Axis, ...] = field(default=(), compare=False)
    ancestors: frozenset[Ancestor] = field(default=frozenset(), compare=False)
    span: Span | None = field(default=None, compare=False, repr=False)

    def __str__(self) -> str:
        return self.name


@dataclass(frozen=True, slots=True, eq=False)
class Box:
    """An operation.  `rule` says how its derivative is obtained (None: not said); `number` is kept through passes, a box
    that a pass makes names those it comes from in `origin`; `frame` is the path of calls that it stands in."""

    op: Op
    inputs: tuple[Wire, ...]
    outputs: tuple[Wire, ...]
    regions: tuple[Graph, ...] = ()
    attributes: Mapping[str, Any] = field(default_factory=dict)
    rule: Any = None
    span: Span | None = None
    number: int | None = None
    origin: tuple[int, ...] = ()
    frame: tuple[str, ...] = ()

    __match_args__ = ("op", "inputs", "outputs")

    def __getitem__(self, attribute: str) -> Any:
        return self.attributes[attribute]

    def get(self, attribute: str, default: Any = None) -> Any:
        return self.attributes.get(attribute, default)

    def but(self, **changes: Any) -> Box:
        """The same box with some fields changed; `attributes` given here are added to those it has."""
        if "attributes" in changes:
            changes["attributes"] = {**self.attributes, **changes["attributes"]}
        return replace(self, **changes)

    @property
    def output(self) -> Wire:
        (wire,) = self.outputs
        return wire

    @property
    def axes(self) -> tuple[Axis, ...]:
        """The axes that the box is evaluated over."""
        own = self.get("axes", ())
        return canonical([*own, *(axis for wire in self.inputs for axis in wire.axes)])


@dataclass(frozen=True, slots=True, eq=False)
class Graph:
    inputs: tuple[Wire, ...]
    boxes: tuple[Box, ...]
    outputs: tuple[Wire, ...]
    name: str = ""

    def walk(self) -> Iterator[Box]:
        """Every box, those of regions after the box that holds them."""
        for box in self.boxes:
            yield box
            for region in box.regions:
                yield from region.walk()

    def wires(self) -> Iterator[Wire]:
        """Every wire once, those of regions too."""
        seen: set[str] = set()

        def once(wires: Iterable[Wire]) -> Iterator[Wire]:
            for wire in wires:
                if wire.name not in seen:
                    seen.add(wire.name)
                    yield wire
        yield from once(self.inputs)
        for box in self.boxes:
            yield from once(box.inputs)
            for region in box.regions:
                yield from once(region.wires())
            yield from once(box.outputs)

    def producers(self) -> dict[Wire, Box]:
        """The box that makes each wire (top level only)."""
        return {wire: box for box in self.boxes for wire in box.outputs}

    def readers(self) -> dict[Wire, list[Box]]:
        """The boxes that read each wire (top level only)."""
        found: dict[Wire, list[Box]] = {}
        for box in self.boxes:
            for wire in dict.fromkeys(box.inputs):
                found.setdefault(wire, []).append(box)
        return found

    def names(self) -> Names:
        """What `fresh` names are taken from."""
        return Names(wire.name for wire in self.wires())

    def rename(self, same: Mapping[Wire, Wire]) -> Graph:
        """The graph with wires replaced wherever they are read (regions too); boxes that made them stay."""
        if not same:
            return self

        def now(wires: Iterable[Wire]) -> tuple[Wire, ...]:
            return tuple(same.get(wire, wire) for wire in wires)
        boxes = tuple(
            box.but(inputs=now(box.inputs), regions=tuple(region.rename(same) for region in box.regions))
            for box in self.boxes)
        return replace(self, inputs=now(self.inputs), boxes=boxes, outputs=now(self.outputs))

    def map(self, change: Callable[[Box], Box]) -> Graph:
        """The graph with every box changed, innermost first."""
        boxes = tuple(change(box.but(regions=tuple(region.map(change) for region in box.regions)) if box.regions else box)
                      for box in self.boxes)
        return replace(self, boxes=boxes)

    def numbered(self) -> Graph:
        """The graph with a number on every box: those it has are kept, new ones count on."""
        last = max((box.number for box in self.walk() if box.number is not None), default=-1)

        def number(graph: Graph) -> Graph:
            nonlocal last
            boxes = []
            for box in graph.boxes:
                if box.number is None:
                    last += 1
                    box = replace(box, number=last)
                if box.regions:
                    box = replace(box, regions=tuple(number(region) for region in box.regions))
                boxes.append(box)
            return replace(graph, boxes=tuple(boxes))
        return number(self)


class Names:
    """Names that are taken, and fresh ones: `fresh("x")` is `x`, then `x1`, `x2`, …"""

    def __init__(self, taken: Iterable[str] = ()):
        self.taken = set(taken)
        self.last: dict[str, int] = {}

    def fresh(self, base: str) -> str:
        name, count = base, self.last.get(base, 0)
        while name in self.taken:
            count += 1
            name = f"{base}{count}" if not base[-1].isdigit() else f"{base}_{count}"
        self.last[base] = count
        self.taken.add(name)
        return name


def free(graph: Graph) -> tuple[Wire, ...]:
    """The wires that a graph reads and neither makes nor has among its inputs."""
    made = set(graph.inputs)
    found: dict[Wire, None] = {}
    for box in graph.boxes:
        found.update({wire: None for wire in box.inputs if wire not in made})
        made.update(box.outputs)
    found.update({wire: None for wire in graph.outputs if wire not in made})
    return tuple(found)


def closed(graph: Graph) -> Graph:
    """The graph with every wire that it reads and does not make behind its inputs."""
    return replace(graph, inputs=(*graph.inputs, *free(graph)))


def in_order(boxes: Iterable[Box]) -> tuple[Box, ...]:
    """The boxes so that each stands behind those it reads, otherwise as they stood."""
    boxes = list(boxes)
    maker = {wire: box for box in boxes for wire in box.outputs}
    done: dict[int, Box] = {}
    for box in boxes:
        stack = [(box, iter(box.inputs))]
        while stack:
            at, rest = stack[-1]
            if id(at) in done:
                stack.pop()
                continue
            for wire in rest:
                before = maker.get(wire)
                if before is not None and id(before) not in done:
                    stack.append((before, iter(before.inputs)))
                    break
            else:
                done[id(at)] = at
                stack.pop()
    return tuple(done.values())
