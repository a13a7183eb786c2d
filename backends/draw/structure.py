"""The program as it stands: the `ir` stage, and `checked`, which adds what the checker says of every choice.

A call is a region with a hairline; one line leaves its border, its log density.  The density of a choice at its own draw
is that choice; at a value from elsewhere it is a given choice: a dotted line says what fixes it, grey that data do.
"""
from __future__ import annotations

import re
from dataclasses import replace
from typing import Collection

from pullback.backends.draw import words
from pullback.backends.draw.callees import Callees
from pullback.backends.draw.expression import express
from pullback.backends.draw.labels import NAME, SECOND
from pullback.backends.draw.scene import Line, Node, Region, Scene
from pullback.backends.draw.weave import Path
from pullback.compiler.ir import Box, Graph, Wire


def structure(graph: Graph, stage: str = "ir", parameters: Collection[str] | None = None) -> Scene:
    view = Structure(graph, stage, parameters)
    view.graph_of(view.graph, None, ())
    view.finish()
    return view.scene


class Structure(Callees):
    def __post_init__(self) -> None:
        self.dimensions: set[Wire] = set()      # indices of array choices
        super().__post_init__()

    @property
    def checked(self) -> bool:
        return self.stage == "checked"

    # ------------------------------------------------------------ where a box stands

    def graph_of(self, graph: Graph, region: str | None, frame: tuple[str, ...]) -> None:
        for box in graph.boxes:
            self.frame = box.frame if len(box.frame) > len(frame) else frame
            self.box(box, self.called(region, frame, self.frame))
        self.frame = frame

    def absorb(self, box: Box) -> None:
        if box.op.name == "index" and len(box.inputs) == 2 and box.inputs[1] in self.dimensions:
            self.paths[box.output], self.texts[box.output] = self.look(box.inputs[0]), self.text(box.inputs[0])
            self.parts[box.output] = self.parts.get(box.inputs[0], ())
            return
        if box.op.name == "reduce" and self.is_density(box):
            self.paths[box.output] = self.look(box.inputs[0])
            self.texts[box.output], self.parts[box.output] = self.text(box.inputs[0]), self.parts.get(box.inputs[0], ())
            return
        kept = {wire: self.paths[wire] for wire in box.inputs if wire in self.paths}
        self.paths.update({wire: self.look(wire) for wire in kept})
        super().absorb(box)
        self.paths.update(kept)

    # ------------------------------------------------------------ boxes

    def box(self, box: Box, region: str | None) -> None:
        match box.op.name:
            case "draw":
                self.draw(box, region)
            case "density":
                self.density(box, region)
            case "plate":
                self.plate(box, region)
            case "scan":
                self.scan(box, region)
            case "branch":
                self.branch(box, region)
            case "call":
                self.call(box, region)
            case "marginal" | "expected":
                self.marginal(box, region)
            case "reduce" | "combine" if not self.is_density(box):
                self.junction(box, region)
            case "expectation":
                self.through(box.inputs[0], box.output)
            case _ if not self.is_density(box) and self.is_drawn(box):
                node = self.deterministic(box, region)
                self.colored(box, node)
                for wire in box.inputs:
                    self.joins(wire, node)
            case _:
                self.absorb(box)

    def is_density(self, box: Box) -> bool:
        """A sum of log densities inside a callee is part of its log density."""
        found = [path for wire in box.inputs for path in self.look(wire).values()]
        return bool(found) and all(path.logp for path in found) and box.rule is None and (
            box.op.name in ("add", "factor") or box.op.name == "reduce" and bool(self.frame) and box["function"] == "sum")

    def colored(self, box: Box, node: Node) -> None:
        """The badge of the checker, or the rule as the program writes it."""
        if self.checked:
            node.tint, node.badge = words.tint(box), words.badge(box)
        elif box.rule is not None:
            node.third = f"by {words.called(box.rule)}"

    def draw(self, box: Box, region: str | None) -> None:
        node = self.choice(box, region, box.inputs, words.binder(box) if box.span else self.names[box["address"]])
        self.colored(box, node)
        if self.checked and box.get("auto"):
            node.third = re.split("[;,]", str(box.get("reason", "")))[0]
        self.choices[node.id] = box
        self.begin(box.output, node.id, node.name)
        for wire in box.inputs:
            self.joins(wire, node)

    def choice(self, box: Box, region: str | None, parameters: tuple[Wire, ...], name: str) -> Node:
        law = f"{box['distribution'].name}({', '.join(self.text(wire)[0] for wire in parameters)})"
        return self.put(Node(self.node_of(box), "choice", name, f"~ {law}", region=region,
                             classes=words.classes("choice", box, self.hidden(parameters)),
                             tip=words.tips(box, f"{name} ~ {law}", self.names), line=box.span.line if box.span else None))

    def density(self, box: Box, region: str | None) -> None:
        value, *parameters = box.inputs
        own = self.own(box, value)
        if own is not None:
            self.paths[box.output] = {own: Path(value, logp=self.model())}
            self.parts[box.output], self.texts[box.output] = (), self.text(value)
            self.recaption(own)
            return
        found = self.look(value)
        name = words.binder(box)
        if not found:
            name = f"{name} = {self.text(value)[0]}"
        node = self.choice(box, region, tuple(parameters), name if len(name) <= NAME else words.binder(box))
        chosen = [other for other in found if other in self.choices or other in self.scene_choices]
        if not chosen:
            node.shape = "given"
        node.classes = ("given", *node.classes[1:])
        for wire in parameters:
            self.joins(wire, node)
        self.joins(value, node, given=True)
        if len(found) == 1 and chosen:
            self.aliases.setdefault(self.frame, {})[chosen[0]] = node.id
        self.paths[box.output] = {node.id: Path(box.output, logp=self.model())}
        self.parts[box.output], self.texts[box.output] = (), (f"log p({name})", 7)

    @property
    def scene_choices(self) -> set[str]:
        return {node.id for node in self.scene.nodes if node.shape == "choice"}

    # ------------------------------------------------------------ boxes with regions

    def enter(self, box: Box, kind: str, caption: str, parent: str | None) -> Region:
        tip = (words.statement(box).strip(), str(box.span)) if box.span is not None else (caption,)
        return self.region(Region(f"region-{box.number}", caption, kind, parent, words.classes(kind, box), tip,
                                  box.span.line if box.span else None))

    def implicit(self, box: Box) -> bool:
        """Is the plate an array choice, `z: real[10] ~ normal(0, 1)`?"""
        return any(inner.op.name in ("draw", "density") and inner.span is not None and box.span is not None
                   and (inner.span.start, inner.span.end) == (box.span.start, box.span.end)
                   for inner in box.regions[0].boxes)

    def plate(self, box: Box, region: str | None) -> None:
        body, index = box.regions[0], str(box["index"])
        inside = region
        if self.implicit(box):
            self.dimensions.add(body.inputs[0])
        else:
            inside = self.enter(box, "plate", f"{index} in {extent(box)}", region).id
        self.paths[body.inputs[0]], self.texts[body.inputs[0]] = {}, (index, 7)
        count = len(self.scene.nodes)
        self.graph_of(body, inside, self.frame)
        if inside != region and len(self.scene.nodes) == count:
            self.shown(body, inside)
        for outer, inner in zip(box.outputs, body.outputs):
            self.through(inner, outer, "" if inside == region else index)

    def shown(self, body: Graph, region: str) -> None:
        """A region with nothing in it would not be drawn: its results stand in it as boxes."""
        made = body.producers()
        for box in dict.fromkeys(made[wire] for wire in body.outputs if wire in made):
            if box.op.kind == "pure" and not box.regions and self.sources(box.inputs):
                node = self.deterministic(box, region)
                for wire in box.inputs:
                    self.joins(wire, node)

    def scan(self, box: Box, region: str | None) -> None:
        body, count, index = box.regions[0], box["carries"], str(box["index"])
        inside = self.enter(box, "scan", f"scan {index} in {extent(box)}", region).id
        self.paths[body.inputs[0]], self.texts[body.inputs[0]] = {}, (index, 7)
        carries = body.inputs[1:1 + count]
        nodes = []
        for place, (wire, start) in enumerate(zip(carries, box.inputs)):
            node = self.put(Node(f"{self.node_of(box)}-carry-{place}", "carry", words.lagged(wire.name, index), region=inside,
                                 classes=words.classes("carry", box), tip=(f"{wire.name}: {wire.type}", "carried")))
            self.begin(wire, node.id, node.name)
            self.joins(start, node)
            nodes.append(node)
        self.graph_of(body, inside, self.frame)
        for node, after in zip(nodes, body.outputs):
            for source in self.look(after):
                if source != node.id:
                    self.scene.lines.append(Line(node.id, source, "plain", label=f"next {index}", back=True,
                                                 classes=("plain", "back"), tip=(f"next {index}",)))
        for place, (outer, inner) in enumerate(zip(box.outputs, body.outputs)):
            self.through(inner, outer, "" if place < count else index)
            if place < count:
                self.texts[outer] = self.text(carries[place])
                mine = nodes[place].id
                if set(self.paths[outer]) > {mine}:
                    self.paths[outer] = {node: path for node, path in self.paths[outer].items() if node != mine}

    def branch(self, box: Box, region: str | None) -> None:
        outer = self.enter(box, "branch", f"if {self.text(box.inputs[0])[0]}", region).id
        for side, body in zip(("then", "else"), box.regions):
            inner = self.region(Region(f"{outer}-{side}", side, "side", outer, ("side",), (side,)))
            self.graph_of(body, inner.id, self.frame)
        chosen = []
        for output, *sides in zip(box.outputs, *(body.outputs for body in box.regions)):
            paths = [self.look(wire) for wire in sides]
            if any(paths) and all(path.logp for one in paths for path in one.values()):
                self.paths[output], self.texts[output] = {**paths[0], **paths[1]}, ("log p", 7)
            else:
                chosen.append((output, sides))
        if not chosen:
            return
        node = self.put(Node(self.node_of(box), "select", f"select {self.text(box.inputs[0])[0]}", region=region,
                             classes=words.classes("select", box), tip=words.tips(box, "select", self.names)))
        for wire in (box.inputs[0], *(wire for _, sides in chosen for wire in sides)):
            self.joins(wire, node)
        for output, _ in chosen:
            self.begin(output, node.id, words.assigned(box) or "select")

    def call(self, box: Box, region: str | None) -> None:
        name = words.last(box.get("address") or box["name"])
        if box.get("kind") == "objective":
            self.inner(box, region)
            return
        caption = box["name"] if name == box["name"] else f"{box['name']}  {name}"
        self.inner(box, self.enter(box, "callee", caption, region).id)
        for output in box.outputs:
            if self.paths[output] and all(path.logp for path in self.paths[output].values()):
                self.texts[output] = (f"logp({name})", 7)

    def inner(self, box: Box, region: str | None) -> None:
        """The boxes of a call."""
        outer = self.frame
        self.graph_of(box.regions[0], region, (*outer, box.get("address") or box["name"]))
        self.frame = outer
        for output, inner in zip(box.outputs, box.regions[0].outputs):
            self.paths[output] = self.look(inner)
            self.texts[output], self.parts[output] = self.text(inner), self.parts.get(inner, ())

    def marginal(self, box: Box, region: str | None) -> None:
        caption, sign, names, text = words.summed(box)
        inside = self.enter(box, "marginal", caption, region).id
        self.graph_of(box.regions[0], inside, self.frame)
        node = self.put(Node(self.node_of(box), "junction", sign, names, region=region,
                             classes=words.classes("junction", box), tip=words.tips(box, f"{sign} {names}", self.names)))
        for wire in box.regions[0].outputs:
            self.joins(wire, node)
        self.paths[box.output] = {node.id: Path(box.output, logp=str(box["name"]) if box.op.name == "marginal" else "")}
        self.texts[box.output] = (text, 7)

    def junction(self, box: Box, region: str | None) -> None:
        index = self.index_of(box.inputs[0])
        function = box.get("function", "combine")
        node = self.put(Node(self.node_of(box), "junction", "Σ" if function == "sum" else function, index, region=region,
                             classes=words.classes("junction", box), tip=words.tips(box, f"{function} {index}", self.names)))
        rule = box.rule or self.plate_rule(box.inputs[0])
        if rule is not None:
            self.colored(box if box.rule is not None else replace(box, rule=rule), node)
            node.tint = None
        for wire in box.inputs:
            self.joins(wire, node)
        text = express(box, self.text, self.axis_name)[0]
        for output in box.outputs:
            self.begin(output, node.id, words.assigned(box) or text)

    def loop_of(self, wire: Wire) -> Box | None:
        box = self.made.get(wire)
        while box is not None and not box.regions and box.op.elementwise:
            box = next((self.made[w] for w in box.inputs if w in self.made and getattr(w.type, "rank", 0)), None)
        return box if box is not None and box.op.name in ("plate", "scan") else None

    def index_of(self, wire: Wire) -> str:
        loop = self.loop_of(wire)
        return str(loop["index"]) if loop is not None else ""

    def plate_rule(self, wire: Wire) -> object:
        loop = self.loop_of(wire)
        return None if loop is None else loop.rule

    # ------------------------------------------------------------ the end

    def finish(self) -> None:
        for place, wire in enumerate(self.graph.outputs):
            text = self.text(wire)[0]
            node = self.put(Node(f"output-{place}", "objective", self.scene.name, classes=("objective",),
                                 tip=(f"{self.scene.name} = {text}", f"{wire.name}: {wire.type}")))
            if wire in self.parts and self.made.get(wire) is not None and not self.paths.get(wire, {}).keys() & {
                    other.id for other in self.scene.nodes if other.shape in ("junction", "objective")}:
                node.second = text
            if any(path.logp for path in self.look(wire).values()) and len(node.second) > SECOND:
                node.second = ""
            self.joins(wire, node)
        self.prune()


def extent(box: Box) -> str:
    """`0..n`, or `64 of n` where rows are drawn."""
    start, size = box.get("start", 0), box["size"]
    if box.rule is not None and hasattr(box.rule, "rows"):
        return f"{box.rule.rows(size)} of {size}"
    end = start + size if not isinstance(start, int) or start else size
    return f"{start}..{end}"
