"""Numbers: literals, `+ - * / // % @ ^`, comparisons, `and or not`.

What is known before the run is computed now: ints exactly, reals in double precision, sizes as polynomials (`n + 1`).
All else becomes boxes.
"""
from __future__ import annotations

import math
import operator
from typing import Any, Callable, Mapping

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.source import Span
from pullback.compiler.ops.text import WORDS
from pullback.compiler.type import Array, is_text, known, same_shape
from pullback.dsl import diagrams
from pullback.dsl import syntax as s
from pullback.dsl.context import Context, error, evaluates
from pullback.dsl.matching import listed, spelling
from pullback.dsl.values import Constant, describe, is_size, is_static

OPS = {"+": op.add, "-": op.sub, "*": op.mul, "/": op.div, "//": op.floordiv, "%": op.mod, "@": op.matmul, "^": op.pow,
       "<": op.lt, "<=": op.le, ">": op.gt, ">=": op.ge, "==": op.eq, "!=": op.ne}
PYTHON: Mapping[str, Callable] = {
    "+": operator.add, "-": operator.sub, "*": operator.mul, "/": operator.truediv, "//": operator.floordiv,
    "%": operator.mod, "^": operator.pow, "<": operator.lt, "<=": operator.le, ">": operator.gt, ">=": operator.ge,
    "==": operator.eq, "!=": operator.ne}
LARGEST = 2**53


@evaluates(s.Number, s.Boolean)
def literal(ctx: Context, node: s.Number | s.Boolean) -> Any:
    return node.value


@evaluates(s.Negative)
def negative(ctx: Context, node: s.Negative) -> Any:
    found = ctx.value(node.value)
    if is_static(found):
        return -found
    if diagrams.concerns(found):
        return diagrams.combined(ctx, "*", -1, found, node.value.span, node.span)
    if isinstance(found, Constant):
        return Constant(negated(found.value))
    (wire,) = ctx.writer.emit(op.neg, (ctx.wire(found, node.value.span, "what stands after `-`"),), span=node.span)
    return wire


def negated(items: Any) -> Any:
    return tuple(map(negated, items)) if isinstance(items, tuple) else -items


@evaluates(s.Chain)
def chain(ctx: Context, node: s.Chain) -> Any:
    operators = set(node.operators)
    if operators <= {"and", "or"}:
        return logic(ctx, node, node.operators[0], node.operands)
    if ">>" in operators:
        return diagrams.composed(ctx, node)
    if operators == {"^"}:
        found = ctx.value(node.operands[-1])
        for at in range(len(node.operands) - 2, -1, -1):
            span = node.operands[at].span.to(node.span)
            found = binary(ctx, "^", ctx.value(node.operands[at]), found, node.operands[at].span, span)
        return found
    values = [ctx.value(operand) for operand in node.operands]
    if operators == {"+"} and len(values) > 2 and not any(map(diagrams.concerns, values)):
        return total(ctx, [(value, operand.span) for value, operand in zip(values, node.operands)], node.span)
    found = values[0]
    for sign, value, operand in zip(node.operators, values[1:], node.operands[1:]):
        found = binary(ctx, sign, found, value, operand.span, node.operands[0].span.to(operand.span))
    return found


def total(ctx: Context, terms: list[tuple[Any, Span]], span: Span) -> Any:
    """A sum of many terms is one box."""
    if all(is_static(value) for value, _ in terms):
        return sum(value for value, _ in terms)
    wires = [ctx.wire(value, at, "a term of a sum") for value, at in terms]
    agree(ctx, "+", wires, span)
    (wire,) = ctx.writer.emit(op.add, wires, span=span)
    return wire


def binary(ctx: Context, sign: str, a: Any, b: Any, b_span: Span, span: Span) -> Any:
    """a ⊕ b."""
    if diagrams.concerns(a) or diagrams.concerns(b):
        return diagrams.combined(ctx, sign, a, b, b_span, span)
    if is_static(a) and is_static(b) and sign in PYTHON:
        found = folded(sign, a, b, span)
        if found is not None:
            return found
    left, right = ctx.wire(a, span, f"what stands before `{sign}`"), ctx.wire(b, b_span, f"what stands after `{sign}`")
    if sign != "@":
        agree(ctx, sign, [left, right], span)
    if sign in ("==", "!=") and any(is_text(wire.type) or getattr(wire.type, "words", ()) for wire in (left, right)):
        return compared_texts(ctx, sign, left, right, span)
    (wire,) = ctx.writer.emit(OPS[sign], (left, right), span=span)
    shifted(ctx, sign, left, right, wire)
    return wire


def shifted(ctx: Context, sign: str, a: Wire, b: Wire, made: Wire) -> None:
    """Remember that i + c and i − c are a loop's index and a number."""
    affine, values = ctx.writer.affine, ctx.writer.values
    if sign in "+-" and a.name in affine and is_size(values.get(b.name)):
        index, offset = affine[a.name]
        affine[made.name] = (index, PYTHON[sign](offset, values[b.name]))
    elif sign == "+" and b.name in affine and is_size(values.get(a.name)):
        index, offset = affine[b.name]
        affine[made.name] = (index, offset + values[a.name])


def folded(sign: str, a: Any, b: Any, span: Span) -> Any:
    """The value of a ⊕ b where both are known; None if that needs a size's value."""
    if sign in ("/", "//", "%") and known(b) and b == 0 or sign in ("//", "%") and b == 0.0:
        raise error("type", "division by zero", span)
    if sign == "/":
        return a / b if known_number(a) and known_number(b) else None
    if sign == "^" and not (known_number(a) and known_number(b)):
        return a ** b if is_size(a) and known(b) and 0 <= b <= 8 else None
    if not (known_number(a) and known_number(b)) and sign in ("<", "<=", ">", ">=", "==", "!="):
        return compared(sign, a, b)
    if isinstance(a, float) and is_size(b) and not known(b) or isinstance(b, float) and is_size(a) and not known(a):
        return None
    if sign == "^" and isinstance(a, int) and isinstance(b, int) and b < 0:
        raise error("type", "a power of ints has an exponent that can't be negative: write a real, `2.0^-1`", span)
    if sign == "^" and abs(b) > 1024:
        return None
    try:
        found = PYTHON[sign](a, b)
    except OverflowError:
        raise error("type", "this number is too large", span) from None
    if isinstance(found, complex):
        return float("nan")
    if isinstance(found, int) and not isinstance(found, bool) and abs(found) > LARGEST:
        raise error("type", "this int is too large", span, help="write a real, with a point")
    return found


def compared(sign: str, a: Any, b: Any) -> bool | None:
    """Compare sizes where that does not depend on them."""
    try:
        return bool(PYTHON[sign](a, b))
    except Exception:  # JAX raises where a comparison is inconclusive
        return None


def known_number(value: Any) -> bool:
    return isinstance(value, (bool, int, float))


def agree(ctx: Context, sign: str, wires: list[Wire], span: Span) -> None:
    """Arrays meet only in equal shapes; the error shows where both come from."""
    if sign in PYTHON and sign not in ("==", "!="):
        no_texts(sign, wires, span)
    first: Wire | None = None
    for wire in wires:
        if not isinstance(wire.type, Array) or not wire.type.shape:
            continue
        if first is None:
            first = wire
        elif same_shape(first.type.shape, wire.type.shape) is not True:
            unsure = same_shape(first.type.shape, wire.type.shape) is None
            names = [(ctx.writer.title(w), w) for w in (first, wire)]
            notes = tuple((w.span, f"`{title}` is a `{w.type.plain()}`") for title, w in names if title and w.span)
            raise error("size", f"`{first.type.plain()}` meets `{wire.type.plain()}` in `{sign}`: " + (
                "nothing says that the sizes are equal" if unsure else "arrays meet only in equal shapes"), span, notes=notes)


def no_texts(sign: str, wires: list[Wire], span: Span) -> None:
    for wire in wires:
        if is_text(wire.type):
            raise error("type", f"`{sign}` takes numbers, and this is {describe(wire)}", span,
                        help='a template joins texts: `"{a} {b}"`' if sign == "+" else "")
        if isinstance(wire.type, Array) and wire.type == WORDS:
            raise error("type", f"`{sign}` takes numbers, and this is a judgment in words", span,
                        help="a judgment with a score is a number: `s: interval(0, 10) = judge(…)`")


def compared_texts(ctx: Context, sign: str, a: Wire, b: Wire, span: Span) -> Wire:
    """`a == b` of texts; an int of a `one_of` is compared with a text that is known by what it stands for."""
    if a.type.words and a.type.words == b.type.words:
        return ctx.writer.emit(OPS[sign], (a, b), span=span)[0]
    for wire, other in ((a, b), (b, a)):
        known = ctx.writer.values.get(other.name)
        if wire.type.words and isinstance(known, str):
            if known not in wire.type.words:
                raise error("type", f"this is one of {listed(wire.type.words)}, and never `{known}`", span, help=near(known, wire.type.words))
            place = ctx.writer.constant(wire.type.words.index(known), span)
            return ctx.writer.emit(OPS[sign], (wire, place), span=span)[0]
    texts = [spelling(ctx, wire, span) if wire.type.words else wire for wire in (a, b)]
    for wire in texts:
        if not is_text(wire.type) or wire.type.shape:
            raise error("type", f"a text is compared with a text, and this is {describe(wire)}", span)
    (same,) = ctx.writer.emit(op.same, texts, span=span)
    return same if sign == "==" else ctx.writer.emit(op.not_, (same,), span=span)[0]


def logic(ctx: Context, node: Any, word: str, operands: Any) -> Any:
    """`and`, `or`: what is known decides now where it can."""
    wires, decides = [], word == "or"
    for operand in operands:
        found = ctx.value(operand)
        if isinstance(found, (bool, int)) and not isinstance(found, Wire):
            if bool(found) == decides:
                return decides
            continue
        wires.append(ctx.wire(found, operand.span, f"what stands beside `{word}`"))
    if not wires:
        return not decides
    if len(wires) == 1:
        return wires[0]
    (wire,) = ctx.writer.emit(op.and_ if word == "and" else op.or_, wires, span=node.span)
    return wire


@evaluates(s.Not)
def not_(ctx: Context, node: s.Not) -> Any:
    found = ctx.value(node.value)
    if isinstance(found, (bool, int)):
        return not found
    (wire,) = ctx.writer.emit(op.not_, (ctx.wire(found, node.value.span, "what stands after `not`"),), span=node.span)
    return wire


@evaluates(s.Compare)
def compare(ctx: Context, node: s.Compare) -> Any:
    """`a < b <= c` is `a < b and b <= c`."""
    values = [ctx.value(operand) for operand in node.operands]
    found = []
    for at, sign in enumerate(node.operators):
        span = node.operands[at].span.to(node.operands[at + 1].span)
        if isinstance(values[at], str) and isinstance(values[at + 1], str) and sign in ("==", "!="):
            found.append(PYTHON[sign](values[at], values[at + 1]))
            continue
        found.append(binary(ctx, sign, values[at], values[at + 1], node.operands[at + 1].span, span))
    if all(isinstance(one, bool) for one in found):
        return all(found)
    if False in [one for one in found if isinstance(one, bool)]:
        return False
    wires = [one for one in found if isinstance(one, Wire)]
    if len(wires) == 1:
        return wires[0]
    (wire,) = ctx.writer.emit(op.and_, wires, span=node.span)
    return wire


REAL_FUNCTIONS: Mapping[str, Callable[[float], float]] = {
    "exp": math.exp, "log": math.log, "sqrt": math.sqrt, "sin": math.sin, "cos": math.cos, "tan": math.tan,
    "tanh": math.tanh, "log1p": math.log1p, "expm1": math.expm1, "log2": math.log2, "log10": math.log10,
    "abs": abs, "gammaln": math.lgamma}


def applied(name: str, value: Any) -> Any:
    """f(x) for a number x that is known, or None: `log(k)` is a constant."""
    if name not in REAL_FUNCTIONS or not known_number(value):
        return None
    try:
        return REAL_FUNCTIONS[name](value)
    except (ValueError, OverflowError):
        return None
