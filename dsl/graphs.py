"""One declaration as a whole graph: its arguments are the inputs.

An argument is an input wire (one a leaf), or known before the run.  An int that a size or a loop needs is known: which
ints those are is read off the text (`static_names`), so that an int that only takes part in arithmetic stays data.
"""
from __future__ import annotations

from typing import Any, Mapping

from pullback.compiler.diagnostic import ProgramError, near
from pullback.compiler.ir import Graph, Wire
from pullback.compiler.type import Params, symbol
from pullback.dsl import estimates
from pullback.dsl import syntax as s
from pullback.dsl.calls import objective_body
from pullback.dsl.check import is_text, static_names
from pullback.dsl.context import Activation, Binding, Context, Scope, Work, error
from pullback.dsl.matching import Kind, RecordOf, TupleOf, declared as type_of, fitted
from pullback.dsl.models import density, enter, marginal, returned_of, trace_of, unfolded
from pullback.dsl.modes import Sampling, Scoring, Site
from pullback.dsl.statements import NOTHING, run
from pullback.dsl.values import (WRONG, Declared, Marginal, Model, Normalized, Poisoned, Record, Tuple, Undetermined, change,
                                 named_leaves)

NONE: Mapping[str, Any] = {}


# ---------------------------------------------------------------- inputs


def inputs_of(ctx: Context, found: Declared, parameters: tuple[s.Parameter, ...], static: set[str], arguments: Mapping[str, Any],
              sizes: Mapping[str, int], shapes: Mapping[str, Any], loaded: Any, wires: list[Wire]) -> None:
    """Bind the parameters in the scope; `wires` collects the inputs of the graph."""
    order = sorted(parameters, key=lambda p: p.name not in static)
    made: dict[str, list[Wire]] = {}
    for parameter in order:
        name = parameter.name
        if name in arguments:
            value = fitted(ctx, parameter.type, argument(ctx, arguments[name], loaded), parameter.span, f"`{name}`")
        elif name in static and is_int(parameter):
            value = symbol(name) if name not in sizes else sizes[name]
        elif name in static and is_text(parameter):
            value = texts(ctx, parameter, sizes)
        elif parameter.default is not None and name not in shapes:
            value = fitted(ctx, parameter.type, ctx.value(parameter.default), parameter.span, f"`{name}`")
        else:
            value = leaf(ctx, parameter, sizes, shapes)
            made[name] = [wire for _, wire in named_leaves(value, name)]
        ctx.scope.names[name] = Binding(value, "parameter", parameter.span)
    for parameter in parameters:
        wires += made.get(parameter.name, [])


def is_int(parameter: s.Parameter) -> bool:
    return parameter.type is None or isinstance(parameter.type, s.NamedType) and parameter.type.name in ("int", "natural") \
        and not parameter.type.sizes


def texts(ctx: Context, parameter: s.Parameter, sizes: Mapping[str, Any]) -> Any:
    """Texts that decide a diagram: they are known before the run."""
    given = sizes.get(parameter.name)
    if given is None:
        raise Undetermined(f"what `{parameter.name}` says")
    return fitted(ctx, parameter.type, given if isinstance(given, str) else Tuple(tuple(given)), parameter.span, f"`{parameter.name}`")


def argument(ctx: Context, given: Any, loaded: Any) -> Any:
    """What Python gives for an argument that is known before the run: a number, a declaration by name."""
    if isinstance(given, (str, tuple)) and loaded is not None:
        name, named = (given, {}) if isinstance(given, str) else given
        found = loaded.find(name)
        if found is None:
            raise error("name", f"the program declares no `{name}`", None, help=near(name, loaded.module.names()))
        if found.kind != "model":
            return found
        from pullback.dsl.models import bind_values
        values = {key: (argument(ctx, value, loaded), found.node.span) for key, value in named.items()}
        scope = bind_values(ctx, found, values, found.node.span)
        return Model(found, {key: binding.value for key, binding in scope.names.items()}, found.node.span)
    if isinstance(given, (list,)):
        return Tuple(tuple(given))
    return given


def leaf(ctx: Context, parameter: s.Parameter, sizes: Mapping[str, int], shapes: Mapping[str, Any]) -> Any:
    """The input wire (or record of wires) of an argument."""
    name, span = parameter.name, parameter.span
    if parameter.type is None or isinstance(parameter.type, s.NamedType) and parameter.type.name == "trace":
        if name not in shapes:
            raise Undetermined(f"the type of `{name}`")
        return from_shapes(ctx, shapes[name], name, span)
    type = type_of(ctx, parameter.type, sizes)
    if isinstance(type, Params) and name in shapes:
        type = Params(shapes[name])
    return from_type(ctx, type, name, span)


def from_type(ctx: Context, type: Any, name: str, span: Any) -> Any:
    match type:
        case RecordOf(fields):
            return Record({key: from_type(ctx, item, f"{name}.{key}", span) for key, item in fields.items()})
        case TupleOf(items):
            return Tuple(tuple(from_type(ctx, item, f"{name}.{at}", span) for at, item in enumerate(items)))
        case Kind(kind):
            raise Undetermined(f"`{name}`, a {kind}")
    return ctx.writer.wire(name, type, span)


def from_shapes(ctx: Context, given: Any, name: str, span: Any) -> Any:
    if isinstance(given, Mapping):
        return Record({key: from_shapes(ctx, item, f"{name}.{key}", span) for key, item in given.items()})
    return ctx.writer.wire(name, given, span)


def top(declared: Declared, work: Work, kind: str, mode: Any = None) -> Context:
    return Context(work, declared.module, Scope(), Activation(declared, kind, mode))


def finished(ctx: Context, inputs: list[Wire], outputs: list[Wire], name: str) -> Graph:
    """The graph, if nothing was found to be wrong."""
    if ctx.work.found:
        raise ProgramError(ctx.work.found)
    if any(wire is None for wire in outputs):
        raise Poisoned
    graph = ctx.writer.close(ctx.writer.block, outputs, name)
    return ctx.writer.finish(Graph(tuple(inputs), graph.boxes, graph.outputs, name))


# ---------------------------------------------------------------- declarations


def objective_graph_of(declared: Declared, work: Work, arguments: Mapping[str, Any] = NONE, sizes: Mapping[str, int] = NONE,
                       shapes: Mapping[str, Any] = NONE, loaded: Any = None) -> Graph:
    ctx = top(declared, work, "objective")
    wires: list[Wire] = []
    inputs_of(ctx, declared, declared.node.parameters, static_names(declared), arguments, sizes, shapes, loaded, wires)
    output = objective_body(ctx, declared, ctx.scope, ())
    return finished(ctx, wires, [output], declared.name)


def function_checked(declared: Declared, work: Work) -> None:
    ctx = top(declared, work, "function")
    inputs_of(ctx, declared, declared.node.parameters, static_names(declared), NONE, NONE, NONE, None, [])
    inside = ctx.inner()
    found = run(inside, declared.node.body)
    if found is NOTHING:
        raise error("kind", f"the function `{declared.name}` returns nothing", declared.node.span)
    if found is not WRONG and declared.node.returns is not None:
        fitted(inside, declared.node.returns, found, declared.node.returns.span, f"what `{declared.name}` returns")


def model_of(ctx: Context, declared: Declared, arguments: Mapping[str, Any], sizes: Mapping[str, int],
             shapes: Mapping[str, Any], loaded: Any, wires: list[Wire]) -> Any:
    inputs_of(ctx, declared, declared.node.parameters, static_names(declared), arguments, sizes, shapes, loaded, wires)
    values = {name: binding.value for name, binding in ctx.scope.names.items()}
    return unfolded(ctx, Model(declared, values, declared.node.span), ())


def sample_graph(declared: Declared, work: Work, arguments: Mapping[str, Any] = NONE, sizes: Mapping[str, int] = NONE,
                 shapes: Mapping[str, Any] = NONE, loaded: Any = None) -> tuple[Graph, list[str]]:
    ctx = top(declared, work, "model")
    wires: list[Wire] = []
    model = model_of(ctx, declared, arguments, sizes, shapes, loaded, wires)
    trace = drawn_trace(ctx, model, declared)
    leaves = trace_leaves(ctx, trace)
    returned = [(name, wire) for name, wire in named_leaves(trace.value, "return")]
    graph = finished(ctx, wires, [wire for _, wire in [*leaves, *returned]], declared.name)
    return graph, [name for name, _ in leaves]


def trace_leaves(ctx: Context, trace: Record) -> list[tuple[str, Wire]]:
    from pullback.dsl.join import lifted
    return named_leaves(lifted(ctx, Record(trace.fields), None, "a choice"), "")


def drawn_trace(ctx: Context, model: Any, declared: Declared, improper: bool = False) -> Record:
    if isinstance(model, Normalized):
        return estimates.normalized(ctx, model, ((declared.name,),), Site(declared.name, [], None, None, declared.node.span))
    hidden: tuple[str, ...] = ()
    while isinstance(model, Marginal):
        hidden, model = (*hidden, *model.names), unfolded(ctx, model.model, ())
    if not isinstance(model, Model):
        site = Site("value", [], None, None, declared.node.span)
        from pullback.dsl.modes import drawn
        return Record({"value": drawn(ctx, site, model)})
    inside = enter(ctx, model, Sampling(improper=improper), ())
    value = returned_of(inside, model)
    fields = trace_of(inside, inside.tape, declared.node.span)
    return Record({name: item for name, item in fields.items() if name not in hidden and item is not WRONG}, declared.name, value)


def density_graph(declared: Declared, work: Work, arguments: Mapping[str, Any] = NONE, sizes: Mapping[str, int] = NONE,
                  shapes: Mapping[str, Any] = NONE, loaded: Any = None) -> tuple[Graph, list[str]]:
    """The types of the trace are those of a draw, unless `shapes` gives them as that of `trace`."""
    trace_types = shapes.get("trace")
    ctx = top(declared, work, "model")
    wires: list[Wire] = []
    model = model_of(ctx, declared, arguments, sizes, shapes, loaded, wires)
    if trace_types is None:
        with ctx.writer.region():
            addresses, loops = set(ctx.work.addresses), set(ctx.work.loops)
            trace = drawn_trace(ctx, model, declared, improper=True)
            trace = Record(trace.fields)
            from pullback.dsl.join import lifted
            trace = lifted(ctx, trace, None, "a choice")
            ctx.work.addresses, ctx.work.loops = addresses, loops
        if ctx.work.found:
            raise ProgramError(ctx.work.found)
        given = change(trace, lambda wire: ctx.writer.wire(ctx.writer.title(wire) or "x", wire.type, wire.span))
    else:
        given = from_shapes(ctx, trace_types, "", declared.node.span)
    leaves = named_leaves(given, "")
    for name, wire in leaves:
        ctx.writer.bases[wire.name] = name
    if isinstance(model, Marginal) and isinstance(model.method, estimates.Estimator):
        output = estimates.density(ctx, model, given, False, declared.node.span, ((declared.name,),))
    elif isinstance(model, Marginal):
        output = marginal(ctx, model, given, declared.node.span, ((declared.name,),))
    elif isinstance(model, Model):
        output, _ = density(ctx, model, Scoring(given), ((declared.name,),), declared.node.span)
    else:
        raise Undetermined("a distribution")
    graph = finished(ctx, [*wires, *(wire for _, wire in leaves)], [output], declared.name)
    return graph, [name for name, _ in leaves]
