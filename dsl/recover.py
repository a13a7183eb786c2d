"""All that is wrong with a program, not just the first.

Skipping tokens until the parser goes on gives thirty messages for one missing bracket.  Indentation alone finds
statements here, so a program that fails is cut into lines (a statement with its brackets and strings is one), the
lines into declarations, and each declaration is read on its own.  Where it fails, a harmless statement is put for the
faulty line and it is read again.  Lines are replaced as a whole, so a line and a column keep their meaning.
"""
from __future__ import annotations

import re
from dataclasses import dataclass

from pullback.compiler.source import Source
from pullback.dsl import reader
from pullback.dsl.build import Builder
from pullback.dsl.explain import explain
from pullback.dsl.layout import DEPTH, Fault, tab, too_deep, unclosed_at

TRIES, MOST = 20, 100
PIECE = re.compile(r'"""[^"\\]*(?:(?:\\(?:.|\n)|"(?!""))[^"\\]*)*"""|"""|"[^"\\\n]*(?:\\.[^"\\\n]*)*"|"|#[^\n]*|[(){}\[\]]|\n')
CLOSES = {")": "(", "]": "[", "}": "{"}
OPENS = {opening: closing for closing, opening in CLOSES.items()}
BLOCKS = {"for", "group", "if", "elif", "else", "while", "until", "when", "do", "try", "with", "unless"}
HEADERS = {"fit": "fit x:", "functor": "functor x:", "lexicon": "lexicon x -> n:", "diagram": "diagram x:"}
MODELS = {"model", "objective", "function", "def", "func", "fn", "fun", "proc", "procedure"}
DECLARATIONS = {"model", "objective", "function", "network", "extern", "fit", "type", "box", "diagram", "functor",
                "lexicon", "from"}


@dataclass
class Line:
    """A statement's lines `first..last` (from 0), and its column."""
    first: int
    last: int
    column: int


def faults(source: Source) -> list[Fault]:
    """What is wrong, in the order of the text: empty if nothing is found."""
    lines = source.text.split("\n")
    try:
        logical, found, cut = scan(source.text, lines)
    except Fault as fault:
        return [fault]
    budget = 3 * len(source.text) + 100_000
    homeless = False
    for number, (start, end) in enumerate(declarations(logical)):
        item = Item(source, lines, logical[start:end], cut, first=number == 0)
        budget = item.read(budget)
        stray = homeless and item.word not in DECLARATIONS
        found += [] if stray and item.found else item.found
        homeless = item.homeless or stray and bool(item.found)
        if len(found) > MOST or budget < 0:
            break
    unique = {(fault.start, fault.message): fault for fault in found}
    return sorted(unique.values(), key=lambda fault: fault.start)[:MOST]


def scan(text: str, lines: list[str]) -> tuple[list[Line], list[Fault], set[int]]:
    """The logical lines; what is never closed; and the first lines of statements that are faulty for that."""
    logical: list[Line] = []
    found: list[Fault] = []
    faulty: set[int] = set()
    opened: list[tuple[str, int]] = []
    number = 0

    def begin(at: int) -> None:
        """The line that begins at an offset: a new statement, or the next line of one in brackets."""
        line = lines[number]
        column = len(line) - len(line.lstrip(" \t"))
        rest = line[column:].rstrip("\r")
        if not rest or rest.startswith("#"):
            return
        if "\t" in line[:column]:
            raise tab(at + line.index("\t"))
        if opened and column <= logical[-1].column and rest[0] not in CLOSES:
            found.append(unclosed_at(opened[-1][1], opened[-1][0]))
            faulty.add(logical[-1].first)
            opened.clear()
        if opened:
            logical[-1].last = number
        else:
            logical.append(Line(number, number, column))

    begin(0)
    for match in PIECE.finditer(text):
        piece, start = match.group(), match.start()
        if piece == "\n":
            number += 1
            begin(match.end())
        elif piece.startswith("#"):
            continue
        elif piece == '"""':
            found.append(Fault('this text is never closed', start, start + 3, help='it ends in `"""`'))
            if logical:
                faulty.add(logical[-1].first)
            return logical, found, faulty
        elif piece == '"':
            end = text.find("\n", start)
            found.append(Fault("this string is never closed", start, len(text) if end < 0 else end,
                               help='it ends on its line; `"""` begins a text of several lines'))
            opened.clear()
            if logical:
                faulty.add(logical[-1].first)
        elif piece.startswith('"'):
            number += piece.count("\n")
            if logical:
                logical[-1].last = number
        elif piece in CLOSES:
            wanted = CLOSES[piece]
            if wanted in [bracket for bracket, _ in opened]:
                while opened[-1][0] != wanted:
                    bracket, at = opened.pop()
                    found.append(unclosed_at(at, bracket))
                    faulty.add(logical[-1].first)
                opened.pop()
            else:
                found.append(stray(start, piece, opened.pop() if opened else None))
                faulty.add(logical[-1].first)
        else:
            opened.append((piece, start))
            if len(opened) > DEPTH:
                raise too_deep(start, start + 1)
    if opened:
        found.append(unclosed_at(opened[-1][1], opened[-1][0]))
        faulty.add(logical[-1].first)
    return logical, found, faulty


def stray(at: int, piece: str, last: tuple[str, int] | None) -> Fault:
    """A closing bracket that closes nothing, or the wrong one."""
    if last is None:
        return Fault(f"`{piece}` closes a bracket that was never opened", at, at + 1, help="leave it out, or open one")
    bracket, opened = last
    return Fault(f"`{piece}` does not close `{bracket}`", at, at + 1, notes=((opened, opened + 1, "opened here"),),
                 help=f"write `{OPENS[bracket]}`")


def declarations(logical: list[Line]) -> list[tuple[int, int]]:
    """The stretches of logical lines that are one declaration each: they begin at the margin."""
    starts = [number for number, line in enumerate(logical) if line.column == 0 or number == 0]
    return list(zip(starts, [*starts[1:], len(logical)]))


class Item:
    """One declaration, read again and again until nothing new is wrong."""

    def __init__(self, source: Source, lines: list[str], logical: list[Line], faulty: set[int], first: bool):
        self.source, self.logical = source, logical
        self.offset = logical[0].first
        self.lines = list(lines[self.offset:logical[-1].last + 1])
        self.word = self.first_word(logical[0])
        self.start = "program" if first and self.lines[0].startswith('"') else "item"
        self.found: list[Fault] = []
        self.replaced: dict[int, int] = {}
        self.homeless = False
        for line in logical:
            if line.first in faulty:
                self.replace(line)

    def read(self, budget: int) -> int:
        """Reads until nothing new is found; gives back what is left of the budget of characters."""
        for _ in range(TRIES):
            if not any(line.strip() for line in self.lines) or budget < 0:
                break
            text = "\n".join(self.lines) + "\n"
            budget -= len(text)
            source = Source(self.source.name, text)
            builder = Builder(source, reader.tree)
            try:
                builder.build(reader.tree(text, self.start))
            except Fault as fault:
                if not self.take(explain(fault, text), source, fault):
                    break
            else:
                for fault in builder.faults:
                    self.keep(fault, source)
                break
        return budget

    def take(self, fault: Fault, source: Source, raw: Fault) -> bool:
        """Keeps a fault and puts something harmless in its place; says whether that helped to go on."""
        at = self.offset + source.position(fault.start)[0] - 1
        place = max((number for number, line in enumerate(self.logical) if line.first <= at), default=0)
        line = self.logical[place]
        known = self.replaced.get(line.first, 0)
        if known == 0:
            self.keep(fault, source)
        kind = getattr(raw, "kind", None)
        if getattr(raw, "accepts", None) == {"_INDENT"} and place == 0:
            self.homeless = True
        if kind == "_INDENT" or raw.code == "layout":
            self.drop_block(place)
            return True
        if known > 1:
            return False
        self.replace(line)
        return True

    def keep(self, fault: Fault, source: Source) -> None:
        """The fault at its place in the whole program, unless that place is none of the user's text."""
        notes = tuple((self.place(start, source), self.place(end, source), text) for start, end, text in fault.notes)
        start, end = self.place(fault.start, source), self.place(fault.end, source)
        self.found.append(Fault(fault.message, start, end, code=fault.code, label=fault.label, help=fault.help,
                                notes=notes))

    def place(self, offset: int, source: Source) -> int:
        line, column = source.position(offset)
        number = min(self.offset + line - 1, len(self.source.starts) - 1)
        return self.source.starts[number] + min(column - 1, len(self.source.line(number + 1)))

    # ---- what is put for a faulty line

    def first_word(self, line: Line) -> str:
        match = re.match(r"\s*(\w*)", self.lines[line.first - self.offset])
        return match.group(1) if match else ""

    def replace(self, line: Line) -> None:
        place = self.logical.index(line)
        times = self.replaced[line.first] = self.replaced.get(line.first, 0) + 1
        deeper = place + 1 < len(self.logical) and self.logical[place + 1].column > line.column
        harmless, keeps = self.harmless(place, line, deeper, times)
        self.put(line, " " * line.column + harmless)
        if deeper and not keeps:
            self.drop_block(place + 1)

    def harmless(self, place: int, line: Line, deeper: bool, times: int) -> tuple[str, bool]:
        """A line that can stand here, and whether it keeps the deeper lines that follow as its block."""
        word = self.first_word(line)
        if place == 0:
            if deeper and times == 1 and (word in HEADERS or word in MODELS):
                return HEADERS.get(word, "model x():"), True
            return "x = 0", False
        parent = next(other for other in reversed(self.logical[:place]) if other.column < line.column)
        owner = self.first_word(parent)
        above = self.lines[parent.first - self.offset]
        if re.search(r"\bcombine\b", above):
            return "x: 0", False
        if parent is self.logical[0] and self.word in ("fit", "functor", "lexicon"):
            return {"fit": "steps 0", "functor": "x => 0", "lexicon": 'x: n = ""'}[self.word], False
        if parent is not self.logical[0] and owner not in BLOCKS:
            return "0", False
        if word in ("elif", "else") and times == 1:
            head = "else:" if word == "else" and not re.match(r"\s*else\s+if\b", self.lines[line.first - self.offset]) \
                else "elif x:"
            return (head, True) if deeper else (head + " y = 0", False)
        if deeper and word in BLOCKS:
            return "if x:", True
        return "x = 0", False

    def drop_block(self, place: int) -> None:
        """Blanks a line and those after it that stand as deep."""
        column = self.logical[place].column
        for line in self.logical[place:]:
            if line.column < column:
                break
            self.put(line, "")

    def put(self, line: Line, text: str) -> None:
        first, last = line.first - self.offset, line.last - self.offset
        self.lines[first:last + 1] = [text] + [""] * (last - first)
