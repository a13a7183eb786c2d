"""Texts: templates, functions of texts, what an engine is asked, and where words become the derivative.

All are evaluated on the host, one element at a time.  `lower` takes and gives Python's strings and numbers, and is None where
an engine answers; a text moves by the same ops as a number (`index`, `stack`, `where`, `spread`, …), whatever its kind.

    format      a string with holes: `pieces` has None where the next input stands
    llm         the turns user, assistant, user, … after the system prompt (one alone: the user's); one output a field of the reply
    judge       a judgment in words of what it is given, and a score too where `scored`
    likelihood  log p(reply | turns), of a reply in full
    options     the same for each of a list of replies, divided by the temperature: the logits of a categorical
    words       a judgment as the objective: its value is 0, its derivative is the text itself
    copy        a text with several readers whose criticisms meet under a rule
"""
from __future__ import annotations

import re
from typing import Any, Mapping, Sequence

from pullback.compiler.op import Op, define
from pullback.compiler.type import BOOL, REAL, TEXT, Array, Constraint, Type, is_text

WORDS = Array("real", (), Constraint("words"))  # the type of a text objective: 0, and what is to be improved


def text(title: str, types: Sequence[Type]) -> None:
    for type in types:
        if not is_text(type) or type.shape:
            raise TypeError(f"`{title}` takes texts, and this is a `{type}`")


def gives(*outputs: Type) -> Any:
    """Infer for a function of single texts."""
    return lambda types, attributes: outputs


def function(name: str, call: Any, signature: str, output: Type, pull: str, doc: str) -> None:
    def infers(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
        text(name, types)
        return (output,)
    define(Op(name, lambda attributes, *xs: call(*xs), infers, smooth=("jump",), signature=signature, host=True, pull=pull, doc=doc))


def printed(value: Any, words: tuple[str, ...] = ()) -> str:
    """A value as it stands in a template: an int of a `one_of` is its text, a real has six digits at most."""
    if isinstance(value, str):
        return value
    if words:
        return words[int(value)]
    if getattr(value, "dtype", None) is not None and getattr(value, "shape", ()) != ():
        return "[" + ", ".join(printed(item) for item in value) + "]"
    if isinstance(value, bool) or str(getattr(value, "dtype", "")) == "bool":
        return str(bool(value)).lower()
    return f"{float(value):.6g}" if isinstance(value, float) or getattr(getattr(value, "dtype", None), "kind", "") in "fV" else str(value)


def filled(attributes: Mapping[str, Any], *holes: Any) -> str:
    rest = iter(zip(holes, attributes["words"]))
    return "".join(piece if piece is not None else printed(*next(rest)) for piece in attributes["pieces"])


define(Op("format", filled, gives(TEXT), smooth=("jump",), host=True, pull="pass", doc="A string with holes."))
define(Op("spell", lambda attributes, x: attributes["words"][int(x)], gives(TEXT), smooth=("jump",), host=True, pull="pass",
          doc="The text that an int of a `one_of` stands for."))
define(Op("same", lambda attributes, a, b: a == b, gives(BOOL), smooth=("jump",), host=True, pull="words", symbol="==",
          doc="Are two texts equal?"))


def _number(value: str) -> float:
    """The last number in a text, NaN if there is none; thousands may have commas."""
    found = re.findall(r"[-+]?(?:\d{1,3}(?:,\d{3})+|\d+)(?:\.\d+)?(?:[eE][-+]?\d+)?|[-+]?\.\d+", value)
    return float(found[-1].replace(",", "")) if found else float("nan")


def _join_type(types: Sequence[Type], attributes: Mapping[str, Any]) -> tuple[Type, ...]:
    if not types or not is_text(types[0]) or len(types[0].shape) != 1:
        raise TypeError("`join` takes an array of texts, and what stands between them: `join(parts, \", \")`")
    text("join", types[1:])
    return (TEXT,)


define(Op("join", lambda attributes, parts, between="": between.join(parts), _join_type, smooth=("jump",), host=True, pull="pass",
          signature="parts, between?", doc="The texts of an array, one after the other."))
function("strip", str.strip, "text", TEXT, "pass", "A text without blanks at its ends.")
function("lower", str.lower, "text", TEXT, "pass", "A text in small letters.")
function("replace", str.replace, "text, old, new", TEXT, "pass", "A text with one part of it replaced wherever it stands.")
function("contains", lambda text, part: part in text, "text, part", BOOL, "words", "Does a text contain another?")
function("number", _number, "text", REAL, "words", "The last number in a text; NaN if there is none.")

for _name, _role, _doc in (
        ("llm", "forward", "A reply of a language model."),
        ("judge", "judge", "A judgment in words, and a score where one is asked for."),
        ("likelihood", "forward", "The log-probability of a reply."),
        ("options", "forward", "The log-probabilities of each of some replies.")):
    define(Op(_name, kind="engine", smooth=("jump",), host=True, engine=_role, pull="critique", doc=_doc))
define(Op("words", lambda attributes, text: 0.0, gives(WORDS), kind="control", smooth=("jump",), host=True, pull="own",
          doc="A judgment as the objective: its derivative is what it says."))
define(Op("copy", lambda attributes, text: text, gives(TEXT), kind="control", smooth=("jump",), host=True, pull="pass",
          doc="A text with several readers whose criticisms meet under a rule."))
define(Op("segment", kind="control", doc="Numbers between two boxes of the host: one jitted function."))

# What the pass `criticize` writes: the way back.
for _name, _doc in {
        "zero": "A cotangent of 0, of the shape of what it is of.",
        "pull": "The cotangents of a segment's inputs, from those of its outputs.",
        "criticize": "What is said of a box's inputs, from what is said of its output: feedback, by the box's rule.",
        "gather": "Feedback from several readers, or over axes that the text does not have, met by rules; else merged by source."}.items():
    define(Op(_name, kind="estimator", host=True, doc=_doc))
