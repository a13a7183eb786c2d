"""The rows of an estimator: terms with their weights, and sums of log densities inside a non-linear function."""
from __future__ import annotations

from dataclasses import dataclass, replace

from pullback.backends.draw import words
from pullback.backends.draw.carries import Carries
from pullback.backends.draw.expression import ATOM, NEGATED, PRODUCT
from pullback.backends.draw.scene import Cell, Node
from pullback.backends.draw.strands import NONE, VALUE, WEIGHT
from pullback.backends.draw.terms import Term, sign, terms_of, times
from pullback.compiler.ir import Box, Graph, Wire

TRANSPARENT = frozenset({"stack_axis", "expectation", "estimate", "guard"})


@dataclass
class Rows(Carries):
    """A weave that writes terms."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.direct: dict[str, frozenset[str]] = {}
        self.summands: list[str] = []

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
            while self.is_same(inner):
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

    def is_same(self, wire: Wire) -> bool:
        """Is the wire made by a box that the drawing sees through?"""
        box = self.made.get(wire)
        return box is not None and bool(box.inputs) and (box.op.name in TRANSPARENT or self.event(box))

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
            name = self.node_of(made) if made is not box or len(members) == 1 else f"{self.node_of(box)}-{len(nodes)}"
            node = self.put(Node(name, "term", cells=(Cell("c", text),), region=self.place(wire.axes, (member,)),
                                 classes=words.classes("term", made, self.hidden((member,))),
                                 line=made.span.line if made.span else None, tip=words.tips(made, text, self.names)))
            self.connect(member, node.id, demand, port="c")
            nodes.append((node.id, member))
        self.scene.rows.append({node for node, _ in nodes})
        if len(nodes) == 1:
            self.begin(wire, nodes[0][0], self.text(wire)[0])
            return
        taken = any(node == self.node_of(box) for node, _ in nodes)
        circle = self.put(Node(f"{self.node_of(box)}-plus" if taken else self.node_of(box), "plus", "+", region=self.place(wire.axes, (wire,)), classes=words.classes("plus", box),
                               tip=words.tips(box, self.text(wire)[0], self.names)))
        for node, member in nodes:
            self.joined(node, circle.id, demand if member in self.flow.active else NONE)
        self.begin(wire, circle.id, words.assigned(box) or "+")

    # ------------------------------------------------------------ terms

    def write_terms(self, graph: Graph) -> None:
        """A row for each region that terms stand in."""
        rows: dict[str | None, set[str]] = {}
        for term in terms_of(graph):
            if self.nothing(term):
                continue
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
            inner = self.inner.get(term.cost, [])
            if inner:
                self.texts[term.cost] = (f"Σ {self.loop_of(term.cost)}", ATOM)
                self.paths[term.cost] = {}
            node = self.term(term)
            for one in inner:
                self.joined(one, node.id, self.strands_of(one), port="c")
            self.terms = [entry for entry in self.terms if entry[1] not in inner]
            self.terms.append((term, node.id, tuple(self.within)))
            rows.setdefault(node.region, set()).add(node.id)
            for output in self.results(graph, term.box):
                self.inner.setdefault(output, []).append(node.id)
        self.scene.rows += rows.values()

    def nothing(self, term: Term) -> bool:
        """Is it the 0 that one side of a branch adds?"""
        made = self.made.get(term.cost)
        return made is not None and made.get("split") is not None and all(
            self.text(wire)[0] in ("0", "0.0") for wire in made.inputs[1:])

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

    def loop_of(self, total: Wire) -> str:
        made = self.made.get(total)
        return str(made["index"]) if made is not None and made.op.name == "scan" else ""

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
        return text.removeprefix("− ") if strength == NEGATED else f"− {text if strength >= PRODUCT else f'({text})'}"

    def results(self, graph: Graph, box: Box) -> list[Wire]:
        """The total that a term goes into: that of its `terms`, or of the `mix` behind its `contract`."""
        if box.op.name == "terms" or box.get("semiring") == "log":
            return list(box.outputs)
        return [wire for other in graph.boxes if other.op.name == "mix" and box.outputs[0] in other.inputs
                for wire in other.outputs]

    def term(self, term: Term) -> Node:
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
