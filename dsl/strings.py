"""What stands in quotes: escapes, and the holes `{…}` of templates.

A string token is read piece by piece from the program's own text, so that every fault and every hole keeps its place.
"""
from __future__ import annotations

import re
from typing import Any, Callable

from lark import Token

from pullback.dsl.layout import Fault

PIECE = re.compile(r"\\u[0-9a-fA-F]{4}|\\U[0-9a-fA-F]{8}|\\x[0-9a-fA-F]{2}|\\(?:.|\n)|"
                   r"\{\{|\}\}|\{([^{}\"\\]*)\}|[{}]|[^\\{}]+")
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", '"': '"', "\\": "\\", "\n": ""}


def body(token: Token) -> tuple[str, int]:
    """What stands between the quotes, and where it begins."""
    quotes = 3 if token.startswith('"""') else 1
    return str(token)[quotes:-quotes], token.start_pos + quotes


def plain(token: Token, fault: Callable[[Fault], None]) -> str:
    """A docstring: escapes, no holes."""
    text, at = body(token)
    return "".join(escape(match, at, fault) if match.group().startswith("\\") else match.group()
                   for match in PIECE.finditer(text)).replace("\r\n", "\n")


def pieces(token: Token, hole: Callable[[int, int], Any], fault: Callable[[Fault], None]) -> tuple:
    """The texts and the holes of a string, in order."""
    text, at = body(token)
    made: list = [""]
    for match in PIECE.finditer(text):
        piece, start, end = match.group(), at + match.start(), at + match.end()
        if piece.startswith("\\"):
            made[-1] += escape(match, at, fault)
        elif piece in ("{{", "}}"):
            made[-1] += piece[0]
        elif match.group(1) is not None:
            made += [hole(start + 1, end - 1), ""]
        elif piece in "{}":
            fault(Fault(f"a single `{piece}` in a string", start, end,
                        help="`{name}` puts a value here; `{{` and `}}` are braces"))
        else:
            made[-1] += piece.replace("\r\n", "\n")
    return tuple(piece for piece in made if piece != "" and piece is not None)


def escape(match: re.Match, at: int, fault: Callable[[Fault], None]) -> str:
    piece = match.group()
    if len(piece) > 2:
        code = int(piece[2:], 16)
        if code < 0x110000 and not 0xD800 <= code < 0xE000:
            return chr(code)
    elif piece[1:] in ESCAPES:
        return ESCAPES[piece[1:]]
    fault(Fault(f"`{piece.strip()}` stands for nothing in a string", at + match.start(), at + match.end(),
                help=r"`\n` is a new line, `\t` a tab, `\"` a quote, `\\` a backslash, `\u03b8` a character by number"))
    return ""
