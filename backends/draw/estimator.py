"""What the compiler made of the program: choices are points with weights, densities are terms, and the derivative's way
back is in the color of the lines.

Each choice is drawn once.  A term is a row: its cost, then a cell for the weight of each of its own ancestors.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Collection

from pullback.backends.draw import words
from pullback.backends.draw.expression import ATOM, Text, without_index
from pullback.backends.draw.grounds import Step
from pullback.backends.draw.labels import SECOND
from pullback.backends.draw.rows import Rows
from pullback.backends.draw.scene import Badge, Node, Scene
from pullback.backends.draw.strands import NONE, VALUE, WEIGHT
from pullback.backends.draw.terms import is_sum, means
from pullback.backends.draw.weave import distinct
from pullback.compiler.ir import Axis, Box, Graph, Wire

PLUS = 3  # terms in one row, above which a circle adds them first
REDUCTIONS = frozenset({"logsumexp", "max", "min", "prod", "mean", "sum", "reduce"})
SUMS = frozenset({"density", "factor", "add", "sub", "neg", "where", "stack_axis", "expectation", "estimate", "mul", "div", "reduce", "sum",
                  "mean"})


def estimator(graph: Graph, stage: str = "estimator", parameters: Collection[str] | None = None,
              program: Graph | None = None) -> Scene:
    """`program`: the graph before its loops were opened, which tells their numbers and ranges."""
    loops = {box["name"]: box for box in distinct(program).walk() if box.op.name == "plate"} if program is not None else {}
    view = Estimator(graph, stage, parameters, loops)
    view.body(view.graph, ())
    view.finish()
    return view.scene


@dataclass
class Estimator(Rows):
    """The whole picture."""

    def body(self, graph: Graph, context: tuple[Step, ...]) -> None:
        outer, self.context = self.context, context
        for box in graph.boxes:
            self.box(box)
        self.write_terms(graph)
        self.context = outer

    def box(self, box: Box) -> None:
        match box.op.name:
            case "points" | "draw":
                self.choice(box)
            case "scan":
                self.scan(box)
            case "marginal" | "expected":
                self.marginal(box)
            case "forward":
                self.forward(box)
            case "terms" | "contract" | "mix":
                pass
            case "guard":
                self.guard(box)
            case "level":
                self.through(box.inputs[0], box.outputs[0])
                self.paths[box.outputs[1]] = {}
            case "stack_axis":
                self.absorb(box)
                self.sided(box)
                text, strength = self.texts[box.output]
                self.texts[box.output] = without_index(text, self.axis_name(box["axis"])), strength
            case "iota" | "rows":
                self.paths.setdefault(box.output, {})
                self.texts.setdefault(box.output, (self.axis_name(box["axis"]), ATOM))
            case "values":
                self.values(box)
            case "add" if box.output in self.flow.weighing:
                self.carried(box)
            case name if name in REDUCTIONS and self.stacked(box.inputs[0]):
                if self.event(box):
                    self.through(box.inputs[0], box.output)
                else:
                    self.reduction(box)
            case "spread" if box["axis"].kind == "finite":
                self.drawn(box)
            case _ if self.is_drawn(box):
                self.drawn(box)
            case _:
                self.absorbed(box)

    def absorbed(self, box: Box) -> None:
        if box.op.name not in SUMS:
            self.summed(box)
        self.absorb(box)
        if box.op.name == "density":
            self.texts[box.output] = self.log_density(box)
        if box.op.name == "where":
            self.sides.pop(box.output, None)
        else:
            self.sided(box)

    def drawn(self, box: Box) -> None:
        self.summed(box)
        region = self.place([axis for wire in box.outputs for axis in wire.axes], box.inputs)
        node = self.deterministic(box, region)
        node.tint, node.badge = words.tint(box), words.badge(box)
        if box.op.name != "where":
            self.sided(box)
        for place, wire in enumerate(box.inputs):
            self.connect(wire, node.id, self.flow.into(box, place))
        if box.op.name == "spread":
            for choice in self.choices_along(box["axis"]):
                self.connect(choice, node.id)

    def is_drawn(self, box: Box) -> bool:
        """Log densities are added in a row of terms; what only a term reads stands in the term."""
        if box.op.name in ("add", "sub", "neg") and any(
                path.logp for wire in box.inputs for path in self.paths.get(wire, {}).values()):
            return False
        if box.rule is None and box.op.name not in ("network", "reduce", "combine"):
            readers = [reader for wire in box.outputs for reader in self.readers.get(wire, ())]
            if readers and all(is_sum(reader) for reader in readers):
                return False
        return super().is_drawn(box)

    def choices_along(self, axis: Axis) -> list[Wire]:
        return [box.outputs[0] for box in self.made.values() if box.op.name == "points" and box.get("axis") == axis]

    def choice(self, box: Box) -> None:
        count = len(box["distribution"].fields)
        parameters = box.inputs[:count]
        law = f"{box['distribution'].name}({', '.join(self.text(wire)[0] for wire in parameters)})"
        name = words.binder(box) if box.span else self.names[box["address"]]
        axes = dict.fromkeys(axis for wire in (box.outputs[0], *box.outputs[1:]) for axis in wire.axes)
        own = box.get("axis")
        node = self.put(Node(
            self.node_of(box), "choice", name, f"~ {law}", badge=words.badge(box), tint=words.tint(box),
            chips=words.chips(axes, own, self.names), region=self.place(axes, box.inputs),
            classes=words.classes("choice", box, self.hidden(parameters)), line=box.span.line if box.span else None,
            tip=words.tips(box, f"{name} ~ {law}", self.names)))
        self.begin(box.outputs[0], node.id, name)
        for weight in box.outputs[1:]:
            self.begin(weight, node.id, f"w({name})")
        for place, wire in enumerate(box.inputs):
            self.connect(wire, node.id, self.flow.into(box, place))
        self.sided(box)

    def log_density(self, box: Box) -> Text:
        """`log p(x | r)`; `log q(x)` where x was drawn from this very law."""
        value, *parameters = box.inputs
        root = self.made.get(self.root(value))
        own = root is not None and root.op.name == "points" and root["distribution"] is box["distribution"] and (
            root["address"] == box["address"] or root.span is not None and box.span is not None
            and (root.span.source, root.span.start) == (box.span.source, box.span.start))
        name, inputs = words.binder(box), {node.id for node in self.scene.nodes if node.shape in ("parameter", "data")}
        above = dict.fromkeys(self.text(path.root)[0] for wire in parameters for node, path in self.paths.get(wire, {}).items()
                              if node not in inputs)
        given = f" | {', '.join(above)}" if above else ""
        text = f"log {'q' if own else 'p'}({name}{given})"
        return (text if len(text) <= SECOND or not given else f"log {'q' if own else 'p'}({name} | …)", ATOM)

    def root(self, wire: Wire) -> Wire:
        paths = list(self.paths.get(wire, {}).values())
        return paths[0].root if len(paths) == 1 else wire

    # ------------------------------------------------------------ the end

    def finish(self) -> None:
        total = self.graph.outputs[0] if self.graph.outputs else None
        output = Node("output-0", "objective", self.scene.name, classes=("objective",),
                      tip=(self.scene.name, f"{total.name}: {total.type}" if total is not None else ""))
        flows = {node: self.strands_of(node) for _, node, _ in self.terms}
        sources = list(flows)
        if len(sources) > PLUS and len({(self.scene.node(node).region, flows[node]) for node in sources}) == 1:
            region = self.scene.node(sources[0]).region
            circle = self.put(Node("plus-0", "plus", "+", region=region, classes=("plus",), tip=("sum of the terms",)))
            for node in sources:
                self.joined(node, circle.id, flows[node])
            flows = {circle.id: flows[sources[0]]}
        funnel = self.funnel()
        if funnel is not None:
            self.put(funnel)
            for node, strands in flows.items():
                self.joined(node, funnel.id, strands)
            flows = {funnel.id: frozenset().union(*flows.values())}
        flows |= self.direct
        if self.summands:
            output.second = " ".join([*(["…"] if self.terms else []), *(
                text if place == 0 and not self.terms or text.startswith("−") else f"+ {text}"
                for place, text in enumerate(self.summands))])
        self.put(output)
        for node, strands in flows.items():
            self.joined(node, output.id, strands)
        if total is not None and not flows:
            self.connect(total, output.id, VALUE)
        self.prune()

    def strands_of(self, node: str) -> frozenset[str]:
        """Below a term: the union of what entered it."""
        found: frozenset[str] = NONE
        for line in self.scene.lines:
            if line.target == node:
                found |= {"value": VALUE, "probability": WEIGHT, "weight": WEIGHT, "both": VALUE | WEIGHT}.get(line.style, NONE)
        return found

    def funnel(self) -> Node | None:
        """`Σ b, k, δ`; `mean i`, with the rule that draws its rows; `mean of 64`."""
        sums, averages, rules, particles = {}, {}, {}, None
        for term, _, loops in self.terms:
            plates = [axis for axis in term.summed if axis.kind == "plate" and not self.hidden_axis(axis)]
            mean = means(term, plates)
            for axis in term.summed:
                if axis.kind != "plate" or axis in plates:
                    (averages if axis in mean else sums)[self.axis_name(axis).partition("[")[0]] = axis
            sums.update(dict.fromkeys(loops))
            for axis in term.means:
                particles = axis.size
        for box in self.made.values():
            if box.op.name == "rows" and (self.axis_name(box["axis"]) in averages or self.axis_name(box["axis"]) in sums):
                rules[words.called(box.rule)] = box
        if not sums and not averages and particles is None:
            return None
        names = [name for name in sums if name not in averages]
        pieces = [f"Σ {', '.join(names)}"] if names else []
        pieces += [f"mean {', '.join(averages)}"] if averages else []
        pieces += [f"mean of {particles}" if pieces else "mean particles"] if particles is not None else []
        head, _, rest = "; ".join(pieces).partition(" ")
        badge = None
        for box in rules.values():
            badge = Badge(f"{words.called(box.rule)} {words.MARKS.get(words.verdict(box), '')}".strip(), "quiet")
        boxes = [term.box for term, _, _ in self.terms]
        return Node("junction-0", "junction", head, rest, badge=badge,
                    classes=("junction", *dict.fromkeys(f"origin-{n}" for box in boxes for n in box.origin)),
                    tip=("; ".join(pieces),))
