"""What the language page describes and the compiler can't do yet: one table, one code, `pending`.

Each such construct is known by its name, so that a program that uses it is told exactly that, and never that it is
misspelt.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler.source import Span
from pullback.dsl.context import error

CONSTRUCTS = {
    "text": "the library's texts", "drawn text": "a rule of points on a reply in free words",
    "density of texts": "the density of a model that draws texts",
    "tokens": "ragged arrays, `tokens[n]`", "until": "`until` in a loop that fills an array", "group": "`group`", "logps": "`logps`",
    "argmin": "`argmin`", "diagrams": "a parameter that is a diagram",
    "rollout": "`rollout`", "inner steps": "`inner steps`", "draw": "`draw … in …` in a fit",
    "with": "snapshots (`with old = w …`)", "batch": "`batch`",
    "validate": "`validate` in a fit without texts", "texts under over": "an array of texts under `over`",
    "prompt": "the type `prompt`", "complex": "`complex` arrays in a choice", "history": "an array that a loop fills and "
    "reads at a place that is no fixed number of steps back", "slice": "a slice whose ends are not known before the run",
    "extern model": "`extern model`", "transposed": "an array that is filled in another order than its loops stand in"}

RULES = frozenset("""
    spsa dp clip mask implicit unroll k3 logged sir gaussian
    measure loo group_normalize pathwise vimco nvil rebar relax arms
    zo es pifo route pcgrad cagrad sgr gns dice muprop score_clip tilde qmc control_variate
    """.split())


def pending(name: str, span: Span | None) -> Any:
    """The error for a construct of the table; None if `name` is no such construct."""
    if name not in CONSTRUCTS:
        return None
    return error("pending", f"{CONSTRUCTS[name]} can't be compiled yet", span,
                 label="this version of Pullback does not know it")


def pending_rule(name: str, span: Span | None) -> Any:
    """The error for a rule that is planned; None if there is no such plan."""
    if name not in RULES:
        return None
    return error("pending", f"the rule `{name}` is not there yet", span,
                 label="this version of Pullback does not know it")
