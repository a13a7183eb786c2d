"""Scans with choices: carried log weights, and forward filtering for carries of finite type.

    ℓ′ₛ = ℓₛ + log w(s)                    one log weight for each site that later steps depend on
    α′[v] = Σ over (old v, axes of the step) α · Π weights of the sites that drive it · 1[new value = v]

α is a joint weight of all finite carries; a site that drives one has its weight in α and is not carried.  In the log semiring
(a `marginal`) the factors of the step are in α too, and the scan gives log Σ instead of a sum of terms.

Source: Obermeyer et al. (2019), Tensor variable elimination for plated factor graphs.
"""
from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Diagnostic, NotEnumerable, Reported, written
from pullback.compiler.ir import Axis, Box, Graph, Wire, free, in_order
from pullback.compiler.weight import Region, Weight, Weights
from pullback.compiler.type import REAL, Array

if TYPE_CHECKING:
    from pullback.compiler.passes.points import Placing


class Forward:
    """One scan that is being written into `work`."""

    def __init__(self, placing: Placing, box: Box, weights: Weights, log: bool, work: Region, graph: Graph):
        self.placing, self.box, self.weights, self.log, self.work, self.graph = placing, box, weights, log, work, graph
        self.body, self.count, self.alpha = box.regions[0], box["carries"], box["alpha"]
        self.finite: tuple[int, ...] = box["finite"]
        self.carries = self.body.inputs[1:1 + self.count]
        self.axes = {place: self.axis(place) for place in self.finite}

    def axis(self, place: int) -> Axis:
        low, high = self.carries[place].type.bounds
        return Axis("finite", f"{self.box['name']}.{self.carries[place].name}", high - low)

    def values(self, wire: Wire, place: int) -> Box:
        """A finite carry is its own values, along its axis."""
        axis = self.axes[place]
        return Box(op.values, (), (wire,), span=self.box.span,
                   attributes={"axis": axis, "axes": (axis,), "start": self.carries[place].type.bounds[0]})

    def separate(self) -> None:
        """A loop in a plate whose carry is enumerated must not be read across the plate: α says nothing of two elements together."""
        mixed = self.placing.mixed.get(self.alpha, frozenset())
        if not self.finite or not mixed:
            return
        drawn = [b for b in self.body.walk() if b.op is op.draw and b["address"] in self.drivers()
                 and getattr(b.rule, "axis", "points") == "finite"]
        held = written(self.carries[self.finite[0]].name, self.box.span)
        reason = f"what reads the whole plate mixes the values of `{held}`, which the loop carries"
        span = drawn[0].span if drawn else self.box.span
        raise NotEnumerable(Diagnostic(
            "cost", f"`{held}` is enumerated by its values in a loop that stands in a plate, and what reads the whole plate is not "
            "a sum", span=span, label="all combinations of all elements would be evaluated", help="`by reinforce` is unbiased here"),
            drawn[0]["address"] if drawn else None, self.box["name"], reason)

    def once(self) -> None:
        """A choice whose rule perturbs it, or pairs its points, may not decide the next step: each step would be one alone."""
        for b in self.body.walk():
            if b.op is op.draw and not getattr(b.rule, "carried", True) and (
                    b["address"] in self.box["past"] or b["address"] in self.drivers()):
                raise NotEnumerable(Diagnostic(
                    "cost", f"`{b.output.name}` is drawn `by {b.rule.name}` in a loop, and later steps depend on it", b.span,
                    "every step would have to be varied alone", notes=((self.box.span, "the loop"),) if self.box.span else (),
                    help="a loop of a few steps is fine; `by reinforce` is unbiased in any"), b["address"], self.box["name"],
                    "later steps depend on it")

    def write(self) -> None:
        self.separate()
        self.once()
        names, box, body = self.placing.names, self.box, self.body
        inner, work = dict(self.weights), Region()
        kept = [i for i in range(self.count) if i not in self.finite]
        initial, carried = [box.inputs[i] for i in kept], [self.carries[i] for i in kept]
        finals = [box.outputs[i] for i in kept]
        for place in self.finite:
            work.boxes.append(self.values(self.carries[place], place))
            work.axes[self.axes[place]] = None
            work.values[self.carries[place]] = self.axes[place]
        before = None
        if self.finite:
            before = Wire(names.fresh("alpha"), REAL, ancestors=self.carries[self.finite[0]].ancestors)
            inner[(self.alpha, True)] = Weight(before, self.log, tuple(self.axes.values()))
        past = self.past_weights(inner)
        context = frozenset(box.get("axes", ()))
        terms = [b for b in body.boxes if b.op is op.terms]
        rest = replace(body, boxes=tuple(b for b in body.boxes if b.op is not op.terms))
        if self.log and self.finite:  # the step's factors are in α
            region = self.placing.region(rest, inner, self.log, context, work, frozenset(self.weights))
        else:
            region = self.placing.region(body, inner, self.log, context, work, frozenset(self.weights))
        after = [region.outputs[i] for i in kept]
        tail: list[Box] = []
        for site, start in past.items():
            now = inner[(site, False)]
            step = Wire(names.fresh(start.name), REAL, ancestors=now.wire.ancestors)
            tail.append(Box(op.add, (start, now.wire), (step,)))
            final = Wire(names.fresh(now.wire.name + "_all"), REAL, ancestors=now.wire.ancestors)
            zero = Wire(names.fresh("zero"), REAL)
            self.work.boxes.append(Box(op.constant, (), (zero,), attributes={"value": 0.0}))
            initial.append(zero), carried.append(start), after.append(step), finals.append(final)
            self.weights[(site, False)] = replace(now, wire=final)
            self.work.axes.update(dict.fromkeys(now.axes))
        outs = [(box.outputs[i], region.outputs[i]) for i in range(self.count, len(box.outputs))]
        totals = box.get("totals", 0)
        if self.finite:
            start = self.first()
            step = self.step(before, region, inner, work, tail, terms if self.log else [])
            final = Wire(names.fresh("alpha_end"), REAL)
            initial.append(start), carried.append(before), finals.append(final)
            if self.log:
                self.work.absorbed |= {outer for outer, _ in outs[len(outs) - totals:]}
                outs, totals = outs[:len(outs) - totals], 0
                step, final = self.leveled(step, final, tail, outs)
            after.append(step)
            for place in self.finite:
                self.work.axes[self.axes[place]] = None
                self.work.values[box.outputs[place]] = self.axes[place]
            self.weights[(self.alpha, False)] = Weight(final, self.log, tuple(self.axes.values()))
        boxes = (*region.boxes, *tail)
        new = Graph((body.inputs[0], *carried), in_order(list(boxes)), (*after, *(inside for _, inside in outs)))
        captured = free(new)
        new = replace(new, inputs=(*new.inputs, *captured))
        self.work.boxes.append(box.but(
            inputs=(*initial, *captured), regions=(new,), outputs=(*finals, *(outer for outer, _ in outs)),
            attributes={"carries": len(carried), "totals": totals}))
        for place in self.finite:
            self.work.boxes.append(self.values(box.outputs[place], place))

    def leveled(self, step: Wire, final: Wire, tail: list[Box], outs: list) -> tuple[Wire, Wire]:
        """Carry log α less its top, and add up the tops afterwards: over many steps, a carried sum would lose digits.

        Returns the carried wire, and the whole log α after the loop."""
        names = self.placing.names
        carried, top = Wire(names.fresh("alpha"), REAL, ancestors=step.ancestors), Wire(names.fresh("top"), REAL)
        tail.append(Box(op.level, (step,), (carried, top), attributes={"over": tuple(self.axes.values())}))
        tops = Wire(names.fresh("tops"), Array("real", (self.box["size"],)))
        total, whole = Wire(names.fresh("tops_sum"), REAL), Wire(names.fresh("alpha_end"), REAL)
        outs.append((tops, top))
        self.work.boxes.append(Box(op.reduce, (tops,), (total,), attributes={"function": "sum"}))
        self.work.boxes.append(Box(op.add, (final, total), (whole,)))
        return carried, whole

    def drivers(self) -> set[str]:
        """The sites whose choice of this step decides a finite carry: their weights go into α."""
        return {a.site for i in self.finite for a in self.body.outputs[i].ancestors if not a.past}

    def past_weights(self, inner: Weights) -> dict[str, Wire]:
        """A carried log weight for each site that later steps, or readers of all steps, depend on."""
        found: dict[str, Wire] = {}
        drivers = self.drivers()
        for b in self.body.walk():
            if b.op is not op.draw or b["address"] not in self.box["past"] or b["address"] in drivers:
                continue
            site, shape = b["address"], self.placing.shape(b)
            if not shape.weighted:
                continue
            if not shape.log or shape.kind != "points":
                raise Reported(Diagnostic(
                    "support", f"the weight of `{site}` can't be carried through this loop", span=b.span,
                    label=f"drawn `by {b.rule.name}`, and later steps depend on it", help="`by reinforce` is unbiased here"))
            axes = () if shape.size is None else (Axis(shape.kind, site, shape.size),)
            found[site] = Wire(self.placing.names.fresh(f"l_{b.output.name}_past"), REAL)
            inner[(site, True)] = Weight(found[site], True, axes, getattr(b.rule, "center", None), frozenset(),
                                         frozenset(a for a in b.axes if a.kind == "plate"))
        return found

    def first(self) -> Wire:
        """α before the first step: the law of the starts, summed over the sites that they alone depend on."""
        starts = {place: self.box.inputs[place] for place in self.finite}
        sites = self.box["absorbed"]
        entries = [w for (site, past), w in self.weights.items() if site in sites and not past]
        factors: list[Wire] = []
        if self.log:
            for b in self.graph.boxes:
                if b.op is op.terms:
                    for wire, c in zip(b.inputs, b["coefficients"]):
                        if any(a.site in sites for a in wire.ancestors) and wire not in self.box.outputs:
                            factors.append(self.scaled(wire, c, self.work.boxes))
                            self.work.absorbed.add(wire)
            self.work.done |= set(sites)
        summed = {axis for w in entries for axis in w.axes}
        return self.contracted(starts, entries, factors, summed, frozenset(), self.work)

    def step(self, before: Wire, region: Graph, inner: Weights, work: Region, tail: list[Box], terms: list[Box]) -> Wire:
        after = {place: region.outputs[place] for place in self.finite}
        sites = {b["address"] for b in region.boxes if b.op is op.points}
        sites |= {b["alpha"] for b in region.boxes if b.op is op.scan and b["finite"]}
        drivers = self.drivers() & sites
        factors: list[Wire] = []
        for b in terms:
            for wire, c in zip(b.inputs, b["coefficients"]):
                if wire not in work.absorbed:
                    factors.append(self.scaled(wire, c, tail))
        if self.log:
            drivers = sites
        entries = [inner[(self.alpha, True)]]
        entries += [inner[(site, False)] for site in sorted(drivers) if (site, False) in inner]
        summed = {axis for w in entries for axis in w.axes}
        sums = frozenset(axis for b in terms for one in b["sums"] for axis in one)
        fresh = Region(tail, work.axes, work.done, work.absorbed, work.values)
        return self.contracted(after, entries, factors, summed, sums, fresh)

    def scaled(self, wire: Wire, coefficient, boxes: list[Box]) -> Wire:
        if isinstance(coefficient, (int, float)) and coefficient == 1:
            return wire
        names = self.placing.names
        factor, output = Wire(names.fresh("scale"), REAL), Wire(names.fresh(wire.name), REAL, ancestors=wire.ancestors)
        boxes.append(Box(op.constant, (), (factor,), attributes={"value": coefficient}))
        boxes.append(Box(op.mul, (wire, factor), (output,)))
        return output

    def contracted(self, values: dict[int, Wire], entries: list[Weight], factors: list[Wire], summed: set[Axis],
                   sums: frozenset[Axis], work: Region) -> Wire:
        """Σ over `summed` of the weights, landing on the carries' axes.

        A new value that is itself a support along an axis lands by renaming the axis; any other by 1[value = v]."""
        names, relabel, hots = self.placing.names, [], []
        low = {place: self.carries[place].type.bounds for place in values}
        for place, wire in values.items():
            own = work.values.get(wire)
            if own is not None and own in summed and wire.type.bounds == low[place] and own not in dict(relabel):
                relabel.append((own, self.axes[place]))
                continue
            there = replace(self.axes[place], name=self.axes[place].name + "'")
            hot = Wire(names.fresh(f"is_{wire.name}"), REAL, ancestors=wire.ancestors)
            work.boxes.append(Box(op.lands, (wire,), (hot,), attributes={
                "axis": there, "axes": (there,), "log": self.log, "start": low[place][0]}))
            relabel.append((there, self.axes[place]))
            hots.append(hot)
        output = Wire(names.fresh("alpha"), REAL, ancestors=frozenset().union(*(w.ancestors for w in values.values())))
        plates = (sums | {axis for w in entries for axis in w.plates}) - frozenset(self.box.get("axes", ()))
        landing = {old for old, _ in relabel}
        work.boxes.append(Box(op.forward, (*hots, *factors, *(w.wire for w in entries)), (output,), span=self.box.span, attributes={
            "logs": (*(self.log for _ in (*hots, *factors)), *(w.log for w in entries)),
            "sites": tuple((tuple(a for a in w.axes if a not in landing), w.plates) for w in entries),
            "summed": tuple(sorted(summed - landing, key=lambda a: a.order)), "relabel": tuple(relabel),
            "plates": tuple(sorted(plates, key=lambda a: a.order)),
            "semiring": "log" if self.log else "linear"}))
        return output
