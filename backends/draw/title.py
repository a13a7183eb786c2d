"""The title line: what the ledger says, how many points each site has, and what that costs."""
from __future__ import annotations

from collections import Counter

from pullback.backends.draw import words
from pullback.backends.draw.expression import raised
from pullback.backends.draw.strands import through
from pullback.compiler.ir import Axis, Box, Graph

RULED = ("draw", "points", "reduce", "combine", "rows", "plate", "extern", "network", "call")
ORDER = ("biased", "heuristic", "reweighted", "assumed", "numerical", "pending")


def ledger(graph: Graph) -> list[str]:
    """`unbiased ✓`, `exact =`, `1 choice assumed`, `biased: line 9`."""
    boxes = [box for box in graph.walk() if box.rule is not None or box.get("verdict")]
    spoken = [box for box in graph.walk() if box.op.kind == "engine" or through(box.rule) == "words" and box.rule is not None]
    said = Counter(words.verdict(box) for box in boxes if box not in spoken)
    if spoken:
        return ["words heuristic", *(numbers for numbers in ledger(without(graph, spoken)))]
    if not said:
        return []
    if set(said) == {"exact"}:
        return ["exact ="]
    if set(said) <= words.SOUND:
        return ["unbiased ✓"]
    found = []
    for verdict in sorted(set(said) - words.SOUND, key=lambda one: (ORDER.index(one) if one in ORDER else 9, one)):
        lines = sorted({box.span.line for box in boxes if words.verdict(box) == verdict and box.span is not None})
        if verdict == "biased" and lines:
            found.append(f"biased: line{'s' if len(lines) > 1 else ''} {', '.join(map(str, lines))}")
        else:
            found.append(f"{said[verdict]} choice{'s' if said[verdict] > 1 else ''} {verdict}")
    return found


def without(graph: Graph, boxes: list[Box]) -> Graph:
    """The graph's other boxes, those of its regions too."""
    return Graph((), tuple(box for box in graph.walk() if box not in boxes and not box.regions), ())


def points(graph: Graph) -> list[str]:
    """`b: 2 values`, `k: 4 samples`, `u: 1 + 2 points`; `50·8, not 8⁵⁰`."""
    boxes = list(graph.walk())
    names = words.shortest(box["address"] for box in boxes if box.op.name == "points")
    found, costs = [], []
    for box in boxes:
        axis = box.get("axis") if box.op.name == "points" else None
        if axis is not None:
            whose = "δ" if axis.kind == "perturbation" else names[box["address"]]   # one axis for all that is perturbed
            found.append(f"{whose}: {counted(axis)}")
            plates = [one for wire in box.outputs for one in wire.axes
                      if one.kind == "plate" and not one.name.endswith(".steps")]
            if axis.kind == "finite" and plates and not box.get("joint"):
                costs.append(cost(dict.fromkeys(plates), axis.size))
        if box.op.name == "forward" and len(box.inputs) > 1:
            costs.append(filtered(graph, box))
    return [*dict.fromkeys(found), *dict.fromkeys(one for one in costs if one)]


def counted(axis: Axis) -> str:
    match axis.kind:
        case "finite":
            return f"{axis.size} values"
        case "points":
            return f"{axis.size} samples"
    return f"1 + {axis.size - 1} points" if isinstance(axis.size, int) else f"{axis.size} points"


def cost(plates: dict[Axis, None], size: object) -> str:
    sizes = [str(axis.total if axis.total is not None else axis.size) for axis in plates]
    return f"{'·'.join(str(axis.size) for axis in plates)}·{size}, not {size}{raised('·'.join(sizes))}"


def filtered(graph: Graph, box: Box) -> str:
    """The cost of forward filtering: the length times the square of the states."""
    scan = next((one for one in graph.walk() if one.op.name == "scan" and box in one.regions[0].boxes), None)
    sizes = [axis.size for axis in box.output.axes if axis.kind == "finite"]
    if scan is None or not sizes:
        return ""
    length, states = scan["size"], sizes[0] if len(sizes) == 1 else f"({'·'.join(map(str, sizes))})"
    return f"{length}·{states}², not {states}{raised(str(length))}"
