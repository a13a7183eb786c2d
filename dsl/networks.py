"""`network f: real[10] -> real[784] = dense(200) >> relu >> dense(784)`: from its text to its record.

Layers are found by name; the sizes that a layer does not say come from what goes in.
"""
from __future__ import annotations

import inspect
from typing import Any

from pullback.compiler.diagnostic import near
from pullback.compiler.network import Layer, Network, layers
from pullback.compiler.type import Array, known, same_shape
from pullback.dsl import syntax as s
from pullback.dsl.context import Activation, Context, Scope, Work, error
from pullback.dsl.matching import declared as type_of
from pullback.dsl.writer import check_size
from pullback.dsl.values import Constant, Declared, describe, is_static


def record(module: Any, found: Declared) -> Network:
    """The network of a declaration."""
    node: s.Network = found.node
    ctx = Context(Work(), module, Scope(), Activation(found, "network"))
    domain, codomain = (side(ctx, type, name) for type, name in ((node.domain, "takes"), (node.codomain, "gives")))
    made: list[Layer] = []
    for operand in node.value.operands if isinstance(node.value, s.Chain) and set(node.value.operators) == {">>"} else (node.value,):
        made.append(layer(ctx, operand, made[-1].codomain if made else domain))
    for type in (leaf for one in made for leaf in one.leaves.values()):
        check_size(type, node.value.span)
    last = made[-1].codomain
    if same_shape(last, codomain) is not True:
        raise error("size", f"`{node.name}` is declared to give a `{Array('real', codomain)}`, and its last layer gives a "
                    f"`{Array('real', last)}`", node.codomain.span)
    return Network(node.name, domain, codomain, tuple(made))


def side(ctx: Context, node: Any, what: str) -> tuple:
    type = type_of(ctx, node)
    if not isinstance(type, Array) or type.kind not in ("real", "int"):
        raise error("type", f"a network {what} a `real` or an array of reals", node.span)
    if not all(map(known, type.shape)):
        raise error("size", "the sizes of a network are numbers", node.span)
    return type.shape


def layer(ctx: Context, node: Any, domain: tuple) -> Layer:
    """One layer; a network of the program may stand for its layers in a row."""
    match node:
        case s.Name(name):
            arguments = ()
        case s.Call(s.Name(name), arguments):
            pass
        case _:
            raise error("syntax", "a network is layers in a row: `dense(200) >> relu >> dense(784)`", node.span)
    make = layers().get(name)
    if make is None:
        raise error("name", f"there is no layer `{name}`", node.span, help=near(name, layers()) or (
            f"layers are {', '.join(f'`{one}`' for one in sorted(layers()))}"))
    positional = [option(ctx, argument) for argument in arguments if argument.name is None]
    named = {argument.name: option(ctx, argument) for argument in arguments if argument.name is not None}
    try:
        inspect.signature(make).bind(domain, *positional, **named)
    except TypeError:
        words = [str(p) for p in list(inspect.signature(make).parameters.values())[1:]]
        usage = ", ".join(word.split(":")[0].lstrip("*") for word in words)
        raise error("argument", f"`{name}` takes {usage or 'no arguments'}", node.span) from None
    try:
        return make(domain, *positional, **named)
    except TypeError as problem:
        raise error("size", str(problem), node.span) from None


def option(ctx: Context, argument: s.Argument) -> Any:
    found = ctx.value(argument.value)
    if isinstance(found, Constant):
        return found.value
    if not is_static(found):
        raise error("static", "an argument of a layer must be known", argument.span, label=f"this is {describe(found)}")
    return found
