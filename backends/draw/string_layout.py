"""Where the boxes and wires of a string diagram stand: read from top to bottom, as Joyal and Street draw them.

A diagram is rows of items (`compiler/diagrams/order.py` says which box stands where among the wires, so a planar diagram has no
crossing); what stays is how far to the left.  Each item wants to stand where its wires are straight:

    minimize Σ over wires of (x above − x below)²     with gaps between neighbors in a row

by sweeps down and up, each row an isotonic regression, until nothing moves.  Wires are cubic Béziers with vertical tangents
through one slot a row, cups and caps half ellipses.  Points are Graphviz's, y downward.
Source: Joyal, Street (1991), The geometry of tensor calculus I; isotonic regression: Ayer et al. (1955).
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Sequence

import numpy as np

from pullback.backends.draw.labels import NAME, clip
from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.order import steps
from pullback.compiler.diagrams.show import Text, coefficient, layered
from pullback.compiler.ir import Box, Graph, Wire

CHARACTER, LINE = 6.6, 24.0          # how wide a letter is, how high a box
GAP, PORT, BETWEEN = 18.0, 46.0, 30.0  # between items, between ports of a box, between rows
PAGE = 900.0                         # where a sum goes on in the next line
SWEEPS = 60

Point = tuple[float, float]


@dataclass(eq=False)
class Item:
    """What stands in a row: x is its middle; tops and bottoms are wires and how far from the middle they meet it."""

    kind: str
    width: float = 0.0
    height: float = LINE
    tops: list[tuple[Wire, float]] = field(default_factory=list)
    bottoms: list[tuple[Wire, float]] = field(default_factory=list)
    box: Box | None = None
    label: str = ""
    right: float = 0.0               # room for the type beside a wire
    inner: Picture | None = None
    x: float = 0.0


@dataclass(frozen=True)
class Shape:
    """A box, a dot, a frame or a text, around its middle."""

    kind: str
    x: float
    y: float
    width: float
    height: float
    label: str = ""
    box: Box | None = None
    filled: bool = False


@dataclass(frozen=True)
class Curve:
    """A wire as cubic Béziers: a point, then three for each piece."""

    points: tuple[Point, ...]
    wire: Wire | None = None


@dataclass
class Picture:
    """Shapes and curves in a frame of this size, from (0, 0)."""

    width: float = 0.0
    height: float = 0.0
    shapes: list[Shape] = field(default_factory=list)
    curves: list[Curve] = field(default_factory=list)
    ends: tuple[tuple[float, ...], tuple[float, ...]] = ((), ())   # where the domain enters, and the codomain leaves

    def put(self, other: Picture, x: float, y: float) -> None:
        """Another picture at a place of this one."""
        self.shapes += [Shape(s.kind, s.x + x, s.y + y, s.width, s.height, s.label, s.box, s.filled) for s in other.shapes]
        self.curves += [Curve(tuple((a + x, b + y) for a, b in c.points), c.wire) for c in other.curves]
        self.width, self.height = max(self.width, x + other.width), max(self.height, y + other.height)

    def text(self, words: str, x: float, y: float, kind: str = "text") -> None:
        self.shapes.append(Shape(kind, x, y, wide(words), LINE, words))


def wide(words: str) -> float:
    return CHARACTER * len(words) + 4


def picture(graph: Graph, known: Any = None, types: bool = True) -> Picture:
    """The picture of a diagram; a sum has its terms side by side."""
    terms = build.summands(graph)
    if len(terms) == 1 and terms[0][0] == 1:
        return Layout(terms[0][1], Text(graph, known or {}), types).picture()
    return total(terms, Text(graph, known or {}), types)


def total(terms: Sequence[tuple[float, Graph]], text: Text, types: bool) -> Picture:
    """Terms with their coefficients and signs, wrapped."""
    found, x, y, low = Picture(), 0.0, 0.0, 0.0
    if not terms:
        found.text("0", 10, LINE / 2)
        found.width, found.height = 20, LINE
        return found
    lines: list[list[tuple[str, Picture]]] = [[]]
    for at, (c, term) in enumerate(terms):
        sign = ("− " if c < 0 else "+ " if at else "") + ("" if abs(c) == 1 else coefficient(abs(c)).replace("pi", "π").replace(" * ", "·") + " ·")
        part = Layout(term, text, types).picture()
        room = wide(sign) + part.width + 10
        if x and x + room > PAGE:
            lines.append([])
            x = 0.0
        lines[-1].append((sign, part))
        x += room
    for line in lines:
        high, x = max(part.height for _, part in line), 0.0
        for sign, part in line:
            if sign.strip():
                found.text(sign, x + wide(sign) / 2, y + high / 2, "sign")
                x += wide(sign) + 4
            found.put(part, x, y + (high - part.height) / 2)
            x += part.width + 6
        y += high + 14
        low = y - 14
    found.height = low
    return found


class Layout:
    """One term.  `text` names numbers; `types`: write the types beside wires."""

    def __init__(self, graph: Graph, text: Text, types: bool):
        self.graph, self.text, self.types = graph, text, types
        self.rows: list[list[Item]] = []
        self.arcs: list[tuple[Item, Item, str]] = []
        self.typed: set[Wire] = set()

    def picture(self) -> Picture:
        self.rows.append([self.end(wire, top=True) for wire in build.entering(self.graph)])
        for row in layered(steps(self.graph)):
            self.rows.append(self.row(row))
        self.rows.append([self.end(wire, top=False) for wire in self.graph.outputs])
        self.place()
        return self.drawn()

    # ---- items

    def end(self, wire: Wire, top: bool) -> Item:
        item = Item("end", 2.0, 0.0)
        (item.bottoms if top else item.tops).append((wire, 0.0))
        item.right = self.room(wire) if top else 0.0
        return item

    def room(self, wire: Wire) -> float:
        if not self.types:
            return 0.0
        self.typed.add(wire)
        return wide(str(wire.type)) - 2

    def row(self, row: Sequence[Any]) -> list[Item]:
        items: list[Item] = []
        at, before = 0, row[0].before

        def passing(wire: Wire) -> Item:
            return Item("wire", 2.0, 0.0, [(wire, 0.0)], [(wire, 0.0)])
        for step in row:
            while at < step.place:
                items.append(passing(before[at]))
                at += 1
            if step.box is None:
                u, v = before[at], before[at + 1]
                items += [Item("swap", 2.0, LINE, [(u, 0.0)], [(v, 0.0)]), Item("swap", 2.0, LINE, [(v, 0.0)], [(u, 0.0)])]
                at += 2
            else:
                items += self.of_box(step.box)
                at += len(build.inner_inputs(step.box))
        return items + [passing(wire) for wire in before[at:]]

    def of_box(self, box: Box) -> list[Item]:
        ins, outs = build.inner_inputs(box), box.outputs
        if box.op is op.spider:
            return self.of_spider(box, ins, outs)
        if box.op in (op.formal_sum, op.bubble):
            return [self.framed(box, ins, outs)]
        label, kind = self.label(box), self.kind(box, ins, outs)
        record = box.get("gate")
        if record is not None and record.name in ("ZSpider", "XSpider"):
            label = ", ".join(self.text.number(wire) for wire in box.inputs[:box["numbers"]])
            label = "" if label in ("0", "0.0") else label
            return [self.ported(Item(kind, max(14.0, wide(label) if label else 0.0), 14.0 if not label else 18.0, box=box, label=label), ins, outs, 14.0)]
        width = max(28.0, wide(label) + 8, PORT * (max(len(ins), len(outs)) - 1) + 22)
        width *= 1.5 if kind == "scalar" else 1.0
        return [self.ported(Item(kind, width, LINE + (6 if kind == "scalar" else 0), box=box, label=label), ins, outs, PORT)]

    def ported(self, item: Item, ins: Sequence[Wire], outs: Sequence[Wire], port: float) -> Item:
        item.tops = [(wire, port * (i - (len(ins) - 1) / 2)) for i, wire in enumerate(ins)]
        if self.types and outs:
            port = max(port, *(wide(str(wire.type)) + 8 for wire in outs))
        item.bottoms = [(wire, port * (i - (len(outs) - 1) / 2)) for i, wire in enumerate(outs)]
        if item.kind not in ("z", "x", "dot"):
            item.width = max(item.width, port * (len(outs) - 1) + 22)
        if outs and item.kind != "dot":
            last = max(self.room(wire) for wire in outs[-1:])
            item.right = max(0.0, item.bottoms[-1][1] + last - item.width / 2)
            for wire in outs:
                self.room(wire)
        return item

    def of_spider(self, box: Box, ins: Sequence[Wire], outs: Sequence[Wire]) -> list[Item]:
        for pair, kind, other in ((ins, "cup", outs), (outs, "cap", ins)):
            if len(pair) == 2 and not other:
                legs = [Item(kind, 2.0, LINE, right=self.room(wire) if kind == "cap" else 0.0) for wire in pair]
                for leg, wire in zip(legs, pair):
                    (leg.tops if kind == "cup" else leg.bottoms).append((wire, 0.0))
                self.arcs.append((legs[0], legs[1], kind))
                return legs
        return [self.ported(Item("dot", 8.0, 8.0, box=box), ins, outs, 14.0)]

    def framed(self, box: Box, ins: Sequence[Wire], outs: Sequence[Wire]) -> Item:
        if box.op is op.bubble:
            inner = Layout(box.regions[0], self.text, self.types).picture()
            name = box["function"].name + "′" * box["order"]
        else:
            inner, name = total(list(zip(box["coefficients"], box.regions)), self.text, self.types), ""
        item = Item("frame", inner.width + 20, inner.height + (0 if box.op is op.bubble else 24), box=box, label=name, inner=inner)
        item = self.ported(item, ins, outs, PORT)
        if box.op is op.bubble:  # its wires go on inside
            above, below = inner.ends
            item.tops = [(wire, x - inner.width / 2) for wire, x in zip(ins, above)]
            item.bottoms = [(wire, x - inner.width / 2) for wire, x in zip(outs, below)]
        return item

    def kind(self, box: Box, ins: Sequence[Wire], outs: Sequence[Wire]) -> str:
        record = box.get("gate")
        if record is not None and record.name in ("ZSpider", "XSpider"):
            return record.name[0].lower()
        return "box" if ins and outs else "effect" if ins else "state" if outs else "scalar"

    def label(self, box: Box) -> str:
        """`Ry(t + 0.5)`, with † for a dagger, ᵀ for a transpose, * for both."""
        plain = box.but(attributes={"dagger": False, "turns": 0})
        name = box["word"] if box.get("word") else unit(self.text, box) or clip(self.text.named(plain), NAME)
        turned = box["turns"] % 2
        return name + ("*" if box["dagger"] and turned else "†" if box["dagger"] else "ᵀ" if turned else "")

    # ---- places

    def place(self) -> None:
        above: dict[Wire, tuple[Item, float]] = {}
        ports: dict[Item, list[tuple[Item, float]]] = {item: [] for row in self.rows for item in row}
        for row in self.rows:
            for item in row:
                for wire, offset in item.tops:
                    other, there = above[wire]
                    ports[item].append((other, there - offset))
                    ports[other].append((item, offset - there))
            for item in row:
                above.update({wire: (item, offset) for wire, offset in item.bottoms})
        for left, right, _ in self.arcs:
            ports[left].append((right, -PORT))
            ports[right].append((left, PORT))
        for row in self.rows:
            spread(row, [item.x for item in row], [1.0] * len(row))
        for sweep in range(SWEEPS):
            moved = 0.0
            for row in self.rows if sweep % 2 == 0 else reversed(self.rows):
                wanted = [sum(other.x + shift for other, shift in ports[item]) / len(ports[item]) if ports[item] else item.x for item in row]
                before = [item.x for item in row]
                spread(row, wanted, [max(1.0, len(ports[item])) for item in row])
                moved = max([moved, *(abs(item.x - x) for item, x in zip(row, before))])
            if moved < 0.05:
                break

    def drawn(self) -> Picture:
        left = min((item.x - item.width / 2 for row in self.rows for item in row), default=0.0)
        for row in self.rows:
            for item in row:
                item.x += 4 - left
        found, y = Picture(), 0.0 if build.entering(self.graph) else 10.0
        bands: dict[Item, tuple[float, float]] = {}
        for at, row in enumerate(self.rows):
            if not row and at in (0, len(self.rows) - 1):
                continue
            high = max((item.height for item in row), default=0.0)
            for item in row:
                if item.kind in ("wire", "swap", "end"):
                    bands[item] = (y, y + high)
                elif item.kind in ("cup", "cap"):
                    bands[item] = (y, y) if item.kind == "cup" else (y + high, y + high)
                else:
                    middle = y + high / 2
                    bands[item] = (middle - item.height / 2, middle + item.height / 2)
            y += high + BETWEEN
        if not self.graph.outputs:
            y += 10.0
        found.height = max(y - BETWEEN, LINE)
        found.ends = tuple(item.x for item in self.rows[0]), tuple(item.x for item in self.rows[-1])
        found.width = max((item.x + item.width / 2 + item.right for row in self.rows for item in row), default=10.0) + 4
        self.wires(found, bands)
        self.boxes(found, bands)
        return found

    def wires(self, found: Picture, bands: dict[Item, tuple[float, float]]) -> None:
        paths: dict[Wire, list[Point]] = {}
        for row in self.rows:
            for item in row:
                top, bottom = bands[item]
                for wire, offset in item.tops:
                    path, there = paths[wire], (item.x + offset, top)
                    if item.kind in ("dot", "z", "x"):
                        there = (item.x, (top + bottom) / 2 if item.kind == "dot" else top)
                    path += bend(path[-1], there)
                if item.kind == "wire" and bottom > top:
                    paths[item.tops[0][0]] += straight(paths[item.tops[0][0]][-1], (item.x, bottom))
            for item in row:
                top, bottom = bands[item]
                for wire, offset in item.bottoms:
                    start = (item.x + offset, bottom) if item.kind not in ("dot", "z", "x") else (
                        item.x, (top + bottom) / 2 if item.kind == "dot" else bottom)
                    if item.kind == "swap":
                        paths[wire] += bend(paths[wire][-1], start)
                    elif item.kind != "wire":
                        paths[wire] = [start]
                        if wire in self.typed and item.kind != "dot":
                            words = str(wire.type)
                            found.text(words, item.x + offset + wide(words) / 2 + 1, bottom + 9, "type")
        found.curves += [Curve(tuple(path), wire) for wire, path in paths.items() if len(path) > 1]
        for left, right, kind in self.arcs:
            y, deep = bands[left][0], min(40.0, 8 + 0.3 * (right.x - left.x)) * (1 if kind == "cup" else -1)
            found.curves.append(Curve(((left.x, y), (left.x, y + deep), (right.x, y + deep), (right.x, y))))

    def boxes(self, found: Picture, bands: dict[Item, tuple[float, float]]) -> None:
        for row in self.rows:
            for item in row:
                top, bottom = bands[item]
                if item.kind in ("wire", "swap", "cup", "cap", "end"):
                    continue
                if item.inner is not None:
                    found.shapes.append(Shape("frame", item.x, (top + bottom) / 2, item.width, item.height, "", item.box))
                    found.put(item.inner, item.x - item.inner.width / 2, (top + bottom - item.inner.height) / 2)
                    if item.label:
                        found.text(item.label, item.x + item.width / 2 - wide(item.label) / 2, bottom - 9, "caption")
                    continue
                given = item.box.inputs[:item.box.get("numbers", 0)] if item.box is not None and item.kind not in ("z", "x") else ()
                filled = any(not constant(self.text, wire) for wire in given)
                found.shapes.append(Shape(item.kind, item.x, (top + bottom) / 2, item.width, item.height, item.label, item.box, filled))


def constant(text: Text, wire: Wire) -> bool:
    """Is a number known, so that nothing is learned of it?"""
    return wire.name not in text.known and all(box.op is op.constant for box in text.numbers.upstream(wire)[:1]) \
        and wire in text.numbers.maker


def unit(text: Text, box: Box) -> str:
    """A unit vector of a parameter's axes by its place: `e 0, 1`."""
    maker = text.numbers.maker.get(box.inputs[0]) if box["name"] in ("scale", "weight") else None
    if maker is None or maker.op is not op.constant or not isinstance(maker["value"], tuple):
        return ""
    value = np.asarray(maker["value"])
    places = np.argwhere(value)
    return f"e {', '.join(map(str, places[0]))}" if len(places) == 1 and value[tuple(places[0])] == 1 else ""


def bend(a: Point, b: Point) -> list[Point]:
    """A piece with vertical tangents."""
    middle = (a[1] + b[1]) / 2
    return [(a[0], middle), (b[0], middle), b]


def straight(a: Point, b: Point) -> list[Point]:
    return [(a[0], a[1] + (b[1] - a[1]) / 3), (b[0], b[1] - (b[1] - a[1]) / 3), b]


def spread(row: Sequence[Item], wanted: Sequence[float], weights: Sequence[float]) -> None:
    """The places nearest to those wanted that keep the gaps: pool adjacent violators."""
    shift, total_shift = [], 0.0
    for at, item in enumerate(row):
        if at:
            before = row[at - 1]
            total_shift += before.width / 2 + before.right + GAP + item.width / 2
        shift.append(total_shift)
    pools: list[list[float]] = []
    for target, weight, offset in zip(wanted, weights, shift):
        pools.append([target - offset, weight, 1])
        while len(pools) > 1 and pools[-2][0] > pools[-1][0]:
            value, heavy, count = pools.pop()
            first = pools[-1]
            first[0] = (first[0] * first[1] + value * heavy) / (first[1] + heavy)
            first[1] += heavy
            first[2] += count
    places = [value for value, _, count in pools for _ in range(int(count))]
    for item, place, offset in zip(row, places, shift):
        item.x = place + offset
