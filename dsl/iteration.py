"""What a loop says before it is gone through: its range, the arrays that its body fills, the variables it assigns."""
from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import Any

from pullback.compiler.diagnostic import Reported
from pullback.compiler.ir import Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Size, Type, known
from pullback.dsl import syntax as s
from pullback.dsl.check import walk
from pullback.dsl.context import Binding, Context, error
from pullback.dsl.filled import indexed, row
from pullback.dsl.refused import pending
from pullback.dsl.values import WRONG, Poisoned, describe, is_size, leaves, rebuild


def domain(ctx: Context, binder: s.Binder) -> tuple[Size, Size, Any]:
    """Where a loop starts, how many steps it has, and how an element is read if it ranges over an array."""
    if len(binder.names) > 1:
        raise pending("tokens", binder.span)
    if isinstance(binder.domain, s.Range):
        if binder.domain.start is None or binder.domain.stop is None:
            raise error("syntax", "a loop has both ends: `0..n`", binder.domain.span)
        start = ctx.size(binder.domain.start, "the start of a loop")
        stop = ctx.size(binder.domain.stop, "the end of a loop")
        size = stop - start
        return start, int(size) if known(size) else size, None
    found = ctx.value(binder.domain)
    if is_size(found):
        raise error("kind", "a loop ranges over `a..b` or over an array", binder.domain.span,
                    help=f"`{binder.names[0]} in 0..{binder.domain.span.text}`")
    wire = ctx.wire(found, binder.domain.span, "what a loop ranges over")
    if not isinstance(wire.type, Array) or not wire.type.shape:
        raise error("kind", f"a loop ranges over `a..b` or over an array, and this is {describe(wire)}", binder.domain.span)

    def element(inside: Context) -> Any:
        return indexed(inside, wire, [inside.frames[-1].index], binder.domain.span)
    return 0, wire.type.shape[0], element


def stopping(ctx: Context, node: s.For) -> s.For:
    """A loop with `until` as one that carries whether it has stopped: `if not stopped: …; stopped = the condition`."""
    if any(isinstance(place, s.Index) for one in walk(node) if isinstance(one, (s.Assign, s.Draw)) for place in (one.target,)):
        raise pending("until", node.until.span)
    name, span = "stopped", node.until.span
    while ctx.scope.find(name) is not None:
        name += "_"
    ctx.scope.names[name] = Binding(False, "assigned", span)
    flag = s.Name(name, span=span)
    arm = s.Arm(s.Not(flag, span=span), (*node.body, s.Assign(flag, None, node.until, span=span)), span=node.span)
    return replace(node, until=None, body=(s.If((arm,), (), span=node.span),))


def fills(ctx: Context, body: tuple, index: str) -> dict[str, Size]:
    """The arrays that a body fills at the loop's index, with how far from it."""
    found: dict[str, Size] = {}
    for statement in body:
        match statement:
            case s.Assign(s.Index(s.Name(name), indices)) | s.Draw(s.Index(s.Name(name), indices)):
                for at, place in enumerate(indices):
                    offset = offset_of(ctx, place, index)
                    if offset is not None:
                        key = row(name, known_places(ctx, indices[:at])) if known_places(ctx, indices[:at]) else name
                        if found.setdefault(key, offset) != offset:
                            raise error("name", f"`{name}` is filled twice in one step", statement.span,
                                        help="an array is filled once, at one distance from the index")
            case s.For(binders) if all(index not in binder.names for binder in binders):
                found |= fills(ctx, statement.body, index)
            case s.If():
                for side in (*(arm.body for arm in statement.arms), statement.otherwise):
                    found |= fills(ctx, side, index)
    return found


def known_places(ctx: Context, places: tuple) -> list[Any]:
    """The places before the loop's index, if all are numbers: `b[0, j]` fills a row."""
    try:
        found = [ctx.value(place) for place in places if not isinstance(place, s.Range)]
    except (Reported, Poisoned):
        return []
    return found if len(found) == len(places) and all(map(known, found)) else []


def offset_of(ctx: Context, place: Any, index: str) -> Size | None:
    """c, of a place `i + c` or `i − c`."""
    match place:
        case s.Name(name) if name == index:
            return 0
        case s.Chain((s.Name(name), other), (("+" | "-") as sign,)) if name == index:
            pass
        case s.Chain((other, s.Name(name)), ("+" as sign,)) if name == index:
            pass
        case _:
            return None
    try:
        value = ctx.value(other)
    except (Reported, Poisoned):
        return None
    return (value if sign == "+" else -value) if is_size(value) else None


def simple_targets(body: tuple) -> list[tuple[str, Span]]:
    """The plain names that statements assign (not by index, not by `~`)."""
    found = []
    for statement in body:
        match statement:
            case s.Assign(s.Name(name)):
                found.append((name, statement.target.span))
            case s.Assign(tuple() as names):
                found += [(one.name, one.span) for one in names]
            case s.For():
                found += simple_targets(statement.body)
            case s.If():
                for side in (*(arm.body for arm in statement.arms), statement.otherwise):
                    found += simple_targets(side)
    return found


@dataclass
class Slot:
    """Something carried: the value before the loop (a pattern of wires), the types that are assumed of it, and how the
    body's result is found.  `start` is None where nothing is there before the loop."""

    name: str
    lag: int
    start: Any
    span: Span | None
    types: list[Type] = field(default_factory=list)
    began: list[Type] = field(default_factory=list)
    wires: list[Wire] = field(default_factory=list)
    result: Any = None

    def value(self) -> Any:
        return WRONG if self.start is None else rebuild(self.start, iter(self.wires))


def stacked_leaves(outputs: list) -> list[Wire]:
    return list(dict.fromkeys(wire for _, _, value, _ in outputs for wire in leaves(value)))
