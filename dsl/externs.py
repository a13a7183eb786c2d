"""Networks and externs: boxes whose inside is JAX.

A network is known by its layers.  Of an extern the program declares the types; where Python has passed the function and
the shapes of its arguments are known, JAX tells the shape of its result, and the two must agree.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.ir import Wire
from pullback.compiler.ops import infer
from pullback.compiler.source import Span
from pullback.compiler.type import Array, Params, Type, is_text, same_shape
from pullback.dsl import syntax as s
from pullback.dsl.context import Activation, Context, Scope, error
from pullback.dsl.matching import TupleOf, declared, fitted
from pullback.dsl.values import Declared, Tuple, Undetermined, describe, is_static


def network(ctx: Context, found: Declared, arguments: tuple[s.Argument, ...], span: Span) -> Wire:
    """`decoder(w, z)`: z may have leading axes of its own, they are kept."""
    if len(arguments) != 2 or any(argument.name is not None for argument in arguments):
        raise error("argument", f"the network `{found.name}` takes its parameters and an input: `{found.name}(w, x)`", span)
    w, x = (ctx.wire(ctx.value(argument.value), argument.span, what) for argument, what in zip(
        arguments, (f"the parameters of `{found.name}`", f"the input of `{found.name}`")))
    record = found.module.network(found)
    if not isinstance(w.type, Params):
        raise error("type", f"`{found.name}` takes `params` first, and this is {describe(w)}", arguments[0].span,
                    help=f"`{found.name}(w, x)` with `w: params`")
    if w.type.tree is not None and structure(w.type.tree) != structure(record.leaves):
        raise error("type", f"these are not parameters of `{found.name}`", arguments[0].span, help=(
            f"start them at `{found.name}.init`"))
    rank = len(record.domain)
    shape = x.type.shape if isinstance(x.type, Array) else None
    if shape is None or len(shape) < rank or same_shape(shape[len(shape) - rank:], record.domain) is not True:
        expected = Array("real", tuple(record.domain))
        raise error("size", f"the network `{found.name}` takes a `{expected}`, and this is {describe(x)}", arguments[1].span,
                    notes=((found.node.domain.span, "declared here"),))
    type = Array("real", (*shape[:len(shape) - rank], *record.codomain))
    return ctx.writer.emit(op.network, (w, x), {"network": record, "name": found.name}, span=span, types=(type,),
                           base=found.name)[0]


def structure(tree: Any) -> Any:
    """The names and shapes of a tree of parameters."""
    if isinstance(tree, dict):
        return {name: structure(item) for name, item in tree.items()}
    return tuple(tree.shape) if hasattr(tree, "shape") else tree


def extern(ctx: Context, found: Declared, scope: Scope, arguments: tuple[s.Argument, ...], span: Span) -> Any:
    """`decoder(w, z)` of a function that Python passes in."""
    inside = Context(ctx.work, found.module, scope, Activation(found, "extern"))
    values = [scope.names[parameter.name].value for parameter in found.node.parameters]
    wires = [ctx.wire(float(value) if is_real(parameter) and is_static(value) else value, span, f"`{parameter.name}`")
             for parameter, value in zip(found.node.parameters, values)]
    function = found.module.extern(found.name)
    words = reads_words(inside, found, wires, span)
    told = None if words else shapes_of(function, found, [wire.type for wire in wires], span)
    types = result_types(inside, found, told, span)
    made = ctx.writer.emit(op.extern, wires, {"function": function, "name": found.name, "assume": found.node.assume},
                           span=span, types=types, bases=[found.name] * len(types))
    return made[0] if len(made) == 1 else Tuple(made)


def reads_words(inside: Context, found: Declared, wires: list[Wire], span: Span) -> bool:
    """Is this a function of texts?  It is called on the host, an element at a time, and its type is what was declared."""
    returns = found.node.returns
    words = any(is_text(wire.type) for wire in wires) or isinstance(returns, s.NamedType) and returns.name == "text"
    if words and returns is None:
        raise error("type", f"`{found.name}` takes texts, and does not say what it returns", span,
                    notes=((found.node.span, "declared here"),), help="`-> unit`, `-> real`, `-> text`")
    return words


def is_real(parameter: s.Parameter) -> bool:
    return isinstance(parameter.type, s.NamedType) and parameter.type.name not in ("int", "bool", "natural", "text", "one_of")


def shapes_of(function: Any, found: Declared, types: list[Type], span: Span) -> tuple[Array, ...] | None:
    """What JAX says of the result; None where the function or a shape is not known yet."""
    if function is None or any(isinstance(type, Params) and type.tree is None for type in types):
        return None
    if not callable(function):
        raise error("argument", f"what was passed for `{found.name}` is no function", span,
                    notes=((found.node.span, "declared here"),))
    import jax
    try:
        shaped = [jax.tree.map(infer.abstract, type.tree, is_leaf=lambda x: isinstance(x, Array)) if isinstance(type, Params)
                  else infer.abstract(type) for type in types]
        result = jax.eval_shape(function, *shaped)
    except Exception as problem:
        if any(not isinstance(size, int) for type in types if isinstance(type, Array) for size in type.shape):
            return None  # the function needs sizes; it is looked at when they are known
        first = str(problem).strip().split("\n")[0]
        raise error("argument", f"the function passed for `{found.name}` fails on the declared shapes: {first}", span,
                    notes=((found.node.span, "declared here"),)) from None
    return tuple(Array(infer.kind(leaf.dtype), tuple(map(infer.plain_size, leaf.shape))) for leaf in jax.tree.leaves(result))


def result_types(inside: Context, found: Declared, told: tuple[Array, ...] | None, span: Span) -> tuple[Type, ...]:
    node = found.node.returns
    if node is None:
        if told is None:
            raise Undetermined(f"what `{found.name}` returns")
        return told
    if told is None:
        type = declared(inside, node)
        return tuple(type.items) if isinstance(type, TupleOf) else (type,)
    writer = inside.writer
    with writer.region():
        items = node.items if isinstance(node, s.TupleType) else (node,)
        if len(items) != len(told):
            raise error("argument", f"`{found.name}` is declared to return {len(items)} values, and the function returns "
                        f"{len(told)}", span)
        for item, type in zip(items, told):
            fitted(inside, item, writer.wire(found.name, type), span, f"what `{found.name}` returns")
    return told
