"""`x ~ …`: what may stand on either side.

After `~` distributions come first: `beta ~ beta(2, 2)`.  A model of the program of that name comes before them.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import distribution as library
from pullback.compiler.diagnostic import near
from pullback.compiler.source import Span
from pullback.compiler.type import EVENT_RANK, Array, Constraint, same
from pullback.dsl import syntax as s
from pullback.dsl import texts
from pullback.dsl.context import Context, error, evaluates
from pullback.dsl.distributions import flat_size, join_joint, made, score, split_joint
from pullback.dsl.filled import entries
from pullback.dsl.matching import RecordOf, declared, listed, named_type
from pullback.dsl.modes import Sampling, Site, drawn
from pullback.dsl.refused import pending
from pullback.dsl.rules import SUBSAMPLE, rule_of
from pullback.dsl.values import WRONG, Asked, Declared, Dist, Flat, Marginal, Model, Picked, Poisoned, Record, describe


def choice(ctx: Context, node: s.Draw) -> None:
    """Execute `target ~ value`."""
    mode = ctx.activation.mode
    if mode is None:
        raise error("kind", f"a {ctx.activation.kind} makes no choices", node.span, label="`~` stands in models and objectives",
                    help="make it a `model`, or pass the value in")
    source, settings = node.value, ()
    if isinstance(source, s.Chosen):
        source, settings = source.value, source.settings
    rule = rule_of(ctx, node.rules, "choice")
    if getattr(rule, "name", "") == SUBSAMPLE:
        raise error("kind", "`subsample` is the rule of a loop or a reduction", node.rules[0].span,
                    help="`for i in 0..n by subsample(64):`")
    found = source_of(ctx, source)
    if isinstance(node.target, tuple):
        return joint(ctx, node, found, rule)
    target = node.target.value if isinstance(node.target, s.Index) else node.target
    places = entries(ctx, node.target.indices) if isinstance(node.target, s.Index) else []
    type = declared_type(ctx, node.type, found)
    site = Site(target.name, places, type, rule, node.target.span, aliases(node.value))
    start = len(ctx.writer.block.boxes)
    if isinstance(found, Dist) and found.onto is not None and found.onto.name == "blocks":
        raise error("type", f"`onto {{…}}` makes a joint choice: write `{{{', '.join(n for n, _ in found.fields)}}} ~ …`",
                    node.span)
    if isinstance(found, (Model, Marginal)) and type is not None:
        raise error("type", f"`{target.name}` is a trace of `{found.name}`, and a trace has no type", node.type.span)
    mode.choose(ctx, site, found)
    if settings:
        from pullback.dsl.settings import apply_settings
        apply_settings(ctx, start, settings)


def declared_type(ctx: Context, node: Any, source: Any) -> Any:
    if node is None:
        return None
    if isinstance(source, Asked):
        return declared(ctx, node)
    if not isinstance(node, s.NamedType):
        raise error("type", "a choice is a number or an array", node.span)
    if node.name == "tokens":
        raise pending(node.name, node.span)
    if node.name in ("text", "one_of"):
        if isinstance(source, Picked):
            return None
        raise error("type", f"{describe(source)} draws no `{node.span.text}`", node.span)
    found = named_type(ctx, node)
    if not isinstance(found, Array):
        raise error("type", f"a choice is a number or an array, not a `{node.span.text}`", node.span)
    return found


def aliases(node: Any) -> tuple[str, ...]:
    """What else the program calls a draw: `q` in `t ~ q`."""
    match node:
        case s.Name(name):
            return (name,)
        case s.Call(s.Name(name)):
            return (name,)
        case s.Chosen(value):
            return aliases(value)
    return ()


# ---------------------------------------------------------------- what stands after `~`


def source_of(ctx: Context, node: Any) -> Any:
    """A distribution or a model, from the expression after `~` (or as the first argument of `logp`)."""
    match node:
        case s.Call(s.Name(name), _):
            own = ctx.scope.find(name)
            declaration = own.value if own is not None else ctx.module.find(name) if ctx.module is not None else None
            if not isinstance(declaration, (Declared, Model, Marginal, Dist)):
                if library.find(name):
                    return made(ctx, name, node)
                if name == "flat":
                    return flat(ctx, node)
                if name in texts.SOURCES and ctx.scope.find(name) is None:
                    return texts.source(ctx, name, node)
                if pending(name, node.span):
                    raise pending(name, node.span)
                if declaration is None and ctx.find(name) is None:
                    raise error("name", f"there is no distribution or model `{name}`", node.function.span,
                                help=near(name, known_sources(ctx)))
        case s.Name(name) if ctx.find(name) is None and (library.find(name) or name == "flat"):
            raise error("kind", f"`{name}` is a distribution and takes its parameters in parentheses", node.span)
        case s.Onto():
            return onto(ctx, node)
        case s.Independent():
            return independent(ctx, node)
    return as_source(ctx, ctx.value(node), node.span)


def as_source(ctx: Context, found: Any, span: Span) -> Any:
    if found is WRONG:
        raise Poisoned
    if isinstance(found, Declared) and found.kind == "model":
        from pullback.dsl.models import bound
        return bound(ctx, found, (), span)
    if not isinstance(found, (Dist, Flat, Model, Marginal, Asked, Picked)):
        raise error("kind", f"after `~` stands a distribution or a model, and this is {describe(found)}", span)
    return found


def known_sources(ctx: Context) -> list[str]:
    return [*library.names(), *(ctx.module.names() if ctx.module is not None else ()), *ctx.scope.visible()]


def flat(ctx: Context, node: s.Call) -> Flat:
    """`flat(positive)`: the argument is a type."""
    if len(node.arguments) != 1 or node.arguments[0].name is not None:
        raise error("argument", "`flat` takes a type: `flat(positive)`", node.span)
    return Flat(named_type(ctx, as_type(node.arguments[0].value)), node.span)


def as_type(node: Any) -> s.NamedType:
    match node:
        case s.Name(name):
            return s.NamedType(name, span=node.span)
        case s.Call(s.Name(name), arguments):
            return s.NamedType(name, tuple(argument.value for argument in arguments), span=node.span)
        case s.Index(inner, indices):
            base = as_type(inner)
            return s.NamedType(base.name, base.arguments, indices, span=node.span)
    raise error("type", "this is no type", node.span, help="`real`, `positive`, `interval(-1, 1)`, `simplex[k]`, …")


@evaluates(s.Onto)
def onto(ctx: Context, node: s.Onto) -> Dist:
    inner = source_of(ctx, node.distribution)
    if not isinstance(inner, Dist):
        raise error("kind", f"`onto` pushes a distribution, and this is {describe(inner)}", node.distribution.span)
    if inner.onto is not None:
        raise error("kind", "this distribution is pushed onto a type already", node.span)
    if inner.record.kind != "real":
        raise error("kind", f"`onto` pushes reals, and `{inner.name}` draws ints", node.distribution.span)
    target = declared(ctx, node.type)
    if isinstance(target, RecordOf):
        return onto_record(ctx, node, inner, target)
    if not isinstance(target, Array) or target.kind != "real":
        raise error("type", f"nothing can be pushed onto `{node.type.span.text}`", node.type.span)
    constraint = target.constraint or Constraint("real")
    rank = EVENT_RANK.get(constraint.name, 0)
    if rank and rank > len(inner.event):
        raise error("type", f"`{constraint.name}` is {('a vector', 'a matrix')[rank - 1]}, and `{inner.name}` draws "
                    f"{'numbers' if not inner.event else 'vectors'}", node.span)
    if rank:
        return Dist(inner.record, inner.parameters, inner.batch, pushed_shape(constraint, inner.event, node.span), constraint,
                    span=node.span)
    return Dist(inner.record, inner.parameters, inner.batch, inner.event, constraint, span=node.span)


def pushed_shape(constraint: Constraint, event: tuple, span: Span) -> tuple:
    from pullback.compiler.constraint import bijection
    try:
        return tuple(bijection(constraint).forward_shape(event))
    except Exception:
        raise error("size", f"an array of shape {list(event)} can't be pushed onto `{constraint}`", span) from None


def onto_record(ctx: Context, node: s.Onto, inner: Dist, target: RecordOf) -> Dist:
    fields = []
    for name, type in target.fields.items():
        if not isinstance(type, Array) or type.kind != "real":
            raise error("type", f"`{name}` must be a real or an array of reals", node.type.span)
        if type.constraint is not None and EVENT_RANK.get(type.constraint.name):
            raise error("pending", f"a joint choice with a `{type.constraint.name}` among its entries can't be compiled yet",
                        node.type.span)
        fields.append((name, type))
    constraint = Constraint("blocks", tuple(part for _, type in fields for part in (
        type.constraint or Constraint("real"), flat_size(type.shape))))
    if len(inner.event) != 1 or inner.batch:
        raise error("size", f"a joint choice is one vector, and `{inner.name}` draws "
                    f"{'numbers' if not inner.event else 'arrays'} here", node.distribution.span,
                    help="`multivariate_normal(m, scale_tril = L) onto {…}`")
    length = sum((flat_size(type.shape) for _, type in fields), 0)
    if same(length, inner.event[0]) is not True:
        raise error("size", f"the entries {listed(name for name, _ in fields)} have {length} numbers together, and "
                    f"`{inner.name}` draws {inner.event[0]}", node.span)
    return Dist(inner.record, inner.parameters, inner.batch, inner.event, constraint, tuple(fields), span=node.span)


@evaluates(s.Independent)
def independent(ctx: Context, node: s.Independent) -> Dist:
    inner = source_of(ctx, node.distribution)
    sizes = tuple(ctx.size(size, "a size") for size in node.sizes)
    if not isinstance(inner, Dist):
        raise error("kind", f"`iid` repeats a distribution, and this is {describe(inner)}", node.span)
    if inner.batch:
        raise error("size", f"`iid` repeats one distribution, and these are {inner.batch[0]} already", node.span)
    return Dist(inner.record, inner.parameters, sizes, inner.event, inner.onto, inner.fields, span=node.span)


# ---------------------------------------------------------------- joint choices


def joint(ctx: Context, node: s.Draw, source: Any, rule: Any) -> None:
    """`{a, b} ~ d onto {a: …, b: …}`."""
    names = [name.name for name in node.target]
    if not isinstance(source, Dist) or not source.fields:
        raise error("kind", "a joint choice is of a distribution `onto` a record", node.value.span,
                    help=f"`… onto {{{', '.join(f'{name}: real' for name in names)}}}`")
    if names != [name for name, _ in source.fields]:
        raise error("name", f"the choice is of {listed(names)}, and the record has {listed(n for n, _ in source.fields)}",
                    node.span)
    mode = ctx.activation.mode
    site = Site("_".join(names), [], None, rule, node.span, also=tuple(names))
    given = [name for name in names if mode.gives(name)]
    if isinstance(mode, Sampling) or len(given) < len(names):
        if not isinstance(mode, Sampling):
            mode.missing.update({name: node.span for name in names if name not in given})
            mode.used.update({name: node.span for name in given})
        parts = split_joint(ctx, source, drawn(ctx, site, source), node.span)
    else:
        mode.used.update({name: node.span for name in names})
        parts = Record({one.name: mode.value(ctx, Site(one.name, [], None, None, one.span)) for one in node.target})
        ctx.tape.terms.append(score(ctx, site, source, (), join_joint(ctx, source, parts.fields, node.span)))
    from pullback.dsl.modes import keep
    for one in node.target:
        keep(ctx, Site(one.name, [], None, None, one.span), parts.fields[one.name])
