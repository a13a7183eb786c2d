"""All that is wrong with a program, not just the first.

Skipping tokens until the parser goes on gives thirty messages for one missing bracket.  Indentation alone finds
statements here, so a program that fails is cut into lines (a statement with its brackets and strings is one), the
lines into declarations, and each declaration is read on its own.  Where it fails, a harmless statement is put for the
faulty line and it is read again.  Lines are replaced as a whole, so a line and a column keep their meaning.
"""
from __future__ import annotations

import re

from pullback.compiler.source import Source
from pullback.dsl import reader
from pullback.dsl.build import Builder
from pullback.dsl.explain import explain
from pullback.dsl.layout import Fault
from pullback.dsl.lines import Line, Lines

TRIES, MOST = 20, 100
BLOCKS = {"for", "group", "if", "elif", "else", "while", "until", "when", "do", "try", "with", "unless"}
HEADERS = {"fit": "fit x:", "functor": "functor x:", "lexicon": "lexicon x -> n:", "diagram": "diagram x:"}
MODELS = {"model", "objective", "function", "def", "func", "fn", "fun", "proc", "procedure"}
DECLARATIONS = {"model", "objective", "function", "network", "extern", "fit", "type", "box", "diagram", "functor",
                "lexicon", "from"}


def faults(source: Source) -> list[Fault]:
    """What is wrong, in the order of the text: empty if nothing is found."""
    try:
        lines = Lines(source.text)
    except Fault as fault:
        return [fault]
    found, budget, homeless = lines.found, 3 * len(source.text) + 100_000, False
    for declaration in lines.declarations():
        item = Item(source, lines, declaration)
        budget = item.read(budget)
        outdented = homeless and bool(item.found) and item.word not in DECLARATIONS
        found += [] if outdented else item.found
        homeless = item.homeless or outdented
        if len(found) > MOST or budget < 0:
            break
    unique = {(fault.start, fault.message): fault for fault in found}
    return sorted(unique.values(), key=lambda fault: fault.start)[:MOST]


class Item:
    """One declaration, read again and again until nothing new is wrong."""

    def __init__(self, source: Source, lines: Lines, logical: list[Line]):
        self.source, self.logical = source, logical
        self.offset = logical[0].first
        self.lines = lines.lines[self.offset:logical[-1].last + 1]
        self.word = self.first_word(logical[0])
        self.start = "program" if logical[0] is lines.logical[0] and self.lines[0].startswith('"') else "item"
        self.found: list[Fault] = []
        self.replaced: dict[int, int] = {}
        self.homeless = False
        for line in logical:
            if line.first in lines.faulty:
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
        """The fault at its place in the whole program."""
        notes = tuple((self.place(start, source), self.place(end, source), text) for start, end, text in fault.notes)
        start, end = self.place(fault.start, source), self.place(fault.end, source)
        self.found.append(Fault(fault.message, start, end, code=fault.code, label=fault.label, help=fault.help,
                                notes=notes))

    def place(self, offset: int, source: Source) -> int:
        """An offset in what was read, as one in the whole program: lines and columns are the same."""
        line, column = source.position(offset)
        number = min(self.offset + line - 1, len(self.source.starts) - 1)
        return self.source.starts[number] + min(column - 1, len(self.source.line(number + 1)))

    # ---- what is put for a faulty line

    def first_word(self, line: Line) -> str:
        match = re.match(r"\s*(\w*)", self.lines[line.first - self.offset])
        return match.group(1) if match else ""

    def replace(self, line: Line) -> None:
        """Puts a harmless statement for a faulty one, and blanks its block unless that can stand below it."""
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
