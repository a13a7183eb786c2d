"""Layout: the lines and indentation of a program, as tokens for the grammar.

A line ends in `_NL`; a deeper line begins with `_INDENT`; going back gives `_DEDENT`, each followed by one more `_NL`,
so that a statement ends in `_NL` whether it ends in a word or in an indented body.  `_NL` and `_DEDENT` have no
width and stand where the text before them ends: a span never reaches into the comments or blank lines that follow.

In brackets a line stands deeper than the line that its statement began on, or starts with a closing bracket.  So a
bracket that was never closed is found at the next line, and reported where it was opened.

Lark's own `Indenter` keeps its state on the object, which breaks when two threads parse; here it lives in the generator.
"""
from __future__ import annotations

import re
from typing import Iterator

from lark import Token

DEPTH = 200
POWERS = 50  # `a^b^c` is kept flat, but costs more than its length
FIRST = re.compile(r"(?:[ \t]*(?:#[^\n]*)?\r?\n)*(?P<margin>[ \t]*)(?=[^\s#])")
OPENING = frozenset(("LPAR", "LSQB", "LBRACE"))
CLOSING = frozenset(("RPAR", "RSQB", "RBRACE"))


class Fault(Exception):
    """Something that is wrong at `start..end` of the text being read; whoever knows the source makes it a diagnostic."""

    def __init__(self, message: str, start: int, end: int, *, code: str = "syntax", label: str = "", help: str = "",
                 notes: tuple[tuple[int, int, str], ...] = ()):
        super().__init__(message)
        self.message, self.start, self.end = message, start, max(start, end)
        self.code, self.label, self.help, self.notes = code, label, help, notes


class Layout:
    """The stage between Lark's lexer and its parser."""

    always_accept = ("_NL",)

    def process(self, stream: Iterator[Token]) -> Iterator[Token]:
        columns, open_, depth = [0], [], Depth()
        before = shallow = None
        for token in stream:
            kind = token.type
            if kind == "_NL":
                line = token[token.rindex("\n") + 1:]
                if "\t" in line:
                    raise tab(token.end_pos - len(line) + line.index("\t"))
                if not open_:
                    depth = Depth()
                    yield from line_end(token, before, columns, len(line))
                elif len(line) <= columns[-1]:
                    shallow = token
                continue
            if shallow is not None and kind not in CLOSING:
                raise unclosed(open_[-1])
            shallow = None
            if kind in OPENING:
                open_.append(token)
            elif kind in CLOSING and open_:
                open_.pop()
            if max(len(open_) + len(columns), depth.after(kind)) > DEPTH:
                raise too_deep(token.start_pos, token.end_pos)
            before = token
            yield token
        if open_:
            raise unclosed(open_[-1])


class Depth:
    """How deep a line is nested without brackets: signs, `else`, reductions, and what follows a value (`a.b[0](c)`).

    The exact depth is known only when the tree is built; this one stops a text of a megabyte before it is parsed.
    """

    def __init__(self) -> None:
        self.signs, self.powers, self.levels = 0, 0, [[0, 0]]

    def after(self, kind: str) -> int:
        level = self.levels[-1]
        self.signs = self.signs + 1 if kind in ("MINUS", "NOT") else 0
        self.powers = self.powers + 1 if kind == "POWER" else 0 if kind not in ("NUMBER", "NAME", "MINUS") else self.powers
        if kind in ("ELSE", "REDUCE", "ARGMIN"):
            level[0] += 1
        elif kind == "COMMA":
            level[:] = 0, 0
        if kind in OPENING or kind == "DOT":
            level[1] += 1
        elif kind not in CLOSING and kind != "NAME":
            level[1] = 0
        if kind in OPENING:
            self.levels.append([0, 0])
        elif kind in CLOSING and len(self.levels) > 1:
            self.levels.pop()
        return max(self.signs, self.powers // POWERS, *level)


def line_end(token: Token, before: Token | None, columns: list[int], column: int) -> Iterator[Token]:
    """What the end of a line means, given the column of the next one."""
    end = before.end_pos if before is not None else token.start_pos

    def mark(kind: str) -> Token:
        where = before if before is not None else token
        return Token(kind, "\n", start_pos=end, line=where.end_line, column=where.end_column,
                     end_line=where.end_line, end_column=where.end_column, end_pos=end)

    yield mark("_NL")
    if column > columns[-1]:
        columns.append(column)
        if len(columns) > DEPTH:
            raise too_deep(token.end_pos - column, token.end_pos)
        yield Token("_INDENT", "", start_pos=token.end_pos, line=token.end_line, column=token.end_column,
                    end_line=token.end_line, end_column=token.end_column, end_pos=token.end_pos)
    while column < columns[-1]:
        columns.pop()
        if column > columns[-1]:
            raise Fault("this line stands between two columns", token.end_pos - column, token.end_pos, code="layout",
                        label=f"{column} space{'s' * (column != 1)} here",
                        help=(f"indent it by {columns[-1]} spaces" if columns[-1] else "begin it at the margin") +
                             ", as an earlier line, or as the line above")
        yield mark("_DEDENT")
        yield mark("_NL")


def unclosed(token: Token) -> Fault:
    return unclosed_at(token.start_pos, token)


def unclosed_at(at: int, bracket: str) -> Fault:
    return Fault(f"`{bracket}` is never closed", at, at + 1,
                 help="in brackets, a line stands deeper than the line that its statement began on, or starts with "
                      "the closing bracket")


def first_line(text: str) -> None:
    """The first line of a program has none before it that could open a block."""
    match = FIRST.match(text)
    if match and match.start("margin") < match.end("margin"):
        start, end = match.span("margin")
        if "\t" in match["margin"]:
            raise tab(start + match["margin"].index("\t"))
        raise Fault("the first line is indented", start, end, code="layout", help="declarations begin at the margin")


def tab(at: int) -> Fault:
    return Fault("a tab in the indentation", at, at + 1, code="layout", help="indent by spaces, four for each block")


def too_deep(start: int, end: int) -> Fault:
    return Fault(f"this is nested more than {DEPTH} deep", start, end,
                 help="name the inner parts: assign them on lines of their own")
