"""On which side of the exact value does an estimate of a log density err?

    under   E exp(ℓ) = p          its mean lies below log p
    over    E exp(−ℓ) = 1/p       its mean lies above log p

A sum errs on the side of its parts, a difference on the other side of what is taken away; log Σ exp and means keep the side.
What errs on both sides at once is no bound of anything, and neither is another function of an estimate.  `exp` of one that is
under is an unbiased estimate of a density, and errs nowhere.
"""
from __future__ import annotations

from dataclasses import dataclass

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.source import Span

SIDES = {"under": -1, "over": 1}
WORDS = {-1: "below", 1: "above", 0: "on a side that is not known"}
KEEPING = ("add", "expectation", "factor", "identity", "stop", "guard", "stack", "concat", "index", "combine", "reshape", "mix", "sum",
           "mean", "logsumexp", "stack_axis", "field")


@dataclass(frozen=True, slots=True)
class Side:
    """An estimate that a value holds; `way`: does the value err below (−1) or above (1), or is that not known (0)?"""

    way: int
    name: str
    span: Span | None

    def turned(self, sign: int) -> Side:
        return Side(self.way * sign, self.name, self.span)


Sides = frozenset[Side]


def bounds(graph: Graph) -> tuple[Sides, list[Diagnostic]]:
    """The estimates that the graph's value holds, with their sides; and what reads an estimate so that its side is lost."""
    found = Bounds()
    found.graph(graph)
    return frozenset().union(*(found.of(wire) for wire in graph.outputs)), found.said


def check(graph: Graph) -> list[Diagnostic]:
    """What is wrong with the estimates of a graph, whichever way it is optimized."""
    sides, found = bounds(graph)
    ways = {side.way for side in sides}
    return found or ([mixed(sides)] if len(ways) > 1 or 0 in ways else [])


def against(graph: Graph, maximize: bool, span: Span | None) -> Diagnostic | None:
    """The error of a goal that is bounded from the wrong side."""
    sides, _ = bounds(graph)
    wrong = [side for side in sides if side.way == (1 if maximize else -1)]
    if not wrong or len({side.way for side in sides}) > 1:
        return None
    verb, way = ("maximize", "above") if maximize else ("minimize", "below")
    return Diagnostic(
        "bias", f"what this fit {verb}s lies {way} the exact value: the estimate of the log density of `{wrong[0].name}` errs {way}",
        span, "a bound from the wrong side", notes=((wrong[0].span, "estimated here"),) if wrong[0].span else (),
        help="keep the trace that was drawn: `logp(q, t)` of `t ~ q` counts what was drawn with `t` among its draws, and errs above"
        if maximize else "`using enum` is exact where the choices are finite")


def mixed(sides: Sides) -> Diagnostic:
    below, above = next((s for s in sides if s.way < 0), None), next((s for s in sides if s.way > 0), None)
    if below is None or above is None:
        side = next(s for s in sides if s.way == 0)
        return Diagnostic("bias", f"the estimate of the log density of `{side.name}` is scaled by what may be of either sign: the "
                          "value is no bound", side.span, "estimated here", help="scale it by a number, or say `allow biased`")
    return Diagnostic(
        "bias", f"the value is no bound: with the estimate for `{above.name}` it errs above, and with that for `{below.name}` below",
        above.span, "errs above", notes=((below.span, "errs below"),) if below.span else (),
        help="subtract densities of traces that were drawn, add those of traces that are given; or say `allow biased`")


class Bounds:
    def __init__(self) -> None:
        self.sides: dict[Wire, Sides] = {}
        self.constants: dict[Wire, object] = {}
        self.said: list[Diagnostic] = []

    def of(self, wire: Wire) -> Sides:
        return self.sides.get(wire, frozenset())

    def graph(self, graph: Graph) -> None:
        for box in graph.boxes:
            if box.op is op.constant:
                self.constants[box.output] = box["value"]
            if box.regions:
                self.regions(box)
            else:
                found = self.box(box)
                self.sides.update((wire, found) for wire in box.outputs)

    def regions(self, box: Box) -> None:
        count = box["carries"] if box.op is op.scan else 0
        first = 1 if box.op in (op.plate, op.scan) else 0
        for region in box.regions:
            carries = region.inputs[first:first + count]
            self.sides.update((inner, self.of(outer)) for inner, outer in zip(carries, box.inputs))
            while True:
                told = len(self.said)
                self.graph(region)
                wider = {inner: self.of(inner) | self.of(last) for inner, last in zip(carries, region.outputs)}
                if all(wider[inner] == self.of(inner) for inner in carries):
                    break
                del self.said[told:]
                self.sides.update(wider)
        decided = box.op is op.branch and self.of(box.inputs[0])
        for place, wire in enumerate(box.outputs):
            found = frozenset().union(*(self.of(region.outputs[place]) for region in box.regions))
            found |= self.of(box.inputs[place]) if place < count else frozenset()
            if decided:
                self.said.append(self.lost(box, decided, "if"))
                found = frozenset()
            if box.op is op.call and box.get("kind") in SIDES:
                found = frozenset({Side(SIDES[box["kind"]], box["name"], box.span)})
            self.sides[wire] = found

    def box(self, box: Box) -> Sides:
        every = frozenset().union(*(self.of(wire) for wire in box.inputs))
        if box.op is op.estimate:
            return frozenset({Side(SIDES[box["side"]], box["name"], box.span)}) if box["side"] else frozenset()
        if not every:
            return every
        name = box["function"] if box.op is op.reduce else box.op.name
        match name:
            case "sub":
                return self.of(box.inputs[0]) | frozenset(side.turned(-1) for side in self.of(box.inputs[1]))
            case "neg":
                return frozenset(side.turned(-1) for side in every)
            case "mul" | "div":
                return self.scaled(box, every)
            case "exp" if all(side.way < 0 for side in every):
                return frozenset()
            case "where" if not self.of(box.inputs[0]):
                return every
            case _ if name in KEEPING:
                return every
        self.said.append(self.lost(box, every, name))
        return frozenset()

    def scaled(self, box: Box, every: Sides) -> Sides:
        a, b = box.inputs
        if self.of(b) and box.op is op.mul and not self.of(a):
            a, b = b, a
        if self.of(b):
            self.said.append(self.lost(box, every, box.op.title))
            return frozenset()
        factor = self.constants.get(b)
        sign = (factor > 0) - (factor < 0) if isinstance(factor, (int, float)) else 1 if nonnegative(b) else 0
        return frozenset(side.turned(sign) for side in every) if factor != 0 else frozenset()

    @staticmethod
    def lost(box: Box, sides: Sides, name: str) -> Diagnostic:
        side = sorted(sides, key=lambda s: s.name)[0]
        what = " ".join(box.span.text.split()) if box.span is not None else name
        return Diagnostic(
            "bias", f"`{what}` is not linear in an estimate of the log density of `{side.name}`: it is no bound, and biased",
            box.span, notes=((side.span, "estimated here"),) if side.span is not None else (),
            help="`using enum` is exact where the choices are finite; or say `allow biased`")


def nonnegative(wire: Wire) -> bool:
    constraint = getattr(wire.type, "constraint", None)
    return constraint is not None and constraint.name in ("positive", "nonnegative", "unit", "range") and (
        constraint.name != "range" or isinstance(constraint.arguments[0], int) and constraint.arguments[0] >= 0)
