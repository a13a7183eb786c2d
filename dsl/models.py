"""Models: a call binds their arguments; a draw or a log density goes through their body.

    sampled(ctx, m, …)     a region that draws all choices: the trace, with what the model returns
    scored(ctx, m, t)      a region that reads all choices from the trace: one log density, and what the model returns

Either is a `call` box until `inline`.  A marginalized model draws the choices that are summed out inside a `marginal`
box, whose one output is the log of the mean of the density.
"""
from __future__ import annotations

from dataclasses import replace
from typing import Any, Callable

from pullback.compiler import ops as op
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.source import Span
from pullback.compiler.type import REAL
from pullback.dsl import estimates
from pullback.dsl import syntax as s
from pullback.dsl.branches import total
from pullback.dsl.context import Activation, Binding, Call, Context, Scope, Tape, error, evaluates
from pullback.dsl.pieces import whole
from pullback.dsl.matching import fitted, listed
from pullback.dsl.modes import Sampling, Scoring
from pullback.dsl.rules import known_before, rule_of
from pullback.dsl.statements import NOTHING, run, targets
from pullback.dsl.values import (WRONG, Declared, Filled, Marginal, Model, Normalized, Poisoned, Record, describe, leaves, named_leaves,
                                 rebuild)

# ---------------------------------------------------------------- arguments


def bound(ctx: Context, declared: Declared, arguments: tuple[s.Argument, ...], span: Span | None) -> Model:
    """The model with its arguments; they are checked against its parameters, which binds its size names."""
    scope = parameters(ctx, declared, arguments, span)
    return Model(declared, {name: binding.value for name, binding in scope.names.items()}, span)


def parameters(ctx: Context, declared: Declared, arguments: tuple[s.Argument, ...], span: Span | None) -> Scope:
    """A scope with the parameters of a declaration, from the arguments of a call."""
    given = assigned(declared, arguments, span)
    return bind_values(ctx, declared, {name: (value_for(ctx, parameter_of(declared, name), argument), argument.span)
                                       for name, argument in given.items()}, span)


def value_for(ctx: Context, parameter: s.Parameter, argument: s.Argument) -> Any:
    """An argument's value; where a model is due, distributions come first."""
    if isinstance(parameter.type, s.NamedType) and parameter.type.name in ("model", "distribution"):
        from pullback.dsl.choices import source_of
        return source_of(ctx, argument.value)
    found = ctx.value(argument.value)
    if found is WRONG:
        raise Poisoned
    return found


def parameter_of(declared: Declared, name: str) -> s.Parameter:
    return next(parameter for parameter in declared.node.parameters if parameter.name == name)


def assigned(declared: Declared, arguments: tuple[s.Argument, ...], span: Span | None) -> dict[str, s.Argument]:
    """Which argument goes to which parameter."""
    names = [parameter.name for parameter in declared.node.parameters]
    usage = f"it is `{declared.name}({', '.join(names)})`"
    found: dict[str, s.Argument] = {}
    for at, argument in enumerate(arguments):
        if argument.name is None and at >= len(names):
            raise error("argument", f"`{declared.name}` takes {count_of(len(names))}, and {len(arguments)} are given",
                        argument.span, help=usage)
        name = argument.name or names[at]
        if name not in names:
            raise error("argument", f"`{declared.name}` has no argument `{name}`", argument.span, help=near(name, names) or usage)
        if name in found:
            raise error("argument", f"`{declared.name}` is given `{name}` twice", argument.span, help=usage)
        found[name] = argument
    missing = [p.name for p in declared.node.parameters if p.name not in found and p.default is None]
    if missing:
        raise error("argument", f"`{declared.name}` lacks {listed(missing)}", span, help=usage,
                    notes=((declared.node.span, "declared here"),))
    return found


def count_of(count: int) -> str:
    return "no arguments" if count == 0 else "1 argument" if count == 1 else f"{count} arguments"


def bind_values(ctx: Context, declared: Declared, values: dict[str, tuple[Any, Span]], span: Span | None) -> Scope:
    """A scope with the parameters of a declaration; those that sizes are named after come first."""
    scope = Scope()
    inside = Context(ctx.work, declared.module, scope, Activation(declared, declared.kind))
    order = sorted(declared.node.parameters, key=lambda p: not (isinstance(p.type, s.NamedType) and p.type.name == "int"
                                                                and not p.type.sizes))
    for parameter in order:
        what = f"`{parameter.name}` of `{declared.name}`"
        if parameter.name in values:
            value, at = values[parameter.name]
        else:
            value, at = inside.value(parameter.default), parameter.span
        scope.names[parameter.name] = Binding(fitted(inside, parameter.type, value, at, what), "parameter", parameter.span)
    return scope


# ---------------------------------------------------------------- calls as boxes

CALLS = 2000  # that one graph may hold


def called(ctx: Context, declared: Declared, kind: str, segment: str, span: Span | None, body: Callable[[], Any],
           base: str = "") -> Any:
    """What `body` gives, written as the region of a `call` box."""
    work, writer = ctx.work, ctx.writer
    if any(call.declared is declared for call in work.calls):
        raise circular(ctx, declared, span)
    if len(work.calls) > 60:
        raise error("cost", f"`{declared.name}` is the 60th call inside a call", span)
    if declared in declared.module.costly:
        raise Poisoned
    work.made += 1
    if work.made > CALLS:
        raise error("cost", f"this is the {CALLS:,}th call that is written out, of `{declared.name}`", span,
                    help="each call is compiled anew: give a value that is read twice a name, or write a loop")
    work.calls.append(Call(declared, span))
    before = len(work.found)
    try:
        with writer.region() as block:
            value = body()
    finally:
        work.calls.pop()
    if len(work.found) > before:
        raise Poisoned
    return wrapped(ctx, op.call, block, value, {"name": declared.name, "kind": kind, "address": segment}, span, base)


def circular(ctx: Context, declared: Declared, span: Span | None) -> Exception:
    """A declaration that leads back to itself: told once for all that stand on the way."""
    place = next(at for at, call in enumerate(ctx.work.calls) if call.declared is declared)
    way = [call.declared for call in ctx.work.calls[place:]]
    told = declared in declared.module.circular
    declared.module.circular.update(way)
    if told:
        return Poisoned()
    by = f", by way of {listed(one.name for one in way[1:])}" if len(way) > 1 else ""
    return error("recursion", f"`{declared.name}` calls itself{by}", span, notes=tuple(
        (call.span, f"`{call.declared.name}` is called here") for call in ctx.work.calls if call.span not in (None, span))[-3:],
                 help="write a loop")


def wrapped(ctx: Context, what: Any, block: Any, value: Any, attributes: dict, span: Span | None, base: str) -> Any:
    """A value made in a block, as outputs of a box that has the block as its region."""
    writer = ctx.writer
    made = {wire for box in block.boxes for wire in box.outputs}
    wires = [wire for wire in dict.fromkeys(leaves(value)) if wire in made]
    if not block.boxes:
        return value
    names = {wire.name: name for name, wire in reversed(named_leaves(value, base))} if base else {}
    bases = [names.get(wire.name) or writer.title(wire) or attributes["name"] for wire in wires]
    region = writer.close(block, wires, attributes["name"])
    if not wires and not region.boxes:
        return value
    outputs = writer.emit(what, region.inputs, attributes, span=span, regions=(region,), types=[w.type for w in wires], bases=bases)
    now = {wire: output for wire, output in zip(wires, outputs)}
    for wire, output in now.items():
        if wire.name in writer.values:
            writer.values[output.name] = writer.values[wire.name]
    return rebuild(value, iter([now.get(wire, wire) for wire in leaves(value)]))


# ---------------------------------------------------------------- sampling and scoring


def enter(ctx: Context, model: Model, mode: Any, path: tuple) -> Context:
    """The context of a model's body."""
    scope = Scope()
    for name, value in model.arguments.items():
        parameter = next((p for p in model.declared.node.parameters if p.name == name), None)
        scope.names[name] = Binding(value, "parameter" if parameter else "size", parameter.span if parameter else None)
    body = model.declared.node.body
    drawn = frozenset(name for name, _ in targets(body, (s.Draw,)))
    activation = Activation(model.declared, "model", mode, drawn=drawn)
    return Context(ctx.work, model.declared.module, Scope(scope), activation, path, guarded=ctx.guarded)


def trace_of(ctx: Context, tape: Tape, span: Span | None) -> dict[str, Any]:
    return {name: whole(ctx, entry.value, span) if isinstance(entry.value, Filled) else entry.value
            for name, entry in tape.entries.items()}


def returned_of(inside: Context, model: Model) -> Any:
    """Go through the body; what the model returns, or None."""
    node = model.declared.node
    result = run(inside, node.body)
    if result is NOTHING:
        return None
    if node.returns is not None and result is not WRONG:
        return fitted(inside, node.returns, result, node.returns.span, f"what `{node.name}` returns")
    return None if result is WRONG else result


def unfolded(ctx: Context, model: Any, path: tuple) -> Any:
    """A model that is declared as another (`model hmm(n: int) = marginalize …`) is that other."""
    while isinstance(model, Model) and model.declared.node.value is not None:
        inside = enter(ctx, model, None, path)
        ctx.work.calls.append(Call(model.declared, model.span))
        try:
            from pullback.dsl.choices import source_of
            inner = source_of(inside, model.declared.node.value)
        finally:
            ctx.work.calls.pop()
        if isinstance(inner, Marginal):
            return replace(inner, label=model.name, span=model.span)
        model = inner
    return model


def sampled(ctx: Context, model: Any, path: tuple, site: Any) -> Any:
    """The trace of a draw, as a record of wires."""
    source, model = model, unfolded(ctx, model, path)
    if isinstance(model, Normalized):
        return replace(estimates.normalized(ctx, model, path, site), origin=source)
    if isinstance(model, Marginal):
        trace = sampled(ctx, model.model, path, site)
        fields = {name: value for name, value in trace.fields.items() if name not in model.names}
        if not isinstance(model.method, estimates.Estimator):
            return Record(fields, model.name, trace.value)
        left = Record({name: value for name, value in trace.fields.items() if name in model.names})
        return Record(fields, model.name, trace.value, left, source)
    if not isinstance(model, Model):
        from pullback.dsl.distributions import draw_of
        return draw_of(ctx, site, model)
    if model.declared.kind == "extern":
        from pullback.dsl.refused import pending
        raise pending("extern model", site.span)

    def body() -> Record:
        improper = getattr(ctx.activation.mode, "improper", False)
        inside = enter(ctx, model, Sampling(improper=improper), path)
        value = returned_of(inside, model)
        return Record(trace_of(inside, inside.tape, model.declared.node.span), model.name, value)
    start = len(ctx.writer.block.boxes)
    trace = called(ctx, model.declared, "model", path[-1][0], site.span, body, site.name)
    if site.rule is not None:
        from pullback.dsl.settings import default_rule
        default_rule(ctx, start, known_before(site.rule, site.span))
    return trace


def scored(ctx: Context, model: Any, given: Record, span: Span | None, names: tuple[str, ...] = ()) -> tuple[Wire, Any]:
    """The log density at a trace, and what the model returns there."""
    segment = (*ctx.segment(names[0] if names else model.name), *names[1:], model.name)
    path = (*ctx.path, segment)
    source, model = model, unfolded(ctx, model, path)
    if isinstance(model, Marginal) and isinstance(model.method, estimates.Estimator):
        own = given.hidden is not None and estimates.alike(given.origin, source)
        return estimates.density(ctx, model, given, own, span, path), None
    if isinstance(model, Marginal):
        return marginal(ctx, model, given, span, path), None
    if not isinstance(model, Model):
        raise error("kind", f"the trace is a record, and {describe(model)} has one value", span)
    if model.declared.kind == "extern":
        from pullback.dsl.refused import pending
        raise pending("extern model", span)

    def body() -> Record:
        term, value = density(ctx, model, Scoring(given), path, span)
        return Record({"logp": term}, "", value)
    found = called(ctx, model.declared, "logp", path[-1][0], span, body, "")
    return found.fields["logp"], found.value


def density(ctx: Context, model: Model, mode: Scoring, path: tuple, span: Span | None) -> tuple[Wire, Any]:
    """Go through a model with a trace: the sum of its terms, and what it returns."""
    inside = enter(ctx, model, mode, path)
    before = len(ctx.work.found)
    value = returned_of(inside, model)
    if len(ctx.work.found) == before or mode.missing:
        mode.settle(inside, model.name, span)
    term = total(inside, inside.tape.terms, span)
    if term is None:
        term = ctx.writer.constant(0.0, span)
    return term, value


def marginal(ctx: Context, model: Marginal, given: Record, span: Span | None, path: tuple) -> Wire:
    inner = unfolded(ctx, model.model, path)
    while isinstance(inner, Marginal) and inner.method == model.method:  # a sum of sums is one sum
        model = replace(model, model=inner.model, names=(*inner.names, *model.names))
        inner = unfolded(ctx, model.model, path)
    if not isinstance(inner, Model):
        raise error("pending", "a marginal of a marginal by another rule can't be compiled yet", span,
                    help="list all names in one `over`")

    def body() -> Wire:
        with ctx.writer.region() as block:
            mode = Scoring(given, frozenset(model.names), model.method, span)
            term, _ = density(ctx, inner, mode, path, span)
            chosen = set(targets_of(inner))
            for name in model.names:
                if name not in chosen:
                    raise error("name", f"`{inner.name}` does not choose `{name}`", model.span, help=near(name, chosen) or (
                        f"it chooses {listed(sorted(chosen))}" if chosen else ""))
        region = ctx.writer.close(block, (term,))
        (wire,) = ctx.writer.emit(op.marginal, region.inputs, {
            "over": model.names, "method": model.method, "name": model.name}, span=span, regions=(region,), types=(REAL,),
            base=f"logp_{model.name}")
        return wire
    return called(ctx, inner.declared, "logp", path[-1][0], span, body, f"logp_{model.name}")


def targets_of(model: Model) -> list[str]:
    return [name for name, _ in targets(model.declared.node.body, (s.Draw,))]


@evaluates(s.Marginalize)
def marginalize(ctx: Context, node: s.Marginalize) -> Marginal:
    from pullback.dsl.choices import source_of
    model = source_of(ctx, node.model)
    if not isinstance(model, (Model, Marginal)):
        raise error("kind", f"`marginalize` takes a model, and this is {describe(model)}", node.model.span)
    estimated = node.method.name in estimates.METHODS
    method = estimates.estimator(ctx, node.method) if estimated else rule_of(ctx, (node.method,), "choice")
    return Marginal(model, node.names, method, span=node.span, node=node)


@evaluates(s.Normalize)
def normalize(ctx: Context, node: s.Normalize) -> Any:
    from pullback.dsl.choices import source_of
    model, given = source_of(ctx, node.model), ctx.value(node.given)
    if not isinstance(model, (Model, Marginal)):
        raise error("kind", f"`normalize` takes a model, and this is {describe(model)}", node.model.span)
    if not isinstance(given, Record):
        raise error("kind", f"after `given` stands a record, and this is {describe(given)}", node.given.span, help="`{y = …}`")
    if node.method.name not in estimates.METHODS:
        raise error("kind", f"a model is normalized `using sir(…)` or `using importance(…)`, not `{node.method.name}`",
                    node.method.span)
    return Normalized(model, tuple(given.fields), estimates.estimator(ctx, node.method), span=node.span, node=node,
                      given=Record(dict(given.fields)))
