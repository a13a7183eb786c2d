"""Is the estimate unbiased?  What is not does not compile until the program says `allow biased`.

    E log f ≠ log E f      an objective denotes an expectation: only what is linear in it may read it
    log Σ p·f = log E f    but where every choice inside is enumerated, it is a number: anything may
    (E f)·(E g)            unbiased where the two share no choice
    f(Σ over b of n rows)  a minibatch estimates a sum; a non-linear function of it is biased
"""
from __future__ import annotations

from pullback.compiler import ops as op
from pullback.compiler.analyses import bounds
from pullback.compiler.analyses.host import sampled
from pullback.compiler.analyses.ranges import Values, parameters, support_size
from pullback.compiler.analyses.smoothness import live
from pullback.compiler.analyses.support import carriers
from pullback.compiler.diagnostic import Diagnostic, Reported
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.rule import Bias, joining

Estimates = frozenset  # of (what, name, span, key): the estimates that a wire is linear in; `key` tells what they share


def check(graph: Graph, allow_biased: bool = False) -> Graph:
    """The graph, with the exact expectations that something non-linear reads marked (`nest` sums them out where they
    stand); `Reported` with every place where the estimate would be biased."""
    checking = Checking(graph)
    found = checking.graph(graph) + ruled(graph) + joined(graph) + bounds.check(graph)
    if found and not allow_biased:
        raise Reported(*found)
    return graph.map(lambda box: box.but(attributes={"exact": True}) if box.op is op.expectation and box.output in
                     checking.exact else box)


def joined(graph: Graph) -> list[Diagnostic]:
    """The junctions whose rule is biased."""
    return [Diagnostic("bias", f"`{rule.name}` joins the derivatives of this `{box.get('function', 'combine')}`, and is {rule.bias.value}",
                       box.span, "its derivative is not the derivative of the objective",
                       help="say `allow biased` if that is meant")
            for box in graph.walk() for rule in joining(box) if rule.bias not in (Bias.none, Bias.exact)]


def ruled(graph: Graph) -> list[Diagnostic]:
    """The choices whose rule is biased or numerical."""
    return [Diagnostic("bias", f"`{box.output.name}` is drawn `by {box.rule.name}`, which is {box['verdict']}", box.span,
                       box["reason"] if box["verdict"] == "numerical" else "its derivative is not the derivative of the objective",
                       help="say `allow biased` if that is meant, or choose another rule")
            for box in graph.walk() if box.op is op.draw and box.get("verdict") in ("biased", "numerical", "heuristic")]


def held(graph: Graph) -> dict[Box, str]:
    """The log densities of draws at their own parameters, of which those are under `stop` and the value is not: what is left out
    of the derivative has mean zero (sticking the landing)."""
    densities = [box for box in graph.walk() if box.op is op.density]
    if not any(box.op is op.stop for box in graph.walk()) or not densities:
        return {}
    known, carrying = Values(graph), carriers(graph)
    found = {}
    for box in densities:
        if box.inputs[0] in carrying and known.own(box):
            drawn = known.drawn(box.inputs[0])
            if any(a in carrying and b not in carrying for a, b in zip(parameters(drawn), parameters(box))):
                found[box] = drawn.output.name
    return found


class Checking:
    """Follow every estimate to what reads it.

    what: `expectation` (key: the choices inside it; of: the wire), `mean` (a draw that stands for its mean, by its rule), `rows` (an array of which some rows were drawn; key: who shares the
    draw) or `minibatch` (a sum of such rows).  Element by element anything may read rows, as may a loop over the same rows.
    """

    def __init__(self, whole: Graph) -> None:
        self.summed = {box["address"] for box in whole.walk() if box.op is op.draw
                       and getattr(box.rule, "axis", "points") == "finite"}
        self.finite = {box["address"] for box in whole.walk() if box.op is op.draw and support_size(box) is not None}
        self.exact: set[Wire] = set()           # expectations that are read as numbers, all choices inside summed out
        self.held = held(whole)
        self.live = live(whole) if self.held else frozenset()   # through which a derivative reaches the objective
        self.estimates: dict[Wire, Estimates] = {}
        self.inside: dict[Wire, frozenset] = {}
        self.loops: dict[Wire, object] = {}     # the index of a loop → who shares the draw of its rows
        self.found: list[Diagnostic] = []

    def graph(self, graph: Graph) -> list[Diagnostic]:
        for box in graph.boxes:
            self.box(box)
        return self.found

    def of(self, wire: Wire) -> Estimates:
        return self.estimates.get(wire, frozenset())

    def sites(self, wire: Wire) -> frozenset:
        return self.inside.get(wire, frozenset())

    def know(self, wire: Wire, found: Estimates, sites: frozenset) -> None:
        self.estimates[wire], self.inside[wire] = found, sites

    def box(self, box: Box) -> None:
        match box.op:
            case op.plate:
                self.plate(box)
            case op.scan:
                self.scan(box)
            case op.branch | op.marginal:
                self.regions(box)
            case _:
                sites = frozenset().union(*(self.sites(wire) for wire in box.inputs))
                if box.op is op.draw or sampled(box):
                    sites |= {box["address"]}
                found = self.passed(box, sites)
                if getattr(box.rule, "estimates", False):
                    found |= {("mean", box.output.name, box.span, frozenset({box["address"]}))}
                for wire in box.outputs:
                    self.know(wire, found, sites)

    def plate(self, box: Box) -> None:
        body = box.regions[0]
        drawn = box.rule is not None
        share = (box.get("share") or box["name"], box.rule) if drawn else None
        self.loops[body.inputs[0]] = share
        self.graph(body)
        rows = {("rows", box["index"], box.span, share)} if drawn else set()
        for outer, inner in zip(box.outputs, body.outputs):
            self.know(outer, self.of(inner) | rows, self.sites(inner))

    def scan(self, box: Box) -> None:
        """What a step makes of a carry is what the next step reads: a fixed point."""
        body, count = box.regions[0], box["carries"]
        before = [(self.of(w), self.sites(w)) for w in box.inputs[:count]]
        while True:
            for carry, (found, sites) in zip(body.inputs[1:], before):
                self.know(carry, found, sites)
            told = len(self.found)
            self.graph(body)
            after = [(f | self.of(w), s | self.sites(w)) for (f, s), w in zip(before, body.outputs)]
            if after == before:
                break
            del self.found[told:]
            before = after
        for place, outer in enumerate(box.outputs):
            inner = body.outputs[place]
            found, sites = before[place] if place < count else (self.of(inner), self.sites(inner))
            self.know(outer, found, sites)

    def regions(self, box: Box) -> None:
        for region in box.regions:
            self.graph(region)
        condition = self.of(box.inputs[0]) if box.op is op.branch and box.inputs else frozenset()
        for place, outer in enumerate(box.outputs):
            inner = [region.outputs[place] for region in box.regions]
            found = frozenset().union(*(self.of(wire) for wire in inner))
            sites = frozenset().union(*(self.sites(wire) for wire in inner))
            bad = condition | (found if box.op is op.marginal else frozenset())
            if bad:
                self.refuse(box, bad, "if" if box.op is op.branch else "log")
                found -= bad
            self.know(outer, found, sites)

    def passed(self, box: Box, sites: frozenset) -> Estimates:
        """The estimates that the box's output is linear in; what it is not linear in is reported."""
        if box.op is op.baseline:  # any number with no knowledge of the choice will do
            return self.of(box.inputs[0])
        every = frozenset().union(*(self.of(wire) for wire in box.inputs))
        rows = frozenset(e for e in every if e[0] == "rows")
        estimates = frozenset(e for e in every - rows if e[0] != "held" or any(w in self.live for w in box.outputs))
        if box.op is op.stop:
            return frozenset(e for e in every if e[0] != "held")
        if box in self.held:
            return every | {("held", self.held[box], box.span, sites)}
        if box.op is op.expectation:
            known = not box["sites"] or box.output in self.exact
            return every if known else every | {("expectation", box["name"], box.span, box["sites"], box.output)}
        if estimates and not self.linear(box):
            self.refuse(box, estimates, self.function(box))
            return frozenset()
        if rows:
            left = self.rows(box, rows)
            if left is None:
                self.refuse(box, rows, self.function(box))
                return frozenset()
            return estimates | left
        return estimates

    def rows(self, box: Box, rows: Estimates) -> Estimates | None:
        """What is left of drawn rows behind a box that may read them; None if it may not."""
        if self.function(box) in ("sum", "mean") and box.op.name in ("reduce", "sum", "mean"):
            if box.output.type.rank == 0:
                return frozenset(("minibatch", *e[1:]) for e in rows)
            return rows if box.op is not op.reduce else None
        if box.op is op.index:
            return self.read(box, rows)
        if box.op.elementwise or box.op.kind in ("density", "choice") or box.op.name in ("identity", "expectation"):
            return rows
        return None

    def read(self, box: Box, rows: Estimates) -> Estimates | None:
        """An element of drawn rows, read by a loop over the same rows, is an element; a read elsewhere meets rows not drawn."""
        dynamic = iter(box.inputs[1:])
        shares = [self.loops.get(next(dynamic)) if entry == "i" else entry for entry in box["pattern"]]
        return frozenset() if all(e[3] in shares for e in rows) else None

    def linear(self, box: Box) -> bool:
        """Is the box linear in all estimates that it reads, by what its op says of itself?"""
        places = [i for i, wire in enumerate(box.inputs) if any(e[0] != "rows" for e in self.of(wire))]
        if box.op is op.reduce:
            return box["function"] in ("sum", "mean")
        if box.op is op.combine or box.op.linear_in(places):
            return True
        if box.op is op.mul:  # a product of two estimates that share nothing
            a, b = (self.of(wire) for wire in box.inputs)
            keys = [frozenset().union(*(e[3] for e in side)) if all(e[0] in ("expectation", "mean") for e in side) else None
                    for side in (a, b)]
            return None not in keys and not keys[0] & keys[1]
        return False

    def refuse(self, box: Box, read: Estimates, name: str) -> None:
        """Report what the box is not linear in, unless that is exact."""
        exact = frozenset(e for e in read if e[0] == "expectation" and e[3] <= self.summed)
        self.exact |= {e[4] for e in exact}
        if read - exact:
            self.found.append(self.nonlinear(box, read - exact, name))

    @staticmethod
    def function(box: Box) -> str:
        return box["function"] if box.op is op.reduce else box.op.title

    def nonlinear(self, box: Box, found: Estimates, name: str) -> Diagnostic:
        what, of, span, key = min(found, key=lambda e: (e[0], e[1]))[:4]
        text = " ".join(box.span.text.split()) if box.span is not None else name
        if what == "held":
            return Diagnostic(
                "bias", f"`{text}` is not linear in the log density of `{of}`, whose parameters are held constant there: its "
                "derivative is biased", box.span, "the part that is left out has mean zero in a sum only",
                notes=((span, "the log density of the draw itself, under `stop`"),) if span else (),
                help="`iwelbo_doubly` is the unbiased form for several draws; or take `stop` away")
        if what == "mean":
            return Diagnostic(
                "bias", f"`{text}` is not linear in the frequencies `{of}`: its estimate is biased", box.span,
                "they stand for probabilities, and are right in the mean", notes=((span, "drawn here"),) if span else (),
                help="`by shift` without shots is exact; or say `allow biased`")
        help = "write what is averaged inside one objective, or say `allow biased`"
        if what == "expectation" and key <= self.finite:
            help = f"`by enum` on every choice inside makes it exact; else {help}"
        if what == "expectation" and f"{name}(" not in text:
            return Diagnostic(
                "bias", f"`{text}` is not linear in `{of}(…)`, which is an expectation: its estimate is biased", box.span,
                notes=((span, "the expectation"),) if span else (),
                help=help)
        if what == "expectation":
            return Diagnostic(
                "bias", f"`{name}` of `{of}(…)` is the {name} of an expectation: its estimate is biased", box.span,
                f"E {name}(f) is not {name}(E f)", notes=((span, "the expectation"),) if span else (),
                help=help)
        return Diagnostic(
            "bias", f"`{name if f'{name}(' in text else text}` reads the loop over `{of}`, of which `subsample` draws some rows: its estimate is biased",
            box.span, "not linear in the rows", notes=((span, "drawn here"),) if span else (),
            help="take every row, or say `allow biased`")
