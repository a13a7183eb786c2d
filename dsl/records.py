"""Records, tuples, lists, and what stands after a point."""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.type import Array, Params
from pullback.dsl import diagrams
from pullback.dsl import syntax as s
from pullback.dsl.arithmetic import agree
from pullback.dsl.context import Context, error, evaluates
from pullback.dsl.refused import pending
from pullback.dsl.values import WRONG, Constant, Declared, Filled, Poisoned, Record, Tuple, Undetermined, describe


@evaluates(s.Record)
def record(ctx: Context, node: s.Record) -> Record:
    """`{t, z = 5.0}`: a record splices, any other name `y` is short for `y = y`, what comes later wins."""
    fields: dict[str, Any] = {}
    for entry in node.entries:
        value = ctx.value(entry.value)
        if value is WRONG:
            raise Poisoned
        if entry.name is not None:
            fields[entry.name] = value
        elif isinstance(value, Record):
            fields.update(value.fields)
        elif isinstance(entry.value, s.Name):
            fields[entry.value.name] = value
        else:
            raise error("kind", f"an entry of a record has a name, and this is {describe(value)}", entry.span,
                        help=f"`name = {entry.span.text}`")
    return Record(fields)


@evaluates(s.Tuple)
def tuple_(ctx: Context, node: s.Tuple) -> Tuple:
    return Tuple(tuple(ctx.value(item) for item in node.items))


@evaluates(s.List)
def list_(ctx: Context, node: s.List) -> Any:
    """`[a, b]`: of known numbers a constant, else a stack."""
    values = [ctx.value(item) for item in node.items]
    if not values:
        raise error("type", "an array has at least one element", node.span, help="`zeros(0)` is an empty one")
    if all(isinstance(value, (bool, int, float)) for value in values) or all(isinstance(value, str) for value in values):
        return Constant(tuple(values))
    if all(isinstance(value, Constant) for value in values):
        if len({shape(value.value) for value in values}) > 1:
            raise error("type", "the rows of an array have one length", node.span)
        return Constant(tuple(value.value for value in values))
    wires = [ctx.wire(value, item.span, "an element of an array") for value, item in zip(values, node.items)]
    agree(ctx, "[…]", wires, node.span)
    return ctx.writer.emit(op.stack, wires, span=node.span)[0]


def shape(items: Any) -> tuple:
    return (len(items), *shape(items[0])) if isinstance(items, tuple) else ()


@evaluates(s.Dot)
def dot(ctx: Context, node: s.Dot) -> Any:
    base = ctx.value(node.value)
    match base:
        case Filled():
            from pullback.dsl.pieces import whole
            base = whole(ctx, base, node.span)
    if diagrams.concerns(base):
        return diagrams.field(ctx, base, node)
    match base:
        case Record(fields):
            if node.field not in fields:
                named = f"the trace of `{base.model}`" if base.model else "the record"
                raise error("name", f"{named} has no `{node.field}`", node.field_span, help=near(node.field, fields) or (
                    f"it has {', '.join(f'`{name}`' for name in fields)}" if fields else "it is empty"))
            if fields[node.field] is WRONG:
                raise Poisoned
            return fields[node.field]
        case Wire(_, Params() as params):
            return leaf(ctx, base, params, node)
        case Declared("network" | "lexicon") if node.field == "init":
            from pullback.dsl.fits import NetworkStart
            return NetworkStart(base)
        case Wire(_, Array()) if node.field in ("T", "transpose"):
            raise error("name", "an array has no fields", node.field_span, help="`transpose(a)`")
    raise error("name", f"{describe(base)} has no fields, and `.{node.field}` reads one", node.field_span)


def leaf(ctx: Context, base: Wire, params: Params, node: s.Dot) -> Wire:
    if params.tree is None:
        raise Undetermined(f"the shapes of `{node.value.span.text}`")
    return ctx.writer.emit(op.field, (base,), {"name": node.field}, span=node.span, base=node.field)[0]


@evaluates(s.Argmin)
def argmin(ctx: Context, node: s.Argmin) -> Any:
    raise pending("argmin", node.span)
