"""Distributions with their parameters, and the boxes that a choice of one becomes.

An array choice is a plate of scalar choices: `z: real[10] ~ normal(0, 1)` is ten draws with one address.  A distribution
whose values are arrays themselves draws one of them in one box.
"""
from __future__ import annotations

from typing import Any, Callable, Sequence

from pullback.compiler import distribution as library
from pullback.compiler import ops as op
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.op import Op
from pullback.compiler.ops import random as random_ops
from pullback.compiler.rule import Computed
from pullback.compiler.source import Span
from pullback.compiler.type import REAL, Array, Constraint, Size, known, same_shape
from pullback.dsl import syntax as s
from pullback.dsl.context import Context, dotted, error
from pullback.dsl.join import cast
from pullback.dsl.matching import listed
from pullback.dsl.values import Dist, Record, describe, is_static

# ---------------------------------------------------------------- from a call


def made(ctx: Context, name: str, node: s.Call) -> Dist:
    """`normal(0, 1)`, `bernoulli(logits = l)`."""
    records = library.find(name)
    positional = [argument for argument in node.arguments if argument.name is None]
    named = {argument.name: argument for argument in node.arguments if argument.name is not None}
    record = fitting(records, len(positional), named, node.span)
    parameters = []
    for at, field in enumerate(record.fields):
        argument = positional[at] if at < len(positional) else named.get(field.name)
        value = ctx.value(argument.value) if argument is not None else field.default
        span = argument.span if argument is not None else node.span
        parameters.append(parameter(ctx, record, field, value, span))
    types = [wire.type for wire in parameters]
    try:
        batch = random_ops.batch_shape(record, types)
        event = tuple(record.event(random_ops.event_shapes(record, types)))
    except TypeError as problem:
        raise error("size" if "size" in str(problem) or "shape" in str(problem) else "type", str(problem), node.span) from None
    return Dist(record, tuple(parameters), batch, event, span=node.span)


def fitting(records: tuple, count: int, named: dict, span: Span) -> Any:
    """The parametrization that the arguments are of; positional ones are of the first."""
    first = records[0]
    leading = [field.name for field in first.fields[:count]]
    for record in records:
        if [field.name for field in record.fields[:count]] != leading:
            continue
        names = [field.name for field in record.fields]
        given = {*names[:count], *named}
        if count <= len(names) and set(named) <= set(names[count:]) and all(
                field.name in given or field.default is not None for field in record.fields):
            return record
    names = [field.name for field in first.fields]
    ways = " or ".join(f"`{first.name}({', '.join(field.name for field in record.fields)})`" for record in records)
    every = {field.name for record in records for field in record.fields}
    unknown = [name for name in named if name not in every]
    if unknown:
        raise error("argument", f"`{first.name}` has no parameter `{unknown[0]}`", named[unknown[0]].span,
                    help=near(unknown[0], every) or f"it is {ways}")
    twice = [name for name in named if name in names[:count]]
    if twice:
        raise error("argument", f"`{first.name}` is given `{twice[0]}` twice", span, help=f"it is {ways}")
    if count > len(names):
        raise error("argument", f"`{first.name}` is given {count} parameters", span, help=f"it is {ways}")
    missing = [field.name for field in first.fields if field.name not in {*names[:count], *named} and field.default is None]
    raise error("argument", f"`{first.name}` lacks {listed(missing)}" if missing and len(records) == 1 else
                f"these are not the parameters of `{first.name}`", span, help=f"it is {ways}")


def parameter(ctx: Context, record: Any, field: Any, value: Any, span: Span) -> Wire:
    if field.kind == "real" and isinstance(value, (int, bool)) and not isinstance(value, Wire):
        value = float(value)
    if field.kind == "int" and isinstance(value, float):
        raise error("kind", f"`{field.name}` of `{record.name}` is an int, and this is {describe(value)}", span)
    if isinstance(value, float) and not field.rank and not allowed(field.domain, value):
        raise error("support", f"`{field.name}` of `{record.name}` is {DOMAINS[field.domain][1]}, and this is {value}", span)
    wire = ctx.wire(value, span, f"`{field.name}` of `{record.name}`")
    if not isinstance(wire.type, Array) or wire.type.kind == "complex" or field.kind == "int" and wire.type.kind == "real":
        raise error("kind", f"`{field.name}` of `{record.name}` is {'an int' if field.kind == 'int' else 'a real'}, and this is "
                    f"{describe(wire)}", span)
    return wire


DOMAINS: dict[str, tuple[Callable[[float], bool], str]] = {
    "positive": (lambda v: v > 0, "positive"), "unit": (lambda v: 0 <= v <= 1, "between 0 and 1"),
    "natural": (lambda v: v >= 0, "not negative"), "nonnegative": (lambda v: v >= 0, "not negative")}


def allowed(domain: str, value: float) -> bool:
    return domain not in DOMAINS or DOMAINS[domain][0](value)


# ---------------------------------------------------------------- shapes and kinds


def batch_of(ctx: Context, site: Any, source: Dist) -> tuple[Size, ...]:
    """Over which sizes a choice is independent: those of its parameters, or of the type that stands at it."""
    type = site.type
    if type is None:
        return source.batch
    kind = source.record.kind
    if kind == "real" and type.kind in ("int", "bool") or kind == "int" and type.kind == "real":
        raise error("kind", f"`{site.name}` is declared `{type}`, and `{source.name}` draws "
                    f"{'reals' if kind == 'real' else 'ints'}", site.span)
    split = type.rank - len(source.event)
    batch, event = type.shape[:max(split, 0)], type.shape[max(split, 0):]
    if split < 0 or same_shape(event, source.event) is not True:
        raise error("size", f"`{site.name}` is declared `{type.plain()}`, and `{source.name}` draws arrays of shape "
                    f"[{', '.join(map(str, source.event))}]", site.span)
    if source.batch and same_shape(batch, source.batch) is not True:
        raise error("size", f"`{site.name}` is declared `{type.plain()}`, and the parameters of `{source.name}` have shape "
                    f"[{', '.join(map(str, source.batch))}]", site.span)
    return batch


def address_of(ctx: Context, site: Any, unique: bool) -> tuple[str, tuple]:
    path = (*ctx.path, (site.name, *site.also))
    if unique:
        path, text = ctx.work.address(path, ctx.mark)
        return text, path
    return dotted(path), path


# ---------------------------------------------------------------- draws and densities


def draw_of(ctx: Context, site: Any, source: Dist) -> Any:
    batch = batch_of(ctx, site, source)
    address, path = address_of(ctx, site, unique=True)
    attributes = {"distribution": source.record, "address": address, "onto": source.onto, "path": path}

    given = computed(ctx, site, batch)

    def one(parameters: list[Wire], value: None) -> Wire:
        split = len(parameters) - len(given)
        (wire,) = ctx.writer.emit(op.draw, parameters[:split], attributes, span=site.span, base=site.name, rule=site.rule,
                                  types=joint_type(source))
        for option in parameters[split:]:
            (wire,) = ctx.writer.emit(op.baseline, (wire, option), {"site": address}, span=site.span, base=site.name)
        return wire
    return over(ctx, site, source, batch, None, one, path, given)


def computed(ctx: Context, site: Any, batch: tuple[Size, ...]) -> list[Wire]:
    """What the run computes for the rule of a choice: held fixed, one number or one for each element."""
    found = []
    for key in getattr(site.rule, "computed", ()):
        value = getattr(site.rule, key)
        if isinstance(value, Computed):
            wire = cast(ctx, value.value, REAL)
            if wire.type.shape and same_shape(wire.type.shape, batch) is not True:
                raise error("size", f"`{key}` is a `{wire.type.plain()}`, and `{site.name}` has the shape "
                            f"[{', '.join(map(str, batch))}]", site.span, help="one number, or one for each element")
            found.append(wire)
    return found


def density_of(ctx: Context, site: Any, source: Dist, value: Any) -> tuple[Any, Wire]:
    """The value (as a wire), and its log density: one number."""
    batch = batch_of(ctx, site, source)
    wire = given_wire(ctx, site, source, value, (*batch, *source.event))
    return wire, score(ctx, site, source, batch, wire)


def score(ctx: Context, site: Any, source: Dist, batch: tuple[Size, ...], wire: Wire) -> Wire:
    address, path = address_of(ctx, site, unique=False)
    attributes = {"distribution": source.record, "address": address, "onto": source.onto, "path": path}

    def one(parameters: list[Wire], value: Wire) -> Wire:
        return ctx.writer.emit(op.density, (value, *parameters), attributes, span=site.span, base=f"logp_{site.name}")[0]
    return over(ctx, site, source, batch, wire, one, path)


def given_wire(ctx: Context, site: Any, source: Dist, value: Any, shape: tuple[Size, ...]) -> Wire:
    if source.record.kind == "real" and isinstance(value, (int, bool)) and not isinstance(value, Wire):
        value = float(value)
    if isinstance(value, float) and source.record.kind == "int":
        raise error("kind", f"`{site.name}` is a choice of ints, by `{source.name}`, and the trace gives {describe(value)}",
                    site.span, help="give an int: `2`, not `2.0`" if value == int(value) else "")
    wire = ctx.wire(value, site.span, f"`{site.name}` in the trace")
    notes = ((wire.span, "given here"),) if wire.span is not None and wire.span != site.span else ()
    if not isinstance(wire.type, Array):
        raise error("kind", f"`{site.name}` is a number, and the trace gives {describe(wire)}", site.span, notes=notes)
    if source.record.kind == "int" and wire.type.kind == "real":
        raise error("kind", f"`{site.name}` is a choice of ints, by `{source.name}`, and the trace gives {describe(wire)}",
                    site.span, notes=notes, help="declare the data `int`")
    if same_shape(wire.type.shape, shape) is not True:
        expected = Array(source.record.kind, shape)
        raise error("size", f"`{site.name}` is a `{expected}`, and the trace gives {describe(wire)}", site.span, notes=notes)
    return refined(ctx, site, source, wire)


def refined(ctx: Context, site: Any, source: Dist, wire: Wire) -> Wire:
    """Data of a finite choice: outside of its support the density is 0, so its range may be relied on."""
    if wire.type.kind != "int" or wire.type.constraint is not None or source.record.finite is None:
        return wire
    types = [parameter.type for parameter in source.parameters]
    (drawn,) = op.draw.infer(types, {"distribution": source.record, "onto": None})
    if drawn.constraint is None:
        return wire
    type = Array("int", wire.type.shape, drawn.constraint)
    return ctx.writer.emit(op.identity, (wire,), span=wire.span, base=ctx.writer.title(wire) or site.name, types=(type,))[0]


def over(ctx: Context, site: Any, source: Dist, batch: tuple[Size, ...], value: Wire | None, one: Callable, path: tuple,
         given: Sequence[Wire] = ()) -> Wire:
    """`one` for each element of the batch, in plates: values are stacked, log densities are added."""
    parameters = [*source.parameters, *given]
    ranks = [*(field.rank for field in source.record.fields), *(0 for _ in given)]

    def level(parameters: list[Wire], value: Wire | None, left: tuple[Size, ...]) -> Wire:
        if not left:
            return one(parameters, value)
        size, writer = left[0], ctx.writer
        index = writer.wire("i", Array("int", (), Constraint("range", (0, size))), site.span)
        with writer.region((index,)) as block:
            writer.affine[index.name] = (index, 0)

            def at(wire: Wire, rank: int) -> Wire:
                if wire.type.rank == rank:
                    return wire
                return writer.emit(op.index, (wire, index), {"pattern": ("i",)}, span=site.span,
                                   base=writer.title(wire) or "")[0]
            inner = [at(wire, rank) for wire, rank in zip(parameters, ranks)]
            element = None if value is None else at(value, -1)
            result = level(inner, element, left[1:])
        graph = writer.close(block, (result,))
        type = Array(result.type.kind, (size, *result.type.shape), result.type.constraint)
        name = ctx.work.loop(path[:-1], path[-1][0])
        (stacked,) = writer.emit(op.plate, graph.inputs[1:], {"index": "i", "name": name, "start": 0, "size": size,
                                                              "share": None}, span=site.span, regions=(graph,), types=(type,),
                                 base=site.name if value is None else f"logp_{site.name}")
        if value is None:
            return stacked
        return writer.emit(op.reduce, (stacked,), {"function": "sum"}, span=site.span, types=(REAL,), base=f"logp_{site.name}")[0]
    return level(parameters, value, batch)


def joint_type(source: Dist) -> tuple[Array] | None:
    """The type of a joint draw: the constrained values of all names, one after the other."""
    if source.onto is None or source.onto.name != "blocks":
        return None
    length: Size = 0
    for _, type in source.fields:
        length = length + flat_size(type.shape)
    return (Array("real", (length,)),)


def flat_size(shape: tuple[Size, ...]) -> Size:
    count: Size = 1
    for size in shape:
        count = count * size
    return count


def split_joint(ctx: Context, source: Dist, value: Wire, span: Span) -> Record:
    """The entries of a joint draw."""
    fields, at = {}, 0
    for name, type in source.fields:
        size = flat_size(type.shape)
        pattern = (at,) if not type.shape and known(at) else (("slice", at, at + size),)
        (part,) = ctx.writer.emit(op.index, (value,), {"pattern": pattern}, span=span, base=name,
                                  types=(Array("real", () if not type.shape else (size,), type.constraint),))
        if len(type.shape) > 1:
            (part,) = ctx.writer.emit(op.reshape, (part,), {"shape": type.shape}, span=span, base=name, types=(type,))
        fields[name] = part
        at = at + size
    return Record(fields)


def join_joint(ctx: Context, source: Dist, values: dict[str, Any], span: Span) -> Wire:
    """The entries of a joint choice, flattened one after the other."""
    parts = []
    for name, type in source.fields:
        value = values[name]
        wire = ctx.wire(float(value) if is_static(value) else value, span, f"`{name}`")
        if same_shape(wire.type.shape, type.shape) is not True:
            raise error("size", f"`{name}` is a `{type}`, and the trace gives {describe(wire)}", span)
        what: Op = op.stack if not type.shape else op.ravel
        parts.append(wire if len(type.shape) == 1 else ctx.writer.emit(what, (wire,), span=span)[0])
    return ctx.writer.emit(op.concat, parts, span=span, types=joint_type(source))[0] if len(parts) > 1 else parts[0]
