"""Loops: a plate when no iteration reads another's result, else a scan.

The body is gone through with what is known to be carried; when it reads more (a lag of an array that it fills), or when
a carried value turns out to be of a wider type than was assumed, it is gone through again.

    carried    a variable assigned before the loop and reassigned in it, if its old value is read
    lags       z[t - 1], …, z[t - k] of an array that the loop fills, as far back as it is read
    stacked    what is filled by index, the entries of the trace, and the sum of each step's log densities
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Callable

from pullback.compiler import ops as op
from pullback.compiler.ir import Wire
from pullback.compiler.source import Span
from pullback.compiler.type import REAL, Array, Constraint, Size, known
from pullback.dsl import syntax as s
from pullback.dsl.branches import total
from pullback.dsl.context import Again, Binding, Context, Entry, Frame, Tape, error
from pullback.dsl.filled import array_of, before, indexed, position, put
from pullback.dsl.iteration import Slot, domain, fills, simple_targets, stacked_leaves, stopping
from pullback.dsl.join import alike, cast, filler, lifted, same_type, wider
from pullback.dsl.pieces import added, holding, negative
from pullback.dsl.refused import pending
from pullback.dsl.rules import split_subsample
from pullback.dsl.statements import run, targets
from pullback.dsl.values import WRONG, Filled, Piece, describe, leaves, rebuild

ATTEMPTS = 12


def loop_over(ctx: Context, node: s.For) -> None:
    """Execute `for i in a..b, j in c..d by r:`."""
    if node.group:
        raise pending("group", node.span)
    node = stopping(ctx, node) if node.until is not None else node
    rule, others = split_subsample(ctx, node.rules)
    if others:
        raise error("kind", f"a loop takes no rule but `subsample`, and this is `{others[0].name}`", node.rules[-1].span)
    nested(ctx, node.binders, node, rule)


def nested(ctx: Context, binders: tuple[s.Binder, ...], node: s.For, rule: Any) -> None:
    binder, *rest = binders
    start, size, element = domain(ctx, binder)

    def body(inside: Context) -> None:
        if element is not None:
            inside.scope.names[binder.names[0]] = Binding(element(inside), "index", binder.span)
        if rest:
            nested(inside, tuple(rest), node, None)
        else:
            run(inside, node.body)
    name = binder.names[0]
    Loop(ctx, name, start, size, node, rule, body, binder, element is None).execute()


@dataclass
class Loop:
    ctx: Context
    name: str
    start: Size
    size: Size
    node: Any
    rule: Any
    body: Callable[[Context], None]
    binder: Any
    plain: bool = True
    slots: list[Slot] = field(default_factory=list)

    # ---- the attempts

    def execute(self) -> None:
        if known(self.size) and self.size <= 0:
            return self.never()
        self.frame = Frame(self.wire(), self.name, self.start, self.size, fills(self.ctx, self.node.body, self.name),
                           outside=self.ctx.scope, around=self.ctx.frames)
        self.slots = [self.slot(name, 0, lifted(self.ctx, binding.value, binding.span, f"`{name}`"), binding.span)
                      for name, binding in self.reassigned().items()]
        saved = self.saved()
        for attempt in range(ATTEMPTS):
            self.restore(saved)
            self.bound()
            try:
                block, inside = self.attempt()
            except Again as again:
                if again.frame is not self.frame:
                    raise
                self.add_lags()
                continue
            if self.settled(block, inside, attempt):
                return self.finish(block, inside)
        raise error("type", f"the types of what the loop over `{self.name}` carries do not settle", self.node.span)

    def never(self) -> None:
        """A loop without steps binds nothing, but its body is still looked at."""
        saved, self.size = self.saved(), 1
        scratch = Loop(self.ctx.inner(tape=Tape()), self.name, self.start, 1, self.node, None, self.body, self.binder, self.plain)
        with self.ctx.writer.region():
            scratch.execute()
        self.restore(saved)
        mode = self.ctx.activation.mode
        for name, span in targets(self.node.body, (s.Draw,)):
            if self.is_given(name) and hasattr(mode, "used"):
                mode.used.setdefault(name, span)

    def wire(self) -> Wire:
        stop = self.start + self.size
        type = Array("int", (), Constraint("range", (self.start, stop)))
        wire = self.ctx.writer.wire(self.name if self.plain else "i", type, self.binder.span)
        self.ctx.writer.affine[wire.name] = (wire, 0)
        return wire

    def saved(self) -> tuple:
        work, activation = self.ctx.work, self.ctx.activation
        mode = activation.mode
        kept = (dict(mode.used), dict(mode.missing), {k: {d: list(r) for d, r in v.items()} for k, v in mode.ranges.items()}) \
            if hasattr(mode, "used") else None
        return list(work.found), set(work.addresses), set(work.loops), dict(activation.counts), kept

    def restore(self, saved: tuple) -> None:
        work, activation = self.ctx.work, self.ctx.activation
        found, addresses, loops, counts, kept = saved
        work.found[:], work.addresses, work.loops, activation.counts = found, set(addresses), set(loops), dict(counts)
        if kept is not None:
            mode = activation.mode
            mode.used, mode.missing = dict(kept[0]), dict(kept[1])
            mode.ranges = {k: {d: list(r) for d, r in v.items()} for k, v in kept[2].items()}

    def attempt(self) -> tuple[Any, Context]:
        ctx = self.ctx
        carries = [wire for slot in self.slots for wire in slot.wires]
        with ctx.writer.region((self.frame.index, *carries)) as block:
            inside = ctx.inner(tape=Tape(), frames=(*ctx.frames, self.frame))
            inside.scope.names[self.name] = Binding(self.frame.index, "index", self.binder.span)
            for slot in self.slots:
                if slot.lag == 0:
                    inside.scope.names[slot.name] = Binding(slot.value(), "assigned", slot.span)
                else:
                    self.frame.lags.setdefault(slot.name, {})[slot.lag] = slot.value()
            self.body(inside)
        return block, inside

    # ---- what is carried

    def reassigned(self) -> dict[str, Binding]:
        """The variables that stand before the loop and are assigned in it."""
        found = {}
        indexed_names = set(map(array_of, self.frame.fills))
        for name, _ in simple_targets(self.node.body):
            binding = self.ctx.scope.find(name)
            if name not in indexed_names and binding is not None and binding.kind in ("assigned", "parameter") and \
                    binding.value is not WRONG and not isinstance(binding.value, Filled):
                found.setdefault(name, binding)
        return found

    def slot(self, name: str, lag: int, start: Any, span: Span | None) -> Slot:
        slot = Slot(name, lag, start, span)
        slot.types = [wire.type for wire in leaves(start)]
        slot.began = list(slot.types)
        return slot

    def bound(self) -> None:
        """Fresh wires for what is carried, of the types that are assumed."""
        for slot in self.slots:
            bases = [self.ctx.writer.title(wire) or slot.name for wire in leaves(slot.start)] if slot.lag == 0 else [
                f"{slot.name}_{slot.lag}_ago" if slot.lag > 1 else f"{slot.name}_before"] * len(slot.types)
            if slot.lag == 0 and isinstance(slot.start, Wire):
                bases = [slot.name]
            slot.wires = [self.ctx.writer.wire(base, type, slot.span) for base, type in zip(bases, slot.types)]

    def add_lags(self) -> None:
        """Carry the elements of the arrays as far back as the body reads."""
        self.frame.lags = {}
        known_slots = {(slot.name, slot.lag): slot for slot in self.slots}
        for name, (longest, span, guarded) in self.frame.wanted.items():
            for lag in range(1, longest + 1):
                if (name, lag) not in known_slots:
                    self.slots.append(self.slot(name, lag, self.element_before(name, lag), span))

    def element_before(self, name: str, lag: int) -> Any:
        """The element that stood `lag` steps before the first; None if there is none."""
        place = self.start + self.frame.fills[name] - lag
        piece = holding(before(self.frame, name), place)
        if piece is None:
            return None
        value = piece.value if piece.single else indexed(self.ctx, piece.value, [place - piece.low], self.node.span)
        return lifted(self.ctx, value, piece.span, f"`{name}[{place}]`")

    # ---- do the assumptions hold?

    def settled(self, block: Any, inside: Context, attempt: int) -> bool:
        stable = True
        with self.ctx.writer.inside(block):
            for slot in self.slots:
                slot.result = self.result(slot, inside)
            for slot in self.slots:
                if slot.result is WRONG:
                    continue
                if slot.start is None:
                    self.learn(slot)
                    stable = False
                    continue
                if not alike(slot.start, slot.result):
                    raise error("type", f"`{slot.name}` is {describe(slot.start)} before the loop, and the loop makes it "
                                f"{describe(slot.result)}", slot.span)
                stable &= self.agrees(slot, attempt)
        return stable

    def result(self, slot: Slot, inside: Context) -> Any:
        """What the body makes of a slot."""
        if slot.lag > 1:
            earlier = next(other for other in self.slots if other.name == slot.name and other.lag == slot.lag - 1)
            return earlier.value()
        binding = inside.scope.names.get(slot.name)
        if slot.lag == 1 and (binding is None or not binding.covers):
            if slot.start is None:
                raise self.absent(slot)
            return WRONG
        if binding is None or binding.value is WRONG:
            return WRONG
        return lifted(inside, binding.value, binding.span, f"`{slot.name}`")

    def learn(self, slot: Slot) -> None:
        """Nothing stands before the loop: the first steps must not read it.  Its type is that of the elements."""
        if not self.frame.wanted[slot.name][2]:
            raise self.absent(slot)
        with self.ctx.writer.inside(self.ctx.writer.block.parent):
            wires = [filler(self.ctx, wire.type, slot.span, missing=True) for wire in leaves(slot.result)]
        slot.start = rebuild(slot.result, iter(wires))
        slot.types = slot.began = [wire.type for wire in leaves(slot.result)]

    def absent(self, slot: Slot) -> Exception:
        """A first step reads what nothing fills."""
        place = self.start + self.frame.fills[slot.name] - slot.lag
        _, span, _ = self.frame.wanted[slot.name]
        return error("index", f"`{span.text}` at {self.name} = {self.start} reads `{slot.name}[{place}]`, which nothing fills",
                        span, help=f"say what `{slot.name}[{place}]` is before the loop" if not negative(place) else
                        f"begin with `{slot.name}[0]` before the loop, and start the loop at 1")

    def agrees(self, slot: Slot, attempt: int) -> bool:
        stable = True
        for at, wire in enumerate(leaves(slot.result)):
            assumed = slot.types[at]
            found = wider(slot.began[at], assumed, wire.type, attempt)
            if found is None:
                raise error("size", f"`{slot.name}` is a `{assumed}` before a step of the loop and a `{wire.type}` after it",
                            slot.span, help="what a loop carries keeps its shape")
            if not same_type(found, assumed):
                slot.types[at], stable = found, False
        return stable

    # ---- the box

    def finish(self, block: Any, inside: Context) -> None:
        ctx = self.ctx
        with ctx.writer.inside(block):
            ends = [[cast(inside, wire, type) for wire, type in zip(self.results(slot), slot.types)] for slot in self.slots]
            outputs = self.outputs(inside)
        reads = {wire for box in block.boxes for wire in box.inputs}
        reads.update(stacked_leaves(outputs), *ends)
        linked = any(wire in reads for slot in self.slots for wire in slot.wires)
        if self.slots and not linked and negative(-self.size):
            return self.as_plate(block, ends, outputs)
        if self.rule is not None and self.slots:
            raise error("kind", "`subsample` chooses rows that owe nothing to each other, and this loop carries "
                        f"`{self.slots[0].name}` from step to step", self.node.span)
        self.place(outputs, *self.emit(block, ends, outputs))

    def results(self, slot: Slot) -> list[Wire]:
        return slot.wires if slot.result is WRONG else leaves(slot.result)

    def outputs(self, inside: Context) -> list[tuple[str, str, Any, Any]]:
        """What is stacked: (what, name, value, binding or entry)."""
        found: list[tuple[str, str, Any, Any]] = []
        for name, binding in inside.scope.names.items():
            if binding.value is WRONG:
                if binding.covers or name in self.frame.fills:
                    self.ctx.scope.names[name] = Binding(WRONG, binding.kind, binding.span)
                continue
            if binding.covers and self.is_given(name):
                self.bind_given(name, binding)
            elif binding.covers:
                found.append(("name", name, lifted(inside, binding.value, binding.span, f"`{name}`"), binding))
            elif name not in {slot.name for slot in self.slots} and name != self.name:
                line = f"the loop in line {self.node.span.line}"
                self.ctx.activation.closed.setdefault(name, (line, binding.span))
        for name, entry in inside.tape.entries.items():
            if entry.value is not WRONG:
                found.append(("entry", name, lifted(inside, entry.value, entry.span, f"`{name}`"), entry))
        term = total(inside, inside.tape.terms, self.node.span)
        if term is not None:
            found.append(("term", "logp", term, None))
        return found

    def is_given(self, name: str) -> bool:
        mode = self.ctx.activation.mode
        return mode is not None and array_of(name) in self.ctx.activation.drawn and mode.gives(array_of(name))

    def bind_given(self, name: str, binding: Binding) -> None:
        """After the loop the name is the array that the trace gives."""
        ctx, name = self.ctx, array_of(name)
        places = [placed(ctx, frame, name) for frame in ctx.frames]
        value = ctx.activation.mode.at(ctx, name, places)
        ctx.scope.names[name] = Binding(value, "drawn", binding.span, binding.covers - 1)

    def emit(self, block: Any, ends: list[list[Wire]], outputs: list) -> tuple[list[Any], dict[Wire, Wire]]:
        """Write the plate or scan: the final carries, and what each wire of the body is stacked."""
        ctx, writer = self.ctx, self.ctx.writer
        wires = stacked_leaves(outputs)
        carried = [wire for end in ends for wire in end]
        region = writer.close(block, (*carried, *wires))
        count = len(carried)
        captured = region.inputs[1 + count:]
        starts = [cast(ctx, wire, type) for slot in self.slots for wire, type in zip(leaves(slot.start), slot.types)]
        types = [type for slot in self.slots for type in slot.types] + [
            Array(w.type.kind, (self.size, *w.type.shape), w.type.constraint) for w in wires]
        bases = [writer.title(wire) or slot.name for slot in self.slots for wire in slot.wires] + [
            writer.title(wire) or "" for wire in wires]
        attributes = {"index": self.name, "name": ctx.work.loop(ctx.path, self.name), "start": self.start, "size": self.size}
        attributes |= {"carries": count} if self.slots else {"share": None}
        made = writer.emit(op.scan if self.slots else op.plate, (*starts, *captured), attributes, span=self.node.span,
                           rule=self.rule, regions=(region,), types=types, bases=[base or "stacked" for base in bases])
        finals, at = [], 0
        for slot in self.slots:
            finals.append(rebuild(slot.start, iter(made[at:at + len(slot.types)])))
            at += len(slot.types)
        return finals, dict(zip(wires, made[count:]))

    def as_plate(self, block: Any, ends: list[list[Wire]], outputs: list) -> None:
        """No step reads what another left: a plate, of whose values the last remains."""
        slots, self.slots = self.slots, []
        lasts = [("last", slot.name, rebuild(slot.start, iter(end)), slot) for slot, end in zip(slots, ends) if slot.lag == 0]
        block.bound = block.bound[:1]
        _, stacks = self.emit(block, [], [*outputs, *lasts])
        self.place(outputs, [], stacks)
        for _, name, value, slot in lasts:
            whole = rebuild(value, iter([stacks[wire] for wire in leaves(value)]))
            last = self.size - 1
            self.ctx.scope.names[name] = Binding(indexed(self.ctx, whole, [last], self.node.span), "assigned", slot.span)

    def place(self, outputs: list, finals: list[Any], stacks: dict[Wire, Wire]) -> None:
        """Put what the loop made where the block around sees it."""
        ctx = self.ctx
        for slot, final in zip(self.slots, finals):
            if slot.lag == 0:
                ctx.scope.names[slot.name] = Binding(final, "assigned", slot.span)
        for what, name, value, entry in outputs:
            whole = rebuild(value, iter([stacks[wire] for wire in leaves(value)]))
            if what == "term":
                ctx.tape.terms.append(ctx.writer.emit(op.reduce, (whole,), {"function": "sum"}, span=self.node.span,
                                                      types=(REAL,), base="logp")[0])
            elif what == "name":
                self.put(ctx.scope.names, name, whole, entry, Binding)
            else:
                self.put(ctx.tape.entries, name, whole, entry, Entry)

    def put(self, names: dict, name: str, whole: Any, entry: Any, kind: Any) -> None:
        """One level up: a piece of the array `name`, or (an entry that no index places) the stacked entry itself."""
        covers = max(entry.covers - 1, 0)
        if entry.covers == 0:
            if name in names:
                raise error("name", f"`{name}` is drawn twice in one trace", entry.span, label="again here",
                            notes=((names[name].span, "first here"),))
            names[name] = Entry(whole, 0, entry.span)
            return
        low = self.start + self.frame.fills[name]
        if covers == 0 and array_of(name) != name:
            return self.put_row(names, name, low, whole, entry, kind)
        piece = Piece(low, low + self.size, whole, False, entry.span)
        old = names.get(name)
        if old is None and kind is Binding:
            above = self.ctx.scope.find(name)
            old = above if above is not None and isinstance(above.value, Filled) and above.covers == covers else None
        if old is not None and not isinstance(old.value, Filled):
            raise error("name", f"`{name}` is bound already, and this loop fills it", entry.span,
                        notes=((old.span, "first here"),))
        before_it = old.value if old is not None else Filled(name, (), self.ctx.writer.block)
        filled = added(before_it, piece, entry.span, self.ctx.writer.block)
        names[name] = Binding(filled, entry.kind, entry.span, covers) if kind is Binding else Entry(filled, covers, entry.span)


    def put_row(self, names: dict, name: str, low: Size, whole: Any, entry: Any, kind: Any) -> None:
        """A row that the loop filled by itself becomes a piece of its array."""
        array, at = array_of(name), [int(place) for place in name.partition("[")[2].rstrip("]").split(",")]
        old = names.get(array) or (self.ctx.scope.find(array) if kind is Binding else None)
        before_it = old.value if old is not None and isinstance(old.value, Filled) else Filled(array, (), None)
        filled = put(self.ctx, before_it, [*at, ("slice", low, low + self.size)], whole, entry.span)
        names[array] = Binding(filled, entry.kind, entry.span) if kind is Binding else Entry(filled, 0, entry.span)


def placed(ctx: Context, frame: Frame, name: str) -> Wire:
    """Where the present iteration of a loop stands in the array that a trace gives for `name`."""
    if name not in frame.fills:
        return position(ctx, frame)
    if known(frame.fills[name]) and frame.fills[name] == 0:
        return frame.index
    return ctx.writer.emit(op.add, (frame.index, ctx.writer.constant(frame.fills[name])))[0]
