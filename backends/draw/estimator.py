"""What the compiler made of the program: choices are points with weights, densities are terms, and the derivative's way
back is in the color of the lines.

Each choice is drawn once.  A term is a row: its cost, then a cell for the weight of each of its own ancestors.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Collection, Iterable

from pullback.backends.draw import words
from pullback.backends.draw.expression import ATOM, NEGATED, Text
from pullback.backends.draw.grounds import Grounds, Step
from pullback.backends.draw.labels import SECOND
from pullback.backends.draw.scene import Badge, Cell, Line, Node, Region, Scene
from pullback.backends.draw.strands import NONE, VALUE, WEIGHT
from pullback.backends.draw.structure import extent
from pullback.backends.draw.terms import Term, is_sum, means, sign, terms_of
from pullback.backends.draw.weave import Path, Weave, distinct
from pullback.compiler.ir import Axis, Box, Graph, Wire

PLUS = 3  # terms in one row, above which a circle adds them first
REDUCTIONS = frozenset({"logsumexp", "max", "min", "prod", "mean", "sum", "reduce"})
TRANSPARENT = frozenset({"stack_axis", "expectation", "guard"})


def estimator(graph: Graph, stage: str = "estimator", parameters: Collection[str] | None = None,
              program: Graph | None = None) -> Scene:
    """`program`: the graph before its loops were opened, which tells their numbers and ranges."""
    loops = {box["name"]: box for box in distinct(program).walk() if box.op.name == "plate"} if program is not None else {}
    view = Estimator(graph, stage, parameters, loops)
    view.body(graph, ())
    view.finish()
    return view.scene


@dataclass
class Estimator(Weave):
    def __post_init__(self) -> None:
        super().__post_init__()
        self.steps = {box["steps"]: box for box in self.graph.walk() if box.op.name == "scan" and box.get("steps")}
        self.made_regions: dict[Step, Region] = {}
        self.grounds = Grounds(self.graph, self.hidden_axis, self.caption, self.region, self.loops)
        self.sides: dict[Wire, tuple[Step, ...]] = {}
        self.context: tuple[Step, ...] = ()
        self.terms: list[tuple[Term, str, tuple[str, ...]]] = []   # with its node, and the loops that it stands in
        self.inner: dict[Wire, list[str]] = {}                     # a loop's total: the nodes of its terms
        self.within: list[str] = []
        self.direct: dict[str, frozenset[str]] = {}
        self.summands: list[str] = []
        self.readers = {wire: [] for wire in self.made}
        for box in self.graph.walk():
            for wire in box.inputs:
                self.readers.setdefault(wire, []).append(box)

    # ------------------------------------------------------------ where a box stands

    def hidden_axis(self, axis: Axis) -> bool:
        """The dimension of an array choice is no region, nor are the steps of a loop."""
        return axis in self.steps or axis.kind == "plate" and axis.name in self.arrays

    def caption(self, axis: Axis) -> str:
        if axis.kind == "particles":
            return f"particles {axis.size}"
        name, loop = self.axis_name(axis), self.loops.get(axis.name)
        if axis.total is not None:
            return f"{name} in {axis.size} of {axis.total}"
        return f"{name} in {extent(loop)}" if loop is not None else f"{name}: {axis.size}"

    def place(self, axes: Iterable[Axis], inputs: Iterable[Wire] = ()) -> str | None:
        inside = self.context
        axes = list(axes)
        for axis in axes:
            if axis in self.steps:
                inside = self.scan_path(self.steps[axis])
        side = next((self.sides[wire] for wire in inputs if wire in self.sides), ())
        return self.grounds.region(self.grounds.path(axes, inside, side), self.made_regions)

    def scan_path(self, box: Box) -> tuple[Step, ...]:
        step: Step = ("scan", box.number)
        if step not in self.made_regions:
            start, size, index = box.get("start", 0), box["size"], str(box["index"])
            end = start + size if start else size
            self.made_regions[step] = Region(
                f"region-{box.number}", f"scan {index} in {start}..{end}", "scan", None, words.classes("scan", box),
                (words.statement(box).strip(), f"{size} steps"), box.span.line if box.span else None)
        body = box.regions[0]
        around = [*box.get("axes", ()), *(axis for wire in body.inputs[1:1 + box["carries"]] for axis in wire.axes)]
        around += [axis for inner in body.boxes for wire in inner.outputs for axis in wire.axes if axis.kind == "particles"]
        return (*self.grounds.path(around, self.context), step)

    # ------------------------------------------------------------ boxes

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
            case "marginal":
                self.marginal(box)
            case "forward":
                self.forward(box)
            case "terms" | "contract" | "mix":
                pass
            case "guard":
                self.guard(box)
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
        if box.op.name not in ("density", "factor", "add", "sub", "neg", "where", "stack_axis", "expectation", "mul", "div",
                               "reduce", "sum", "mean"):
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

    # ------------------------------------------------------------ branches

    def guard(self, box: Box) -> None:
        """What stands behind a guard belongs to a side of a branch."""
        self.absorb(box)
        found = self.taken(box.inputs[1], 0)
        if found is not None:
            condition, side = found
            number = min((other.number for other in self.readers.get(condition, ())
                          if other.op.name == "where" and other.number is not None), default=box.number)
            outer: Step = ("branch", number)
            inner: Step = ("side", (number, side))
            text = self.text(condition)[0]
            self.made_regions.setdefault(outer, Region(f"region-{number}", f"if {text}", "branch", None, ("branch",), (text,)))
            name = ("then", "else")[side]
            self.made_regions.setdefault(inner, Region(f"region-{number}-{name}", name, "side", None, ("side",), (name,)))
            before = self.sides.get(box.inputs[0], ())
            self.sides[box.output] = (*before, outer, inner)

    def taken(self, wire: Wire, side: int) -> tuple[Wire, int] | None:
        """The condition that a guard asks, and the side on which it is taken."""
        box = self.made.get(wire)
        if box is not None and box.op.name == "not":
            return self.taken(box.inputs[0], 1 - side)
        if box is not None and box.op.name == "and":
            return self.taken(box.inputs[-1], side)
        return wire, side

    def sided(self, box: Box) -> None:
        found = max((self.sides[wire] for wire in box.inputs if wire in self.sides), key=len, default=None)
        if found:
            for wire in box.outputs:
                self.sides[wire] = found

    # ------------------------------------------------------------ loops

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
            node = self.carry(box, place, wire, body.outputs[place], region)
            self.connect(box.inputs[place], node.id, self.flow.demand.get(wire, NONE) if
                         box.inputs[place] in self.flow.active else NONE)
            nodes.append((node, wire))
        self.within.append(index)
        self.body(body, path)
        self.within.pop()
        for (node, wire), after in zip(nodes, body.outputs):
            self.back(node, wire, after, index)
        for outer, inner in zip(box.outputs, body.outputs):
            self.through(inner, outer)
            if inner in self.inner:
                self.inner[outer] = self.inner[inner]

    def carry(self, box: Box, place: int, wire: Wire, after: Wire, region: str | None) -> Node:
        weighing = wire in self.flow.weighing
        maker = self.made.get(after)
        if weighing:
            name = "α" if maker is not None and maker.op.name == "forward" else "ℓ = Σ log w"
        else:
            name = words.lagged(wire.name, str(box["index"]))
        node = self.put(Node(f"{self.node_of(box)}-carry-{place}", "carry", name, region=region, tint="weight" if weighing else None,
                             chips=words.chips(wire.axes, None, self.names) if weighing else (),
                             classes=words.classes("carry", box), tip=(f"{wire.name}: {wire.type}", "carried to the next step")))
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

    def carried(self, box: Box) -> None:
        """ℓ + log w: the weight of all choices so far."""
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
        said = []
        for wire in box.inputs:
            text = self.text(wire)[0]
            said.append(text.partition("[")[0] + ")" * ("[" in text) if text == "α" or text.startswith("w(") else "p" if wire in self.flow.weighing or any(
                path.logp for path in self.paths.get(wire, {}).values()) else text)
        name = "α′" if "α" in said else "α"
        text = f"{name} = {'log ' if box.get('semiring') == 'log' else ''}Σ " + " · ".join(
            sorted(dict.fromkeys(said), key=lambda one: (one != "α", one == "p")))
        node = self.put(Node(self.node_of(box), "box", text, tint="weight", region=self.place(box.output.axes),
                             chips=words.chips(box.output.axes, None, self.names),
                             classes=words.classes("weight", box), tip=words.tips(box, text, self.names)))
        self.begin(box.output, node.id, name)
        for place, wire in enumerate(box.inputs):
            self.weighs(wire, node.id, self.flow.into(box, place))

    def values(self, box: Box) -> None:
        """The values of a finite carry: their weight, α, is what stands for them."""
        name = words.lagged(words.last(box["axis"].name), self.within[-1] if self.within else "t")
        self.texts[box.output], self.parts[box.output] = (name, ATOM), ()
        nodes = [self.paths[wire] for wire in self.paths if wire in self.flow.weighing and box["axis"] in wire.axes]
        self.paths[box.output] = {node: Path(box.output) for node in (nodes[-1] if nodes else ())}

    def blocked(self, wire: Wire) -> bool:
        box = self.made.get(wire)
        return super().blocked(wire) or box is not None and box.op.name == "values"

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

    def weighs(self, wire: Wire, target: str, strands: frozenset[str], port: str | None = None) -> None:
        """A weight's line: a diamond, where it comes from its choice or goes into a term."""
        made = self.made.get(wire)
        diamond = port is not None or made is not None and made.op.name == "points"
        style = None
        if diamond:
            style = "weight" if strands else "idle"
        self.connect(wire, target, strands, style=style, port=port)

    # ------------------------------------------------------------ sums inside

    def stacked(self, wire: Wire) -> bool:
        box = self.made.get(wire)
        return box is not None and box.op.name == "stack_axis"

    def event(self, box: Box) -> bool:
        """Is it the sum over the dimensions of an array choice, a part of its log density?"""
        return self.stacked(box.inputs[0]) and self.hidden_axis(self.made[box.inputs[0]]["axis"]) and box.rule is None and \
            box.get("function", box.op.name) == "sum"

    def reduction(self, box: Box) -> None:
        """A function of a whole plate: a funnel on its border."""
        self.summed(box)
        axis = self.made[box.inputs[0]]["axis"]
        function = box.get("function", box.op.name)
        node = self.put(Node(
            self.node_of(box), "junction", "Σ" if function == "sum" else function, self.axis_name(axis),
            region=self.place(box.output.axes, box.inputs), classes=words.classes("junction", box),
            badge=words.badge(box), tip=words.tips(box, f"{function} {self.axis_name(axis)}", self.names),
            line=box.span.line if box.span else None))
        text = words.assigned(box) or f"{function} {self.axis_name(axis)}"
        for place, wire in enumerate(box.inputs):
            self.connect(wire, node.id, self.flow.into(box, place))
        self.begin(box.output, node.id, text)

    def summed(self, reader: Box) -> None:
        """Log densities that a non-linear box reads are added before: a row of them, and a circle."""
        for wire in reader.inputs:
            inner = wire
            while inner in self.made and (self.made[inner].op.name in TRANSPARENT or self.made[inner].inputs and self.event(self.made[inner])):
                inner = self.made[inner].inputs[0]
            members = self.members(inner, 1)
            if not any(path.logp for path in self.paths.get(inner, {}).values()) or not members:
                continue
            self.row(inner, members)
            at = wire
            chain = []
            while at != inner:
                chain.append(at)
                at = self.made[at].inputs[0]
            for outer in reversed(chain):
                self.through(self.made[outer].inputs[0], outer)

    def members(self, wire: Wire, factor: int) -> list[tuple[Wire, int]]:
        box = self.made.get(wire)
        if box is None:
            return [(wire, factor)]
        if box.op.name == "add":
            return [one for w in box.inputs for one in self.members(w, factor)]
        if box.op.name == "sub":
            return self.members(box.inputs[0], factor) + self.members(box.inputs[1], -factor)
        if box.op.name == "neg":
            return self.members(box.inputs[0], -factor)
        if box.op.name in TRANSPARENT and box.op.name != "stack_axis":
            return self.members(box.inputs[0], factor)
        return [(wire, factor)]

    def row(self, wire: Wire, members: list[tuple[Wire, int]]) -> None:
        box = self.made[wire]
        demand = self.flow.demand.get(wire, NONE)
        nodes = []
        for member, factor in members:
            made = self.made.get(member, box)
            text = ("− " if factor < 0 else "") + self.text(member)[0]
            node = self.put(Node(self.node_of(made) if made is not box or len(members) == 1 else f"{self.node_of(box)}-{len(nodes)}",
                                 "term", cells=(Cell("c", text),), region=self.place(wire.axes, (member,)),
                                 classes=words.classes("term", made, self.hidden((member,))), line=made.span.line if made.span else None,
                                 tip=words.tips(made, text, self.names)))
            self.connect(member, node.id, demand, port="c")
            nodes.append((node.id, member))
        self.scene.rows.append({node for node, _ in nodes})
        if len(nodes) == 1:
            self.begin(wire, nodes[0][0], self.text(wire)[0])
            return
        circle = self.put(Node(f"{self.node_of(box)}-plus" if any(n == self.node_of(box) for n, _ in nodes) else self.node_of(box),
                               "plus", "+", region=self.place(wire.axes, (wire,)), classes=words.classes("plus", box),
                               tip=words.tips(box, self.text(wire)[0], self.names)))
        for node, member in nodes:
            self.joined(node, circle.id, demand if member in self.flow.active else NONE)
        self.begin(wire, circle.id, words.assigned(box) or "+")

    def joined(self, source: str, target: str, strands: frozenset[str], port: str | None = None) -> None:
        """One line from a node that is not a wire's."""
        style = self.style(strands, Path(Wire("", None)))
        line = Line(source, target, style, port, classes=(style,))
        self.lines[source, target, port] = line
        self.scene.lines.append(line)

    # ------------------------------------------------------------ terms

    def write_terms(self, graph: Graph) -> None:
        """A row for each region that terms stand in."""
        rows: dict[str | None, set[str]] = {}
        for place, term in enumerate(terms_of(graph)):
            if term.cost in self.inner and not term.weights:
                for node in self.inner[term.cost]:
                    self.inner.setdefault(term.box.outputs[0], []).append(node)
                self.rescale(term)
                continue
            if not (term.weights or term.summed or term.means) and self.plain(term):
                continue
            funnel = self.alone(term)
            if funnel is not None:
                self.terms.append((term, funnel, tuple(self.within)))
                continue
            node = self.term(term, place)
            self.terms.append((term, node.id, tuple(self.within)))
            rows.setdefault(node.region, set()).add(node.id)
            for output in self.results(graph, term.box):
                self.inner.setdefault(output, []).append(node.id)
        self.scene.rows += rows.values()

    def alone(self, term: Term) -> str | None:
        """The funnel that is a term by itself."""
        found = list(self.paths.get(term.cost, {}))
        funnels = {node.id for node in self.scene.nodes if node.shape == "junction"}
        same = len(found) == 1 and found[0] in funnels and not sign(term.coefficient) and not term.weights
        return found[0] if same and self.made.get(term.cost) is self.made.get(self.root(term.cost)) else None

    def plain(self, term: Term) -> bool:
        """A funnel that is a term by itself leads to the objective; a constant stands in its label."""
        found = self.paths.get(term.cost, {})
        funnels = {node.id for node in self.scene.nodes if node.shape == "junction"}
        if found and not (set(found) <= funnels and self.context == ()):
            return False
        text = self.text(term.cost)[0]
        self.summands.append(f"− {text}" if sign(term.coefficient) else text)
        for node in found:
            self.direct[node] = self.flow.demand.get(term.cost, NONE) if term.cost in self.flow.active else NONE
        return True

    def rescale(self, outer: Term) -> None:
        """The terms of a loop have the sign and the sums that its total has."""
        nodes = set(self.inner[outer.cost])
        self.terms = [(replace(term, means=(*term.means, *outer.means), summed=(*term.summed, *outer.summed),
                               coefficient=times(term.coefficient, outer.coefficient)), node, loops)
                      if node in nodes else (term, node, loops) for term, node, loops in self.terms]
        if sign(outer.coefficient):
            for term, node, _ in self.terms:
                if node in nodes:
                    found = self.scene.node(node)
                    found.cells = (replace(found.cells[0], text=self.cost_text(term)), *found.cells[1:])

    def cost_text(self, term: Term) -> str:
        """The cost with its sign."""
        text, strength = self.text(term.cost)
        if not sign(term.coefficient):
            return text
        return text.removeprefix("− ") if strength == NEGATED else f"− {text if strength > NEGATED else f'({text})'}"

    def results(self, graph: Graph, box: Box) -> list[Wire]:
        """The total that a term goes into: that of its `terms`, or of the `mix` behind its `contract`."""
        if box.op.name == "terms" or box.get("semiring") == "log":
            return list(box.outputs)
        return [wire for other in graph.boxes if other.op.name == "mix" and box.outputs[0] in other.inputs
                for wire in other.outputs]

    def term(self, term: Term, place: int) -> Node:
        made = self.made.get(term.cost, term.box)
        text = self.cost_text(term)
        weights = () if term.box.get("semiring") == "log" else self.weight_cells(term)
        cells = [Cell("c", text), *(Cell(f"w{i}", text, "weight") for i, (_, text) in enumerate(weights))]
        if len(cells) > 4:
            cells = [cells[0], Cell("w0", f"× w({len(weights)} sites)", "weight")]
        node = self.put(Node(self.term_id(made, term), "term", cells=tuple(cells), region=self.place(term.axes),
                             classes=words.classes("term", made, self.hidden((term.cost,))),
                             line=made.span.line if made.span else None,
                             tip=(*words.tips(made, text, self.names), *(text for _, text in weights))))
        self.connect(term.cost, node.id, VALUE, port="c")
        for i, (wire, _) in enumerate(weights):
            port = f"w{i}" if len(cells) > 2 or len(weights) == 1 else "w0"
            self.weighs(wire, node.id, WEIGHT if wire in self.flow.active else NONE, port=port)
        return node

    def term_id(self, made: Box, term: Term) -> str:
        """The number of the box that makes the cost, where no node has it yet."""
        taken = {node.id for node in self.scene.nodes}
        if self.node_of(made) not in taken:
            return self.node_of(made)
        name = f"{self.node_of(term.box)}-term"
        count = 0
        while f"{name}-{count}" in taken:
            count += 1
        return f"{name}-{count}"

    def weight_cells(self, term: Term) -> list[tuple[Wire, str]]:
        """The weights of a term; a carried one and that of this step, where they are added, are one."""
        found, left = [], list(term.weights)
        for wire in term.weights:
            if wire not in left:
                continue
            both = next((box for box in self.readers.get(wire, ()) if box.op.name == "add" and len(box.inputs) > 1
                         and box.output in self.flow.weighing and set(box.inputs) <= set(left)), None)
            if both is not None:
                left = [one for one in left if one not in both.inputs]
                found.append((both.output, "× exp ℓ"))
                continue
            left.remove(wire)
            text = self.text(wire)[0]
            found.append((wire, f"× exp {text}" if text.startswith("ℓ") else f"× {text}"))
        return found

    # ------------------------------------------------------------ marginals

    def marginal(self, box: Box) -> None:
        over = box.get("over", ())
        names = ", ".join(map(str, over)) if isinstance(over, (tuple, list)) else str(over)
        step: Step = ("marginal", box.number)
        self.made_regions[step] = Region(f"region-{box.number}", f"marginalize {names}".strip(), "marginal", None,
                                         words.classes("marginal", box), (f"log E exp over {names}",))
        path = (*self.grounds.path(box.output.axes, self.context), step)
        self.grounds.region(path, self.made_regions)
        before = len(self.terms)
        self.body(box.regions[0], path)
        mine, self.terms = self.terms[before:], self.terms[:before]
        plates = dict.fromkeys(self.axis_name(axis) for term, _, _ in mine for axis in term.summed
                               if axis.kind == "plate" and not self.hidden_axis(axis))
        names = f"{names}; Σ {', '.join(plates)}" if plates else names
        node = self.put(Node(self.node_of(box), "junction", "log Σ", names, region=self.place(box.output.axes),
                             classes=words.classes("junction", box), tip=words.tips(box, f"log Σ {names}", self.names)))
        demand = self.flow.demand.get(box.output, NONE)
        for term, source, _ in mine:
            self.joined(source, node.id, demand if term.cost in self.flow.active else NONE)
        weights = [wire for inner in box.regions[0].boxes if inner.op.name in ("terms", "contract")
                   for wire in inner.inputs[inner.get("costs", len(inner.inputs)):]]
        for weight in dict.fromkeys(weights):
            self.weighs(weight, node.id, WEIGHT if weight in self.flow.active else NONE)
        self.paths[box.output] = {node.id: Path(box.output)}
        self.texts[box.output], self.parts[box.output] = (f"logp({box.get('name') or names})", ATOM), ()

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
                    classes=("junction", *dict.fromkeys(f"origin-{n}" for box in boxes for n in box.origin)), tip=("; ".join(pieces),))


def times(a: object, b: object) -> object:
    """The product of two coefficients; of sizes that are not known, the one that is no number."""
    try:
        return a * b
    except TypeError:
        return a if hasattr(a, "above") else b
