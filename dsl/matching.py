"""Declared types: what values fit them, and which sizes they name.

A size name that nothing has bound yet is bound by the first array that meets it (`xs: real[n, p]`, then `ys: real[n]`
must agree); at the top of a graph, where there is no array yet, it becomes a symbol, or the number handed over for it.

    declared(ctx, type)          the type itself, with symbols for new size names: what an input of the graph is
    fitted(ctx, type, value)     the value, if it fits; new size names are bound
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Mapping

from pullback.compiler import ops as op
from pullback.compiler.constraint import NAMES as CONSTRAINTS
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.source import Span
from pullback.compiler.type import (EVENT_RANK, TEXT, Array, Constraint, Params, Size, Type, known, same, symbol)
from pullback.dsl import syntax as s
from pullback.dsl.context import Binding, Context, error
from pullback.dsl.refused import pending
from pullback.dsl.values import (WRONG, Constant, Declared, Dist, Flat, Marginal, Model, Poisoned, Record, Sentence, Tuple,
                                 Undetermined, describe, is_size, is_static)

KINDS = ("real", "complex", "int", "bool", "text")
OTHERS = ("params", "model", "objective", "distribution", "trace", "function", "network", "record")


@dataclass(frozen=True)
class RecordOf:
    fields: Mapping[str, Any]


@dataclass(frozen=True)
class TupleOf:
    items: tuple


@dataclass(frozen=True)
class Kind:
    """A type that no wire has: `model`, `trace`, …"""

    name: str


def declared(ctx: Context, node: s.Type | None, sizes: Mapping[str, int] | None = None) -> Any:
    """The type that a node states; size names not bound so far become `sizes`' numbers or symbols."""
    match node:
        case None:
            raise Undetermined("a type left out")
        case s.NamedType():
            bind_new(ctx, node, sizes or {})
            return named_type(ctx, node)
        case s.RecordType(fields):
            return RecordOf({field.name: declared(ctx, field.type, sizes) for field in fields})
        case s.TupleType(items):
            return TupleOf(tuple(declared(ctx, item, sizes) for item in items))
    raise pending("diagrams", node.span)


def bind_new(ctx: Context, node: s.NamedType, sizes: Mapping[str, int]) -> None:
    for index in node.sizes:
        for name in names_in(index):
            if is_new(ctx, name.name):
                value = sizes.get(name.name, None)
                ctx.scope.names[name.name] = Binding(symbol(name.name) if value is None else value, "size", name.span)


def is_new(ctx: Context, name: str) -> bool:
    """Is a name in a type a size that nothing has bound yet?  (Functions and models of that name don't count.)"""
    return ctx.scope.find(name) is None and not is_static(ctx.find(name))


def names_in(node: Any) -> list[s.Name]:
    """The names that a size expression reads."""
    match node:
        case s.Name():
            return [node]
        case s.Chain(operands):
            return [name for operand in operands for name in names_in(operand)]
        case s.Negative(value):
            return names_in(value)
    return []


def named_type(ctx: Context, node: s.NamedType) -> Any:
    """`real[n, d]`, `positive`, `interval(-1, 1)`, `cholesky[n]`, `params`, …"""
    name, shape = node.name, tuple(ctx.size(index, "a size of an array") for index in node.sizes)
    for size, index in zip(shape, node.sizes):
        if known(size) and size < 0:
            raise error("size", f"a size can't be negative, and this is {size}", index.span)
    if name in KINDS and not node.arguments:
        return Array(name, shape)
    if name == "int" and len(node.arguments) == 2:
        return Array("int", shape, Constraint("range", tuple(ctx.size(a, "a bound") for a in node.arguments)))
    if name == "params" and not node.sizes:
        return Params()
    if name == "one_of":
        return Array("int", shape, Constraint("one_of", alternatives(ctx, node)))
    if name in CONSTRAINTS or name == "natural":
        rank = EVENT_RANK.get(name, 0)
        if rank and not shape:
            raise error("size", f"`{name}` is {('a vector', 'a matrix')[rank - 1]}: write `{name}[n]`", node.span)
        shape = (*shape, shape[-1]) if rank == 2 else shape
        if name == "natural":
            return Array("int", shape)
        return Array("real", shape, Constraint(name, tuple(known_number(ctx, a) for a in node.arguments)))
    if name in OTHERS:
        return Kind(name)
    raise pending(name, node.span) or error(
        "name", f"there is no type `{name}`", node.span, help=near(name, [*KINDS, *OTHERS, *CONSTRAINTS])
        or "types are `real`, `int`, `bool`, `real[n]`, `positive`, `unit`, `simplex[k]`, …")


def known_number(ctx: Context, node: Any) -> Any:
    found = ctx.value(node)
    if not is_static(found):
        raise error("static", "a bound of a type must be known before the run", node.span,
                    label=f"this is {describe(found)}")
    return found


# ---------------------------------------------------------------- values against types


def fitted(ctx: Context, node: s.Type | None, value: Any, span: Span | None, what: str) -> Any:
    """The value, if it fits the type; `what` names it in messages (`x` of `f`)."""
    if value is WRONG:
        raise Poisoned
    match node:
        case None:
            return value
        case s.RecordType():
            return fitted_record(ctx, node, value, span, what)
        case s.TupleType(items):
            if not isinstance(value, Tuple) or len(value.items) != len(items):
                raise error("type", f"{what} is a tuple of {len(items)}, and this is {describe(value)}", span)
            return Tuple(tuple(fitted(ctx, item, given, span, what) for item, given in zip(items, value.items)))
        case s.NamedType("text") if isinstance(value, Sentence) or isinstance(value, Tuple) and all(
                isinstance(item, str) for item in value.items):
            return fitted_texts(ctx, node, value, span, what)
        case s.NamedType(name):
            if name in OTHERS and name != "params":
                return fitted_kind(ctx, name, value, span, what, node)
            return fitted_array(ctx, node, value, span, what)
    raise pending("diagrams", node.span)


def fitted_texts(ctx: Context, node: s.NamedType, value: Any, span: Span | None, what: str) -> Any:
    """Texts that are known: one, or as many as a size says."""
    if len(node.sizes) != isinstance(value, Tuple):
        raise error("size", f"{what} is a `{node.span.text}`, and this is {describe(value)}", span)
    for index in node.sizes:
        met(ctx, index, len(value.items), lambda expected: error(
            "size", f"{what} is a `{node.span.text}` with `{index.span.text}` = {expected}, and this is {describe(value)}", span))
    return value


def fitted_kind(ctx: Context, name: str, value: Any, span: Span | None, what: str, node: Any) -> Any:
    if isinstance(value, Declared) and value.kind == "model" and name == "model":
        from pullback.dsl.models import bound
        return bound(ctx, value, (), span)
    fits = {"model": (Model, Marginal, Dist, Flat), "distribution": (Dist, Flat), "trace": (Record,), "record": (Record,),
            "objective": (Declared,), "function": (Declared,), "network": (Declared,)}[name]
    if not isinstance(value, fits) or isinstance(value, Declared) and value.kind not in (name, "extern", "network"):
        raise error("kind", f"{what} is a {name}, and this is {describe(value)}", span, notes=((node.span, "declared here"),))
    return value


def fitted_record(ctx: Context, node: s.RecordType, value: Any, span: Span | None, what: str) -> Any:
    if not isinstance(value, Record):
        raise error("type", f"{what} is a record, and this is {describe(value)}", span, notes=((node.span, "declared here"),))
    missing = [field.name for field in node.fields if field.name not in value.fields]
    extra = [name for name in value.fields if name not in {field.name for field in node.fields}]
    if missing or extra:
        said = [f"lacks {listed(missing)}"] * bool(missing) + [f"has {listed(extra)} too"] * bool(extra)
        raise error("type", f"{what} {' and '.join(said)}", span, notes=((node.span, "declared here"),))
    return Record({field.name: fitted(ctx, field.type, value.fields[field.name], span, f"`{field.name}` of {what}")
                   for field in node.fields}, value.model, value.value)


def listed(names: Any) -> str:
    words = [f"`{name}`" for name in names]
    return f"{', '.join(words[:-1])} and {words[-1]}" if len(words) > 1 else "".join(words)


def fitted_array(ctx: Context, node: s.NamedType, value: Any, span: Span | None, what: str) -> Any:
    """Numbers against `real[n]`, `int`, `positive`, `params`: kinds, then rank, then each size."""
    if is_static(value) and not node.sizes and node.name in (*KINDS, *CONSTRAINTS, "natural") and node.name != "text":
        return fitted_number(ctx, node, value, span, what)
    if isinstance(value, str) and not node.sizes and node.name in ("text", "one_of"):
        return value if node.name == "text" else spelled(ctx, node, value, span, what)
    wire = ctx.wire(value, span, what)
    if node.name == "params":
        if not isinstance(wire.type, Params):
            raise error("type", f"{what} is a `params`, and this is {describe(wire)}", span,
                        notes=((node.span, "declared here"),))
        return wire
    if node.name == "one_of" and getattr(wire.type, "words", ()) != alternatives(ctx, node):
        raise error("type", f"{what} is a `{node.span.text}`, and this is {describe(wire)}", span, notes=where(ctx, node, wire, span))
    if node.name == "text" and getattr(wire.type, "words", ()) and not node.sizes and not wire.type.shape:
        wire = spelling(ctx, wire, span)
    rank = len(node.sizes) + (EVENT_RANK.get(node.name, 0) == 2)
    kind = node.name if node.name in KINDS else "int" if node.name in ("natural", "one_of") else "real"
    if not (node.name in KINDS or node.name in CONSTRAINTS or node.name in ("natural", "one_of")):
        named_type(ctx, node)  # says why not
    if not isinstance(wire.type, Array) or not kind_fits(kind, wire.type):
        raise error("kind" if isinstance(wire.type, Array) else "type",
                    f"{what} is a `{node.span.text}`, and this is {describe(wire)}", span, notes=where(ctx, node, wire, span))
    if wire.type.rank != rank:
        raise error("size", f"{what} is a `{node.span.text}`, and this is {describe(wire)}", span,
                    notes=where(ctx, node, wire, span))
    sizes = (*node.sizes, node.sizes[-1]) if rank > len(node.sizes) else node.sizes
    for index, actual in zip(sizes, wire.type.shape):
        met(ctx, index, actual, lambda expected: error(
            "size", f"{what} is a `{node.span.text}` with `{index.span.text}` = {expected}, and this is {describe(wire)}",
            span, notes=where(ctx, node, wire, span)))
    return wire


def where(ctx: Context, node: Any, wire: Wire, span: Span | None) -> tuple:
    notes = [(node.span, "declared here")]
    title = ctx.writer.title(wire)
    if wire.span is not None and title and wire.span != span:
        notes.append((wire.span, f"`{title}` comes from here"))
    return tuple(notes)


def alternatives(ctx: Context, node: s.NamedType) -> tuple[str, ...]:
    """The texts of `one_of("yes", "no")`; a constant that is a list of texts may stand for them."""
    values = [ctx.value(argument) for argument in node.arguments]
    if len(values) == 1 and isinstance(values[0], Constant):
        values = list(values[0].value)
    if not values or not all(isinstance(value, str) for value in values) or len(set(values)) < len(values):
        raise error("type", "`one_of` has texts, each once", node.span, help='`one_of("yes", "no")`')
    return tuple(values)


def spelled(ctx: Context, node: s.NamedType, value: str, span: Span | None, what: str) -> Wire:
    """A text as the int that stands for it."""
    words = alternatives(ctx, node)
    if value not in words:
        raise error("type", f"{what} is one of {listed(words)}, and this is `{value}`", span, help=near(value, words),
                    notes=((node.span, "declared here"),))
    type = Array("int", (), Constraint("one_of", words))
    return ctx.writer.emit(op.constant, (), {"value": words.index(value)}, span=span, types=(type,))[0]


def spelling(ctx: Context, wire: Wire, span: Span | None) -> Wire:
    """The text that an int of a `one_of` stands for."""
    return ctx.writer.emit(op.spell, (wire,), {"words": wire.type.words}, span=span, base=ctx.writer.title(wire) or "", types=(TEXT,))[0]


def kind_fits(kind: str, type: Array) -> bool:
    if "text" in (kind, type.kind):
        return kind == type.kind
    if kind == "bool":
        return type.kind == "bool" or type.kind == "int" and type.bounds is not None and tuple(type.bounds) in (
            (0, 2), (0, 1), (1, 2))
    order = ("bool", "int", "real", "complex")
    return order.index(type.kind) <= order.index(kind)


def fitted_number(ctx: Context, node: s.NamedType, value: Any, span: Span | None, what: str) -> Any:
    """A number that is known already against a scalar type."""
    name = node.name
    if name in ("int", "natural", "bool") and isinstance(value, float) or name == "bool" and value not in (0, 1, True, False):
        raise error("kind", f"{what} is {'an' if name == 'int' else 'a'} `{name}`, and this is {describe(value)}", span,
                    notes=((node.span, "declared here"),))
    if name == "natural" and known(value) and value < 0 or name in ("positive",) and known_not(value, lambda v: v > 0) \
            or name == "unit" and known_not(value, lambda v: 0 <= v <= 1):
        raise error("type", f"{what} is `{node.span.text}`, and this is {describe(value)}", span,
                    notes=((node.span, "declared here"),))
    if name in ("int", "natural"):
        return int(value) if isinstance(value, bool) else value
    if name == "bool":
        return bool(value)
    return float(value) if isinstance(value, (int, float)) else value


def known_not(value: Any, holds: Any) -> bool:
    return isinstance(value, (int, float)) and not holds(value)


def met(ctx: Context, node: Any, actual: Size, mismatch: Any) -> None:
    """A size expression against a size: a new name is bound (`n + 1` against 5 gives n = 4), else they must be equal."""
    new = [name for name in names_in(node) if is_new(ctx, name.name)]
    if len({name.name for name in new}) == 1:
        solve(ctx, node, new[0], actual, mismatch)
        return
    expected = ctx.size(node)
    if same(expected, actual) is not True:
        raise mismatch(expected)


def solve(ctx: Context, node: Any, name: s.Name, actual: Size, mismatch: Any) -> None:
    def at(value: Size) -> Size:
        inner = ctx.inner()
        inner.scope.names[name.name] = Binding(value, "size", name.span)
        return inner.size(node)
    base = at(0)
    slope = at(1) - base
    rest = actual - base
    if slope == 1:
        value = rest
    elif known(rest) and known(slope) and slope and rest % slope == 0:
        value = rest // slope
    else:
        raise mismatch("no whole number")
    if known(value) and value < 0:
        raise mismatch(value)
    ctx.scope.names[name.name] = Binding(int(value) if known(value) else value, "size", name.span)


def type_of(value: Any) -> Type | None:
    """The type of a number, known or not."""
    if isinstance(value, Wire):
        return value.type
    if isinstance(value, bool):
        return Array("bool")
    if is_size(value):
        return Array("int")
    if isinstance(value, str):
        return TEXT
    return Array("real") if isinstance(value, float) else None


