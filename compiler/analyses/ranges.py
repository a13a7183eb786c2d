"""Where values lie: sets by name, and bounds of wires.

A set of numbers has bounds (NaN where one is not known before the run); any other has the name of its type.

    bounds(exp(x)) = [0, ∞)     bounds(a + b) = bounds(a) + bounds(b)     bounds(x ~ beta(…)) = [0, 1]
"""
from __future__ import annotations

from dataclasses import dataclass
from math import inf, isnan, nan, pi
from typing import Any, Callable, Iterator, Mapping

import jax

from pullback.compiler import ops as op
from pullback.compiler.analyses.boundary import Step, Terms, close
from pullback.compiler.distribution import Support
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.ops.random import event_shapes, numbers
from pullback.compiler.type import Array, Constraint, Size, known

SETS = {"real": (-inf, inf), "positive": (0, inf), "nonnegative": (0, inf), "unit": (0, 1), "circular": (-pi, pi)}
INTS = {"natural": (0, inf), "positive_int": (1, inf), "boolean": (0, 1)}
SMALLER = {("corr_cholesky", "cholesky"), ("positive_ordered", "ordered"), ("corr_matrix", "positive_definite")}


@dataclass(frozen=True, slots=True)
class Region:
    """A set of values.  name: "reals" or "ints" between low and high (inclusive), or the name of a type."""

    name: str
    low: float = nan
    high: float = nan

    def __str__(self) -> str:
        if self.name not in ("reals", "ints"):
            return f"`{self.name}`"
        if self.name == "ints":
            return "0, 1, 2, …" if (self.low, self.high) == (0, inf) else f"the ints {self.low:g}..{self.high + 1:g}"
        match self.low, self.high:
            case (low, high) if low == -inf and high == inf:
                return "all reals"
            case (0, high) if high == inf:
                return "the positive reals"
        return f"the reals from {self.low:g} to {self.high:g}".replace("inf", "∞")


def region(support: Support | Constraint, size: Size | None = None) -> Region:
    """The set that a distribution's support, or a type's constraint, names; `size`: of a finite support."""
    name = support.name
    if name in SETS:
        return Region("reals", *SETS[name])
    if name in INTS:
        return Region("ints", *INTS[name])
    arguments = support.arguments if isinstance(support, Constraint) else (support.low, support.high)
    low, high = [float(a) if isinstance(a, (int, float)) else nan for a in (*arguments, None, None)[:2]]
    match name:
        case "interval":
            return Region("reals", low, high)
        case "greater_than":
            return Region("reals", low, inf)
        case "less_than":
            return Region("reals", -inf, low)
        case "range" if isinstance(support, Support):
            low = nan if support.moves else 0 if isnan(low) else low
            return Region("ints", low, low + size - 1 if size is not None and known(size) else nan)
        case "range":
            return Region("ints", low, high - 1)
    return Region(name)


def contained(a: Region, b: Region) -> bool | None:
    """Is a within b?  None where that can't be told before the run."""
    if b.name == "reals" and (b.low, b.high) == (-inf, inf) and a.name != "ints":
        return True
    if a.name == b.name and a.name in ("reals", "ints"):
        ends = (a.low >= b.low, a.high <= b.high)
        unknown = (isnan(a.low) or isnan(b.low), isnan(a.high) or isnan(b.high))
        if any(not end and not missing for end, missing in zip(ends, unknown)):
            return False
        return None if any(unknown) else True
    if a.name == b.name or (a.name, b.name) in SMALLER:
        return True
    return False if a.name in ("reals", "ints") or b.name == "ints" else None


def support_size(box: Box) -> Size | None:
    """How many values a draw or a density has, None if there is no end or it is not known before the run."""
    distribution = box["distribution"]
    if distribution.finite is None:
        return None
    types = [wire.type for wire in parameters(box)]
    return distribution.finite.size(event_shapes(distribution, types), numbers(distribution, types))


def parameters(box: Box) -> tuple[Wire, ...]:
    wires = box.inputs[1:] if box.op in (op.density, op.score) else box.inputs
    return wires[:len(box["distribution"].fields)]


def values(box: Box) -> Region:
    """Where the value of a draw lies; where the density of a density is not 0."""
    onto = box.get("onto")
    if onto is not None:
        return region(onto) if isinstance(onto, Constraint) else Region(str(onto))
    return region(box["distribution"].support, support_size(box))


class Values:
    """What is known of the values of a graph's wires."""

    def __init__(self, graph: Graph):
        self.graph = graph
        self.maker: dict[Wire, Box] = {wire: box for box in graph.walk() for wire in box.outputs}
        self.loops: dict[Wire, tuple] = {}
        self.number(graph, 0)
        self.found: dict[Wire, tuple[float, float]] = {}
        self.terms = Terms(self.view)

    def number(self, graph: Graph, depth: int) -> None:
        """Indices of loops by depth and range: elements of one array at equal places are one expression."""
        for box in graph.boxes:
            for inside in box.regions:
                if box.op in (op.plate, op.scan):
                    self.loops[inside.inputs[0]] = (depth, str(box.get("start", 0)), str(box["size"]))
                self.number(inside, depth + 1)

    # -------------------------------------------------------------- what stands behind a wire

    def view(self, wire: Any) -> Step | float | None:
        """The step that makes a wire, for comparing expressions."""
        if isinstance(wire, float):
            return wire
        if wire in self.loops:
            return Step("loop", (), self.loops[wire], False)
        box = self.maker.get(wire)
        if box is None or box.regions or box.op.kind in ("choice", "engine"):
            return None
        if box.op is op.constant:
            flat = list(flattened(box["value"]))
            return float(flat[0]) if flat and all(x == flat[0] for x in flat) and not isinstance(flat[0], str) else Step("constant", (), str(flat), False)
        match box.op:
            case op.stop | op.expectation | op.estimate | op.identity | op.positive | op.guard | op.baseline:
                return Step("same", box.inputs[:1])
            case op.square:
                return Step("mul", (box.inputs[0], box.inputs[0]))
            case op.where:
                return Step("select", box.inputs)
        key = (box.outputs.index(wire), *sorted((k, v if isinstance(v, (int, str)) else str(v) if isinstance(
            v, (float, tuple)) else id(v)) for k, v in box.attributes.items() if k not in ("address", "terms")))
        return Step(box.op.name, box.inputs, str(key), box.op.elementwise, folding(box) if box.op.elementwise else None)

    def element(self, wire: Wire) -> Wire:
        """The wire of a plate's body that an element of a plate's output is: `x` behind `index(xs, i)`."""
        box = self.maker.get(wire)
        if box is None:
            return wire
        if box.op in (op.stop, op.guard, op.expectation, op.estimate, op.identity, op.baseline):
            return self.element(box.inputs[0])
        if box.op is op.index and all(part == "i" or isinstance(part, int) for part in box["pattern"]):
            return self.behind(box.inputs[0], len(box["pattern"])) or wire
        return wire

    def behind(self, wire: Wire, depth: int) -> Wire | None:
        box = self.maker.get(wire)
        if depth == 0:
            return self.element(wire)
        if box is None or box.op not in (op.plate, op.scan):
            return None
        place = box.outputs.index(wire)
        if box.op is op.scan and place < box["carries"]:
            return None
        return self.behind(box.regions[0].outputs[place], depth - 1)

    def drawn(self, wire: Wire) -> Box | None:
        """The choice whose value a wire is."""
        box = self.maker.get(self.element(wire))
        return box if box is not None and box.op is op.draw else None

    def own(self, density: Box) -> bool:
        """Is it the density that its value was drawn from, at the very same parameters?"""
        drawn = self.drawn(density.inputs[0])
        return drawn is not None and drawn["distribution"] is density["distribution"] \
            and drawn.get("onto") == density.get("onto") and all(
                close(self.terms.of(a), self.terms.of(b)) for a, b in zip(parameters(drawn), parameters(density)))

    # -------------------------------------------------------------- bounds

    def region(self, wire: Wire) -> Region:
        """A set that the values of a wire are known to lie in."""
        drawn = self.drawn(wire)
        if drawn is not None:
            found = values(drawn)
            if found.name != "reals" or not (isnan(found.low) or isnan(found.high)):
                return found
        named = wire.type.constraint if isinstance(wire.type, Array) else None
        if named is not None and region(named).name not in ("reals", "ints"):
            return region(named)
        box = self.maker.get(wire)
        if box is not None and box.op is op.softmax:
            return Region("simplex")
        if box is not None and box.op is op.cholesky:
            return Region("cholesky")
        return Region("ints" if wire.type.kind in ("int", "bool") else "reals", *self.bounds(wire))

    def bounds(self, wire: Wire) -> tuple[float, float]:
        if wire not in self.found:
            self.found[wire] = (-inf, inf)   # while it is looked at: a loop tells nothing
            self.found[wire] = self.bound(wire)
        return self.found[wire]

    def bound(self, wire: Wire) -> tuple[float, float]:
        if isinstance(wire.type, Array) and wire.type.constraint is not None:
            named = region(wire.type.constraint)
            return (named.low, named.high) if named.name in ("reals", "ints") else unknown(named)
        box = self.maker.get(wire)
        if box is None or not isinstance(wire.type, Array):
            return (-inf, inf)
        if box.op is op.draw:
            found = values(box)
            low, high = (found.low, found.high) if found.name in ("reals", "ints") else unknown(found)
            return (-inf if isnan(low) else low, inf if isnan(high) else high)
        if box.op is op.constant:
            flat = [float(x) for x in flattened(box["value"]) if not isinstance(x, complex)]
            return (min(flat), max(flat)) if flat else (-inf, inf)
        if box.op is op.plate:
            return self.bounds(box.regions[0].outputs[box.outputs.index(wire)])
        if box.op in (op.branch, op.where):
            sides = box.inputs[1:] if box.op is op.where else [r.outputs[box.outputs.index(wire)] for r in box.regions]
            return hull(*map(self.bounds, sides))
        name = box["function"] if box.op is op.reduce else box.op.name
        if name in KEEPING and box.inputs:
            return hull(*map(self.bounds, box.inputs[:1] if box.op is op.index else box.inputs))
        if name in RANGES and box.inputs:
            return RANGES[name](*map(self.bounds, box.inputs))
        return (-inf, inf)


def unknown(named: Region) -> tuple[float, float]:
    return (0.0, 1.0) if named.name == "simplex" else (0.0, inf) if named.name == "positive_ordered" else (-inf, inf)


def flattened(value: Any) -> Iterator[Any]:
    if isinstance(value, (tuple, list)):
        for item in value:
            yield from flattened(item)
    else:
        yield value


def folding(box: Box) -> Callable[..., float] | None:
    def fold(*numbers: float) -> float:
        with jax.ensure_compile_time_eval():  # the program may be compiled inside a caller's `jit`
            return float(box.op.lower({k: v for k, v in box.attributes.items()
                                       if k in {p.name for p in box.op.parameters}}, *numbers))
    return fold if box.op.lower is not None and len(box.outputs) == 1 else None


def hull(*sides: tuple[float, float]) -> tuple[float, float]:
    return min(s[0] for s in sides), max(s[1] for s in sides)


def times(a: tuple[float, float], b: tuple[float, float]) -> tuple[float, float]:
    corners = [0.0 if x == 0 or y == 0 else x * y for x in a for y in b]
    return min(corners), max(corners)


def inverse(b: tuple[float, float]) -> tuple[float, float]:
    if b[0] >= 0:
        return (1 / b[1] if b[1] else inf, 1 / b[0] if b[0] else inf)
    return (-inf, inf)


def nonnegative(*_: tuple[float, float]) -> tuple[float, float]:
    return (0.0, inf)


def between(low: float, high: float) -> Callable[..., tuple[float, float]]:
    return lambda *_: (low, high)


def sign(a: tuple[float, float]) -> tuple[float, float]:
    """What adds up many of a sign has it."""
    return (0.0 if a[0] >= 0 else -inf, 0.0 if a[1] <= 0 else inf)


KEEPING = {"index", "stack", "concat", "max", "min", "mean", "sort", "reshape", "ravel", "transpose", "stop", "expectation",
           "guard", "identity", "baseline", "relu6", "median", "full"}
RANGES: Mapping[str, Callable[..., tuple[float, float]]] = {
    "add": lambda *xs: (sum(x[0] for x in xs), sum(x[1] for x in xs)),
    "sub": lambda a, b: (a[0] - b[1], a[1] - b[0]), "neg": lambda a: (-a[1], -a[0]), "mul": times,
    "div": lambda a, b: times(a, inverse(b)), "maximum": lambda *xs: (max(x[0] for x in xs), max(x[1] for x in xs)),
    "minimum": lambda *xs: (min(x[0] for x in xs), min(x[1] for x in xs)), "relu": lambda a: (max(a[0], 0), max(a[1], 0)),
    "clip": lambda x, low=(-inf, inf), high=(inf, inf): (max(low[0], -inf), min(high[1], inf)),
    "pow": lambda a, b: (0.0, inf) if a[0] >= 0 or b[0] == b[1] and b[0] % 2 == 0 else (-inf, inf),
    "sum": sign, "cumsum": sign, **{name: nonnegative for name in (
        "exp", "exp2", "softplus", "square", "abs", "fabs", "norm", "sqrt", "cosh", "var", "std", "squareplus", "hypot")},
    **{name: between(0, 1) for name in ("sigmoid", "expit", "ndtr", "softmax", "hard_sigmoid", "sparse_sigmoid")},
    **{name: between(-1, 1) for name in ("tanh", "sin", "cos", "erf", "hard_tanh", "soft_sign")}, "erfc": between(0, 2)}

