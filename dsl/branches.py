"""`if c: … else: …`: each side is a region; names, traces and log densities meet after them.

After a branch stand the names that both sides assign, and those assigned before it that one side changes.  A trace
holds the choices of both sides: what a run did not take is a filler that nothing reads, and adds 0 to the log density.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.ir import Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Type
from pullback.dsl import syntax as s
from pullback.dsl.context import Binding, Context, Entry, Tape, error
from pullback.dsl.join import alike, cast, filler, joined_type, lifted, types_of
from pullback.dsl.statements import NOTHING, run
from pullback.dsl.values import WRONG, describe, is_static, leaves, rebuild


def branch(ctx: Context, arms: tuple[s.Arm, ...], otherwise: tuple, span: Span) -> Any:
    """Execute `if`, `elif …`, `else`; what it returns, or `NOTHING`."""
    if not arms:
        return run(ctx, otherwise)
    arm, *rest = arms
    condition = ctx.value(arm.condition)
    if isinstance(condition, (bool, int)):
        side = ctx.but(path=(*ctx.path, ("if" if condition else "else",)))
        return run(side, arm.body) if condition else branch(side, tuple(rest), otherwise, span)
    wire = ctx.wire(condition, arm.condition.span, "a condition")
    wire = truth(ctx, wire, arm.condition.span)
    joint = Joint(ctx, wire, span)
    joint.side("if", lambda inner: run(inner, arm.body))
    joint.side("else", lambda inner: branch(inner, tuple(rest), otherwise, span))
    return joint.meet()


def truth(ctx: Context, wire: Wire, span: Span) -> Wire:
    """A condition is one bool, or an int that is 0 or 1."""
    fits = isinstance(wire.type, Array) and (wire.type.kind == "bool" or wire.type.kind == "int" and wire.type.bounds is not None
                                             and 0 <= wire.type.bounds[0] and wire.type.bounds[1] <= 2)
    if not fits:
        raise error("type", f"a condition is a bool, and this is {describe(wire)}", span, help="compare it with something")
    if wire.type.shape:
        raise error("type", f"a condition is one bool, and this is {describe(wire)}", span,
                    help="`a if c else b` chooses element by element; `any(c)` and `all(c)` are one bool")
    return wire


class Joint:
    """The two sides while they are made, and what is read of both after them."""

    def __init__(self, ctx: Context, condition: Wire, span: Span):
        self.ctx, self.condition, self.span = ctx, condition, span
        self.blocks: list[Any] = []
        self.insides: list[Context] = []
        self.returned: list[Any] = []
        self.outputs: tuple[list[Wire], list[Wire]] = ([], [])
        self.types: list[Type] = []
        self.bases: list[str] = []
        self.later: list[tuple[Any, int, int, Any]] = []

    def side(self, word: str, body: Any) -> None:
        ctx = self.ctx
        with ctx.writer.region() as block:
            inside = ctx.inner(path=(*ctx.path, (word,)), tape=Tape(), guarded=True)
            self.returned.append(body(inside))
        self.blocks.append(block)
        self.insides.append(inside)

    # ---- what meets

    def meet(self) -> Any:
        names = self.names()
        entries = self.entries()
        term = self.term()
        returned = self.returns()
        made = self.emit()
        for name, (place, binding) in names.items():
            self.ctx.scope.names[name] = Binding(self.value(place, made), binding.kind, binding.span, binding.covers)
        for name, (place, entry) in entries.items():
            self.ctx.tape.entries[name] = Entry(self.value(place, made), entry.covers, entry.span)
        if term is not None:
            self.ctx.tape.terms.append(self.value(term, made))
        return NOTHING if returned is None else self.value(returned, made)

    def names(self) -> dict[str, tuple[Any, Binding]]:
        ours, theirs = (inside.scope.names for inside in self.insides)
        found = {}
        for name in dict.fromkeys([*ours, *theirs]):
            a, b = ours.get(name), theirs.get(name)
            before = self.ctx.scope.find(name)
            first = a or b
            if (a is None or b is None) and first.covers and first.kind in ("drawn", "assigned"):
                found[name] = (self.one_sided(name, a, b), first)
            elif a is not None and b is not None:
                found[name] = (self.pair(name, a.value, b.value), first)
            elif before is not None and before.kind not in ("drawn", "given", "index") and first.kind == "assigned":
                found[name] = (self.pair(name, a.value if a else before.value, b.value if b else before.value), first)
            else:
                line = f"a side of the `if` in line {self.span.line}"
                self.ctx.activation.closed[name] = (line, first.span)
        return found

    def one_sided(self, name: str, a: Binding | None, b: Binding | None) -> Any:
        """An element that one side fills: on the other it is never to be read."""
        value = (a or b).value
        return self.pair(name, value if a else None, value if b else None, missing=(a or b).kind == "assigned")

    def entries(self) -> dict[str, tuple[Any, Entry]]:
        ours, theirs = (inside.tape.entries for inside in self.insides)
        found = {}
        for name in dict.fromkeys([*ours, *theirs]):
            a, b = ours.get(name), theirs.get(name)
            found[name] = (self.pair(name, a.value if a else None, b.value if b else None), a or b)
        return found

    def term(self) -> Any:
        sums = []
        for inside, block in zip(self.insides, self.blocks):
            with self.ctx.writer.inside(block):
                sums.append(total(self.ctx, inside.tape.terms, self.span))
        if all(one is None for one in sums):
            return None
        zero = [0.0 if one is None else one for one in sums]
        return self.pair("logp", *zero)

    def returns(self) -> Any:
        a, b = self.returned
        if a is NOTHING and b is NOTHING:
            return None
        if a is NOTHING or b is NOTHING:
            raise error("kind", "one side of this `if` returns a value and the other does not", self.span,
                        help="end both sides in `return`, or assign on both sides and return after them")
        return self.pair("value", a, b)

    def pair(self, name: str, a: Any, b: Any, missing: bool = False) -> Any:
        """Remember that a and b meet; what stands for the result until the box is made.  None: not there on this side."""
        if a is WRONG or b is WRONG:  # either side may still say what it would be
            a, b = (None if side is WRONG else side for side in (a, b))
            if a is None and b is None:
                return ("static", WRONG)
        if a is not None and (a is b or is_static(a) and type(a) is type(b) and same_known(a, b)):
            return ("static", a)
        sides = []
        for value, block in zip((a, b), self.blocks):
            with self.ctx.writer.inside(block):
                sides.append(None if value is None else lifted(self.ctx, value, self.span, f"`{name}`"))
        a, b = sides
        if a is not None and b is not None and not alike(a, b):
            raise error("type", f"`{name}` is {describe(a)} on one side of this `if` and {describe(b)} on the other", self.span)
        pattern = a if a is not None else b
        types = []
        for at, own in enumerate(types_of(pattern)):
            other = joined_type(types_of(a)[at], types_of(b)[at]) if a is not None and b is not None else own
            if other is None:
                raise error("type", f"`{name}` is a `{types_of(a)[at]}` on one side of this `if` and a `{types_of(b)[at]}` "
                            "on the other", self.span)
            types.append(other)
        start = len(self.types)
        for side, block, outputs in zip((a, b), self.blocks, self.outputs):
            with self.ctx.writer.inside(block):
                wires = leaves(side) if side is not None else [filler(self.ctx, t, self.span, missing) for t in types]
                outputs += [cast(self.ctx, wire, wanted) for wire, wanted in zip(wires, types)]
        self.types += types
        self.bases += [self.ctx.writer.title(wire) or name for wire in leaves(pattern)]
        return (pattern, start, len(types))

    # ---- the box

    def emit(self) -> tuple[Wire, ...]:
        writer = self.ctx.writer
        writes = any(box.op.kind in ("choice", "density") or box.regions for block in self.blocks for box in block.boxes)
        if not self.types and not writes:
            return ()
        distinct: dict[tuple[str, str], int] = {}
        order = [distinct.setdefault((a.name, b.name), len(distinct)) for a, b in zip(*self.outputs)]
        first = {place: at for at, place in reversed(list(enumerate(order)))}
        kept = [first[place] for place in range(len(distinct))]
        regions = [writer.close(block, [outputs[at] for at in kept]) for block, outputs in zip(self.blocks, self.outputs)]
        captured = list(dict.fromkeys(wire for region in regions for wire in region.inputs))
        regions = [type(region)(tuple(captured), region.boxes, region.outputs) for region in regions]
        made = writer.emit(op.branch, (self.condition, *captured), {"name": self.ctx.work.loop(self.ctx.path, "if")},
                           span=self.span, regions=regions, types=[self.types[at] for at in kept],
                           bases=[self.bases[at] for at in kept])
        return tuple(made[place] for place in order)

    def value(self, place: Any, made: tuple[Wire, ...]) -> Any:
        if place[0] == "static":
            return place[1]
        pattern, start, count = place
        return rebuild(pattern, iter(made[start:start + count]))


def same_known(a: Any, b: Any) -> bool:
    try:
        return bool(a == b)
    except Exception:  # JAX raises where a comparison is inconclusive
        return False


def total(ctx: Context, terms: list[Wire], span: Span | None) -> Wire | None:
    """The sum of the terms of a log density; None if there are none."""
    if not terms:
        return None
    if len(terms) == 1:
        return terms[0]
    return ctx.writer.emit(op.add, terms, span=span, base="logp")[0]


