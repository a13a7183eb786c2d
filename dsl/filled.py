"""Arrays that are filled by index, and what `x[…]` reads.

An array is filled once, piece by piece: `z[0] = …`, `y[..k] = start`, and in a loop `z[t] = …`, whose pieces are stacked
when the loop ends.  It becomes one wire when it is read as a whole.  Inside the loop that fills it,

    z[t]       is the present element, once it is there
    z[t - k]   is what the loop carries from k iterations ago, so the loop is a scan
    z[0]       is a piece that stood before the loop

In a log density, where the trace gives z, all of these read the given array, and the loop is linked to nothing.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.ir import Wire
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Size, known, same
from pullback.dsl import syntax as s
from pullback.dsl.context import Again, Binding, Context, Frame, error, evaluates
from pullback.dsl.pieces import added, holding, negative, once, whole
from pullback.dsl.refused import pending
from pullback.dsl.values import (WRONG, Constant, Filled, Sentence, Piece, Poisoned, Record, Tuple, describe, is_size)

# ---------------------------------------------------------------- names and indices


def named(ctx: Context, node: s.Name) -> Any:
    """What a bare name is worth."""
    found = ctx.look(node.name, node.span)
    loops = covering(ctx, node.name)
    if loops:
        given = whole_given(ctx, node.name)
        if given is not None:
            return given
        raise error("index", f"`{node.name}` is not whole yet: the loop over `{loops[0].name}` fills it", node.span,
                    help=f"read one element, `{node.name}[{loops[0].name}]`, or the array after the loop")
    return found


def covering(ctx: Context, name: str) -> list[Frame]:
    """The loops around that fill the array `name`, outermost first."""
    return [frame for frame in ctx.frames if name in frame.fills]


def row(name: str, places: list[Any]) -> str:
    """The name of a row that a loop fills by itself: `b[0]` of `b[0, j] = …`."""
    return f"{name}[{','.join(map(str, places))}]"


def array_of(name: str) -> str:
    """The array that a name, or the name of a row, is of."""
    return name.partition("[")[0]


def part(ctx: Context, name: str, places: list[Any]) -> tuple[str, list[Any], list[Any]]:
    """Which array or row the loops around fill at these places: its name, the places before the loops' own, the rest."""
    for count in range(1, len(places)):
        if not all(known(place) and is_size(place) for place in places[:count]):
            break
        if covering(ctx, row(name, places[:count])):
            return row(name, places[:count]), places[:count], places[count:]
    return name, [], places


@evaluates(s.Index)
def index(ctx: Context, node: s.Index) -> Any:
    if not isinstance(node.value, s.Name):
        return indexed(ctx, ctx.value(node.value), entries(ctx, node.indices), node.span)
    places = entries(ctx, node.indices)
    name, prefix, rest = part(ctx, node.value.name, places)
    if covering(ctx, name):
        return in_progress(ctx, node, name, places, rest)
    return indexed(ctx, ctx.value(node.value), places, node.span)


def entries(ctx: Context, nodes: tuple) -> list[Any]:
    """The indices: numbers, wires, and slices as `("slice", low, high)`."""
    return [entry(ctx, node) for node in nodes]


def entry(ctx: Context, node: Any) -> Any:
    if isinstance(node, s.Range):
        return ("slice", end(ctx, node.start), end(ctx, node.stop))
    found = ctx.value(node)
    if is_size(found):
        return found
    wire = ctx.wire(found, node.span, "an index")
    if not isinstance(wire.type, Array) or wire.type.kind not in ("int", "bool"):
        raise error("kind", f"an index is an int, and this is {describe(found)}", node.span)
    return wire


def end(ctx: Context, node: Any) -> Size | None:
    if node is None:
        return None
    found = ctx.value(node)
    if isinstance(found, Wire) and ctx.writer.values.get(found.name) is None:
        raise pending("slice", node.span)
    return ctx.size(node, "an end of a slice")


def indexed(ctx: Context, base: Any, places: list[Any], span: Span) -> Any:
    """`base[…]` of any value: of a stacked trace, each of its arrays."""
    if not places:
        return base
    match base:
        case Record(fields):
            fields = {name: indexed(ctx, item, places, span) for name, item in fields.items()}
            return Record(fields, base.model, None if base.value is None else indexed(ctx, base.value, places, span),
                          None if base.hidden is None else indexed(ctx, base.hidden, places, span), base.origin)
        case Tuple(items) if known(places[0]):
            if not 0 <= places[0] < len(items):
                raise error("index", f"a tuple of {len(items)} has no item {places[0]}", span)
            return indexed(ctx, items[places[0]], places[1:], span)
        case Tuple(items) if isinstance(places[0], Wire) and len(places) == 1 and all(isinstance(item, str) for item in items):
            return Sentence(items, places[0])
        case Constant(items) if known(places[0]) and isinstance(items, tuple):
            if not 0 <= places[0] < len(items):
                raise error("index", f"index {places[0]} is outside of 0..{len(items)}", span)
            item = items[places[0]]
            return indexed(ctx, Constant(item) if isinstance(item, tuple) else item, places[1:], span)
        case Filled(_, pieces):
            piece = holding(pieces, places[0])
            if piece is not None and piece.single:
                return indexed(ctx, piece.value, places[1:], span)
            if piece is not None:
                return indexed(ctx, piece.value, [places[0] - piece.low, *places[1:]], span)
            return indexed(ctx, whole(ctx, base, span), places, span)
    wire = ctx.wire(base, span, "what an index reads")
    return element(ctx, wire, places, span)


def element(ctx: Context, wire: Wire, places: list[Any], span: Span) -> Wire:
    if not isinstance(wire.type, Array):
        raise error("kind", f"an array has elements, and this is {describe(wire)}", span)
    dynamic, pattern = [], []
    for at, place in enumerate(places):
        if isinstance(place, Wire):
            value = ctx.writer.values.get(place.name)
            if known(value) and value is not None:
                place = value
        if isinstance(place, Wire):
            if at < wire.type.rank and not ctx.guarded:
                within(ctx, wire, place, wire.type.shape[at], span)
            dynamic.append(place)
            pattern.append("i")
        elif isinstance(place, tuple):
            pattern.append("all" if place[1:] == (None, None) else place)
        elif known(place):
            pattern.append(place)
        else:  # a symbolic size as an index
            dynamic.append(ctx.writer.constant(place, span))
            pattern.append("i")
    if all(part == "all" for part in pattern) and len(pattern) <= wire.type.rank:
        return wire
    (found,) = ctx.writer.emit(op.index, (wire, *dynamic), {"pattern": tuple(pattern)}, span=span)
    places = iter(dynamic)
    words = [ctx.writer.title(next(places)) if part == "i" else str(part) for part in pattern if part == "i" or known(part)]
    ctx.writer.suggest(found, "_".join([ctx.writer.title(wire) or "element", *(word for word in words if word)]))
    return found


def within(ctx: Context, array: Wire, place: Wire, size: Size, span: Span) -> None:
    """A loop's index plus a number takes every value of its range: all must be inside."""
    if place.name not in ctx.writer.affine or place.type.bounds is None:
        return
    index, offset = ctx.writer.affine[place.name]
    low, high = place.type.bounds
    title = ctx.writer.title(array) or "the array"
    if negative(low):
        raise error("index", f"`{span.text}` at {ctx.writer.title(index)} = {low - offset} reads `{title}[{low}]`", span,
                    label="there is nothing before the first element",
                    help="start the loop later, or say what holds at the first step")
    if negative(size - high):
        raise error("index", f"`{span.text}` at {ctx.writer.title(index)} = {high - 1 - offset} reads `{title}[{high - 1}]`",
                    span, label=f"`{title}` has {size} elements, the last is [{size - 1}]")


# ---------------------------------------------------------------- an array while a loop fills it


def in_progress(ctx: Context, node: s.Index, name: str, all_places: list[Any], places: list[Any]) -> Any:
    given = whole_given(ctx, name)
    if given is not None:
        return indexed(ctx, given, all_places, node.span)
    loops = covering(ctx, name)
    for frame in loops:
        if not places:
            raise error("index", f"`{node.span.text}` is not whole yet: a loop inside fills it", node.span)
        place, *places = places
        lag = steps_back(ctx, frame, name, place)
        if lag is None and frame is loops[0] and is_size(place):
            piece = holding(before(frame, name), place)
            if piece is not None:
                return indexed(ctx, piece.value, places if piece.single else [place - piece.low, *places], node.span)
        if lag is None:
            raise pending("history", node.span)
        if lag < 0:
            raise error("index", f"`{node.span.text}` is filled only in a later step of the loop over `{frame.name}`", node.span)
        if lag > 0:
            return indexed(ctx, carried(ctx, frame, name, lag, node.span), places, node.span)
    binding = ctx.scope.find(name)
    if binding is None or binding.covers != len(loops):
        raise error("index", f"`{node.span.text}` is read before it is filled", node.span)
    if binding.value is WRONG:
        raise Poisoned
    return indexed(ctx, binding.value, places, node.span)


def steps_back(ctx: Context, frame: Frame, name: str, place: Any) -> Size | None:
    """How many iterations ago the loop filled this place; None if that is no fixed number."""
    if isinstance(place, Wire) and place.name in ctx.writer.affine:
        index, offset = ctx.writer.affine[place.name]
        if index == frame.index:
            lag = frame.fills[name] - offset
            return lag if known(lag) else None
    return None


def carried(ctx: Context, frame: Frame, name: str, lag: int, span: Span) -> Any:
    lags = frame.lags.get(name, {})
    if lag not in lags:
        if lag > frame.wanted.get(name, (0, None, False))[0]:
            frame.wanted[name] = (lag, span, ctx.guarded)
        raise Again(frame)
    if not ctx.guarded and frame.wanted[name][2]:
        frame.wanted[name] = (frame.wanted[name][0], span, False)
    if lags[lag] is WRONG:
        raise Poisoned
    return lags[lag]


def before(frame: Frame, name: str) -> tuple[Piece, ...]:
    """The pieces of an array that stood before the loop (in the present iteration of the loops around it)."""
    binding = frame.outside.find(name)
    around = sum(name in other.fills for other in frame.around)
    if binding is None or binding.covers != around or not isinstance(binding.value, Filled):
        return ()
    return binding.value.pieces


# ---------------------------------------------------------------- filling


def fill(ctx: Context, name: str, places: list[Any], value: Any, span: Span, kind: str) -> None:
    """`name[places] = value`."""
    name, _, places = part(ctx, name, places)
    loops = covering(ctx, name)
    for frame, place in zip(loops, places):
        if steps_back(ctx, frame, name, place) != 0:
            raise pending("transposed", span)
    if len(places) < len(loops):
        raise once(name, span)
    if loops and ctx.frames[-len(loops):] != tuple(loops):
        raise error("index", f"the loop over `{ctx.frames[-1].name}` fills the same element again and again", span,
                    help=f"an array is filled once: put `{ctx.frames[-1].name}` among the indices")
    places = places[len(loops):]
    present = ctx.scope.find(name)
    if present is not None and present.covers != len(loops):
        present = None
    if present is not None and loops and not own(ctx, name):
        present = None
    if not places:
        if present is not None and name in ctx.scope.names:
            raise once(name, span, present.span)
        if isinstance(value, Wire):
            ctx.writer.call_it(value, array_of(name))
        ctx.scope.names[name] = Binding(value, kind, span, len(loops))
        return
    if present is not None and not isinstance(present.value, Filled):
        raise error("name", f"`{name}` is {describe(present.value)} already, and an array is filled once", span,
                    notes=((present.span, "first here"),))
    filled = present.value if present is not None else Filled(name, (), ctx.writer.block)
    if isinstance(value, Wire):
        ctx.writer.call_it(value, name)
    ctx.scope.names[name] = Binding(put(ctx, filled, places, value, span), kind, span, len(loops))


def own(ctx: Context, name: str) -> bool:
    """Was the name bound in this iteration of the innermost loop (or in a block of it)?"""
    scope = ctx.scope
    while scope is not None and scope is not ctx.frames[-1].outside:
        if name in scope.names:
            return True
        scope = scope.parent
    return False


def put(ctx: Context, filled: Filled, places: list[Any], value: Any, span: Span) -> Filled:
    place, *rest = places
    if isinstance(place, tuple):
        return put_slice(ctx, filled, place, rest, value, span)
    if isinstance(place, Wire):
        raise error("static", f"the place that is filled must be a number or the index of the loop: `{span.text}`", span)
    if negative(place):
        raise error("index", f"`{filled.name}[{place}]` is before the first element", span)
    old = next((piece for piece in filled.pieces if piece.single and same(piece.low, place)), None)
    if rest:
        inner = old.value if old is not None else Filled(f"{filled.name}[{place}]", (), filled.block)
        if not isinstance(inner, Filled):
            raise once(filled.name, span, old.span)
        value = put(ctx, inner, rest, value, span)
        pieces = tuple(piece for piece in filled.pieces if piece is not old)
        return Filled(filled.name, (*pieces, Piece(place, place + 1, value, True, span)), ctx.writer.block)
    return added(filled, Piece(place, place + 1, value, True, span), span, ctx.writer.block)


def put_slice(ctx: Context, filled: Filled, place: tuple, rest: list, value: Any, span: Span) -> Filled:
    _, low, high = place
    wire = ctx.wire(value, span, "what fills a slice")
    if rest or not wire.type.shape:
        raise error("type", "a slice is filled by an array", span)
    low = 0 if low is None else low
    high = low + wire.type.shape[0] if high is None else high
    if same(high - low, wire.type.shape[0]) is not True:
        raise error("size", f"`{span.text}` has {high - low} elements, and this is {describe(wire)}", span)
    return added(filled, Piece(low, high, wire, False, span), span, ctx.writer.block)


def whole_given(ctx: Context, name: str) -> Any:
    """The array that the trace gives for a name, at the present place of the loops outside of those that fill it."""
    mode, array = ctx.activation.mode, array_of(name)
    if mode is None or array not in ctx.activation.drawn or not mode.gives(array):
        return None
    loops = covering(ctx, name)
    outer = ctx.frames[:ctx.frames.index(loops[0])] if loops else ctx.frames
    return mode.at(ctx, array, [position(ctx, frame) for frame in outer])


def position(ctx: Context, frame: Frame) -> Wire:
    """Which iteration of a loop this is, from 0."""
    if frame.start == 0 and known(frame.start):
        return frame.index
    start = ctx.writer.constant(frame.start)
    (wire,) = ctx.writer.emit(op.sub, (frame.index, start))
    ctx.writer.affine[wire.name] = (frame.index, -frame.start)
    return wire
