"""A program's lines by indentation and brackets alone, however wrong it is otherwise.

A logical line is a statement with all that its brackets and strings hold.  In brackets a line stands deeper than its
statement or starts with a closing bracket, so a bracket or a string that is never closed ends with its statement, and
is reported where it was opened.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

from pullback.dsl.layout import DEPTH, Fault, tab, too_deep, unclosed_at

PIECE = re.compile(r'"""[^"\\]*(?:(?:\\(?:.|\n)|"(?!""))[^"\\]*)*"""|"""|'
                   r'"[^"\\\n]*(?:\\.[^"\\\n]*)*"|"|#[^\n]*|[(){}\[\]]|\n')
CLOSES = {")": "(", "]": "[", "}": "{"}
OPENS = {opening: closing for closing, opening in CLOSES.items()}


@dataclass
class Line:
    """A logical line: its lines `first..last` (from 0), and its column."""
    first: int
    last: int
    column: int


class Lines:
    """The logical lines of a text; `found` is what is wrong with its brackets and strings, `faulty` the first lines
    of the statements where it is.  A tab in the indentation, or brackets without end, are raised as a `Fault`."""

    def __init__(self, text: str):
        self.text, self.lines = text, text.split("\n")
        self.logical: list[Line] = []
        self.found: list[Fault] = []
        self.faulty: set[int] = set()
        self.open: list[tuple[str, int]] = []
        self.number = 0
        self.begin(0)
        for match in PIECE.finditer(text):
            piece, at = match.group(), match.start()
            if piece == "\n":
                self.number += 1
                self.begin(at + 1)
            elif piece == '"""':
                self.wrong(Fault("this text is never closed", at, at + 3, help='it ends in `"""`'))
                return
            elif piece == '"':
                self.unclosed_string(at)
            elif piece.startswith('"'):
                self.number += piece.count("\n")
                self.logical[-1].last = self.number
            elif piece in CLOSES:
                self.close(piece, at)
            elif piece in OPENS:
                self.open.append((piece, at))
                if len(self.open) > DEPTH:
                    raise too_deep(at, at + 1)
        self.unclosed()

    def declarations(self) -> list[list[Line]]:
        """The logical lines of each declaration: it begins at the margin."""
        starts = [place for place, line in enumerate(self.logical) if line.column == 0 or place == 0]
        return [self.logical[start:end] for start, end in zip(starts, [*starts[1:], len(self.logical)])]

    def wrong(self, fault: Fault) -> None:
        """One fault a statement: what follows in it is mostly the same one."""
        if self.logical[-1].first not in self.faulty:
            self.found.append(fault)
            self.faulty.add(self.logical[-1].first)

    def begin(self, at: int) -> None:
        """The line that begins at an offset: a new statement, or the next line of one in brackets."""
        line = self.lines[self.number]
        column = len(line) - len(line.lstrip(" \t"))
        rest = line[column:].rstrip("\r")
        if not rest or rest.startswith("#"):
            return
        if "\t" in line[:column]:
            raise tab(at + line.index("\t"))
        if self.open and column <= self.logical[-1].column and rest[0] not in CLOSES:
            self.unclosed()
        if self.open:
            self.logical[-1].last = self.number
        else:
            self.logical.append(Line(self.number, self.number, column))

    def close(self, piece: str, at: int) -> None:
        """A closing bracket: those opened after its own were never closed; one that fits none is left out."""
        if CLOSES[piece] in [bracket for bracket, _ in self.open]:
            while self.open[-1][0] != CLOSES[piece]:
                bracket, opened = self.open.pop()
                self.wrong(unclosed_at(opened, bracket))
            self.open.pop()
        elif self.open:
            bracket, opened = self.open[-1]
            self.wrong(Fault(f"`{piece}` does not close `{bracket}`", at, at + 1, help=f"write `{OPENS[bracket]}`",
                             notes=((opened, opened + 1, "opened here"),)))
        else:
            self.wrong(Fault(f"`{piece}` closes a bracket that was never opened", at, at + 1,
                             help="leave it out, or open one"))

    def unclosed(self) -> None:
        """The statement ends: what is open is never closed."""
        if self.open:
            bracket, at = self.open[-1]
            self.wrong(unclosed_at(at, bracket))
        self.open.clear()

    def unclosed_string(self, at: int) -> None:
        end = self.text.find("\n", at)
        self.wrong(Fault("this string is never closed", at, len(self.text) if end < 0 else end,
                         help='it ends on its line; `"""` begins a text of several lines'))
        self.open.clear()
