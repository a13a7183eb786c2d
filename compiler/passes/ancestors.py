"""Say of every wire which choices it depends on, and over which plates each was mixed.

    ancestors(x ~ d(θ))      = {x} ∪ ancestors(θ)
    ancestors(stack over i)  = the same, each site that has the axis i now mixed over i
    ancestors(f(a, b))       = ancestors(a) ∪ ancestors(b)            (z, {i}) absorbs (z, {})

A cost is later multiplied by the weights of its own ancestors: more of them would only be louder, fewer would be biased, so
where in doubt the set is too large.  Element i of a plate owes nothing to element j until a box mixes them.

In a scan a site is two: *now*, and *past* (all earlier steps); which past sites a carry has is a fixed point.  A carry of
finite type that an enumerated choice drives is enumerated by its own value: one joint weight, the pseudo-site `alpha:…`,
stands for everything that drove it.  Refused: a carry of no finite type that an enumerated choice drives.

Needs: loops open, rules chosen.  Leaves: `ancestors` on wires; `finite` and `alpha` on scans.
"""
from __future__ import annotations

from dataclasses import replace

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import Diagnostic, NotEnumerable, Reported, written
from pullback.compiler.ir import Ancestor, Box, Graph, Wire
from pullback.compiler.type import Array

Ancestors = frozenset[Ancestor]


def ancestors(graph: Graph) -> Graph:
    return Tracing().graph(graph)


def joined(*sets: Ancestors) -> Ancestors:
    """The union; of one site's two entries the plates are united."""
    found: dict[tuple[str, bool], frozenset] = {}
    for ancestor in (a for one in sets for a in one):
        key = (ancestor.site, ancestor.past)
        found[key] = found.get(key, frozenset()) | ancestor.mixed
    return frozenset(Ancestor(site, mixed, past) for (site, past), mixed in found.items())


def enumerated(box: Box) -> bool:
    return box.op is op.draw and getattr(box.rule, "axis", "points") == "finite"


class Tracing:
    def __init__(self) -> None:
        self.wires: dict[Wire, Wire] = {}
        self.plates: dict[str, frozenset] = {}
        self.finite: set[str] = set()

    def now(self, wire: Wire) -> Wire:
        return self.wires.get(wire, wire)

    def know(self, wire: Wire, found: Ancestors) -> Wire:
        self.wires[wire] = replace(wire, ancestors=found)
        return self.wires[wire]

    def graph(self, graph: Graph) -> Graph:
        for box in graph.walk():
            if box.op is op.draw:
                self.plates[box["address"]] = frozenset(box.axes)
                if enumerated(box):
                    self.finite.add(box["address"])
        return self.region(graph)

    def region(self, graph: Graph) -> Graph:
        boxes = tuple(self.box(box) for box in graph.boxes)
        return replace(graph, inputs=tuple(map(self.now, graph.inputs)), boxes=boxes,
                       outputs=tuple(map(self.now, graph.outputs)))

    def box(self, box: Box) -> Box:
        inputs = tuple(map(self.now, box.inputs))
        found = joined(*(wire.ancestors for wire in inputs))
        match box.op:
            case op.scan:
                return self.scan(box, inputs)
            case op.draw:
                found = joined(found, frozenset({Ancestor(box["address"])}))
            case op.stack_axis:
                found = self.mixed(found, box["axis"])
            case op.marginal | op.expected:
                region = self.region(box.regions[0])
                box = replace(box, regions=(region,))
        return replace(box, inputs=inputs, outputs=tuple(self.know(wire, found) for wire in box.outputs))

    def mixed(self, found: Ancestors, axis) -> Ancestors:
        return frozenset(replace(a, mixed=a.mixed | {axis}) if axis in self.plates.get(a.site, ()) else a for a in found)

    # ------------------------------------------------------------ scans

    def scan(self, box: Box, inputs: tuple[Wire, ...]) -> Box:
        body, count = box.regions[0], box["carries"]
        carries = body.inputs[1:1 + count]
        initial, captured = inputs[:count], inputs[count:]
        inner = {b["address"] for b in body.walk() if b.op is op.draw}
        inner |= {f"alpha:{b['name']}" for b in body.walk() if b.op is op.scan}
        alpha = f"alpha:{box['name']}"
        finite: set[int] = set()
        while True:
            after = self.settled(body, carries, initial, inner, finite, alpha, captured)
            reached = {i for i in range(count) if i not in finite and any(
                a.site == alpha or (a.site in inner and a.site in self.finite) for a in after[i])}
            if not reached:
                break
            for i in sorted(reached):
                type = carries[i].type
                if not (isinstance(type, Array) and type.bounds is not None and type.rank == 0):
                    raise self.refusal(box, body, carries[i], after[i], inner)
            finite |= reached
        if finite:
            self.finite.add(alpha)
        self.once(box, body, after, finite, inner)
        region = self.region(body)
        absorbed = self.absorbed(initial, captured, finite, count)
        self.plates[alpha] = frozenset(axis for i in finite for axis in (*initial[i].axes, *body.outputs[i].axes))
        outputs = []
        totals = box.get("totals", 0)
        for place, wire in enumerate(box.outputs):
            inside = region.outputs[place].ancestors
            if place < count:
                found = self.alpha_of(initial, after, finite, alpha, absorbed, inner) if place in finite else joined(
                    initial[place].ancestors, self.outside(inside))
            elif place >= len(box.outputs) - totals:
                found = frozenset(a for a in inside if a.site not in inner and a.site != alpha)
                if any(a.site == alpha for a in inside):
                    found = joined(found, *(initial[i].ancestors - absorbed for i in finite))
            else:
                found = self.outside(inside)
                if any(a.site == alpha or a.site in self.finite and a.site in inner for a in found):
                    raise self.whole(box, wire, found, inner)
            outputs.append(self.know(wire, found))
        attributes = {"finite": tuple(sorted(finite)), "alpha": alpha, "absorbed": frozenset(a.site for a in absorbed),
                      "past": frozenset(a.site for i in range(count) if i not in finite for a in after[i] if a.site in inner)
                      | frozenset(a.site for place in range(count, len(outputs) - totals)
                                  for a in region.outputs[place].ancestors if a.site in inner)}
        return box.but(inputs=inputs, regions=(region,), outputs=tuple(outputs), attributes=attributes)

    def settled(self, body, carries, initial, inner, finite, alpha, captured) -> list[Ancestors]:
        """What each carry depends on after a step, once that no longer grows."""
        absorbed = self.absorbed(initial, captured, finite, len(carries))
        before = [wire.ancestors for wire in initial]
        while True:
            for i, (carry, known) in enumerate(zip(carries, before)):
                if i in finite:
                    known = frozenset({Ancestor(alpha, past=True)})
                    known = joined(known, *(self.past(b, inner) for j, b in enumerate(before) if j in finite))
                    known = frozenset(a for a in known if a not in absorbed and a.site not in self.finite & inner)
                self.know(carry, known)
            region = self.region(body)
            after = [region.outputs[i].ancestors for i in range(len(carries))]
            grown = [joined(b, self.past(a, inner)) for b, a in zip(before, after)]
            for i in finite:  # what drives a finite carry now is absorbed by its weight
                grown[i] = joined(initial[i].ancestors, frozenset(
                    a for a in self.past(after[i], inner) if a.site != alpha and not (
                        a.site in inner and Ancestor(a.site, a.mixed, False) in after[i])))
            if grown == before:
                return after
            before = grown

    @staticmethod
    def past(found: Ancestors, inner: set[str]) -> Ancestors:
        return joined(frozenset(replace(a, past=True) if a.site in inner else a for a in found))

    @staticmethod
    def outside(found: Ancestors) -> Ancestors:
        return joined(frozenset(replace(a, past=False) for a in found))

    def absorbed(self, initial, captured, finite, count) -> Ancestors:
        """Enumerated sites that only the starts of finite carries depend on: the first weight sums over them."""
        others = {a.site for wire in captured for a in wire.ancestors}
        others |= {a.site for i in range(count) if i not in finite for a in initial[i].ancestors}
        return frozenset(a for i in finite for a in initial[i].ancestors
                         if (a.site in self.finite or a.site.startswith("alpha:")) and a.site not in others)

    def alpha_of(self, initial, after, finite, alpha, absorbed, inner) -> Ancestors:
        found = frozenset({Ancestor(alpha)})
        for i in finite:
            found = joined(found, initial[i].ancestors - absorbed, self.outside(frozenset(
                a for a in after[i] if a.site != alpha and (a.past or a.site not in inner))))
        return found

    def once(self, box, body, after, finite, inner) -> None:
        """A drawn choice that drives a finite and another carry would count twice."""
        for i in finite:
            for j in range(len(after)):
                if j in finite:
                    continue
                both = {a.site for a in after[i] if not a.past} & {a.site for a in after[j] if not a.past} & inner
                both = {site for site in both if self.weighted(body, site)}
                if both:
                    site = sorted(both)[0]
                    raise Reported(Diagnostic(
                        "support", f"`{site}` drives both `{written(body.inputs[1 + i].name, box.span)}`, which is enumerated, and "
                        f"`{written(body.inputs[1 + j].name, box.span)}`, which is not", span=box.span,
                        label="its weight would be counted twice in this loop",
                        help="`by enum` on it, or `by reinforce` on the choices that drive the enumerated one"))

    @staticmethod
    def weighted(body: Graph, site: str) -> bool:
        return any(b.op is op.draw and b["address"] == site and getattr(b.rule, "through", "weight") == "weight"
                   for b in body.walk())

    @staticmethod
    def refusal(box: Box, body: Graph, carry: Wire, found: Ancestors, inner: set[str]) -> NotEnumerable:
        drawn = {b["address"]: b for b in body.walk() if b.op is op.draw}
        loops = {f"alpha:{b['name']}": [d["address"] for d in b.regions[0].walk() if enumerated(d)]
                 for b in body.walk() if b.op is op.scan}
        sites = [site for a in sorted(found, key=str) for site in loops.get(a.site, [a.site])]
        site = next((site for site in sites if site in drawn and enumerated(drawn[site])), None)
        held = written(carry.name, box.span)
        name = f"`{site}` is drawn `by enum`" if site else "a choice in this loop is enumerated"
        span = drawn[site].span if site else box.span
        return NotEnumerable(Diagnostic(
            "support", f"{name}, and `{held}`, which the loop carries on, depends on it", span=span,
            label=f"the values of `{held}` would multiply at every step",
            notes=((box.span, "carried in this loop"),) if box.span else (),
            help="`by reinforce` is unbiased here; `enum` works where what is carried has few values of its own"), site,
            box["name"], f"the values of `{held}`, which the loop carries, would multiply at every step")

    def whole(self, box: Box, wire: Wire, found: Ancestors, inner: set[str]) -> NotEnumerable:
        site = next((a.site for a in sorted(found, key=str) if a.site in self.finite & inner), None)
        if site is None:
            drawn = [b["address"] for b in box.regions[0].walk() if enumerated(b)]
            site = drawn[0] if drawn else None
        return NotEnumerable(Diagnostic(
            "support", f"all steps of `{written(wire.name, box.span)}` together are read, and they are enumerated: as many values as the steps' "
            "supports multiplied", span=box.span, label="in this loop",
            help="put what reads a step into the loop itself, or use `by reinforce`"), site, box["name"],
            "all steps of the loop are read together")
