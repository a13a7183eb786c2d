"""Loops of an estimator: what is carried, weights of past choices among it (ℓ), filtering weights of finite carries (α)."""
from __future__ import annotations

from dataclasses import dataclass

from pullback.backends.draw import words
from pullback.backends.draw.expression import ATOM
from pullback.backends.draw.grounds import Step
from pullback.backends.draw.places import Placed
from pullback.backends.draw.scene import Line, Node, Region
from pullback.backends.draw.strands import NONE, WEIGHT
from pullback.backends.draw.terms import Term
from pullback.backends.draw.weave import Path
from pullback.compiler.ir import Box, Graph, Wire


@dataclass
class Carries(Placed):
    """A weave that knows loops and marginals."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.terms: list[tuple[Term, str, tuple[str, ...]]] = []   # with its node, and the loops that it stands in
        self.inner: dict[Wire, list[str]] = {}                     # a loop's total: the nodes of its terms

    def body(self, graph: Graph, context: tuple[Step, ...]) -> None:
        raise NotImplementedError

    def scan(self, box: Box) -> None:
        body, count = box.regions[0], box["carries"]
        path = self.scan_path(box)
        region = self.grounds.region(path, self.made_regions)
        index = str(box["index"])
        self.paths[body.inputs[0]], self.texts[body.inputs[0]] = {}, (index, ATOM)
        rows = box.get("scanned", 0)
        for inside, outside in zip(body.inputs[1 + count:1 + count + rows], box.inputs[count:]):
            self.through(outside, inside)
        nodes = []
        for place, wire in enumerate(body.inputs[1:1 + count]):
            node = self.carry(box, place, wire, region)
            self.connect(box.inputs[place], node.id, self.flow.demand.get(wire, NONE) if
                         box.inputs[place] in self.flow.active else NONE)
            nodes.append((node, wire))
        self.within.append(index)
        self.body(body, path)
        self.within.pop()
        for (node, wire), after in zip(nodes, body.outputs):
            self.back(node, wire, after, index)
        for place, (outer, inner) in enumerate(zip(box.outputs, body.outputs)):
            self.through(inner, outer, "" if place < count else index)
            if inner in self.inner:
                self.inner[outer] = self.inner[inner]

    def carry(self, box: Box, place: int, wire: Wire, region: str | None) -> Node:
        weighing = wire in self.flow.weighing
        if weighing:
            name = "α" if any(axis.kind == "finite" for axis in wire.axes) else "ℓ = Σ log w"
        else:
            name = words.lagged(wire.name, str(box["index"]))
        node = self.put(Node(
            f"{self.node_of(box)}-carry-{place}", "carry", name, region=region, tint="weight" if weighing else None,
            chips=words.chips(wire.axes, None, self.names) if weighing else (), classes=words.classes("carry", box),
            tip=(f"{wire.name}: {wire.type}", "carried to the next step")))
        self.begin(wire, node.id, name.partition(" = ")[0])
        return node

    def back(self, node: Node, wire: Wire, after: Wire, index: str) -> None:
        """What becomes the carry of the next step: a line upward."""
        strands = self.flow.demand.get(wire, NONE) if after in self.flow.active else NONE
        for source, path in self.paths.get(after, {}).items():
            if source != node.id:
                style = self.style(strands if path.passes and self.alive(path) else NONE, path)
                style = "probability" if style == "weight" else style
                self.scene.lines.append(Line(node.id, source, style, label=f"next {index}", back=True, classes=(style, "back"),
                                             tip=(f"next {index}: {after.name}",)))

    # ------------------------------------------------------------ weights

    def carried(self, box: Box) -> None:
        """ℓ + log w: the weight of all choices so far."""
        reading = [wire for wire in box.inputs if self.paths.get(wire)]
        if len(reading) == 1:
            self.through(reading[0], box.output)
            return
        texts = [self.text(wire)[0] for wire in box.inputs]
        text = " + ".join(f"log {one}" if one.startswith("w(") else one for one in texts)
        node = self.put(Node(self.node_of(box), "box", text, tint="weight", region=self.place(box.output.axes),
                             classes=words.classes("weight", box), tip=words.tips(box, text, self.names)))
        self.begin(box.output, node.id, "ℓ")
        for place, wire in enumerate(box.inputs):
            self.weighs(wire, node.id, self.flow.into(box, place))

    def forward(self, box: Box) -> None:
        """One step of filtering; the law of the start is no step."""
        if len(box.inputs) == 1:
            self.through(box.inputs[0], box.output)
            return
        said = [self.factor(wire) for wire in box.inputs]
        name = "α′" if "α" in said else "α"
        text = f"{name} = {'log ' if box.get('semiring') == 'log' else ''}Σ " + " · ".join(
            sorted(dict.fromkeys(said), key=lambda one: (one != "α", one == "p")))
        node = self.put(Node(self.node_of(box), "box", text, tint="weight", region=self.place(box.output.axes),
                             chips=words.chips(box.output.axes, None, self.names),
                             classes=words.classes("weight", box), tip=words.tips(box, text, self.names)))
        self.begin(box.output, node.id, name)
        for place, wire in enumerate(box.inputs):
            self.weighs(wire, node.id, self.flow.into(box, place))

    def factor(self, wire: Wire) -> str:
        """`α`, `w(z)`, or `p` for a density."""
        text = self.text(wire)[0]
        if text.startswith("w("):
            return text.partition("[")[0] + ")" * ("[" in text)
        density = wire in self.flow.weighing or any(path.logp for path in self.paths.get(wire, {}).values())
        return "p" if density and text != "α" else text

    def values(self, box: Box) -> None:
        """The values of a finite carry: their weight, α, is what stands for them."""
        name = words.lagged(words.last(box["axis"].name), self.within[-1] if self.within else "t")
        self.texts[box.output], self.parts[box.output] = (name, ATOM), ()
        nodes = [self.paths[wire] for wire in self.paths if wire in self.flow.weighing and box["axis"] in wire.axes]
        self.paths[box.output] = {node: Path(box.output) for node in (nodes[-1] if nodes else ())}

    def blocked(self, wire: Wire) -> bool:
        box = self.made.get(wire)
        return super().blocked(wire) or box is not None and box.op.name == "values"

    def weighs(self, wire: Wire, target: str, strands: frozenset[str], port: str | None = None) -> None:
        """A weight's line: a diamond, where it comes from its choice or goes into a term."""
        made = self.made.get(wire)
        diamond = port is not None or made is not None and made.op.name == "points"
        style = None
        if diamond:
            style = "weight" if strands else "idle"
        self.connect(wire, target, strands, style=style, port=port)

    # ------------------------------------------------------------ marginals

    def marginal(self, box: Box) -> None:
        caption, sign, names, text = words.summed(box)
        step: Step = ("marginal", box.number)
        self.made_regions[step] = Region(f"region-{box.number}", caption, "marginal", None,
                                         words.classes("marginal", box), (text,))
        path = (*self.grounds.path(box.output.axes, self.context), step)
        self.grounds.region(path, self.made_regions)
        before, constants = len(self.terms), len(self.summands)
        self.body(box.regions[0], path)
        mine, self.terms = self.terms[before:], self.terms[:before]
        added, self.summands = self.summands[constants:], self.summands[:constants]
        plates = dict.fromkeys(self.axis_name(axis) for term, _, _ in mine for axis in term.summed
                               if axis.kind == "plate" and not self.hidden_axis(axis))
        names = f"{names}; Σ {', '.join(plates)}" if plates else names
        names = " ".join([names, *(text if text.startswith("−") else f"+ {text}" for text in added)])
        node = self.put(Node(self.node_of(box), "junction", sign, names, region=self.place(box.output.axes),
                             classes=words.classes("junction", box), tip=words.tips(box, f"{sign} {names}", self.names)))
        demand = self.flow.demand.get(box.output, NONE)
        for term, source, _ in mine:
            self.joined(source, node.id, demand if term.cost in self.flow.active else NONE)
        weights = [wire for inner in box.regions[0].boxes if inner.op.name in ("terms", "contract")
                   if inner.get("semiring") == "log" for wire in inner.inputs[inner.get("costs", len(inner.inputs)):]]
        for weight in dict.fromkeys(weights):
            self.weighs(weight, node.id, WEIGHT if weight in self.flow.active else NONE)
        self.paths[box.output] = {node.id: Path(box.output)}
        self.texts[box.output], self.parts[box.output] = (text, ATOM), ()

    def joined(self, source: str, target: str, strands: frozenset[str], port: str | None = None) -> None:
        """One line from a node that is not a wire's."""
        style = self.style(strands, Path(Wire("", None)))
        line = Line(source, target, style, port, classes=(style,))
        self.lines[source, target, port] = line
        self.scene.lines.append(line)
