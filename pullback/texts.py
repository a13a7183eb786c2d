"""What is read off a declaration's text: its arguments with the types as they are written, and its static ints."""
from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from pullback.dsl import syntax as s
from pullback.dsl.check import parameters_of as every_parameter
from pullback.dsl.check import is_text, static_names
from pullback.dsl.graphs import is_int
from pullback.dsl.values import Declared


class Known(str):
    """The name of an argument that must be known before the run, with its type as it is written."""

    type: str = "int"


def texts(value: Any) -> bool:
    """Is this a text, or several?"""
    if hasattr(value, "dtype"):
        return value.dtype.kind in "OUT"
    return isinstance(value, str) or isinstance(value, Sequence) and all(isinstance(item, str) for item in value)


def frozen(value: Any) -> Any:
    """What is known before the run, as something that can be a key: an int, a text, a tuple of texts."""
    return value if isinstance(value, str) else tuple(map(str, value)) if texts(value) else int(value)


def parameters_of(node: Any) -> dict[str, str]:
    """The arguments of a model, objective or function: name → type."""
    return {parameter.name: type_text(parameter) for parameter in node.parameters}


def given_of(node: s.Fit) -> dict[str, str]:
    """What a fit is given."""
    return {parameter.name: type_text(parameter) for clause in node.clauses if isinstance(clause, s.Given)
            for parameter in clause.parameters}


def type_text(parameter: s.Parameter) -> str:
    return parameter.type.span.text.strip() if parameter.type is not None else "any type"


def static_ints(declared: Declared) -> frozenset[str]:
    """The arguments that must be known before the run: ints that sizes, loops or static arguments are computed of, and texts
    that decide a diagram."""
    static = static_names(declared)
    over = {p.name for clause in getattr(declared.node, "clauses", ()) if isinstance(clause, s.Over) for p in clause.parameters}
    found = set()
    for parameter in every_parameter(declared.node):
        if parameter.name in static and parameter.name not in over and (is_int(parameter) or is_text(parameter)):
            name = Known(parameter.name)
            name.type = type_text(parameter) if is_text(parameter) else "int"
            found.add(name)
    return frozenset(found)
