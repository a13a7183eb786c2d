"""What stands between numbers: `+ - * / // % ^`, comparisons, `and or not`, `a if c else b`, `stop`, constants.

A bool in arithmetic is an int; `/` is real; `//` and `%` are Python's (the remainder has the sign of the divisor); a
power of ints is an int, so its exponent may not be negative.
"""
from __future__ import annotations

import operator
from functools import reduce
from typing import Any, Callable, Mapping, Sequence

import jax
import jax.numpy as jnp
import numpy as np

from pullback.compiler.op import Op, Smoothness, define
from pullback.compiler.ops import infer
from pullback.compiler.type import Array, Constraint, Type, known

LARGEST = 2**31 - 1


def number(x: Any) -> Any:
    """A bool as an int, all else as it is."""
    return jnp.asarray(x, jnp.int32) if jnp.result_type(x) == jnp.bool_ else x


def truth(x: Any) -> Any:
    """A condition: a bool, or an int that is 0 or 1."""
    return x if jnp.result_type(x) == jnp.bool_ else x != 0


def operation(name: str, function: Callable, symbol: str = "", ranges: Callable | None = None,
              smooth: tuple[Smoothness, ...] = ("smooth",), linear: tuple = (), signature: str = "a, b",
              doc: str = "") -> Op:
    """An elementwise op on numbers."""
    def lower(attributes: Mapping[str, Any], *xs: Any) -> Any:
        return function(*map(number, xs))
    return define(Op(name, lower, infer.elementwise(symbol or name, lower, ranges), smooth=smooth, elementwise=True,
                     linear=linear, signature=signature, symbol=symbol, doc=doc))


# ------------------------------------------------------------------ constants


def _numpy(value: Any) -> np.ndarray:
    """A number or a nested tuple of numbers; ints are int32, reals have the width that JAX is set to."""
    try:
        array = np.asarray(value)
    except ValueError as problem:
        raise TypeError("the rows of an array have one length") from problem
    if array.dtype.kind not in "biufc":
        whole = array.dtype == object
        raise TypeError(f"an int is at most {LARGEST}: write a real" if whole else "numbers are due here")
    if array.dtype.kind in "iu" and array.size and max(abs(int(array.max())), abs(int(array.min()))) > LARGEST:
        raise TypeError(f"an int is at most {LARGEST}: write a real")
    return array


def texts(value: Any) -> bool:
    """Is this a text, or a nested tuple of texts?"""
    return isinstance(value, str) or isinstance(value, tuple) and bool(value) and texts(value[0])


def _constant_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    if texts(attributes["value"]):
        return (Array("text", np.asarray(attributes["value"], object).shape),)
    array = _numpy(attributes["value"])
    kind = infer.kind(array.dtype)
    bounds = (int(array.min()), int(array.max()) + 1) if kind == "int" and array.size else None
    return (Array(kind, array.shape, Constraint("range", bounds) if bounds else None),)


def _constant(attributes: Mapping[str, Any]) -> np.ndarray:
    """A NumPy array, so that what reads it under `jit` still sees its value (an int exponent)."""
    array = _numpy(attributes["value"])
    if array.dtype.kind in "iu":
        return array.astype(np.int32)
    return array if array.dtype.kind == "b" else array.astype(
        jnp.result_type(complex if array.dtype.kind == "c" else float))


define(Op("constant", _constant, _constant_type, doc="A number or a text, or an array of them."))


# ------------------------------------------------------------------ arithmetic


def _power(x: Any, y: Any) -> Any:
    """x^y; a constant int exponent keeps JAX's exact rule for whole powers (right at 0 and below)."""
    if isinstance(y, np.ndarray) and y.shape == () and y.dtype.kind == "i":
        return jnp.power(x, int(y))
    return jnp.power(x, y)


def _power_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    base, exponent = infer.arrays("^", types)
    if base.kind in ("int", "bool") and exponent.kind in ("int", "bool"):
        if exponent.bounds is None or not infer.at_most(0, exponent.bounds[0]):
            raise TypeError("a power of ints has an exponent that can't be negative: write a real, `2.0^n`")
        return (Array("int", infer.meet("^", (base, exponent))),)
    return _power_elementwise(types, attributes)


def _power_lower(attributes: Mapping[str, Any], x: Any, y: Any) -> Any:
    return _power(number(x), y if isinstance(y, np.ndarray) else number(y))


_power_elementwise = infer.elementwise("^", _power_lower)

operation("add", lambda *xs: reduce(operator.add, xs), "+", infer.added, linear=("all",), signature="*terms",
          doc="The sum of any number of terms.")
operation("sub", jnp.subtract, "-", infer.subtracted, linear=("all",))
operation("mul", jnp.multiply, "*", infer.multiplied, linear=((0,), (1,)))
operation("div", jnp.true_divide, "/", linear=((0,),))
operation("floordiv", jnp.floor_divide, "//", infer.quotient, smooth=("jump",))
operation("mod", jnp.remainder, "%", infer.remainder, smooth=("jump",))
operation("neg", jnp.negative, "-", infer.negated, linear=("all",), signature="a")
operation("abs", jnp.abs, "", infer.magnitude, smooth=("continuous",), signature="x")
operation("maximum", lambda *xs: reduce(jnp.maximum, xs), "", infer.higher_of, smooth=("continuous",),
          signature="a, b, *more")
operation("minimum", lambda *xs: reduce(jnp.minimum, xs), "", infer.lower_of, smooth=("continuous",),
          signature="a, b, *more")
define(Op("pow", _power_lower, _power_type, elementwise=True, signature="a, b", symbol="^"))
define(Op("stop", lambda attributes, x: jax.lax.stop_gradient(x), lambda types, attributes: (types[0],),
          elementwise=True, signature="x", doc="x, without derivative."))


# ------------------------------------------------------------------ comparisons and conditions


def _comparison(name: str, function: Callable, symbol: str) -> None:
    operation(name, function, symbol, smooth=("jump",))


_comparison("lt", jnp.less, "<")
_comparison("le", jnp.less_equal, "<=")
_comparison("gt", jnp.greater, ">")
_comparison("ge", jnp.greater_equal, ">=")
_comparison("eq", jnp.equal, "==")
_comparison("ne", jnp.not_equal, "!=")


def condition(title: str, type: Type) -> Array:
    """The type, if it can stand as a condition: a bool, or an int that is 0 or 1."""
    (array,) = infer.arrays(title, (type,))
    low, high = array.bounds if array.kind in ("bool", "int") and array.bounds else (-1, 3)
    if known(low) and known(high) and 0 <= low and high <= 2:
        return array
    raise TypeError(f"`{title}` takes a condition, a bool, and this is a `{type}`: compare it with something")


def _logic(name: str, function: Callable, signature: str) -> None:
    def type_of(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
        return (Array("bool", infer.meet(name, [condition(name, type) for type in types])),)
    define(Op(name, lambda attributes, *xs: function(*map(truth, xs)), type_of, smooth=("jump",), elementwise=True,
              signature=signature))


_logic("and", lambda *xs: reduce(jnp.logical_and, xs), "*terms")
_logic("or", lambda *xs: reduce(jnp.logical_or, xs), "*terms")
_logic("not", jnp.logical_not, "a")
_logic("logical_xor", jnp.logical_xor, "a, b")


def _where_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    chosen = condition("if", types[0])
    sides = infer.items("if", types[1:])
    shape = infer.meet("if … else", (chosen, *sides))
    if sides[0].kind == "text":
        return (Array("text", shape),)
    kind = infer.kind(jnp.result_type(*(infer.DTYPES[side.kind] for side in sides)))
    if sides[0] == sides[1] and not chosen.shape:
        return (Array(kind, shape, sides[0].constraint),)
    return (Array(kind, shape, infer.bounds_of(infer.hull, sides) if kind == "int" else None),)


define(Op("where", lambda attributes, c, a, b: jnp.where(truth(c), a, b), _where_type,
          smooth=("jump", "smooth", "smooth"), elementwise=True, linear=((1, 2),), signature="condition, a, b",
          doc="a if condition else b."))
