"""Texts: templates, `llm`, `judge`, `choice`, and what a reply's type says.

    "Question: {question}"            a box `format`, its holes the inputs; known texts are put together now
    reply ~ llm(system, user)         a question (`Asked`), answered where it is drawn
    label: one_of("yes", "no") ~ …    a typed reply; by a rule of points it is a categorical over the engine's probabilities
    judge(reply, answer, "say why")   a judgment in words; with a type in front, a score and words
    choice(prompts, logits = l)       a categorical over a list
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import near
from pullback.compiler.engine import ROLES
from pullback.compiler.ir import Wire
from pullback.compiler.ops.text import printed
from pullback.compiler.source import Span
from pullback.compiler.type import REAL, TEXT, Array, is_text
from pullback.dsl import syntax as s
from pullback.dsl.context import Context, error, evaluates
from pullback.dsl.distributions import address_of, draw_of, made
from pullback.dsl.matching import RecordOf, listed, spelling
from pullback.dsl.refused import pending
from pullback.dsl.values import Asked, Constant, Dist, Picked, Record, describe

OPTIONS = ("temperature", "max_tokens", "stop", "engine_role")
SOURCES = ("llm", "judge", "choice")


@evaluates(s.Text)
def text(ctx: Context, node: s.Text) -> Any:
    """A string; with holes, the values that stand in them."""
    pieces: list[str | None] = []
    holes: list[Wire] = []
    for piece in node.pieces:
        value = piece if isinstance(piece, str) else hole(ctx, piece)
        if isinstance(value, str):
            if pieces and pieces[-1] is not None:
                pieces[-1] += value
            else:
                pieces.append(value)
        else:
            pieces.append(None)
            holes.append(value)
    if not holes:
        return "".join(pieces)
    words = tuple(getattr(wire.type, "words", ()) for wire in holes)
    return ctx.writer.emit(op.format, holes, {"pieces": tuple(pieces), "words": words}, span=node.span)[0]


def hole(ctx: Context, node: Any) -> str | Wire:
    """What stands in a hole: a known value as it is printed, or a wire."""
    value = ctx.value(node)
    if isinstance(value, (bool, int, float, str)):
        return printed(value)
    wire = ctx.wire(value, node.span, "what stands in a template")
    if not isinstance(wire.type, Array) or is_text(wire.type) and wire.type.shape:
        raise error("type", f"in a template stands a text or a number, and this is {describe(wire)}", node.span,
                    help="`join(parts, \", \")` makes one text of an array" if isinstance(wire.type, Array) else "")
    return wire


def one_text(ctx: Context, node: Any, what: str) -> Wire:
    """The wire of an expression that must be one text."""
    wire = ctx.wire(ctx.value(node), node.span, what)
    if getattr(wire.type, "words", ()) and not wire.type.shape:
        return spelling(ctx, wire, node.span)
    if not is_text(wire.type) or wire.type.shape:
        raise error("type", f"{what} is a text, and this is {describe(wire)}", node.span,
                    help='a template prints a number: `"{x}"`' if isinstance(wire.type, Array) and not is_text(wire.type) else "")
    return wire


# ---------------------------------------------------------------- what stands after `~`


def source(ctx: Context, name: str, node: s.Call) -> Any:
    """`llm(…)` or `choice(…)`, as it stands after `~` or as the first argument of `logp`."""
    if name == "choice":
        return picked(ctx, node)
    if name == "judge":
        raise error("kind", "a judgment is no choice: it is assigned", node.span, help="`verdict = judge(…)`, or `return judge(…)`")
    return Asked(name, *asked(ctx, node, "llm"), node.span)


def asked(ctx: Context, node: s.Call, name: str) -> tuple[tuple[Wire, ...], dict[str, Any]]:
    """The turns and the options of a call."""
    options: dict[str, Any] = {}
    turns = []
    for argument in node.arguments:
        if argument.name is None:
            turns.append(one_text(ctx, argument.value, f"what `{name}` is told"))
        elif argument.name not in OPTIONS:
            raise error("argument", f"`{name}` has no option `{argument.name}`", argument.span,
                        help=near(argument.name, OPTIONS) or f"options are {listed(OPTIONS)}")
        else:
            options[argument.name] = option(ctx, name, argument)
    if not turns:
        raise error("argument", f"`{name}` is told nothing", node.span, help={
            "llm": '`llm(system, "Question: {question}")`', "judge": '`judge(reply, answer, "point at the first wrong step")`'}[name])
    return tuple(turns), options


def option(ctx: Context, name: str, argument: s.Argument) -> Any:
    value = ctx.value(argument.value)
    which, span = argument.name, argument.value.span
    if isinstance(value, Wire):
        value = ctx.writer.values.get(value.name, value)
    if isinstance(value, Wire):
        raise error("static", f"`{which}` of `{name}` must be known before the run", span, label=f"this is {describe(value)}")
    right = {"temperature": lambda: isinstance(value, (int, float)) and not isinstance(value, bool) and value >= 0,
             "max_tokens": lambda: isinstance(value, int) and not isinstance(value, bool) and value >= 1,
             "stop": lambda: isinstance(value, str) or isinstance(value, Constant) and all(isinstance(v, str) for v in value.value),
             "engine_role": lambda: value in ROLES}[which]
    if not right():
        wanted = {"temperature": "a number from 0 up", "max_tokens": "a whole number from 1 up", "stop": "a text or a list of texts",
                  "engine_role": f"one of {listed(ROLES)}"}[which]
        raise error("argument", f"`{which}` is {wanted}, and this is {describe(value)}", span)
    if which == "stop":
        return (value,) if isinstance(value, str) else value.value
    return float(value) if which == "temperature" else value


def picked(ctx: Context, node: s.Call) -> Picked:
    """`choice(values, logits = l)`, `choice(values, probs = p)`."""
    if not node.arguments or node.arguments[0].name is not None:
        raise error("argument", "`choice` takes a list and the logits of its values", node.span, help="`choice(prompts, logits = l)`")
    first, *rest = node.arguments
    values = ctx.wire(ctx.value(first.value), first.value.span, "what `choice` picks from")
    if not isinstance(values.type, Array) or not values.type.shape:
        raise error("kind", f"`choice` picks from a list, and this is {describe(values)}", first.value.span)
    law = made(ctx, "categorical", s.Call(s.Name("categorical", span=node.function.span), tuple(rest), span=node.span))
    size = law.parameters[0].type.shape[-1]
    if law.batch or size != values.type.shape[0]:
        raise error("size", f"`choice` picks from {values.type.shape[0]} values, and {law.parameters[0].type.shape[-1]} "
                    "probabilities are given", node.span)
    return Picked(values, law, node.span)


# ---------------------------------------------------------------- answered


def chosen(ctx: Context, site: Any, source: Picked) -> Wire:
    """The value that a choice picks."""
    place = draw_of(ctx, site, source.which)
    return ctx.writer.emit(op.index, (source.values, place), {"pattern": ("i",)}, span=site.span, base=site.name)[0]


def replied(ctx: Context, site: Any, source: Asked) -> Any:
    """The reply to a question, of the type that stands at it."""
    type = TEXT if site.type is None else site.type
    if isinstance(type, RecordOf):
        fields = [(name, leaf(site, inner)) for name, inner in type.fields.items()]
    else:
        fields = [("", leaf(site, type))]
    rule = site.rule
    if hasattr(rule, "points"):
        return drawn_by(ctx, site, source, type)
    address, path = address_of(ctx, site, unique=True)
    attributes = {**source.options, "address": address, "path": path,
                  "reply": tuple(fields) if isinstance(type, RecordOf) else type}
    bases = [f"{site.name}.{name}" if name else site.name for name, _ in fields]
    outputs = ctx.writer.emit(op.llm, source.turns, attributes, span=site.span, rule=rule, types=[t for _, t in fields], bases=bases)
    if isinstance(type, RecordOf):
        return Record({name: wire for (name, _), wire in zip(fields, outputs)})
    return outputs[0]


def leaf(site: Any, type: Any) -> Array:
    """The type of one part of a reply."""
    if not isinstance(type, Array) or type.shape or type.kind not in ("text", "int", "real", "bool"):
        raise error("type", f"a reply is a text, a number, a bool, `one_of(…)` or a record of them, and not {describe(type)}"
                    if not isinstance(type, Array) else f"a reply is one value, and `{type}` is none", site.span,
                    help='`v: {score: int, why: text} ~ llm(…)`')
    return type


def drawn_by(ctx: Context, site: Any, source: Asked, type: Any) -> Wire:
    """A `one_of` reply by a rule of points: a categorical with the engine's probabilities of the options."""
    words = getattr(type, "words", ())
    if not source.options.get("temperature"):
        raise error("temperature", f"`{site.name}` is drawn `by {site.rule.name}`, and at temperature 0 nothing is drawn", source.span,
                    "the reply is a function of what is asked", help="`temperature = 1.0`")
    if not words:
        raise pending("drawn text", site.span)
    attributes = {**source.options, "options": words, "address": address_of(ctx, site, unique=False)[0]}
    (logits,) = ctx.writer.emit(op.options, source.turns, attributes, span=site.span, base=f"{site.name}_logits",
                                types=(Array("real", (len(words),)),))
    from pullback.compiler import distribution as library
    record = next(one for one in library.find("categorical") if [field.name for field in one.fields] == ["logits"])
    law = Dist(record, (logits,), (), (), span=source.span)
    site.type = None
    place = draw_of(ctx, site, law)
    return ctx.writer.emit(op.identity, (place,), span=site.span, base=site.name, types=(type,))[0]


def likelihood(ctx: Context, source: Asked, given: Any, span: Span, at: Span) -> Wire:
    """`logp(llm(…), text)`: the log-probability of a reply."""
    wire = ctx.wire(given, at, "a reply")
    wire = spelling(ctx, wire, at) if getattr(wire.type, "words", ()) else wire
    if not is_text(wire.type) or wire.type.shape:
        raise error("type", f"a reply is a text, and this is {describe(wire)}", at)
    return ctx.writer.emit(op.likelihood, (*source.turns, wire), dict(source.options), span=span, types=(REAL,))[0]


# ---------------------------------------------------------------- judge


def judge(ctx: Context, node: s.Call, type: Any = None) -> Any:
    """`judge(reply, answer, "instruction")`; with a numeric type the value is the score, and the words are its derivative."""
    turns, options = asked(ctx, node, "judge")
    if type is None:
        return ctx.writer.emit(op.judge, turns, {**options, "reply": TEXT}, span=node.span, types=(TEXT,))[0]
    if not isinstance(type, Array) or type.shape or type.kind not in ("real", "int") or type.words:
        raise error("type", f"a judgment is a text or a score, and `{type}` is neither", node.span, help="`s: interval(0, 10) = judge(…)`")
    score, _ = ctx.writer.emit(op.judge, turns, {**options, "reply": type}, span=node.span, types=(type, TEXT), bases=["score", "why"])
    return score


def is_judge(ctx: Context, node: Any) -> bool:
    return isinstance(node, s.Call) and isinstance(node.function, s.Name) and node.function.name == "judge" and ctx.scope.find(
        "judge") is None and ctx.module.find("judge") is None


def called(ctx: Context, name: str, node: s.Call) -> Any:
    """A call of one of these words where a value is due."""
    if name == "judge":
        return judge(ctx, node)
    hint = "`prompt ~ choice(…)`" if name == "choice" else "`reply ~ llm(…)`"
    raise error("kind", f"what `{name}` gives is a choice, and a choice is drawn", node.span, help=hint)


def objective(ctx: Context, value: Any, span: Span) -> Wire | None:
    """A text that an objective returns, as what is improved; None if it is none."""
    if isinstance(value, str):
        raise error("type", "an objective that is always the same text has nothing to improve", span)
    if isinstance(value, Wire) and is_text(value.type) and not value.type.shape:
        return ctx.writer.emit(op.words, (value,), span=span, base=ctx.writer.title(value) or "")[0]
    return None
