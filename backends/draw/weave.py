"""What all views share: from boxes to nodes, and from the wires that they read to lines between them.

Small deterministic boxes are not drawn: they stand in the labels of those that read them (`~ normal(mean[0], …)`), and
lines come from what *they* read.  So a wire has `paths`: the drawn nodes that it comes from, and for each whether a
derivative passes all along the way, and whether a `stop` bars it.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, field, replace
from typing import Collection, Iterable, Mapping

from pullback.backends.draw import words
from pullback.backends.draw.expression import ATOM, Text, express, without_index
from pullback.backends.draw.labels import NAME, clip
from pullback.backends.draw.scene import Line, Node, Region, Scene, Style
from pullback.backends.draw.strands import NONE, Flow, Strands, numeric
from pullback.compiler.ir import Axis, Box, Graph, Wire
from pullback.compiler.type import Array, Params
from pullback.compiler.type import is_text

PURE = frozenset({"pure", "estimator"})
ALWAYS = frozenset({"network", "extern", "combine", "reduce"})
DETERMINISTIC = frozenset({"box", "fold", "select", "junction"})
FAN = 8  # parameters of one prefix that are drawn apart


@dataclass(frozen=True, slots=True)
class Path:
    """How a wire comes from a node: through the node's wire `root`, or as the log density of the model `logp`."""

    root: Wire
    passes: bool = True
    barred: bool = False
    logp: str = ""


Paths = dict[str, Path]


@dataclass
class Weave:
    """One scene that is being made from one graph."""

    graph: Graph
    stage: str
    parameters: Collection[str] | None = None
    loops: Mapping[str, Box] = field(default_factory=dict)   # the plates of the program, by name
    scene: Scene = field(init=False)

    def __post_init__(self) -> None:
        self.graph = distinct(self.graph)
        self.scene = Scene(self.graph.name or "program", self.stage)
        self.paths: dict[Wire, Paths] = {}
        self.texts: dict[Wire, Text] = {}
        self.parts: dict[Wire, tuple[Box, ...]] = {}      # the boxes that stand in a wire's text
        self.lines: dict[tuple, Line] = {}
        self.indices: dict[str, str] = {}                 # the name of a loop's index
        boxes = list(self.graph.walk())
        self.names = words.shortest(box["address"] for box in boxes if box.op.name in ("draw", "points"))
        self.given = [wire for wire in self.graph.inputs if self.is_parameter(wire)]
        self.flow = Flow(self.graph, self.given)
        self.made = {wire: box for box in boxes for wire in box.outputs}
        self.arrays = {box["address"] for box in boxes if box.get("address") and box.op.name in ("draw", "points", "density")}
        for box in boxes:
            if box.get("index") is not None and box.get("name") is not None:
                self.indices[box["name"]] = str(box["index"])
            if box.op.name in ("iota", "rows"):
                self.indices.setdefault(box["axis"].name, words.plain(box.output.name))
        for name, box in self.loops.items():
            self.indices.setdefault(name, str(box["index"]))
        self.inputs()

    def is_parameter(self, wire: Wire) -> bool:
        if self.parameters is not None:
            return wire.name in self.parameters or wire.name.partition(".")[0] in self.parameters
        return isinstance(wire.type, Params) or isinstance(wire.type, Array) and wire.type.kind in ("real", "complex")

    # ------------------------------------------------------------ inputs

    def inputs(self) -> None:
        """A node for each argument; many parameters of one prefix are one node."""
        groups: dict[str, list[Wire]] = {}
        for wire in self.graph.inputs:
            groups.setdefault(wire.name.partition(".")[0], []).append(wire)
        for prefix, wires in groups.items():
            if len(wires) > FAN:
                self.input(prefix, wires, f"{len(wires)} arrays")
            else:
                for wire in wires:
                    self.input(wire.name, [wire], words.typed(wire))
        self.scene.nodes.sort(key=lambda node: node.shape != "parameter")

    def input(self, name: str, wires: list[Wire], second: str) -> None:
        first = wires[0]
        parameter = first in self.given
        kind = "parameter" if parameter else "data"
        node = Node(f"input-{re.sub('[^A-Za-z0-9_-]', '-', name)}", kind, name, second,
                    tint=("words" if is_text(first.type) else "value") if parameter else None,
                    classes=(kind,), tip=(", ".join(f"{wire.name}: {wire.type}" for wire in wires),))
        self.scene.nodes.append(node)
        for wire in wires:
            self.begin(wire, node.id, wire.name)

    def begin(self, wire: Wire, node: str, text: str) -> None:
        """A wire that comes straight from a node."""
        self.paths[wire] = {node: Path(wire)}
        self.texts[wire] = (text, ATOM)
        self.parts[wire] = ()

    # ------------------------------------------------------------ what is not drawn

    def text(self, wire: Wire) -> Text:
        return self.texts.get(wire) or (words.plain(wire.name), ATOM)

    def axis_name(self, axis: Axis) -> str:
        """What an axis is called; nothing, if it is a dimension of an array choice."""
        if axis.kind == "plate" and axis.name in self.arrays:
            return ""
        return self.indices.get(axis.name) or words.axis_name(axis, self.names)

    def is_drawn(self, box: Box) -> bool:
        """Is a deterministic box a node of its own?"""
        name = box.op.name
        if box.op.kind == "engine":
            return True
        if name in ALWAYS or box.rule is not None:
            return box.rule is not None or name in ("network", "extern") or bool(self.sources(box.inputs))
        if box.op.kind != "pure" or name in ("constant", "stop", "field"):
            return False
        if name == "index":
            return any(self.chosen(wire) for wire in box.inputs[1:])
        return words.assigned(box) is not None and bool(self.sources(box.inputs))

    def chosen(self, wire: Wire) -> bool:
        """Does the wire come from a choice?"""
        return any(node.startswith("box-") and not path.logp for node, path in self.paths.get(wire, {}).items())

    def absorb(self, box: Box) -> None:
        """The box stands in the labels of its readers."""
        text = express(box, self.text, self.axis_name)
        logp = (words.last(box.frame[-1]) if box.frame else "p") if box.op.kind == "density" else ""
        for output in box.outputs:
            found: Paths = {}
            for place, wire in enumerate(box.inputs):
                passes, barred = self.flow.passes(box, place), box.op.name == "stop"
                for node, path in self.paths.get(wire, {}).items():
                    path = replace(path, passes=path.passes and passes, barred=path.barred or barred, logp=path.logp or logp)
                    found[node] = joined(found[node], path) if node in found else path
            self.paths[output], self.texts[output] = found, text
            self.parts[output] = (box, *(part for wire in box.inputs for part in self.parts.get(wire, ())))

    def through(self, source: Wire, target: Wire, index: str = "") -> None:
        """The two wires are one; with an `index`, the target is the array that a loop makes of the source."""
        text, strength = self.text(source)
        self.paths[target] = self.paths.get(source, {})
        self.texts[target] = without_index(text, index), strength
        self.parts[target] = self.parts.get(source, ())

    def sources(self, wires: Iterable[Wire]) -> list[str]:
        return list(dict.fromkeys(node for wire in wires for node in self.paths.get(wire, {})))

    def hidden(self, wires: Iterable[Wire]) -> tuple[Box, ...]:
        """The boxes that stand in these wires' texts."""
        return tuple(dict.fromkeys(part for wire in wires for part in self.parts.get(wire, ())))

    # ------------------------------------------------------------ nodes and lines

    def prune(self) -> None:
        """Without deterministic boxes that lead nowhere: what they gave stands in a node that another box gave too."""
        while True:
            leading = {line.source for line in self.scene.lines} | {line.target for line in self.scene.lines if line.back}
            dead = {node.id for node in self.scene.nodes if node.shape in DETERMINISTIC and node.id not in leading}
            if not dead:
                return
            self.scene.nodes = [node for node in self.scene.nodes if node.id not in dead]
            self.scene.lines = [line for line in self.scene.lines if line.target not in dead]

    def put(self, node: Node) -> Node:
        self.scene.nodes.append(node)
        return node

    def connect(self, wire: Wire, target: str, strands: Strands = NONE, style: Style | None = None, port: str | None = None,
                label: str = "") -> None:
        """Lines from all that the wire comes from; two between the same nodes are one."""
        for node, path in self.paths.get(wire, {}).items():
            if node == target:
                continue
            found = strands if path.passes and self.alive(path) else NONE
            now = style or self.style(found, path)
            key = (node, target, port)
            if key in self.lines:
                before = self.lines[key]
                before.style = united(before.style, now)
                before.label = before.label or label
            else:
                self.lines[key] = Line(node, target, now, port, label, classes=(now,), tip=(f"{wire.name}: {wire.type}",))
                self.scene.lines.append(self.lines[key])

    def alive(self, path: Path) -> bool:
        return path.root in self.flow.active

    def style(self, strands: Strands, path: Path) -> Style:
        if strands >= {"value", "weight"}:
            return "both"
        if strands:
            return "value" if "value" in strands else "probability"
        if path.barred and self.alive(path) or self.blocked(path.root):
            return "stopped"
        return "plain"

    def blocked(self, wire: Wire) -> bool:
        """Is it a choice's value that a derivative may not enter, though a parameter stands above it?"""
        box = self.made.get(wire)
        if box is None or box.op.name != "points" or wire != box.outputs[0] or wire in self.flow.active:
            return False
        return any(place < len(box["distribution"].fields) and numeric(w) and w in self.flow.active
                   for place, w in enumerate(box.inputs))

    def node_of(self, box: Box) -> str:
        return f"box-{box.number}"

    def deterministic(self, box: Box, region: str | None) -> Node:
        """The node of a deterministic box."""
        text, name = express(box, self.text, self.axis_name)[0], words.assigned(box)
        hidden = self.hidden(box.inputs)
        tip = words.tips(box, f"{name} = {text}" if name else text, self.names)
        axes = dict.fromkeys(axis for wire in box.outputs for axis in wire.axes)
        node = Node(self.node_of(box), "box", region=region, classes=words.classes("box", box, hidden), tip=tip,
                    chips=words.chips(axes, None, self.names), line=box.span.line if box.span else None)
        match box.op.name:
            case "network":
                node.shape, node.name = "fold", box.get("name", "network")
                node.second = self.shape_of(box)
            case "extern":
                node.name = f"{name} = {text}" if name else text
                words_only = any(is_text(wire.type) for wire in (*box.inputs, *box.outputs))
                node.second = "" if words_only else "extern" if self.smooth(box) else "extern: black box"
            case "where" if box.get("branch") is not None:
                node.shape, node.name = "select", f"select {self.text(box.inputs[0])[0]}"
            case _ if name and len(name) + len(text) + 3 <= NAME:
                node.name = f"{name} = {text}"
            case _ if name:
                node.name, node.second = name, text
            case _:
                node.name = text
        if len(node.name) > NAME and not node.second:
            node.name, node.second = clip(node.name, NAME), ""
        for wire in box.outputs:
            self.begin(wire, node.id, name or node.name)
        return self.put(node)

    def shape_of(self, box: Box) -> str:
        """`64 → 4   3 layers`: what goes into a network and what comes out."""
        def size(wire: Wire) -> str:
            return " × ".join(map(str, getattr(wire.type, "shape", ()))) or "1"
        layers = getattr(box.get("network"), "layers", None)
        count = f"   {len(layers)} layers" if layers else ""
        return f"{size(box.inputs[-1])} → {size(box.outputs[0])}{count}"

    def smooth(self, box: Box) -> bool:
        return any(self.flow.passes(box, place) for place in range(len(box.inputs)))

    def region(self, region: Region) -> Region:
        self.scene.regions.append(region)
        return region


def distinct(graph: Graph) -> Graph:
    """The graph with a number on every box, and no number twice (a loop that was unrolled repeats those of its body)."""
    seen: set[int] = set()

    def once(graph: Graph) -> Graph:
        boxes = []
        for box in graph.boxes:
            if box.number in seen:
                box = replace(box, number=None, origin=(*box.origin, box.number))
            elif box.number is not None:
                seen.add(box.number)
            boxes.append(replace(box, regions=tuple(once(region) for region in box.regions)) if box.regions else box)
        return replace(graph, boxes=tuple(boxes))
    return once(graph).numbered()


def joined(a: Path, b: Path) -> Path:
    """Two ways from one node: a derivative passes if it does on one of them."""
    return replace(a, passes=a.passes or b.passes, barred=a.barred and b.barred, logp=a.logp if b.logp else "")


def united(a: Style, b: Style) -> Style:
    """Two lines between the same nodes as one."""
    if a == b:
        return a
    kinds = {a, b}
    for loud in ("both", "criticism"):
        if loud in kinds:
            return loud
    if kinds == {"value", "probability"}:
        return "both"
    for style in ("value", "probability", "weight", "stopped", "given"):
        if style in kinds:
            return style
    return "plain"
