"""Models whose log density is estimated: `marginalize … using importance | sir`, `normalize … given … using sir | importance`.

    under   E exp(estimate) = p       of a given trace          its mean lies below log p
    over    E exp(−estimate) = 1/p    of a trace drawn here     its mean lies above log p

A trace that was drawn brings what was drawn with it (`hidden`): the choices that are summed out, or the estimate of its own
draw.  They must be among the draws of the estimate, else it would lie on no side.

The estimates are programs of the language, written below; m is the model, h the proposal, given the trace.

Source: Burda, Grosse and Salakhutdinov (2016); Sobolev and Vetrov (2019), Importance weighted hierarchical variational
inference; Becker, Lew, Wang, Ghavami, Huot, Rinard and Mansinghka (2024), Probabilistic programming with programmable
variational inference.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from functools import cache
from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.source import Source, Span
from pullback.dsl import syntax as s
from pullback.dsl.context import Activation, Binding, Context, Scope, error
from pullback.dsl.matching import listed
from pullback.dsl.statements import run, targets
from pullback.dsl.values import Declared, Dist, Marginal, Model, Normalized, Record, describe

METHODS = ("importance", "sir")
NAME = "estimates"
TEXT = """
objective given_trace(m: model, h: model, given: trace, k: int):
    for i in 0..k:
        a ~ h
        w[i] = logp(m, {given, a}) - logp(h, a)
    return logsumexp(w) - log(k)

objective own_trace(m: model, h: model, given: trace, own: trace, k: int):
    w[0] = logp(m, {given, own}) - logp(h, own)
    for i in 1..k:
        a ~ h
        w[i] = logp(m, {given, a}) - logp(h, a)
    return logsumexp(w) - log(k)

objective given_point(m: model, h: model, given: trace, t: trace, k: int):
    w[0] = logp(m, {given, t}) - logp(h, t)
    for i in 1..k:
        a ~ h
        w[i] = logp(m, {given, a}) - logp(h, a)
    return logp(m, {given, t}) - (logsumexp(w) - log(k))

objective points(m: model, h: model, given: trace, k: int):
    for i in 0..k:
        a[i] ~ h
        l[i] = logp(m, {given, a[i]})
        w[i] = l[i] - logp(h, a[i])
    z = logsumexp(w) - log(k)
    pick ~ categorical(logits = certain)
    return z
"""


@dataclass(frozen=True, eq=False)
class Estimator:
    """`importance(h(…), k = 5)` where it stands: h may read the addresses of the trace."""

    name: str
    proposal: Any
    k: int
    ctx: Context
    span: Span


@cache
def library() -> Any:
    from pullback.dsl.names import Module
    from pullback.dsl.parse import parse
    source = Source(NAME, TEXT)
    module = Module(source, parse(source), {}, library=True)
    for node in module.program.declarations:
        module.declared[node.name] = Declared("objective", node.name, node, module)
    return module


def estimator(ctx: Context, rule: s.Rule) -> Estimator:
    """The method after `using`."""
    given = {argument.name or ("h", "k")[min(place, 1)]: argument for place, argument in enumerate(rule.arguments)}
    usage = f"it is `{rule.name}(h(…), k = 5)`, with h a model of what is drawn"
    unknown = [name for name in given if name not in ("h", "k")]
    if unknown or len(given) != len(rule.arguments):
        raise error("argument", f"`{rule.name}` has no option `{unknown[0]}`" if unknown else f"`{rule.name}` is given one option "
                    "twice", rule.span, help=usage)
    if "h" not in given:
        raise error("argument", f"`{rule.name}` lacks its proposal", rule.span, help=usage)
    k = ctx.size(given["k"].value, "`k`") if "k" in given else 1
    if not isinstance(k, int) or k < 1:
        raise error("argument", f"`k` of `{rule.name}` is a positive number known before the run, and this is {k}", rule.span)
    return Estimator(rule.name, given["h"].value, k, ctx, rule.span)


def proposal(method: Estimator, given: Record, names: set[str] | None) -> Any:
    """The proposal, as a model of `names`; its arguments may read the trace."""
    from pullback.dsl.choices import source_of
    scope = Scope(method.ctx.scope)
    for name, value in given.fields.items():
        if scope.find(name) is None:
            scope.names[name] = Binding(value, "given", method.span)
    h = source_of(replace(method.ctx, scope=scope), method.proposal)
    if isinstance(h, Dist):
        if names is None or len(names) != 1:
            raise error("kind", f"the proposal is a model of {listed(sorted(names or ()))}, and this is {describe(h)}", method.proposal.span)
        return of_one(next(iter(names)), h)
    if not isinstance(h, (Model, Marginal)):
        raise error("kind", f"the proposal is a model, and this is {describe(h)}", method.proposal.span)
    inner = h
    while isinstance(inner, Marginal):
        inner = inner.model
    if names is not None and isinstance(h, Model) and h.declared.node.value is None:
        drawn = {name for name, _ in targets(h.declared.node.body, (s.Draw,))}
        if drawn != names:
            raise error("trace", f"the proposal `{h.name}` draws {listed(sorted(drawn))}, and {listed(sorted(names))} "
                        f"{'is' if len(names) == 1 else 'are'} asked of it", method.span, help=near(
                            next(iter(sorted(drawn - names)), ""), sorted(names - drawn)))
    return h


@cache
def single(name: str) -> Any:
    from pullback.dsl.parse import parse
    source = Source(NAME, f"model proposal(d: distribution):\n    {name} ~ d\n")
    (node,) = parse(source).declarations
    return node


def of_one(name: str, distribution: Dist) -> Model:
    """A distribution as the model of one address."""
    return Model(Declared("model", "proposal", single(name), library()), {"d": distribution}, distribution.span)


# ---------------------------------------------------------------- densities


def density(ctx: Context, model: Marginal, given: Record, own: bool, span: Span | None, path: tuple) -> Wire:
    """The estimate of a log density, as an `under` or an `over` box."""
    method = model.method
    visible = Record(dict(given.fields))
    if isinstance(model, Normalized):
        if own:
            return given.hidden.fields["density"]
        values = {"m": model.model, "h": proposal(method, model.given, set(given.fields)), "given": model.given, "t": visible}
        return estimated(ctx, "given_point", "under", values, method, model, span, path)
    h = proposal(method, given, set(model.names))
    values = {"m": model.model, "h": h, "given": visible}
    if own:
        values["own"] = Record({name: given.hidden.fields[name] for name in model.names})
    return estimated(ctx, "own_trace" if own else "given_trace", "over" if own else "under", values, method, model, span, path)


def estimated(ctx: Context, name: str, side: str, values: dict, method: Estimator, model: Marginal, span: Span | None,
              path: tuple) -> Wire:
    from pullback.dsl.calls import objective_body
    from pullback.dsl.models import called
    declared = replace(library().declared[name], name=model.name)
    scope = Scope()
    for key, value in {**values, "k": method.k}.items():
        scope.names[key] = Binding(value, "parameter", span)
    inner = (*path, ctx.segment(method.name))
    return called(ctx, declared, side, inner[-1][0], span,
                  lambda: objective_body(ctx, declared, scope, inner), f"logp_{model.name}")


# ---------------------------------------------------------------- draws


def normalized(ctx: Context, model: Normalized, path: tuple, site: Any) -> Record:
    """One of k draws of the proposal by its weight; `hidden`: the estimate of its log density."""
    from pullback.dsl.filled import indexed
    from pullback.dsl.modes import Sampling
    from pullback.dsl.models import called
    from pullback.dsl.pieces import whole
    from pullback.compiler import rule as rules
    method = model.method
    declared = replace(library().declared["points"], name=model.name)
    h = proposal(method, model.given, None)

    def body() -> Record:
        inner = (*path, ctx.segment(method.name))
        scope = Scope()
        for key, value in {"m": model.model, "h": h, "given": model.given, "k": method.k}.items():
            scope.names[key] = Binding(value, "parameter", site.span)
        drawn = frozenset(name for name, _ in targets(declared.node.body, (s.Draw,)))
        inside = Context(ctx.work, declared.module, scope, Activation(declared, "objective", Sampling(keeps=False), drawn=drawn),
                         inner, guarded=ctx.guarded)
        loop, evidence, pick, _ = declared.node.body
        run(inside, (loop, evidence))
        weights = inside.wire(inside.look("w", site.span), site.span)
        (certain,) = ctx.writer.emit(op.estimate, (weights,), {"side": "", "name": model.name}, span=site.span)
        scope.names["certain"] = Binding(certain, "parameter", site.span)
        start = len(ctx.writer.block.boxes)
        run(inside, (pick,))
        enum = rules.find("enum")() if method.name == "importance" else None
        ctx.writer.block.boxes[start:] = [box.but(rule=enum, span=site.span) if box.op is op.draw else box
                                          for box in ctx.writer.block.boxes[start:]]
        chosen = inside.look("pick", site.span)
        trace = indexed(ctx, whole(ctx, inside.look("a", site.span), site.span), [chosen], site.span)
        at = indexed(ctx, inside.look("l", site.span), [chosen], site.span)
        (found,) = ctx.writer.emit(op.sub, (at, inside.wire(inside.look("z", site.span), site.span)), span=site.span)
        (density,) = ctx.writer.emit(op.estimate, (found,), {"side": "over", "name": model.name}, span=site.span)
        return Record(dict(trace.fields), model.name, None, Record({"density": density}))
    return called(ctx, declared, "model", path[-1][0], site.span, body, site.name)


# ---------------------------------------------------------------- is a trace this model's own?


def alike(one: Any, other: Any) -> bool:
    """The same model of the same arguments."""
    if one is other:
        return True
    match one, other:
        case Wire(), Wire():
            return one == other
        case Model(), Model():
            return one.declared is other.declared and one.arguments.keys() == other.arguments.keys() and all(
                alike(value, other.arguments[name]) for name, value in one.arguments.items())
        case Marginal(), Marginal():
            return type(one) is type(other) and one.names == other.names and alike(one.model, other.model) and (
                one.node is other.node and one.node is not None)
        case (bool() | int() | float() | str()), _:
            return type(one) is type(other) and one == other
    return False
