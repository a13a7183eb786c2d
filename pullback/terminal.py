"""How things look in a terminal: findings in color, tables; plain text wherever it is no terminal."""
from __future__ import annotations

import json
import re
from typing import IO, Any, Iterable, Sequence

from pullback.compiler.diagnostic import Diagnostic, render

STYLES = [(re.compile(r"^error(\[[\w-]+\])?:"), "bold red"), (re.compile(r"^warning(\[[\w-]+\])?:"), "bold yellow"),
          (re.compile(r"^ *(-->|:::|\||\d+ \|)"), "blue"), (re.compile(r"(?<=\| ) *\^+.*$"), "red"),
          (re.compile(r"(?<=\| ) *-+ .*$"), "cyan"), (re.compile(r"^ *= help:"), "green"),
          (re.compile(r"^ *= note:"), "cyan")]


def show(diagnostics: Iterable[Diagnostic], stream: IO[str]) -> None:
    """Print findings, one after another."""
    for diagnostic in diagnostics:
        say(render(diagnostic) + "\n", stream)


def say(text: str, stream: IO[str]) -> None:
    """Print a text of findings, in color where there is a terminal."""
    if not stream.isatty():
        print(text, file=stream)
        return
    from rich.console import Console
    from rich.text import Text
    console = Console(file=stream, highlight=False, soft_wrap=True)
    for line in text.split("\n"):
        styled = Text(line)
        for pattern, style in STYLES:
            if found := pattern.search(line):
                styled.stylize(style, *found.span())
        console.print(styled)


def as_json(diagnostics: Iterable[Diagnostic]) -> str:
    """Findings for other programs: a JSON list of objects, positions from 1, ends excluded."""
    return json.dumps([{
        "code": d.code, "severity": d.severity, "message": d.message, "file": d.file, "line": d.line, "column": d.column,
        "end_line": d.end_line, "end_column": d.end_column, "label": d.label, "help": d.help,
        "notes": [{"message": text, "file": span and span.source.name, "line": span and span.line,
                   "column": span and span.column} for span, text in d.notes]} for d in diagnostics], indent=2)


def table(heads: Sequence[str], rows: Iterable[Sequence[Any]], stream: IO[str]) -> None:
    """A table: with rich on a terminal, else columns of plain text."""
    rows = [[str(cell) for cell in row] for row in rows]
    if stream.isatty():
        from rich import box
        from rich.console import Console
        from rich.table import Table
        from rich.text import Text
        shown = Table(*heads, box=box.SIMPLE_HEAD)
        for row in rows:
            shown.add_row(*map(Text, row))
        Console(file=stream).print(shown)
        return
    widths = [max(len(row[at]) for row in [list(heads), *rows]) for at in range(len(heads))]
    for row in [heads, *rows]:
        print("  ".join(cell.ljust(width) for cell, width in zip(row, widths)).rstrip(), file=stream)
