"""A syntax error in the user's terms: the mistake it is, or what stands here and all that could."""
from __future__ import annotations

import re
from functools import cache

from pullback.dsl import reader
from pullback.dsl.expressions import RESERVED
from pullback.dsl.layout import Fault
from pullback.dsl.mistakes import CHARACTERS, PLACES, WORDS, Mistake

VALUES = frozenset("NUMBER STRING LONG_STRING LPAR LSQB LBRACE TRUE FALSE NOT MINUS IID REDUCE ARGMIN COMBINE "
                   "MARGINALIZE NORMALIZE NAME".split())
OPERATORS = frozenset("PLUS MINUS STAR TIMES POWER COMPOSE COMPARE AND OR IF ONTO LPAR LSQB DOT".split())
STATEMENTS = frozenset("FOR GROUP IF RETURN FACTOR NAME LPAR LBRACE".split())
CLAUSES = frozenset("GIVEN GOAL OVER USING WITH DRAW COUNT".split())
DECLARATIONS = frozenset("FROM MODEL OBJECTIVE FUNCTION NETWORK EXTERN FIT TYPE BOX DIAGRAM FUNCTOR LEXICON "
                         "NAME".split())
GROUPS = (("OBJECTIVE", DECLARATIONS, "a declaration"), ("GOAL", CLAUSES, "a clause of the fit"),
          ("RETURN", STATEMENTS, "a statement"), ("NUMBER", VALUES, "a value"), ("PLUS", OPERATORS, "an operator"),
          ("POWER", OPERATORS, "an operator"))
TOKENS = {
    "NAME": "a name", "NUMBER": "a number", "STRING": "a string", "LONG_STRING": "a string",
    "_NL": "the end of the line", "_INDENT": "a deeper block", "_DEDENT": "the end of the block", "$END": "the end",
    "EQUAL": "`=`", "COLON": "`:`", "COMMA": "`,`", "DOT": "`.`", "TILDE": "`~`", "ARROW": "`->`", "MAPS_TO": "`=>`",
    "DOTS": "`..`", "LPAR": "`(`", "RPAR": "`)`", "LSQB": "`[`", "RSQB": "`]`", "LBRACE": "`{`", "RBRACE": "`}`",
    "STAR": "`*`", "POWER": "`^`", "PLUS": "`+`", "MINUS": "`-`", "TIMES": "`/`", "COMPOSE": "`>>`",
    "COMPARE": "a comparison",
}
ENDS = {"_NL": "the line", "_DEDENT": "the block", "$END": "the text"}


def explain(fault: Fault, text: str) -> Fault:
    """The fault with its message; `text` is what was read."""
    if not isinstance(fault, reader.Unexpected):
        return fault
    line = text.rfind("\n", 0, fault.start) + 1
    if fault.accepts == {"_INDENT"}:
        return no_block(fault, text)
    candidates = CHARACTERS if fault.kind is None else (*WORDS, *places().get(key(fault), ()))
    for mistake in candidates:
        if fits := mistake.fits(text, line, fault.start):
            return said(mistake, *fits, fault)
    return general(fault)


def key(fault: reader.Unexpected) -> tuple[frozenset[str], str | None]:
    """Where one is, and what one got: soft words count as names, as for the user."""
    soft = fault.text.isidentifier() and fault.text not in RESERVED
    return fault.accepts, "NAME" if soft else fault.kind


@cache
def places() -> dict[tuple[frozenset[str], str | None], tuple[Mistake, ...]]:
    """The mistakes by the keys of their programs; read when the first error occurs."""
    found: dict = {}
    for mistake in PLACES:
        for program in mistake.programs:
            at = key(first(program))
            if mistake not in found.get(at, ()):
                found[at] = (*found.get(at, ()), mistake)
    return found


def first(program: str) -> reader.Unexpected:
    """What the parser stumbles over in a bad declaration."""
    try:
        reader.tree(program + "\n", "item")
    except reader.Unexpected as fault:
        return fault
    raise ValueError(f"the parser finds nothing wrong here: {program!r}")


def said(mistake: Mistake, words: dict[str, str], mark: tuple[int, int] | None, fault: reader.Unexpected) -> Fault:
    shown = fault.text if fault.text.isprintable() else f"U+{ord(fault.text[0]):04X}"
    words = {"found": shown} | words
    start, end = mark or (fault.start, fault.end)
    return Fault(mistake.message.format(**words), start, end, code=mistake.code, help=mistake.help.format(**words))


def no_block(fault: reader.Unexpected, text: str) -> Fault:
    """A header without its block: told at the header, the last line above that says anything."""
    lines = re.compile(r"^[ ]*(?P<head>[^\s#].*?:)[ \t]*(#.*)?\r?$", re.MULTILINE)
    last = None
    for last in lines.finditer(text, 0, fault.start if fault.start == fault.end else text.rfind("\n", 0,
        fault.start) + 1):
        pass
    start, end = last.span("head") if last else (fault.start, fault.end)
    return Fault("this line opens a block, and none follows", start, end, code="layout",
                 help="indent what belongs to it by four spaces")


def general(fault: reader.Unexpected) -> Fault:
    could = either(expected(fault.accepts))
    if fault.kind == "_INDENT":
        return Fault("this line is deeper than the one above, which opens no block", fault.start, fault.end,
                     code="layout", help=f"here could stand {could}")
    if fault.kind in ENDS:
        return Fault(f"{ENDS[fault.kind]} ends where {could} is due", fault.start, fault.end)
    return Fault(f"`{fault.text}` can't stand here", fault.start, fault.end, label=f"{could} could")


def expected(accepts: frozenset[str]) -> list[str]:
    """What could stand here, in words: the starts of a value are `a value`, operators `an operator`."""
    left, words = set(accepts), []
    for sign, group, name in GROUPS:
        if sign in left and (sign != "NUMBER" or "STRING" in left):
            left -= group
            words.append(name)
    if len(left) > 1 or words:
        left.discard("$END")
    return list(dict.fromkeys(words + sorted(TOKENS.get(token, f"`{token.lower()}`") for token in left))) or ["the end"]


def either(words: list[str]) -> str:
    """`a, b or c`."""
    return words[0] if len(words) == 1 else f"{', '.join(words[:-1])} or {words[-1]}"
