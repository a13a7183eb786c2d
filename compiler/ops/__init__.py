"""The ops, as attributes: `from pullback.compiler import ops as op`, then `case Box(op.log, (x,), (y,))`.

A name that is a Python keyword has a trailing underscore here (`op.and_`, `op.not_`); its record is called `and`.
`functions()` is the table of what a program may call by name.
"""
from __future__ import annotations

import keyword
import math
from typing import Mapping

from pullback.compiler.op import OPS, Op
from pullback.compiler.ops import arithmetic, arrays, control, diagram, elementwise, estimator, linalg, random, text  # noqa: F401

CONSTANTS: Mapping[str, float] = {
    "pi": math.pi, "e": math.e, "inf": math.inf, "nan": math.nan, "euler_gamma": 0.5772156649015329}

UNNAMED = frozenset({
    "constant", "add", "sub", "mul", "div", "floordiv", "mod", "neg", "lt", "le", "gt", "ge", "eq", "ne", "and", "or",
    "not", "index", "reduce", "combine", "field", "network", "extern", "format", "spell", "same", "gate_array", "contraction",
    "table", "jacobian", "elementwise_derivative", "shifted", "frequencies"})
ALIASES: Mapping[str, str] = {
    "absolute": "abs", "add": "add", "subtract": "sub", "multiply": "mul", "divide": "div", "true_divide": "div",
    "floor_divide": "floordiv", "mod": "mod", "remainder": "mod", "negative": "neg", "power": "pow", "amax": "max",
    "amin": "min", "concatenate": "concat", "conjugate": "conj", "logical_and": "and",
    "logical_or": "or", "logical_not": "not", "equal": "eq", "not_equal": "ne", "less": "lt", "less_equal": "le",
    "greater": "gt", "greater_equal": "ge", "stop_gradient": "stop"}


def functions() -> dict[str, Op]:
    """What a program may call by name: name → op."""
    named = {name: op for name, op in OPS.items() if op.kind == "pure" and name not in UNNAMED}
    return named | {name: OPS[target] for name, target in ALIASES.items()}


def function(name: str, arguments: int) -> Op | None:
    """The op that `name` means with this many arrays, or None: `max(x)` reduces, `max(a, b)` is elementwise."""
    if arguments > 1 and name in ("max", "min"):
        return OPS[{"max": "maximum", "min": "minimum"}[name]]
    return functions().get(name)


def __getattr__(name: str) -> Op:
    key = name.removesuffix("_") if keyword.iskeyword(name.removesuffix("_")) else name
    if key in OPS:
        return OPS[key]
    raise AttributeError(f"there is no op {name}")
