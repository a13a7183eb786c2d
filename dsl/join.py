"""Where two ways meet: the two sides of a branch, the start and the end of an iteration.

Values meet leaf by leaf; a number that is known on both sides and the same stays known.  Types meet in the smaller one
that holds both: an int and a real in a real, two ranges of ints in the range around both.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.ir import Wire
from pullback.compiler.ops import infer
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Constraint, Params, Type, known, same_shape
from pullback.dsl.context import Context, error
from pullback.dsl.pieces import whole
from pullback.dsl.values import Constant, Filled, Record, Tuple, describe, is_static, leaves

ORDER = ("bool", "int", "real", "complex")
FAR = 2**31


def lifted(ctx: Context, value: Any, span: Span | None, what: str) -> Any:
    """The value with wires for all numbers in it."""
    match value:
        case Record(fields):
            fields = {name: lifted(ctx, item, span, f"`{name}` of {what}") for name, item in fields.items()}
            returned = None if value.value is None else lifted(ctx, value.value, span, what)
            return Record(fields, value.model, returned)
        case Tuple(items):
            return Tuple(tuple(lifted(ctx, item, span, what) for item in items))
        case Filled():
            return lifted(ctx, whole(ctx, value, span), span, what)
        case Wire():
            return value
    if is_static(value) or isinstance(value, Constant):
        return ctx.wire(value, span, what)
    raise error("kind", f"{what} is {describe(value)}, and that can't change", span)


def alike(a: Any, b: Any) -> bool:
    """Do two values have one structure, wires in the same places?"""
    match a, b:
        case Record(), Record():
            return list(a.fields) == list(b.fields) and all(alike(a.fields[k], b.fields[k]) for k in a.fields)
        case Tuple(), Tuple():
            return len(a.items) == len(b.items) and all(map(alike, a.items, b.items))
        case Wire(), Wire():
            return True
    return False


def joined_type(a: Type, b: Type) -> Type | None:
    """The smallest type that holds both; None if their shapes or natures differ."""
    if isinstance(a, Params) and isinstance(b, Params):
        return a
    if not (isinstance(a, Array) and isinstance(b, Array)) or same_shape(a.shape, b.shape) is not True:
        return None
    if "text" in (a.kind, b.kind) or a.words and a.words == b.words:
        return a if a.kind == b.kind else None
    kind = max(a.kind, b.kind, key=ORDER.index)
    if kind == "int":
        hull = infer.hull(a, b)
        return Array("int", a.shape, Constraint("range", hull) if hull is not None else None)
    return Array(kind, a.shape, a.constraint if a.constraint == b.constraint else None)


def same_type(a: Type, b: Type) -> bool:
    if isinstance(a, Array) and isinstance(b, Array):
        return a.kind == b.kind and str(a.constraint) == str(b.constraint)
    return type(a) is type(b)


def wider(start: Type, assumed: Type, found: Type, attempt: int) -> Type | None:
    """What to assume of a carried value next: ranges of ints may grow a few times, then they are tried without an end
    and taken back to what is found to hold; else they are given up."""
    joined = joined_type(assumed, found)
    if joined is None or not isinstance(joined, Array) or joined.kind != "int" or joined.constraint is None:
        return joined
    if same_type(joined, assumed):
        if bounded(assumed):
            return joined
        tight = joined_type(start, found)
        return tight if bounded(tight) else Array("int", joined.shape)
    if attempt < 3:
        return joined
    if attempt == 3 and bounded(joined):
        (low, high), (new_low, new_high) = assumed.bounds or joined.bounds, joined.bounds
        return Array("int", joined.shape, Constraint("range", (
            low if new_low == low else -FAR, high if new_high == high else FAR)))
    return Array("int", joined.shape)


def bounded(type: Any) -> bool:
    """Is a range known, and is no end of it a guess?"""
    return type is not None and type.bounds is not None and not any(known(b) and abs(b) >= FAR // 2 for b in type.bounds)


def cast(ctx: Context, wire: Wire, type: Type) -> Wire:
    """The wire as one of this type: an int as a real."""
    if not isinstance(type, Array) or wire.type.kind == type.kind:
        return wire
    value = ctx.writer.values.get(wire.name)
    if isinstance(value, (int, float)) and type.kind == "real":
        return ctx.writer.constant(float(value), wire.span)
    if type.kind == "real":
        return ctx.writer.emit(op.mul, (wire, ctx.writer.constant(1.0)), span=wire.span, base=ctx.writer.title(wire) or "")[0]
    return ctx.writer.emit(op.add, (wire, ctx.writer.constant(0)), span=wire.span, base=ctx.writer.title(wire) or "")[0]


def filler(ctx: Context, type: Type, span: Span | None, missing: bool = False) -> Wire:
    """Something of a type, in the place of what a run does not have; NaN where it must never be read."""
    if isinstance(type, Params):
        raise error("type", "parameters can't be missing on one side of a branch", span)
    low = type.bounds[0] if type.bounds is not None else 0
    value: Any = "" if type.kind == "text" else (float("nan") if missing else 0.0) if type.kind == "real" else (
        low if type.kind == "int" else False)
    wire = ctx.writer.constant(value, span)
    if type.shape:
        (wire,) = ctx.writer.emit(op.full, (wire,), {"shape": tuple(type.shape)}, span=span)
    return wire



def types_of(value: Any) -> list[Type]:
    return [wire.type for wire in leaves(value)]
