"""Lark, loaded once: text to parse trees, and Lark's errors to faults.

Loading the grammar takes a third of a second, so it happens at the first parse and once per process.  A cache on
disk is unpickled when read, so it is used only where the caller names a folder of the user's own: `cache_in`.
"""
from __future__ import annotations

import gc
import os
from contextlib import contextmanager
from pathlib import Path
from threading import Lock
from typing import Iterator

from lark import Lark, Token, Tree
from lark.exceptions import UnexpectedCharacters, UnexpectedEOF, UnexpectedToken
from lark.utils import TextSlice

from pullback.dsl.layout import Fault, Layout, first_line

STARTS = ("program", "item", "value", "rule")
_loaded: list[Lark] = []
_lock = Lock()


class Unexpected(Fault):
    """A token or a character that can't stand where it stands, and what could: the key to the table of mistakes."""

    def __init__(self, text: str, start: int, end: int, kind: str | None, accepts: frozenset[str]):
        super().__init__("", start, end)
        self.text, self.kind, self.accepts = text, kind, accepts


def lark(cache: str | os.PathLike | None = None, strict: bool = False) -> Lark:
    """The grammar, loaded; `cache` is a folder of the user's own, used if this is the first call of the process."""
    if strict:
        return load(strict=True)
    with _lock:
        if not _loaded:
            _loaded.append(load(cache=cache_in(cache)))
    return _loaded[0]


def load(**options) -> Lark:
    grammar = Path(__file__).with_name("pullback.lark").read_text(encoding="utf-8")
    return Lark(grammar, parser="lalr", lexer="contextual", postlex=Layout(), start=list(STARTS),
                propagate_positions=True, **options)


def cache_in(folder: str | os.PathLike | None) -> str | bool:
    """The cache file in a folder that belongs to this user alone, or False: a pickle runs whatever it was given."""
    if folder is None:
        return False
    try:
        path = Path(folder)
        path.mkdir(mode=0o700, parents=True, exist_ok=True)
        path.chmod(0o700)
        owner = path.stat().st_uid
    except OSError:
        return False
    mine = not hasattr(os, "getuid") or owner == os.getuid()
    return str(path / "grammar.pickle") if mine else False


@contextmanager
def without_gc() -> Iterator[None]:
    """A parse allocates much and frees nothing: collecting meanwhile costs a third more."""
    was = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was:
            gc.enable()


def tree(text: str, start: str = "program", first: int = 0, last: int | None = None) -> Tree:
    """The parse tree of `text[first:last]`, with positions in `text`; raises a `Fault` at the first thing wrong.

    A program or an item must end in a line end.
    """
    if start in ("program", "item"):
        first_line(text[first:last])
    piece = text if first == 0 and last is None else TextSlice(text, first, len(text) if last is None else last)
    try:
        return lark().parse(piece, start=start)
    except (UnexpectedToken, UnexpectedEOF, UnexpectedCharacters) as error:
        raise unexpected(error, text) from None


def unexpected(error: Exception, text: str) -> Unexpected:
    if isinstance(error, UnexpectedCharacters):
        at = error.pos_in_stream
        return Unexpected(text[at:at + 1], at, at + 1, None, frozenset(error.allowed or ()))
    token: Token = error.token
    accepts = frozenset(error.accepts or error.expected or ())
    start = token.start_pos if token.start_pos is not None else len(text)
    end = token.end_pos if token.end_pos is not None else start
    return Unexpected(str(token), start, end, token.type, accepts)


def tokens(text: str) -> Iterator[Token]:
    """The tokens of a right program, with the kinds that they have in context."""
    yield from lark().parse_interactive(text, start="program").iter_parse()
