"""The one layout of a program.

Four spaces a block, one blank line at most, one space where a space is due, and line breaks inside brackets where the
author put them.  The text is rebuilt from its tokens, with the kinds that the grammar gives them in context; comments
and blank lines live in the gaps between tokens.  A comment on a line of its own belongs to the next statement of its
column among the blocks that are open before it, or else to the end of its block: so the last comment of a block stays.
"""
from __future__ import annotations

from dataclasses import dataclass

from lark import Token

from pullback.compiler.source import Source
from pullback.dsl import reader
from pullback.dsl.layout import CLOSING, OPENING
from pullback.dsl.parse import parse

STEP = 4
ARITHMETIC = frozenset(("PLUS", "MINUS", "STAR", "TIMES"))
OPERAND = frozenset(("NAME", "NUMBER", "STRING", "LONG_STRING", "TRUE", "FALSE", *CLOSING))
TIGHT = frozenset(("DOT", "POWER"))


def format(source: Source) -> str:
    """The text of a program in its one layout; a program that does not parse raises `ProgramError`."""
    parse(source)
    text = source.text.replace("\r\n", "\n") + "\n"
    words = read(text)
    return Writer(text, words).write()


@dataclass
class Word:
    """A token; the columns of the blocks open at it; whether it begins a statement, and the statement has a block of
    lines; and whether it stands close to the word `after` it, or to `both` sides."""
    token: Token
    columns: tuple[int, ...]
    begins: bool = False
    blocks: bool = False
    tight: str = ""

    @property
    def kind(self) -> str:
        return self.token.type

    @property
    def level(self) -> int:
        return len(self.columns) - 1


def read(text: str) -> list[Word]:
    """The tokens of a right program."""
    words: list[Word] = []
    columns, begins = (0,), True
    for token in reader.tokens(text):
        match token.type:
            case "_NL":
                begins = True
            case "_INDENT":
                columns = (*columns, token.column - 1)
            case "_DEDENT":
                columns = columns[:-1]
            case _:
                words.append(Word(token, columns, begins))
                begins = False
    mark_blocks(words)
    mark_signs(words)
    mark_ranges(words)
    return words


def mark_blocks(words: list[Word]) -> None:
    """Which declarations have a block of lines of their own."""
    head = None
    for word in words:
        if word.begins and word.level == 0:
            head = word
        elif word.level > 0 and head is not None:
            head.blocks = True


def mark_signs(words: list[Word]) -> None:
    """A minus that follows no value is a sign."""
    for before, word in zip([None, *words], words):
        if word.kind == "MINUS" and (before is None or word.begins or before.kind not in OPERAND):
            word.tight = "after"


def mark_ranges(words: list[Word]) -> None:
    """In a range the arithmetic stands close, so that `0..n-1` reads as it is meant."""
    for at, word in enumerate(words):
        if word.kind == "DOTS":
            for step in (-1, 1):
                depth, place = 0, at + step
                while 0 <= place < len(words):
                    kind = words[place].kind
                    if kind in (CLOSING if step < 0 else OPENING):
                        depth += 1
                    elif kind in (OPENING if step < 0 else CLOSING):
                        depth -= 1
                    if depth < 0 or depth == 0 and kind not in OPERAND | ARITHMETIC | TIGHT | OPENING:
                        break
                    if depth == 0 and kind in ARITHMETIC and not words[place].tight:
                        words[place].tight = "both"
                    place += step


class Writer:
    """Puts the words into lines."""

    def __init__(self, text: str, words: list[Word]):
        self.text, self.words = text, words
        self.lines: list[str] = []
        self.line, self.indent = "", 0
        self.open: list[int] = []

    def write(self) -> str:
        before: Word | None = None
        head: Word | None = None
        for word in self.words:
            start = before.token.end_pos if before else 0
            gap = self.text[start:word.token.start_pos]
            if word.begins:
                self.statement(gap, before, word, head)
                head = word if word.level == 0 else head
            elif "\n" in gap:
                self.go_on(gap, word)
            elif before is not None and spaced(before, word):
                self.line += " "
            self.put(word)
            before = word
        self.end(before)
        return "\n".join(self.lines) + "\n" if self.lines else ""

    def put(self, word: Word) -> None:
        if word.kind in OPENING:
            self.open.append(self.indent)
        elif word.kind in CLOSING:
            self.open.pop()
        self.line += str(word.token)

    def flush(self) -> None:
        if self.line:
            self.lines.append(self.line.rstrip())
        self.line = ""

    def blank(self) -> None:
        if self.lines and self.lines[-1]:
            self.lines.append("")

    # ---- between two statements

    def statement(self, gap: str, before: Word | None, word: Word, head: Word | None) -> None:
        """Ends a line, writes what stands between, and begins the line of the next statement."""
        between = self.remark(gap, before)
        columns = before.columns if before else (0,)
        deeper = word.level > len(columns) - 1
        if deeper:
            columns = word.columns
        apart = word.level == 0 and head is not None and (head.blocks or word.blocks)
        self.comments(between[:-1], columns, word.level, deeper, apart)
        self.indent = STEP * word.level
        self.line = " " * self.indent

    def remark(self, gap: str, before: Word | None) -> list[str]:
        """Ends the line with the comment that follows on it; gives the lines up to the next word."""
        first, *between = gap.split("\n") if before else ["", *gap.split("\n")]
        if first.strip():
            self.line += "  " + first.strip()
        self.flush()
        return between

    def comments(self, between: list[str], columns: tuple[int, ...], level: int, deeper: bool, apart: bool) -> None:
        """Own-line comments and blank lines before a statement of a level."""
        now, wanted = len(columns) - 1, False
        kept: list[tuple[int, str, bool]] = []
        for line in between:
            comment = line.strip()
            if not comment:
                wanted = True
                continue
            column = len(line) - len(line.lstrip())
            fits = max((place for place, at in enumerate(columns) if at <= column), default=0)
            now = max(min(now, fits), level)
            kept.append((now, comment, wanted))
            wanted = False
        for number, (place, comment, spaced_) in enumerate(kept):
            first_out = apart and place == 0 and (number == 0 or kept[number - 1][0] > 0)
            if (spaced_ or first_out) and not (deeper and number == 0):
                self.blank()
            self.lines.append(" " * (STEP * place) + comment)
        if (wanted and not (deeper and not kept)) or apart and not (kept and kept[-1][0] == 0):
            self.blank()

    def end(self, before: Word | None) -> None:
        """What follows the last statement."""
        start = before.token.end_pos if before else 0
        between = self.remark(self.text[start:], before)
        self.comments(between, before.columns if before else (0,), 0, False, False)
        while self.lines and not self.lines[-1]:
            self.lines.pop()

    # ---- inside brackets

    def go_on(self, gap: str, word: Word) -> None:
        """A line break inside brackets: one step deeper than the line on which the innermost was opened."""
        first, *between = gap.split("\n")
        if first.strip():
            self.line += "  " + first.strip()
        self.flush()
        inner = self.open[-1] + STEP
        for line in between[:-1]:
            if line.strip():
                self.lines.append(" " * inner + line.strip())
        self.indent = self.open[-1] if word.kind in CLOSING else inner
        self.line = " " * self.indent


def spaced(before: Word, word: Word) -> bool:
    """Whether a space stands between two words on a line."""
    left, right = before.kind, word.kind
    if left in OPENING or right in CLOSING or right in ("COMMA", "COLON"):
        return False
    if left in TIGHT or right in TIGHT or before.tight or word.tight == "both":
        return False
    if right == "DOTS":
        return left not in OPERAND
    if left == "DOTS":
        return False
    if right in ("LPAR", "LSQB"):
        return left not in OPERAND
    return True
