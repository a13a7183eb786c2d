"""Text to the syntax tree.

    parse(source)             a program; raises `ProgramError` with every independent syntax error
    parse_expression(text)    one expression
    parse_rule(text)          `reinforce(k = 4)`, or several in brackets

Only a program that fails is read again, piece by piece, to find all that is wrong with it (`recover.py`).
"""
from __future__ import annotations

import os

from lark import Tree

from pullback.compiler.diagnostic import Diagnostic, ProgramError
from pullback.compiler.source import Source, Span
from pullback.dsl import reader, recover, syntax
from pullback.dsl.build import Builder
from pullback.dsl.explain import explain
from pullback.dsl.layout import Fault

LIMIT = 1_000_000


def parse(source: Source, cache: str | os.PathLike | None = None) -> syntax.Program:
    """The program that a source holds.  `cache` is a folder of the user's own where the loaded grammar may be kept."""
    refuse_large(source)
    reader.lark(cache)
    with reader.without_gc():
        try:
            builder = Builder(source, reader.tree)
            program = builder.build(reader.tree(source.text + "\n"))
            faults = builder.faults
        except Fault as fault:
            faults = recover.faults(source) or [explain(fault, source.text + "\n")]
    if faults:
        raise ProgramError([diagnostic(fault, source) for fault in faults])
    return program


def parse_expression(text: str, name: str = "expression") -> syntax.Expression:
    """One expression, as in a program."""
    return alone(Source(name, text), "value")


def parse_rule(text: str, name: str = "rule") -> syntax.Rule | tuple[syntax.Rule, ...]:
    """The rule that a text names, `reinforce(k = 4)`; a tuple of them if they stand in brackets."""
    return alone(Source(name, text), "rule")


def alone(source: Source, start: str):
    refuse_large(source)
    text = source.text.rstrip()
    try:
        builder = Builder(source, reader.tree)
        value = builder.build(Tree("parentheses", [reader.tree(text, start, len(text) - len(text.lstrip()),
            len(text))]))
        faults = builder.faults
    except Fault as fault:
        faults = [explain(fault, text)]
    if faults:
        raise ProgramError([diagnostic(fault, source) for fault in faults])
    return value


def refuse_large(source: Source) -> None:
    if len(source.text) > LIMIT:
        raise ProgramError([Diagnostic(
            "syntax", f"this program has {len(source.text):,} characters; at most {LIMIT:,} are read",
            Span(source, 0, 0), help="data belongs in a file of its own, which a fit is given")])


def diagnostic(fault: Fault, source: Source) -> Diagnostic:
    def span(start: int, end: int) -> Span:
        size = len(source.text)
        return Span(source, min(start, size), min(max(start, end), size))

    notes = tuple((span(start, end), text) for start, end, text in fault.notes)
    return Diagnostic(fault.code, fault.message, span(fault.start, fault.end), fault.label, notes, fault.help)
