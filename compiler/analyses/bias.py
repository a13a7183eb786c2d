"""Is the estimate unbiased?  What is not does not compile until the program says `allow biased`.

    E log f ≠ log E f      an objective denotes an expectation: only what is linear in it may read it
    (E f)·(E g)            unbiased where the two share no choice
    f(Σ over b of n rows)  a minibatch estimates a sum; a non-linear function of it is biased
"""
from __future__ import annotations

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Diagnostic, Reported
from pullback.compiler.ir import Box, Graph, Wire

LINEAR = ("add", "sub", "neg", "stack", "index", "concat", "expectation", "factor", "sum", "mean", "combine", "stack_axis",
          "spread", "identity", "transpose", "reshape")

Estimates = frozenset  # of (what, name, span, sites): the estimates that a wire is linear in


def check(graph: Graph, allow_biased: bool = False) -> Graph:
    """The graph itself; `Reported` with every place where the estimate would be biased."""
    found = Checking().graph(graph) + ruled(graph)
    if found and not allow_biased:
        raise Reported(*found)
    return graph


def ruled(graph: Graph) -> list[Diagnostic]:
    """The choices whose rule is biased or numerical."""
    return [Diagnostic("bias", f"`{box.output.name}` is drawn `by {box.rule.name}`, which is {box['verdict']}", box.span,
                       "its derivative is not the derivative of the objective",
                       help="say `allow biased` if that is meant, or choose another rule")
            for box in graph.walk() if box.op is op.draw and box.get("verdict") in ("biased", "numerical", "heuristic")]


class Checking:
    def __init__(self) -> None:
        self.estimates: dict[Wire, Estimates] = {}
        self.inside: dict[Wire, frozenset] = {}
        self.found: list[Diagnostic] = []

    def graph(self, graph: Graph) -> list[Diagnostic]:
        for box in graph.boxes:
            self.box(box)
        return self.found

    def of(self, wire: Wire) -> Estimates:
        return self.estimates.get(wire, frozenset())

    def sites(self, wire: Wire) -> frozenset:
        return self.inside.get(wire, frozenset())

    def box(self, box: Box) -> None:
        sites = frozenset().union(*(self.sites(wire) for wire in box.inputs))
        found = frozenset().union(*(self.of(wire) for wire in box.inputs))
        for region in box.regions:
            self.graph(region)
            sites |= frozenset().union(frozenset(), *(self.sites(w) for w in region.outputs))
            found |= frozenset().union(frozenset(), *(self.of(w) for w in region.outputs))
        if box.op is op.draw:
            sites |= {box["address"]}
        if box.op is op.plate and box.rule is not None:
            found |= {("rows", box["index"], box.span, frozenset())}
        if box.op is op.expectation:
            found |= {("expectation", box["name"], box.span, sites)}
        elif found and not box.regions:
            problem = self.problem(box, found)
            if problem is not None:
                self.found.append(problem)
                found = frozenset()
        for wire in box.outputs:
            self.inside[wire] = sites
            self.estimates[wire] = found

    def problem(self, box: Box, found: Estimates) -> Diagnostic | None:
        name = box.op.name
        if name in LINEAR or (name == "reduce" and box["function"] in ("sum", "mean")):
            return None
        if name == "reduce":
            return self.nonlinear(box, found, box["function"])
        if name == "where" and not self.of(box.inputs[0]):
            return None
        if name == "div" and not self.of(box.inputs[1]):
            return None
        if name == "mul":
            a, b = (self.of(wire) for wire in box.inputs)
            if not a or not b:
                return None
            sites = [frozenset().union(*(e[3] for e in side)) for side in (a, b)]
            if not any(e[0] == "rows" for e in a | b) and not sites[0] & sites[1]:
                return None
        if name in ("draw", "density") and all(e[0] == "rows" for e in found):
            return None
        return self.nonlinear(box, found, name)

    @staticmethod
    def nonlinear(box: Box, found: Estimates, name: str) -> Diagnostic:
        what, of, span, _ = sorted(found, key=lambda e: (e[0], e[1]))[0]
        text = " ".join(box.span.text.split()) if box.span is not None else name
        if what == "expectation" and f"{name}(" not in text:
            return Diagnostic(
                "bias", f"`{text}` is not linear in `{of}(…)`, which is an expectation: its estimate is biased", box.span,
                notes=((span, "the expectation"),) if span else (),
                help="write what is averaged inside one objective, or say `allow biased`")
        if what == "expectation":
            return Diagnostic(
                "bias", f"`{name}` of `{of}(…)` is the {name} of an expectation: its estimate is biased", box.span,
                f"E {name}(f) is not {name}(E f)", notes=((span, "the expectation"),) if span else (),
                help="write what is averaged inside one objective, or say `allow biased`")
        return Diagnostic(
            "bias", f"`{name if f'{name}(' in text else text}` reads the loop over `{of}`, of which `subsample` draws some rows: its estimate is biased",
            box.span, "not linear in the rows", notes=((span, "drawn here"),) if span else (),
            help="take every row, or say `allow biased`")
