"""What is read off a declaration's text: its arguments with the types as they are written, and its static ints."""
from __future__ import annotations

from typing import Any

from pullback.dsl import syntax as s
from pullback.dsl.check import parameters_of as every_parameter
from pullback.dsl.check import static_names
from pullback.dsl.graphs import is_int
from pullback.dsl.values import Declared


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
    """The int arguments that sizes, loops or static arguments are computed of: they must be known before the run."""
    static = static_names(declared)
    over = {p.name for clause in getattr(declared.node, "clauses", ()) if isinstance(clause, s.Over) for p in clause.parameters}
    return frozenset(p.name for p in every_parameter(declared.node) if p.name in static and is_int(p)) - over
