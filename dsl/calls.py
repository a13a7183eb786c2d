"""Calls: functions of the library by their names, and what the program declares."""
from __future__ import annotations

from typing import Any

from pullback.compiler import distribution as library
from pullback.compiler import ops as op
from pullback.compiler.diagnostic import near
from pullback.compiler.ir import Wire
from pullback.compiler.op import Op
from pullback.compiler.source import Span
from pullback.compiler.ops.text import WORDS
from pullback.compiler.type import REAL, Array, is_text
from pullback.dsl import diagram_functions, diagrams, functors, lexicons
from pullback.dsl import syntax as s
from pullback.dsl import texts
from pullback.dsl.arithmetic import agree, applied
from pullback.dsl.choices import flat, source_of
from pullback.dsl.context import Activation, Context, Scope, error, evaluates
from pullback.dsl.distributions import density_of, made
from pullback.dsl.externs import extern, network
from pullback.dsl.join import cast
from pullback.dsl.matching import fitted
from pullback.dsl.models import bound, called, parameters, scored
from pullback.dsl.modes import Sampling, Site
from pullback.dsl.refused import pending
from pullback.dsl.statements import NOTHING, run, targets
from pullback.dsl.values import (WRONG, Asked, Builtin, Constant, Declared, Diagram, Dist, Filled, Flat, GateName, Marginal, Model, Picked,
                                 Points, Poisoned, Record, Tuple, Ty, change, describe, is_size, is_static)

Given = list[tuple[str | None, Any, Span]]


@evaluates(s.Call)
def call(ctx: Context, node: s.Call) -> Any:
    if isinstance(node.function, s.Name):
        name = node.function.name
        found = ctx.find(name)
        if found is WRONG:
            raise Poisoned
        if (found is None or isinstance(found, Builtin)) and (made_here := diagram_functions.builtin(ctx, name, node)) is not None:
            return made_here
        if found is None:
            return by_name(ctx, name, node)
        if isinstance(found, Builtin) and name == "logp":
            return logp(ctx, node)
    else:
        found = ctx.value(node.function)
    if isinstance(found, (GateName, Diagram, Points, Ty)):
        return diagrams.called(ctx, found, node)
    if isinstance(found, Declared):
        return call_declared(ctx, found, node.arguments, node.span)
    if isinstance(found, Builtin):
        given = [(argument.name, ctx.value(argument.value), argument.value.span) for argument in node.arguments]
        return apply(ctx, found, node.function, given, node.span)
    if isinstance(found, (Model, Marginal)):
        raise error("kind", f"{describe(found)} has its arguments already", node.span, help="write its name alone")
    if isinstance(found, (Dist, Flat)):
        raise error("kind", f"{describe(found)} has its parameters already", node.span)
    raise error("kind", f"{describe(found)} can't be called", node.function.span,
                help=f"`{node.function.span.text}[…]` reads an element" if isinstance(found, (Wire, Constant)) else "")


def by_name(ctx: Context, name: str, node: s.Call) -> Any:
    """A name that nothing binds: a distribution, or a word that is not there yet, or a mistake."""
    if library.find(name):
        return made(ctx, name, node)
    if name == "flat":
        return flat(ctx, node)
    if name in texts.SOURCES:
        return texts.called(ctx, name, node)
    raise pending(name, node.span) or error(
        "name", f"there is no function `{name}`", node.function.span,
        help=ctx.module.offered(name) or near(name, [*op.functions(), *library.names(), *ctx.scope.visible(),
                         *(ctx.module.names() if ctx.module is not None else ())]))


def apply(ctx: Context, function: Any, node: Any, given: Given, span: Span) -> Any:
    """A function of values that are there already."""
    if isinstance(function, Declared):
        if function.kind != "function":
            raise error("kind", f"{describe(function)} is no function of arrays", span)
        from pullback.dsl.models import bind_values
        names = [parameter.name for parameter in function.node.parameters]
        values = {name: (value, at) for name, (_, value, at) in zip(names, given)}
        return in_function(ctx, function, bind_values(ctx, function, values, span), span)
    if function.name == "value":
        return value_of(ctx, given, span)
    if function.name == "len":
        return length(ctx, given, span)
    if function.name == "stop" and len(given) == 1 and isinstance(given[0][1], (Model, Marginal, Record)):
        return stopped(ctx, given[0][1], span)
    positional = [value for name, value, _ in given if name is None]
    found = op.function(function.name, len(positional))
    if len(given) == 1 and given[0][0] is None and is_static(given[0][1]):
        now = applied(function.name, given[0][1])
        if now is not None:
            return now
    return apply_op(ctx, found, given, span)


def stopped(ctx: Context, value: Any, span: Span) -> Any:
    """A model or a trace with all its numbers held constant."""
    def now(wire: Wire) -> Wire:
        if isinstance(wire.type, Array) and wire.type.kind in ("int", "bool"):
            return wire
        return ctx.writer.emit(op.stop, (wire,), span=span, types=(wire.type,), base=ctx.writer.title(wire) or "")[0]
    return change(value, now)


def apply_op(ctx: Context, found: Op, given: Given, span: Span) -> Any:
    """A box of the library: its arrays become wires, its static parameters must be known."""
    spans = {id(value): at for _, value, at in given}
    positional = packed(found, [value for name, value, _ in given if name is None])
    named = {name: value for name, value, _ in given if name is not None}
    try:
        inputs, attributes = found.bind(positional, named)
    except TypeError as problem:
        raise error("argument", str(problem), span) from None
    wires = [ctx.wire(value, spans.get(id(value), span), f"an argument of `{found.name}`") for value in inputs]
    attributes = {name: static(ctx, found, name, value, spans.get(id(value), span)) for name, value in attributes.items()}
    if found.elementwise:
        agree(ctx, found.title, wires, span)
    outputs = ctx.writer.emit(found, wires, attributes, span=span)
    return outputs[0] if len(outputs) == 1 else Tuple(outputs)


def packed(found: Op, positional: list[Any]) -> list[Any]:
    """`zeros(2, 3)` is `zeros([2, 3])`: what is left over at a shape belongs to it."""
    parameters = found.parameters
    at = next((at for at, parameter in enumerate(parameters) if parameter.static and parameter.name in ("shape", "reps")), None)
    extra = len(positional) - len(parameters)
    if at is None or extra <= 0 or not all(is_size(value) for value in positional[at:at + extra + 1]):
        return positional
    return [*positional[:at], Tuple(tuple(positional[at:at + extra + 1])), *positional[at + extra + 1:]]


def static(ctx: Context, found: Op, name: str, value: Any, span: Span) -> Any:
    match value:
        case Tuple(items):
            return tuple(static(ctx, found, "an item", item, span) for item in items)
        case Constant(items):
            return items
        case str():
            return value
        case Wire():
            known = ctx.writer.values.get(value.name)
            if known is not None:
                return known
    if is_static(value):
        return (value,) if name in ("shape", "reps") else value
    raise error("static", f"`{name}` of `{found.name}` must be known before the run", span, label=f"this is {describe(value)}")


def value_of(ctx: Context, given: Given, span: Span) -> Any:
    """`value(t)`: what the model returned."""
    if len(given) != 1:
        raise error("argument", "`value` takes a trace: `value(t)`", span)
    (_, found, at), = given
    if not isinstance(found, Record) or not found.model:
        raise error("kind", f"`value` takes the trace of a model, and this is {describe(found)}", at)
    if found.value is None:
        raise error("kind", f"`{found.model}` returns nothing", at, help="read an entry of its trace, or let it `return`")
    return found.value


def length(ctx: Context, given: Given, span: Span) -> Any:
    """`len(x)`: the size of the first axis, known before the run."""
    if len(given) != 1:
        raise error("argument", "`len` takes an array: `len(x)`", span)
    (_, found, at), = given
    if isinstance(found, (Constant,)):
        return len(found.value)
    if isinstance(found, Filled):
        from pullback.dsl.pieces import whole
        found = whole(ctx, found, at)
    wire = ctx.wire(found, at, "what `len` takes")
    if not isinstance(wire.type, Array) or not wire.type.shape:
        raise error("kind", f"`len` takes an array, and this is {describe(wire)}", at)
    return wire.type.shape[0]


def logp(ctx: Context, node: s.Call) -> Wire:
    """`logp(m, t)`: the log density of a model at a trace, or of a distribution at a value."""
    if len(node.arguments) != 2 or any(argument.name is not None for argument in node.arguments):
        raise error("argument", "`logp` takes a model and a trace: `logp(m, {x = …})`", node.span)
    first, second = node.arguments
    source, given = source_of(ctx, first.value), ctx.value(second.value)
    if given is WRONG:
        raise Poisoned
    if isinstance(source, (Model, Marginal)):
        if not isinstance(given, Record):
            raise error("kind", f"the trace of `{source.name}` is a record, and this is {describe(given)}", second.span,
                        help="`{x = …}`")
        aliases = (first.value.name,) if isinstance(first.value, s.Name) else ()
        return scored(ctx, source, given, node.span, (source.name, *aliases))[0]
    if isinstance(source, Flat):
        return ctx.writer.constant(0.0, node.span)
    if isinstance(source, Asked):
        return texts.likelihood(ctx, source, given, node.span, second.span)
    if isinstance(source, Picked):
        raise pending("density of texts", node.span)
    if isinstance(given, Record) and not (given.model and given.value is not None):
        raise error("kind", f"`{source.name}` has one value, and this is {describe(given)}", second.span)
    site = Site(source.name, [], None, None, node.span)
    return density_of(ctx, site, source, given)[1]


# ---------------------------------------------------------------- what the program declares


def call_declared(ctx: Context, declared: Declared, arguments: tuple[s.Argument, ...], span: Span) -> Any:
    match declared.kind:
        case "model":
            return bound(ctx, declared, arguments, span)
        case "function":
            return in_function(ctx, declared, parameters(ctx, declared, arguments, span), span)
        case "objective":
            return in_objective(ctx, declared, parameters(ctx, declared, arguments, span), span)
        case "network":
            return network(ctx, declared, arguments, span)
        case "extern" if declared.node.kind == "function":
            return extern(ctx, declared, parameters(ctx, declared, arguments, span), arguments, span)
        case "extern":
            raise pending("extern model", span)
        case "diagram" | "box":
            return diagrams.placed(ctx, declared, arguments, span)
        case "functor":
            return functors.applied(ctx, declared, arguments, span)
        case "lexicon":
            return lexicons.bound(ctx, declared, arguments, span)
    raise error("kind", f"{describe(declared)} can't be called", span)


def in_function(ctx: Context, declared: Declared, scope: Scope, span: Span) -> Any:
    segment = ctx.segment(declared.name)

    def body() -> Any:
        inside = Context(ctx.work, declared.module, Scope(scope), Activation(declared, "function"), (*ctx.path, segment),
                         guarded=ctx.guarded)
        found = run(inside, declared.node.body)
        if found is NOTHING:
            raise error("kind", f"the function `{declared.name}` returns nothing", declared.node.span)
        if found is WRONG:
            raise Poisoned
        if declared.node.returns is not None:
            found = fitted(inside, declared.node.returns, found, declared.node.returns.span, f"what `{declared.name}` returns")
        return found
    return called(ctx, declared, "function", segment[0], span, body)


def in_objective(ctx: Context, declared: Declared, scope: Scope, span: Span | None) -> Wire:
    """An objective's value; as a box it stays apart, since it stands for an expectation."""
    segment = ctx.segment(declared.name)
    return called(ctx, declared, "objective", segment[0], span,
                  lambda: objective_body(ctx, declared, scope, (*ctx.path, segment)), declared.name)


def objective_body(ctx: Context, declared: Declared, scope: Scope, path: tuple) -> Wire:
    drawn = frozenset(name for name, _ in targets(declared.node.body, (s.Draw,)))
    activation = Activation(declared, "objective", Sampling(keeps=False), drawn=drawn)
    inside = Context(ctx.work, declared.module, Scope(scope), activation, path, guarded=ctx.guarded)
    found = run(inside, declared.node.body)
    if found is NOTHING:
        raise error("kind", f"the objective `{declared.name}` returns nothing", declared.node.span,
                    label="an objective returns a number")
    if found is WRONG:
        raise Poisoned
    returned = declared.node.body[-1]
    return number(inside, found, returned.value.span if isinstance(returned, s.Return) else returned.span, declared.name)


def number(ctx: Context, found: Any, span: Span, name: str) -> Wire:
    """What an objective returns: one real, or a text that is to be improved."""
    if (words := texts.objective(ctx, found, span)) is not None:
        return words
    wire = ctx.wire(float(found) if is_static(found) and not hasattr(found, "_get_vars") else found, span,
                    f"what `{name}` returns")
    if not isinstance(wire.type, Array) or wire.type.shape:
        raise error("type", f"an objective returns one number or one text, and this is {describe(wire)}", span,
                    help="`sum(…)` or `mean(…)` of it is a number" if not is_text(wire.type) else
                    "`mean i in 0..n: …` of texts is what they say together")
    if wire.type.kind == "complex":
        raise error("type", "an objective returns a real, and this is complex", span, help="`real(…)` of it")
    return wire if wire.type == WORDS else cast(ctx, wire, REAL)
