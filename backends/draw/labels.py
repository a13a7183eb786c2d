"""Text in pictures: escaped in one place, cut to length in one place, set in Graphviz's tables.

Whatever comes from a program (names, expressions, texts, criticisms) passes `escape` or `tip` before it stands in DOT
text.  Graphviz draws a malformed label as a warning with another picture, so nothing else may put text there.
"""
from __future__ import annotations

import html
import re
from typing import Iterable

from pullback.backends.draw.palette import color

NAME, SECOND, CRITICISM, CAPTION, TIP = 20, 28, 28, 24, 4000
_SPACES = re.compile("[ \t\r\n\f\v\x1c-\x1f\x85\u2028\u2029]+")
_CONTROL = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1b\x7f\ud800-\udfff\ufffe\uffff]")


def printable(text: str) -> str:
    """Without what no XML may hold."""
    return _CONTROL.sub("\N{REPLACEMENT CHARACTER}", str(text))


def clean(text: str) -> str:
    """On one line too; spaces that may not break are kept."""
    return _SPACES.sub(" ", printable(text))


def clip(text: str, width: int) -> str:
    """At most `width` characters: whole arguments as long as they fit, then `…` with brackets closed again.

    >>> clip("normal(mean[0], exp(log_sd[0]))", 24)
    'normal(mean[0], …)'
    """
    text = clean(text)
    if len(text) <= width:
        return text
    best = ""
    for cut, character in enumerate(text[:width]):
        open_ = unclosed(text[:cut + 1])
        if character == "," and len(open_) == 1 and cut + 3 + len(open_) <= width:
            best = f"{text[:cut + 1]} …{closing(open_)}"
    if len(best) > width // 2:
        return best
    for cut in range(width - 1, 0, -1):
        kept = text[:cut].rstrip(" ,·+−(-")
        if len(kept) + 1 + len(unclosed(kept)) <= width:
            return f"{kept}…{closing(unclosed(kept))}"
    return "…"


def closing(brackets: list[str]) -> str:
    return "".join({"(": ")", "[": "]"}[bracket] for bracket in reversed(brackets))


def unclosed(text: str) -> list[str]:
    stack: list[str] = []
    for character in text:
        if character in "([":
            stack.append(character)
        elif character in ")]" and stack:
            stack.pop()
    return stack


def wrap(text: str, width: int, lines: int) -> list[str]:
    """The text on at most so many lines, broken between words."""
    rows = [""]
    for word in clean(text).split():
        longer = f"{rows[-1]} {word}".strip()
        if len(longer) <= width or not rows[-1]:
            rows[-1] = longer
        else:
            rows.append(word)
    if len(rows) > lines:
        rows = [*rows[:lines - 1], " ".join(rows[lines - 1:])]
    return [clip(row, width) for row in rows]


def escape(text: str) -> str:
    """Text for an HTML-like label."""
    return html.escape(clean(text), quote=True) or "&#160;"


def tip(lines: Iterable[str]) -> str:
    """A tooltip: Graphviz reads entities and backslashes in it, so both are written as entities."""
    text = "\n".join(clean(line) for line in lines if line)[:TIP]
    return html.escape(text, quote=True).replace("\\", "&#92;").replace("\n", "&#10;") or "&#160;"


# ------------------------------------------------------------------ tables

def font(text: str, ink: str = "ink", size: float | None = None, bold: bool = False, italic: bool = False,
         face: str | None = None) -> str:
    """Escaped text in one of the palette's colors."""
    inner = escape(text)
    inner = f"<B>{inner}</B>" if bold else f"<I>{inner}</I>" if italic else inner
    points = f' POINT-SIZE="{size:g}"' if size else ""
    family = f' FACE="{face}"' if face else ""
    return f'<FONT COLOR="{color(ink)}"{points}{family}>{inner}</FONT>'


def cell(content: str, **attributes: object) -> str:
    given = "".join(f' {key}="{value}"' for key, value in attributes.items() if value is not None)
    return f"<TD{given}>{content}</TD>"


def row(*cells: str) -> str:
    return f"<TR>{''.join(cells)}</TR>"


def table(*rows: str, border: int = 0, cellborder: int = 0, spacing: int = 0, padding: int = 2, **attributes: object) -> str:
    given = "".join(f' {key}="{value}"' for key, value in attributes.items() if value is not None)
    return (f'<TABLE BORDER="{border}" CELLBORDER="{cellborder}" CELLSPACING="{spacing}" CELLPADDING="{padding}"{given}>'
            f"{''.join(rows)}</TABLE>")


def centered(cells: Iterable[str]) -> str:
    """Cells side by side, not stretched to the width of what stands above: empty cells take the room."""
    empty = "<TD></TD>" * 4
    return table(row(empty, *cells, empty), spacing=1, padding=2)
