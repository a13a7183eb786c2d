"""Arrays made element by element: `[e for i in 0..n]`, and reductions: `sum i in 0..n by r: e`, `combine`.

Either is a plate over the index whose stacked values are then read as a whole.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.rule import joins
from pullback.compiler.source import Span
from pullback.compiler.ops.text import WORDS
from pullback.compiler.type import Array, Constraint, Size, known
from pullback.dsl import syntax as s
from pullback.dsl import texts
from pullback.dsl.context import Binding, Context, Frame, error, evaluates
from pullback.dsl.iteration import domain
from pullback.dsl.rules import SUBSAMPLE, rule, rule_of, split_subsample
from pullback.dsl.values import Declared, Diagram, Sentences, describe

# Functions that give the same whether two axes are reduced at once or one after the other.
NESTED = frozenset({"sum", "mean", "max", "min", "prod", "logsumexp", "any", "all", "logmeanexp"})


def each(ctx: Context, binders: tuple[s.Binder, ...], body: Any, points: Any, node: Any, gather: tuple = ()) -> tuple[Wire, int]:
    """The body's value for each index, stacked; and how many axes in front are the binders'.  `gather`: how criticisms of
    the elements meet.  A judgment that is summed or averaged is what is improved."""
    binder, *rest = binders
    start, size, element = domain(ctx, binder)
    if known(size) and size < 1:
        raise error("size", f"`{binder.span.text}` has no elements", binder.span)
    writer, name = ctx.writer, binder.names[0]
    stop: Size = start + size
    index = writer.wire(name if element is None else "i", Array("int", (), Constraint("range", (start, stop))), binder.span)
    writer.affine[index.name] = (index, 0)
    frame = Frame(index, name, start, size, outside=ctx.scope, around=ctx.frames)
    with writer.region((index,)) as block:
        inside = ctx.inner(frames=(*ctx.frames, frame))
        inside.scope.names[name] = Binding(index, "index", binder.span)
        if element is not None:
            inside.scope.names[name] = Binding(element(inside), "index", binder.span)
        if rest:
            value, depth = each(inside, tuple(rest), body, None, node)
        else:
            value, depth = inside.wire(inside.value(body), body.span, "an element of an array"), 0
            if isinstance(node, s.Reduction) and node.function in ("sum", "mean"):
                value = texts.objective(inside, value, body.span) or value
        if not isinstance(value.type, Array):
            raise error("kind", f"the elements of an array are numbers, and this is {describe(value)}", body.span)
    region = writer.close(block, (value,))
    type = Array(value.type.kind, (size, *value.type.shape), value.type.constraint)
    (stacked,) = writer.emit(op.plate, region.inputs[1:], {
        "index": name, "name": ctx.work.loop(ctx.path, name), "start": start, "size": size, "share": None,
        **({"gather": gather} if gather else {})}, span=node.span, rule=points, regions=(region,), types=(type,))
    return stacked, depth + 1


@evaluates(s.Comprehension)
def comprehension(ctx: Context, node: s.Comprehension) -> Wire:
    return each(ctx, node.binders, node.body, None, node)[0]


@evaluates(s.Reduction)
def reduction(ctx: Context, node: s.Reduction) -> Wire:
    name = node.function
    function = op.functions().get(name)
    if function is None or len([p for p in function.parameters if not p.static and not p.optional]) != 1:
        own = ctx.find(name)
        if own is not None and not isinstance(own, (int, float)):
            return by_declared(ctx, node)
        raise error("name", f"there is no function `{name}` of an array", node.span, help=near(name, op.functions()))
    points, others = split_subsample(ctx, node.rules)
    gather = tuple(rule for rule in others if getattr(rule, "junction", False) and rule.through == "words")
    junction = of_derivatives([rule for rule in others if rule not in gather], node.rules) or None
    if junction and name not in ("sum", "mean"):
        raise error("rule", f"`{junction[0].name}` joins the derivatives of what is added, and `{name}` does not add", node.rules[0].span,
                    help="it may stand at a `mean`, a `sum` or a `combine`")
    stacked, depth = each(ctx, node.binders, node.body, points, node, gather)
    if stacked.type.constraint == WORDS.constraint and name not in ("sum", "mean"):
        raise error("type", f"`{name}` takes numbers, and these are judgments in words", node.body.span, help="`mean`, or `sum`")
    types = (Array("real", stacked.type.shape[1:], WORDS.constraint),) if stacked.type.constraint == WORDS.constraint else None
    if name in NESTED:
        for _ in range(depth):
            (stacked,) = ctx.writer.emit(op.reduce, (stacked,), {
                "function": function.name, **({"depth": depth, "name": node.binders[0].names[0]} if junction else {})},
                span=node.span, rule=junction, types=types)
            junction, types = None, types and (Array("real", stacked.type.shape[1:], WORDS.constraint),)
        return stacked
    if depth > 1:
        count: Size = 1
        for size in stacked.type.shape[:depth]:
            count = count * size
        (stacked,) = ctx.writer.emit(op.reshape, (stacked,), {"shape": (count, *stacked.type.shape[depth:])}, span=node.span)
    return ctx.writer.emit(op.reduce, (stacked,), {"function": function.name}, span=node.span)[0]


def by_declared(ctx: Context, node: s.Reduction) -> Any:
    """A function of the program reduces: it is applied to the array of all values."""
    from pullback.dsl.calls import apply
    if node.rules:
        raise error("kind", "only functions of the library take a rule", node.rules[0].span)
    stacked, _ = each(ctx, node.binders, node.body, None, node)
    return apply(ctx, ctx.look(node.function, node.span), node.function, [(None, stacked, node.body.span)], node.span)


@evaluates(s.Combine)
def combine(ctx: Context, node: s.Combine) -> Wire:
    """Named terms, each perhaps with a rule of its own; their sum, unless the rule of the whole says otherwise."""
    names = [part.name for part in node.parts]
    for at, part in enumerate(node.parts):
        if part.name in names[:at]:
            raise error("name", f"there are two terms called `{part.name}`", part.span)
    terms, rules = [], []
    for part in node.parts:
        wire = ctx.wire(ctx.value(part.body), part.body.span, f"the term `{part.name}`")
        terms.append(wire)
        rules.append(of_derivatives([rule(ctx, one) for one in part.rules], part.rules, (part.name,)))
    whole = of_derivatives([rule(ctx, one) for one in node.rules], node.rules, tuple(names)) or None
    return ctx.writer.emit(op.combine, terms, {"terms": tuple(names), **({"rules": tuple(rules)} if any(rules) else {})}, span=node.span,
                           rule=whole)[0]


@evaluates(s.Ruled)
def ruled(ctx: Context, node: s.Ruled) -> Any:
    """`(e by r)`: the rule of the box whose value e is."""
    if len(node.rules) == 1 and node.rules[0].name == "shift":
        return by_shift(ctx, node)
    found = rule_of(ctx, node.rules, "value")
    start = len(ctx.writer.block.boxes)
    value = ctx.value(node.value)
    boxes = ctx.writer.block.boxes
    if getattr(found, "name", "") == SUBSAMPLE:
        raise error("kind", "`subsample` is the rule of a loop or a reduction: it stands before the colon", node.rules[0].span,
                    help="`sum i in 0..n by subsample(64): …`")
    no_choice(found, node.rules[0].span)
    if joins(found):
        raise error("rule", f"`{found.name}` joins derivatives, and at a value that stands alone none meet", node.rules[0].span,
                    help="it may stand at a `mean`, a `sum` or a `combine`")
    if isinstance(value, Wire):
        for at in range(len(boxes) - 1, start - 1, -1):
            if value in boxes[at].outputs:
                boxes[at] = boxes[at].but(rule=found, attributes=explained(ctx, found, node.rules[0]))
                return value
    raise error("kind", "a rule stands with a call whose derivative it gives, and this is none", node.span)


def explained(ctx: Context, rule: Any, node: s.Rule) -> dict[str, Any]:
    """The function that `words(f)` names: an extern of the program."""
    if getattr(rule, "name", "") != "words" or not rule.f:
        return {}
    found = ctx.find(rule.f)
    if not isinstance(found, Declared) or found.kind != "extern":
        raise error("name", f"`words` takes an extern, and `{rule.f}` is none", node.span,
                    help=f"`extern {rule.f}(reply: text, answer: text, value: real, way: int) -> text`")
    return {"explain": found.module.extern(rule.f)}


def by_shift(ctx: Context, node: s.Ruled) -> Wire:
    """`circuit(D) >> measure by shift`."""
    from pullback.dsl.shifts import read_by_shift
    value = ctx.value(node.value)
    if isinstance(value, Sentences):
        from pullback.dsl.lexicons import read_sentences
        rule = rule_of(ctx, node.rules, "value")
        return read_sentences(ctx, value, lambda diagram: read_by_shift(ctx, diagram, node.span, rule, node.name))
    if not isinstance(value, Diagram):
        raise error("kind", f"`shift` is the rule of a measured diagram, and this is {describe(value)}", node.rules[0].span)
    return read_by_shift(ctx, value, node.span, rule_of(ctx, node.rules, "value"), node.name)


def of_derivatives(rules: list[Any], nodes: tuple[s.Rule, ...], terms: tuple[str, ...] = ()) -> tuple[Any, ...]:
    """The rules of a junction: they must say how derivatives are joined.  `terms`: the names of what meets, in a `combine`."""
    spans = {node.name: node.span for node in nodes}
    found = []
    for one in rules:
        span = spans.get(one.name)
        no_choice(one, span)
        if not joins(one):
            raise error("rule", f"`{one.name}` does not join derivatives in numbers", span)
        try:
            found.append(one.among(terms) if terms and hasattr(one, "among") else one)
        except ValueError as problem:
            raise error("argument", f"`{one.name}`: {problem}", span) from None
    return tuple(found)


def no_choice(rule: Any, span: Span | None) -> Any:
    """A rule that stands where no choice is made."""
    if hasattr(rule, "points"):
        raise error("kind", f"`{rule.name}` is the rule of a choice, and there is none here", span,
                    help=f"`x ~ … by {rule.name}`, or from outside `with {{x: {rule.name}}}`")
    return rule


@evaluates(s.Chosen)
def chosen(ctx: Context, node: s.Chosen) -> Any:
    """`e with {q.k: enum}`."""
    from pullback.dsl.settings import apply_settings
    start = len(ctx.writer.block.boxes)
    value = ctx.value(node.value)
    apply_settings(ctx, start, node.settings)
    return value
