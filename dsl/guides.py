"""Guides under `over`: `over q: model = guide()` optimizes the arguments that are left at their defaults.

    mean_field(p, {y})    every choice that p leaves open, independently: a normal onto its support, coins and finite choices by
                          their logits
    full_rank(p, {y})     one multivariate normal onto all supports together

The two are written as programs of the language; `q` of the fit is then the record of their arguments.

Source: Kucukelbir, Tran, Ranganath, Gelman and Blei (2017), Automatic differentiation variational inference, JMLR 18.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.source import Source, Span
from pullback.compiler.type import EVENT_RANK, Array, Constraint, Params, known, symbol
from pullback.dsl import syntax as s
from pullback.dsl.context import Context, error
from pullback.dsl.join import lifted
from pullback.dsl.matching import declared as type_of
from pullback.dsl.values import Declared, Marginal, Model, Record, describe

KINDS = ("mean_field", "full_rank")
SPREAD = -1.0   # of the logarithm of a scale, at the start


@dataclass(frozen=True)
class Latent:
    """A choice that is left open: its name, its type with the support as constraint, its draw."""

    name: str
    type: Array
    draw: Box | None


def guide(ctx: Context, parameter: s.Parameter) -> tuple[Declared, dict[str, Any], dict[str, Array], list[Any]]:
    """The model after `=`: its declaration, the arguments that are given, the types of those that are optimized, their starts."""
    node = parameter.default
    if node is None:
        raise error("argument", f"`{parameter.name}: model` needs a guide", parameter.span,
                    help=f"`over {parameter.name}: model = mean_field(p(), {{y}})`, or a model of your own with defaults")
    if isinstance(node, s.Call) and isinstance(node.function, s.Name) and node.function.name in KINDS \
            and ctx.find(node.function.name) is None:
        return automatic(ctx, node)
    from pullback.dsl.choices import source_of
    found = source_of(ctx, node) if isinstance(node, (s.Call, s.Name)) else ctx.value(node)
    if not isinstance(found, Model):
        raise error("kind", f"a guide is a model, and this is {describe(found)}", node.span)
    return own(ctx, found, node)


def own(ctx: Context, found: Model, node: Any) -> tuple[Declared, dict[str, Any], dict[str, Array], list[Any]]:
    """A model of the program: what is left at its default is optimized."""
    from pullback.dsl.models import assigned, bind_values
    from pullback.dsl.context import Activation
    given = set(assigned(found.declared, node.arguments, node.span)) if isinstance(node, s.Call) else set()
    values = {name: (value, node.span) for name, value in found.arguments.items()
              if name in {p.name for p in found.declared.node.parameters}}
    inside = Context(ctx.work, found.declared.module, bind_values(ctx, found.declared, values, node.span),
                     Activation(found.declared, "model"))
    types, starts = {}, []
    for p in found.declared.node.parameters:
        if p.name in given:
            continue
        type = type_of(inside, p.type, {}) if p.type is not None else None
        if type is not None and (not isinstance(type, Array) or type.kind != "real"):
            continue    # an int or a model keeps its default
        start = lifted(ctx, float(found.arguments[p.name]) if isinstance(found.arguments[p.name], (int, float))
                       else found.arguments[p.name], p.span, f"the start of `{p.name}`")
        if not isinstance(start, Wire):
            continue
        types[p.name] = type if type is not None else Array("real", start.type.shape)
        starts.append(start)
    if not types:
        raise error("unused", f"no argument of `{found.name}` is left at its default: there is nothing to optimize", node.span,
                    help="give the arguments defaults, `model guide(m: real = 0.0): …`, and leave them out here")
    return found.declared, {name: value for name, value in found.arguments.items() if name not in types}, types, starts


def automatic(ctx: Context, node: s.Call) -> tuple[Declared, dict[str, Any], dict[str, Array], list[Any]]:
    from pullback.dsl.choices import source_of
    kind = node.function.name
    if not 1 <= len(node.arguments) <= 2 or any(argument.name for argument in node.arguments):
        raise error("argument", f"`{kind}` takes a model and what is given: `{kind}(p(), {{y}})`", node.span)
    model = source_of(ctx, node.arguments[0].value)
    if not isinstance(model, (Model, Marginal)):
        raise error("kind", f"`{kind}` takes a model, and this is {describe(model)}", node.arguments[0].span)
    given = ctx.value(node.arguments[1].value) if len(node.arguments) == 2 else Record({})
    if not isinstance(given, Record):
        raise error("kind", f"what is given is a record, and this is {describe(given)}", node.arguments[1].span, help="`{y}`")
    open_ = latents(ctx, model, given, node.span)
    if not open_:
        raise error("trace", f"`{model.name}` leaves nothing open: all that it chooses is given", node.span)
    head, body, types, starts = {"mean_field": mean_field, "full_rank": full_rank}[kind](ctx, open_, node.span)
    sizes = {str(name) for latent in open_ for size in latent.type.shape if not known(size) for name in size._get_vars()}
    parameters = [*(f"{name}: int" for name in sorted(sizes)), *head]
    return parsed(f"model {kind}({', '.join(parameters)}):\n{body}"), {name: symbol(name) for name in sizes}, types, starts


def parsed(text: str) -> Declared:
    from pullback.dsl.names import Module
    from pullback.dsl.parse import parse
    source = Source("guide", text)
    module = Module(source, parse(source), {}, library=True)
    (node,) = module.program.declarations
    return Declared("model", node.name, node, module)


def latents(ctx: Context, model: Any, given: Record, span: Span) -> list[Latent]:
    """The choices of a model that are not given, in its order."""
    from pullback.dsl.graphs import drawn_trace
    from pullback.dsl.models import unfolded
    model = unfolded(ctx, model, ())
    with ctx.writer.region() as block:
        addresses, loops = set(ctx.work.addresses), set(ctx.work.loops)
        declared = model.declared if isinstance(model, Model) else model.model.declared
        trace = lifted(ctx, Record(drawn_trace(ctx, model, declared, improper=True).fields), None, "a choice")
        ctx.work.addresses, ctx.work.loops = addresses, loops
        draws = {box["address"]: box for outer in block.boxes for box in (outer, *(b for r in outer.regions for b in r.walk()))
                 if box.op is op.draw}
    found = []
    for name, value in trace.fields.items():
        if name in given.fields:
            continue
        if not isinstance(value, Wire):
            raise error("pending", f"a guide for the model `{name}` inside a model can't be made yet", span,
                        help="write the guide as a model of your own")
        found.append(Latent(name, value.type, draws.get(name)))
    return found


def support(latent: Latent, ctx: Context, span: Span) -> str:
    """The type that a latent's values have, as the language writes it."""
    type, draw = latent.type, latent.draw
    if draw is None:
        return str(type.constraint) if type.constraint is not None else "real"
    if draw.get("onto") is not None:
        return str(draw["onto"])
    law = draw["distribution"].support
    if law.name != "interval":
        return law.name
    ends = []
    for name, number in (("low", law.low), ("high", law.high)):
        place = next((i for i, f in enumerate(draw["distribution"].fields) if f.name == name), None)
        value = ctx.writer.values.get(draw.inputs[place].name) if place is not None else number
        if not isinstance(value, (int, float)):
            raise error("support", f"the values of `{latent.name}` lie between ends that are not known before the run", span,
                        help="write the guide as a model of your own")
        ends.append(value)
    low, high = ends
    return f"interval({low}, {high})" if high != float("inf") else f"greater_than({low})"


def sized(type: Array) -> str:
    return f"[{', '.join(map(str, type.shape))}]" if type.shape else ""


def zeros(ctx: Context, shape: tuple, fill: float, span: Span) -> Wire:
    if not shape:
        return ctx.writer.constant(fill, span)
    start = ctx.writer.emit(op.zeros, (), {"shape": shape}, span=span)[0]
    return start if fill == 0 else ctx.writer.emit(op.add, (start, ctx.writer.constant(fill, span)), span=span)[0]


def real(shape: tuple) -> Array:
    return Array("real", tuple(shape))


def mean_field(ctx: Context, latents: list[Latent], span: Span) -> tuple[list[str], str, dict[str, Array], list[Wire]]:
    parameters, body, types, starts = [], [], {}, []

    def take(name: str, shape: tuple, fill: float) -> str:
        types[name] = real(shape)
        parameters.append(f"{name}: real{sized(types[name])}")
        starts.append(zeros(ctx, shape, fill, span))
        return name
    for latent in latents:
        name, shape = latent.name, latent.type.shape
        if latent.type.kind in ("int", "bool"):
            body.append(finite(latent, take, span))
            continue
        set_ = support(latent, ctx, span)
        if EVENT_RANK.get(set_.partition("(")[0]):
            body.append(vector(latent, set_, take, span))
            continue
        loc, scale = take(f"{name}_loc", shape, 0.0), take(f"{name}_log_scale", shape, SPREAD)
        onto = "" if set_ == "real" else f" onto {set_}"
        body.append(f"{name} ~ normal({loc}, exp({scale})){onto}")
    return parameters, "".join(f"    {line}\n" for line in body), types, starts


def finite(latent: Latent, take: Any, span: Span) -> str:
    bounds = latent.type.bounds
    if bounds is None or not all(map(known, bounds)) or latent.draw is None or latent.draw["distribution"].rank:
        raise error("support", f"`{latent.name}` takes infinitely many values, for which `mean_field` has no law", span,
                    help="write the guide as a model of your own")
    low, high = bounds
    if (low, high) == (0, 2):
        return f"{latent.name} ~ bernoulli(logits = {take(f'{latent.name}_logits', latent.type.shape, 0.0)})"
    if low != 0:
        raise error("support", f"`{latent.name}` takes the values {low} to {high - 1}, for which `mean_field` has no law", span,
                    help="write the guide as a model of your own")
    return f"{latent.name} ~ categorical(logits = {take(f'{latent.name}_logits', (*latent.type.shape, high), 0.0)})"


def vector(latent: Latent, set_: str, take: Any, span: Span) -> str:
    """A vector whose support is no product: a normal of the unconstrained vector, pushed onto it."""
    if latent.type.rank != 1 or not known(latent.type.shape[0]):
        raise error("pending", f"a guide for the array `{latent.name}` of `{set_}` values can't be made yet", span,
                    help="write the guide as a model of your own")
    from pullback.compiler.constraint import unconstrained_shape
    from dataclasses import replace
    size = unconstrained_shape(replace(latent.type, constraint=Constraint(set_.partition("(")[0])))
    loc, scale = take(f"{latent.name}_loc", size, 0.0), take(f"{latent.name}_log_scale", size, SPREAD)
    return f"{latent.name} ~ multivariate_normal({loc}, scale_tril = diag(exp({scale}))) onto {set_}[{latent.type.shape[0]}]"


def full_rank(ctx: Context, latents: list[Latent], span: Span) -> tuple[list[str], str, dict[str, Array], list[Wire]]:
    count: Any = 0
    fields = []
    for latent in latents:
        set_ = support(latent, ctx, span) if latent.type.kind == "real" else ""
        if not set_ or EVENT_RANK.get(set_.partition("(")[0]):
            raise error("support", f"`{latent.name}` can't be part of one normal: its values are "
                        f"{'ints' if not set_ else f'`{set_}`'}", span, help="`mean_field`, or a model of your own")
        size: Any = 1
        for n in latent.type.shape:
            size = size * n
        count = count + size
        fields.append(f"{latent.name}: {set_}{sized(real(latent.type.shape))}")
    names = ", ".join(latent.name for latent in latents)
    types = {"loc": real((count,)), "scale": Array("real", (count, count), Constraint("cholesky"))}
    eye = ctx.writer.emit(op.eye, (), {"size": count}, span=span)[0]
    third = ctx.writer.constant(0.36787944117144233, span)
    starts = [zeros(ctx, (count,), 0.0, span), ctx.writer.emit(op.mul, (eye, third), span=span)[0]]
    body = f"    {{{names}}} ~ multivariate_normal(loc, scale_tril = scale) onto {{{', '.join(fields)}}}\n"
    return [f"loc: real[{count}]", f"scale: cholesky[{count}]"], body, types, starts


def bound(ctx: Context, parameter: s.Parameter, declared: Declared, finished: Any) -> tuple[Wire, Params, Graph]:
    """A guide bound as an input of the goal: one pytree of its arguments, with their starts as a graph of their own."""
    from pullback.dsl.context import Work
    from pullback.dsl.graphs import top
    from pullback.dsl.context import Binding
    inner = top(declared, Work(ctx.work.library), "fit")
    inner.scope = ctx.inner().scope
    _, _, types, starts = guide(inner, parameter)
    graph = finished(inner, [], starts, parameter.name)
    found, fixed, types, _ = guide(ctx, parameter)
    tree = Params(dict(types))
    wire = ctx.writer.wire(parameter.name, tree, parameter.span)
    arguments = {name: ctx.writer.emit(op.field, (wire,), {"name": name}, span=parameter.span, base=name)[0] for name in types}
    ctx.scope.names[parameter.name] = Binding(Model(found, {**fixed, **arguments}, parameter.span), "parameter", parameter.span)
    return wire, tree, graph
