"""What is wrong with a program, as data, and how it looks in a terminal.

Stages collect diagnostics and only the face prints or raises them. A message speaks of the user's program: names,
lines, rules; never of boxes, axis numbers or exception classes.
"""
from __future__ import annotations

import re
from dataclasses import dataclass, replace
from difflib import get_close_matches
from typing import Iterable, Literal

from pullback.compiler.source import Span


@dataclass(frozen=True, slots=True)
class Diagnostic:
    """One finding: a code (the name of what was violated), a message, where, and how to mend it."""

    code: str
    message: str
    span: Span | None = None
    label: str = ""
    notes: tuple[tuple[Span | None, str], ...] = ()
    help: str = ""
    severity: Literal["error", "warning"] = "error"

    @property
    def file(self) -> str | None:
        return self.span.source.name if self.span else None

    @property
    def line(self) -> int | None:
        return self.span.line if self.span else None

    @property
    def column(self) -> int | None:
        return self.span.column if self.span else None

    @property
    def end_line(self) -> int | None:
        return self.span.end_line if self.span else None

    @property
    def end_column(self) -> int | None:
        return self.span.end_column if self.span else None

    def __str__(self) -> str:
        return render(self)


class ProgramError(ValueError):
    """A program that is wrong.  `.diagnostics` lists what; `str()` is the rendered text."""

    def __init__(self, diagnostics: Iterable[Diagnostic]):
        self.diagnostics = list(diagnostics)
        super().__init__("\n\n".join(map(render, self.diagnostics)))


class ArgumentError(TypeError):
    """What was given to a compiled program does not fit it: an array, a file, an option.  `.diagnostics` lists what."""

    def __init__(self, *findings: Diagnostic | str):
        self.diagnostics = [Diagnostic("argument", f) if isinstance(f, str) else f for f in findings]
        super().__init__("\n\n".join(map(render, self.diagnostics)))


class FitError(RuntimeError):
    """A run that had to stop.  `.diagnostics` says why, `.step` when, `.fit` holds the last good state."""

    def __init__(self, *diagnostics: Diagnostic, step: int | None = None, fit: object = None):
        self.diagnostics, self.step, self.fit = list(diagnostics), step, fit
        super().__init__("\n\n".join(map(render, self.diagnostics)))


class EngineError(RuntimeError):
    """A language model that did not answer as it must.  `.diagnostics` says what, `.code` is the first one's."""

    def __init__(self, *diagnostics: Diagnostic):
        self.diagnostics = list(diagnostics)
        super().__init__("\n\n".join(map(render, self.diagnostics)))

    @property
    def code(self) -> str:
        return self.diagnostics[0].code

    def at(self, span: Span | None, label: str = "") -> EngineError:
        """The same where the program asked: findings that have no place yet get this one."""
        return EngineError(*(d if d.span else replace(d, span=span, label=d.label or label) for d in self.diagnostics))


class Reported(Exception):
    """Inside the compiler: this piece can't be gone on with, and here is why.  Caught where pieces are collected."""

    def __init__(self, *diagnostics: Diagnostic):
        self.diagnostics = diagnostics
        super().__init__("; ".join(d.message for d in diagnostics))


class NotEnumerable(Reported):
    """An enumerated choice that a pass can't sum over: which site, in which loop, and why.

    Chosen by `auto`, another rule is taken; in a short loop, the loop is unrolled first; else it is the user's error."""

    def __init__(self, diagnostic: Diagnostic, site: str | None, loop: str | None = None, reason: str = ""):
        super().__init__(diagnostic)
        self.site, self.loop, self.reason = site, loop, reason or diagnostic.label


def near(name: str, known: Iterable[str]) -> str:
    """`did you mean …?` for a misspelt name, or nothing."""
    close = get_close_matches(name, list(dict.fromkeys(known)), n=2, cutoff=0.6)
    return "did you mean " + " or ".join(f"`{word}`" for word in close) + "?" if close else ""


def written(name: str, span: Span | None) -> str:
    """A name as the program has it: without the number that keeps apart several things of one name."""
    bare = name.rstrip("0123456789")
    there = span is not None and re.search(rf"\b{re.escape(name)}\b", span.source.text)
    return name if there or not bare else bare


def an(text: str) -> str:
    """The text after its article: "a `real`", "an `int`"."""
    return f"{'an' if text.lstrip('`')[:1] in tuple('aeio') else 'a'} {text}"


def render(diagnostic: Diagnostic) -> str:
    """The finding with its source line and the span underlined, as plain text."""
    head = f"{diagnostic.severity}[{diagnostic.code}]: {diagnostic.message}"
    spans = [(diagnostic.span, diagnostic.label, "^")]
    spans += [(span, text, "-") for span, text in diagnostic.notes]
    width = max([len(str(span.line)) for span, _, _ in spans if span] or [1])
    lines = [head]
    for number, (span, text, mark) in enumerate(spans):
        lines += excerpt(span, text, mark, width, arrow="-->" if number == 0 else ":::") if span else (
            [f"{' ' * width} = note: {text}"] if number else [])
    if diagnostic.help:
        lines.append(f"{' ' * width} = help: {diagnostic.help}")
    return "\n".join(lines)


def excerpt(span: Span, text: str, mark: str, width: int, arrow: str) -> list[str]:
    """The lines that show a span: where, the source line, the underline with its label."""
    source, line, column = span.source.line(span.line), span.line, span.column
    end = span.end_column - 1 if span.end_line == line else len(source)
    before = "".join("\t" if c == "\t" else " " for c in source[:column - 1])
    under = mark * max(1, min(end, len(source)) - column + 1)
    if len(source) > 160:  # a line nobody can read whole: show the neighbourhood of the span
        cut = max(0, column - 60)
        source, before = source[cut:cut + 140], " " * (column - 1 - cut)
        under = under[:80]
    pad = " " * width
    return [f"{pad}{arrow} {span}", f"{pad} |", f"{line:>{width}} | {source}", f"{pad} | {before}{under} {text}".rstrip()]
