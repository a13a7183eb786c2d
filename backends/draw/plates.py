"""A model as the books draw it: circles for choices, shaded where observed, plates around what repeats."""
from __future__ import annotations

from typing import Collection

from pullback.backends.draw import words
from pullback.backends.draw.scene import Node, Scene
from pullback.backends.draw.structure import Structure
from pullback.backends.draw.weave import Path
from pullback.compiler.ir import Box, Graph, Wire


def plates(graph: Graph, observed: Collection[str] = (), parameters: Collection[str] | None = None) -> Scene:
    """`observed`: the addresses (or their last names) that data give."""
    view = Plates(graph, "plates", parameters)
    view.observed = set(observed)
    view.graph_of(view.graph, None, ())
    while True:  # what only a density reads is no part of a plate diagram
        named = {line.source for line in view.scene.lines if not line.back}
        dead = {node.id for node in view.scene.nodes if node.shape in ("text", "carry") and node.id not in named}
        if not dead:
            return view.scene
        view.scene.nodes = [node for node in view.scene.nodes if node.id not in dead]
        view.scene.lines = [line for line in view.scene.lines if not {line.source, line.target} & dead]


class Plates(Structure):
    observed: set[str] = set()

    def input(self, name: str, wires: list[Wire], second: str) -> None:
        super().input(name, wires, second)
        node = self.scene.nodes[-1]
        node.shape, node.tint = "text", None

    def is_drawn(self, box: Box) -> bool:
        return False

    def box(self, box: Box, region: str | None) -> None:
        if box.op.name in ("reduce", "combine", "expectation"):
            self.absorb(box)
        else:
            super().box(box, region)

    def circle(self, box: Box, region: str | None, parameters: tuple[Wire, ...], given: bool) -> Node:
        name = words.binder(box) if box.span else words.last(box["address"])
        law = f"{box['distribution'].name}({', '.join(self.text(wire)[0] for wire in parameters)})"
        kind = "plate-given" if given else "plate-choice"
        plain = box.but(rule=None)
        node = self.put(Node(self.node_of(box), kind, name, region=region, tip=(f"{name} ~ {law}", str(box.span or "")),
                             classes=words.classes("observed" if given else "choice", plain, self.hidden(parameters)),
                             line=box.span.line if box.span else None))
        type = box.outputs[0].type if box.op.name == "draw" else box.inputs[0].type
        self.scene.table.append((f"{name} ~ {law}", str(type)))
        for wire in parameters:
            self.joins(wire, node)
        return node

    def plate(self, box: Box, region: str | None) -> None:
        before = len(self.scene.table)
        super().plate(box, region)
        if self.implicit(box):
            self.scene.table[before:] = [(law, sized(type, box["size"])) for law, type in self.scene.table[before:]]

    def draw(self, box: Box, region: str | None) -> None:
        short = words.last(box["address"])
        node = self.circle(box, region, box.inputs, box["address"] in self.observed or short in self.observed)
        self.choices[node.id] = box
        self.begin(box.output, node.id, node.name)

    def density(self, box: Box, region: str | None) -> None:
        value, *parameters = box.inputs
        own = self.own(box, value)
        if own is not None:
            self.paths[box.output] = {}
            return
        found = self.look(value)
        chosen = [node for node in found if node in self.choices]
        node = self.circle(box, region, tuple(parameters), not chosen)
        if chosen and len(found) == 1:
            self.aliases.setdefault(self.frame, {})[chosen[0]] = node.id
        self.paths[box.output] = {}
        if not found or not chosen:
            self.paths[value] = {node.id: Path(value)}

    def branch(self, box: Box, region: str | None) -> None:
        for side, body in zip(("then", "else"), box.regions):
            self.graph_of(body, region, self.frame)
        for place, output in enumerate(box.outputs):
            self.paths[output] = {node: path for wire in (box.inputs[0], *(body.outputs[place] for body in box.regions))
                                  for node, path in self.look(wire).items()}

    def marginal(self, box: Box, region: str | None) -> None:
        self.graph_of(box.regions[0], region, self.frame)
        self.paths[box.output] = {}


def sized(type: str, size: object) -> str:
    """The type of an array choice, from that of its elements."""
    name, bracket, rest = type.partition("[")
    return f"{name}[{size}, {rest}" if bracket else f"{name}[{size}]"
