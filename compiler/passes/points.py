"""Put weighted points in the place of choices.

    x ~ d(θ) by r      ⇒      x {K}, w {K} = points d(θ) by r

A choice whose rule gives one point opens no axis; a weight that is a score comes as its logarithm.  In a scan, the log
weights of sites that later steps depend on are carried, one for each site; a finite carry becomes an axis of its values, with
one joint weight α (`forward.py`).  Each term gets the weights of its own ancestors (`weights` of the `terms` box).

In a marginal everything is a logarithm, and a term is a factor.

Needs: terms, ancestors.  Leaves: no `draw`.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.analyses.support import name_of
from pullback.compiler.diagnostic import Diagnostic, NotEnumerable, Reported
from pullback.compiler.ir import Axis, Box, Graph, Wire, closed, free, in_order
from pullback.compiler.forward import Forward
from pullback.compiler.analyses.shapes import Shape, point_shape
from pullback.compiler.weight import Region, Weight, Weights
from pullback.compiler.type import REAL, known

LIMIT = 4096  # points of one joint enumeration


def points(graph: Graph) -> Graph:
    return Placing(graph).region(graph, {}, log=False, context=frozenset()).numbered()


class Placing:
    def __init__(self, graph: Graph):
        self.names = graph.names()
        self.mixed = mixed_sites(graph)
        self.shapes: dict[str, Shape] = {}
        self.slots: dict[str, tuple[Axis, object]] = {}     # of a perturbed site: the shared axis, its first slot

    def shape(self, box: Box) -> Shape:
        site = box["address"]
        if site not in self.shapes:
            self.shapes[site] = point_shape(box)
        return self.shapes[site]

    def region(self, graph: Graph, weights: Weights, log: bool, context: frozenset[Axis],
               work: Region | None = None, outer: frozenset[tuple[str, bool]] = frozenset()) -> Graph:
        """`outer`: the sites outside the region, whose weights are multiplied there."""
        work = work or Region()
        self.share(graph)
        for box in graph.boxes:
            match box.op:
                case op.draw:
                    work.boxes.append(self.draw(box, weights, log, work))
                case op.scan:
                    Forward(self, box, weights, log, work, graph).write()
                case op.marginal | op.expected:
                    inner = self.region(box.regions[0], dict(weights), box.op is op.marginal, frozenset(box.get("axes", ())),
                                        outer=frozenset(weights))
                    work.boxes.append(box.but(inputs=free(replace(inner, inputs=())), regions=(closed(replace(inner, inputs=())),)))
                case op.terms:
                    pass
                case _:
                    work.boxes.append(box)
        for box in graph.boxes:
            if box.op is op.terms:
                work.boxes.append(self.weighted(box, {k: w for k, w in weights.items() if k not in outer}, log, context, work))
        return replace(graph, boxes=in_order(work.boxes))

    def share(self, graph: Graph) -> None:
        """One axis for all perturbed choices of a region: slot 0 is what was drawn, then each has slots of its own; where
        something mixes a plate, each element has."""
        sites = [box for box in graph.boxes if box.op is op.draw and self.shape(box).kind == "perturbation"]
        starts, size = [], 1
        for box in sites:
            starts.append(size)
            size = size + (self.shape(box).size - 1) * elements(self.mixed.get(box["address"], ()))
        if known(size) and size > LIMIT:
            raise Reported(Diagnostic("cost", f"the choices drawn `by {sites[-1].rule.name}` are perturbed one at a time, and "
                                      f"that makes {size:,} evaluations of what reads them, more than the {LIMIT:,} allowed",
                                      sites[-1].span, help="`by reinforce` is unbiased here"))
        for box, start in zip(sites, starts):
            self.slots[box["address"]] = Axis("perturbation", sites[0]["address"], size), start

    def draw(self, box: Box, weights: Weights, log: bool, work: Region) -> Box:
        site, shape, value = box["address"], self.shape(box), box.output
        size, joint = shape.size, frozenset()
        if shape.kind == "perturbation":
            joint = self.mixed.get(site, joint)
        elif shape.kind == "finite" and size is not None and self.mixed.get(site):
            joint = self.mixed[site]
            size = product(box, size, joint)
        if shape.kind == "points" and size is not None and shape.weighted and not shape.log and self.mixed.get(site):
            raise Reported(Diagnostic(
                "support", f"the points of `{name_of(box)}`, drawn `by {box.rule.name}`, have weights that are not scores, and what "
                "reads the whole loop mixes all its elements", span=box.span, label="point k of one element would only meet point k "
                "of the others", help="`by reinforce` is unbiased here"))
        axis = None if size is None else Axis(shape.kind, site, size)
        if shape.kind == "perturbation":
            axis, slot = self.slots[site]
        logarithm = log or shape.log
        attributes = {**box.attributes, "axis": axis, "joint": joint, "log": logarithm,
                      "marginal": log, "common": shape.common}
        if shape.kind == "perturbation":
            attributes["slot"] = slot
        outputs = (value,)
        if axis is not None:
            work.axes[axis] = None
            if axis.kind == "finite" and shape.common and not joint:
                work.values[value] = axis
        if shape.weighted:
            weight = Wire(self.names.fresh(("l_" if logarithm else "w_") + value.name), REAL, ancestors=value.ancestors)
            outputs = (value, weight)
            weights[(site, False)] = Weight(
                weight, logarithm, () if axis is None else (axis,), getattr(box.rule, "center", None), joint,
                frozenset(a for a in box.axes if a.kind == "plate") - joint)
        return replace(box, op=op.points, outputs=outputs, attributes=attributes)

    def weighted(self, box: Box, weights: Weights, log: bool, context: frozenset[Axis], work: Region) -> Box:
        """The `terms` box with its weights as further inputs, and for each term which of them are its own."""
        costs = [(wire, c, sums) for wire, c, sums in zip(box.inputs, box["coefficients"], box["sums"])
                 if wire not in work.absorbed]
        used: dict[Wire, int] = {}
        described = []
        for wire, _, _ in costs:
            mine = []
            for ancestor in sorted(wire.ancestors, key=lambda a: (a.site, a.past)):
                weight = weights.get((ancestor.site, ancestor.past))
                if weight is not None and ancestor.site not in work.done:
                    place = used.setdefault(weight.wire, len(used))
                    mine.append((place, frozenset(ancestor.mixed - weight.joint)))
            described.append(tuple(mine))
        if log:
            for (site, past), weight in weights.items():
                if any(axis in work.axes for axis in weight.axes) and site not in work.done:
                    used.setdefault(weight.wire, len(used))
        by_wire = {weight.wire: weight for weight in weights.values()}
        return box.but(inputs=(*(wire for wire, _, _ in costs), *used), attributes={
            "coefficients": tuple(c for _, c, _ in costs), "sums": tuple(s for _, _, s in costs),
            "weights": tuple(described), "costs": len(costs), "semiring": "log" if log else "linear",
            "kinds": tuple(by_wire[wire] for wire in used), "opened": tuple(work.axes), "context": context})


def mixed_sites(graph: Graph) -> dict[str, frozenset[Axis]]:
    """The plates over which each site is mixed by what reads it non-linearly."""
    found: dict[str, frozenset[Axis]] = {}
    for box in graph.walk():
        if box.op in (op.terms, op.draw, op.scan):
            for ancestor in (a for wire in box.inputs for a in wire.ancestors if a.mixed):
                found[ancestor.site] = found.get(ancestor.site, frozenset()) | ancestor.mixed
    return found


def elements(plates) -> object:
    """How many elements these plates have together."""
    count = 1
    for axis in plates:
        count = count * axis.size
    return count


def product(box: Box, size, joint: frozenset[Axis]):
    """The number of points when all elements of the plates are enumerated together."""
    count = elements(joint)
    if not known(count) or not known(size):
        return size
    if count * (size - 1).bit_length() > 64 or size ** count > LIMIT:
        raise NotEnumerable(Diagnostic(
            "cost", f"`{name_of(box)}` is drawn `by {box.rule.name}` with {size} values in a loop of {count}, and what reads the whole "
            f"loop is not a sum: {size}^{count} points, more than the {LIMIT:,} allowed", span=box.span,
            label="all combinations would be evaluated", help="`by reinforce` is unbiased here"), box["address"], None, "what reads the loop mixes all its elements")
    return size ** count

