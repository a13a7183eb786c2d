"""What an operation is.  All that is known of one stands in its record; passes ask the record.

`lower(attributes, *arrays)` is its meaning in JAX on values without axes (an elementwise op broadcasts over leading
dimensions; another is `vmap`ped); `infer(types, attributes)` gives the types of its outputs or raises `TypeError` with a
sentence for the user.

A `signature` names the parameters in the order in which a program gives them:
    x        an array: an input of the box          x?   one that may be left out (all after it too)
    *items   any number of arrays                   :k   a static value: an attribute of the box
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Callable, Collection, Literal, Mapping, Sequence

from pullback.compiler.diagnostic import near

Smoothness = Literal["smooth", "continuous", "jump"]


@dataclass(frozen=True, slots=True)
class Parameter:
    name: str
    static: bool = False
    optional: bool = False
    variadic: bool = False


@dataclass(frozen=True, slots=True)
class Op:
    """kind: `pure` (a function of arrays), `choice`, `density`, `control` (has regions), `engine` (asks a
    language model), `estimator` (made by passes), `diagram` (joined by wires of object types).

    smooth: how the value depends on each argument (the last entry stands for all further ones).
    linear: groups of arguments; the op is jointly linear in each group with all others held fixed ("all": in all).
    host: its value is computed on the host, an element at a time: `lower` takes and gives Python's strings and numbers.
    engine: the role of the calls that it makes ("forward", "judge"; "" for none).  pull: the name of the rule by which
    criticisms come back through it where none is written ("pass", "used", "words", "critique").
    """

    name: str
    lower: Callable[..., Any] | None = None
    infer: Callable[..., tuple] | None = None
    kind: Literal["pure", "choice", "density", "control", "engine", "estimator", "diagram"] = "pure"
    smooth: tuple[Smoothness, ...] = ("smooth",)
    elementwise: bool = False
    linear: tuple[tuple[int, ...] | Literal["all"], ...] = ()
    signature: str = ""
    symbol: str = ""
    doc: str = ""
    host: bool = False
    engine: str = ""
    pull: str = ""

    def smoothness(self, argument: int) -> Smoothness:
        return self.smooth[min(argument, len(self.smooth) - 1)]

    def linear_in(self, arguments: Collection[int]) -> bool:
        """Is the op linear in these arguments together, with the others held fixed?"""
        return any(group == "all" or set(arguments) <= set(group) for group in self.linear)

    @property
    def parameters(self) -> tuple[Parameter, ...]:
        words = [word.strip() for word in self.signature.split(",") if word.strip()]
        return tuple(Parameter(word.strip(":?*"), word[0] == ":", word[-1] == "?", word[0] == "*") for word in words)

    @property
    def title(self) -> str:
        """How a message calls it: its sign where it has one, else its name."""
        return self.symbol or self.name

    def bind(self, given: Sequence[Any], named: Mapping[str, Any]) -> tuple[list[Any], dict[str, Any]]:
        """The inputs and the attributes of a call, from what it gives by position and by name; `TypeError` with a
        sentence if it gives too much or too little."""
        parameters, rest, named = self.parameters, list(given), dict(named)
        inputs: list[Any] = []
        attributes: dict[str, Any] = {}
        missing: str | None = None
        for parameter in parameters:
            if parameter.variadic:
                inputs, rest = inputs + rest, []
                continue
            if rest and parameter.name in named:
                raise TypeError(f"`{self.name}` is given `{parameter.name}` twice")
            if rest or parameter.name in named:
                value = rest.pop(0) if rest else named.pop(parameter.name)
                if parameter.static:
                    attributes[parameter.name] = value
                elif missing is not None:
                    raise TypeError(f"`{self.name}` is given `{parameter.name}` without `{missing}`")
                else:
                    inputs.append(value)
            elif parameter.optional:
                missing = missing or parameter.name
            elif not parameter.static:
                raise TypeError(f"`{self.name}` takes `{parameter.name}` too: {self.usage()}")
        if rest:
            raise TypeError(f"`{self.name}` is given {len(given)} values: {self.usage()}")
        for name in named:
            hint = near(name, [parameter.name for parameter in parameters])
            raise TypeError(f"`{self.name}` has no `{name}`: {hint or self.usage()}")
        return inputs, attributes

    def usage(self) -> str:
        """`clip(x, min, max)`: what may be given, in order."""
        def word(parameter: Parameter) -> str:
            return f"{parameter.name}, …" if parameter.variadic else parameter.name
        return f"`{self.name}({', '.join(map(word, self.parameters))})`"

    def __repr__(self) -> str:
        return f"op.{self.name}"


OPS: dict[str, Op] = {}


def define(op: Op) -> Op:
    """Register an op under its name."""
    assert op.name not in OPS, f"op {op.name} is defined twice"
    OPS[op.name] = op
    return op
