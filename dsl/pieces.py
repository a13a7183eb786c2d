"""The pieces of an array that is filled by index, and the one array that they make."""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.source import Span
from pullback.compiler.type import Size, known, same
from pullback.dsl.context import Context, error
from pullback.dsl.values import Filled, Piece, Record, Tuple, describe, is_size, leaves, rebuild


def negative(size: Size) -> bool:
    """Is a size below 0 for certain?"""
    try:
        return bool(size < 0)
    except Exception:  # JAX raises where a comparison is inconclusive
        return False


def holding(pieces: tuple[Piece, ...], place: Any) -> Piece | None:
    """The piece that certainly holds an element."""
    if not is_size(place):
        return None
    for piece in pieces:
        if same(piece.low, place) if piece.single else not (negative(place - piece.low) or known(place) and known(piece.low)
                                                             and place < piece.low) and negative(place - piece.high) and (
                                                                 known(piece.low) or same(piece.low, place)):
            return piece
    return None


def once(name: str, span: Span | None, first: Span | None = None) -> Exception:
    return error("name", f"`{name}` is filled twice", span, label="again here",
                 notes=((first, "first here"),) if first is not None else (), help="an array is filled once")


def added(filled: Filled, piece: Piece, span: Span | None, block: Any) -> Filled:
    """The array with one more piece; `block` is where all pieces can be read."""
    for other in filled.pieces:
        if negative(other.low - piece.high) and negative(piece.low - other.high):
            raise once(filled.name, span, other.span)
    return Filled(filled.name, (*filled.pieces, piece), block)


def whole(ctx: Context, filled: Filled, span: Span) -> Any:
    """The pieces as one array; its boxes stand where the array lives, outside of any loop that only reads it."""
    known_wholes = ctx.writer.wholes
    key = tuple((str(piece.low), str(piece.high), piece.single, *([wire.name for wire in leaves(piece.value)] or [id(piece)]))
                for piece in filled.pieces)
    if key not in known_wholes:
        with ctx.writer.inside(filled.block):
            known_wholes[key] = (joined(ctx, filled, span), filled)
    return known_wholes[key][0]


def joined(ctx: Context, filled: Filled, span: Span) -> Any:
    pieces, rest = [], list(filled.pieces)
    at: Size = 0
    while rest:
        piece = next((piece for piece in rest if same(piece.low, at)), None)
        if piece is None:
            raise error("index", f"`{filled.name}[{at}]` is never filled", span, notes=tuple(
                (piece.span, f"here `{filled.name}[{piece.low}]` on are") for piece in filled.pieces[:1]))
        rest.remove(piece)
        pieces.append(piece)
        at = piece.high
    pieces = [piece for piece in pieces if not (known(piece.high - piece.low) and piece.high == piece.low)] or pieces[:1]
    groups: list[list[Piece]] = []
    for piece in pieces:
        if groups and piece.single and groups[-1][-1].single:
            groups[-1].append(piece)
        else:
            groups.append([piece])
    arrays = [stacked(ctx, filled.name, group, span) if group[0].single else group[0].value for group in groups]
    return side_by_side(ctx, filled.name, arrays, span) if len(arrays) > 1 else arrays[0]


def stacked(ctx: Context, name: str, pieces: list[Piece], span: Span) -> Any:
    values = [whole(ctx, p.value, span) if isinstance(p.value, Filled) else p.value for p in pieces]
    return leafwise(ctx, op.stack, name, values, span)


def side_by_side(ctx: Context, name: str, arrays: list[Any], span: Span) -> Any:
    return leafwise(ctx, op.concat, name, arrays, span)


def leafwise(ctx: Context, what: Any, name: str, values: list[Any], span: Span) -> Any:
    """Stack or join values of one structure, leaf by leaf."""
    if not isinstance(values[0], (Record, Tuple)):
        wires = [ctx.wire(value, span, f"an element of `{name}`") for value in values]
        return ctx.writer.emit(what, wires, span=span, base=name)[0]
    rows = [leaves(value) for value in values]
    if len({len(row) for row in rows}) != 1:
        raise error("type", f"the elements of `{name}` are of two kinds: {describe(values[0])} and {describe(values[1])}", span)
    wires = [ctx.writer.emit(what, column, span=span, base=ctx.writer.title(column[0]) or name)[0] for column in zip(*rows)]
    return rebuild(values[0], iter(wires))
