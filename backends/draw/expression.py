"""The text of a value: what stands in a label for boxes that are not drawn themselves.

    x² + y²        exp(log_sd[0])        loc[z]        − log q(x)

Names are those of the program; powers by a small constant are raised, a product is a dot.  Binding strength decides
where brackets are due.
"""
from __future__ import annotations

import re
from typing import Any, Callable, Mapping

from pullback.compiler.ir import Box, Wire

OR, AND, COMPARE, SUM, PRODUCT, NEGATED, POWER, ATOM = range(8)
RAISED = str.maketrans("0123456789-nTNkKti", "⁰¹²³⁴⁵⁶⁷⁸⁹⁻ⁿᵀᴺᵏᴷᵗⁱ")
COMPARISONS = {"lt": "<", "le": "≤", "gt": ">", "ge": "≥", "eq": "=", "ne": "≠"}
HEAD = re.compile(r"([A-Za-z_]\w*)\s*(?::[^=]*)?=\s*")
TRANSPARENT = frozenset({"stack_axis", "guard", "expectation", "estimate", "factor", "identity"})

Text = tuple[str, int]


def number(value: Any) -> str:
    """A constant as the program would write it."""
    if isinstance(value, (tuple, list)):
        return "[" + ", ".join(map(number, value)) + "]"
    if getattr(value, "shape", None):
        return f"{'×'.join(map(str, value.shape))} numbers"
    if hasattr(value, "item"):
        value = value.item()
    if isinstance(value, float):
        short = f"{value:.4g}".replace("e-0", "e-").replace("e+0", "e").replace("-", "−")
        return short if set(short) & set(".en") else f"{short}.0"
    return str(value).replace("-", "−")


def constant(box: Box) -> str:
    """A constant as it is written: its name, or its digits."""
    if box.span is None:
        return number(box["value"])
    words, text = box.span.text, box.span.source.text
    here = HEAD.fullmatch(box.span.source.line(box.span.line)[:box.span.column - 1])
    if here:
        return here[1]
    named = re.match(r"[A-Za-z_]\w*", words)
    if named and re.search(rf"^{named[0]}\b[^=\n]*=", text, re.MULTILINE):
        return named[0]
    try:
        return words if float(words) == float(box["value"]) else number(box["value"])
    except (TypeError, ValueError):
        return number(box["value"])


def raised(text: str) -> str:
    """`n` as a power: raised if there are raised letters for all of it."""
    small = text.translate(RAISED)
    return small if all(a != b for a, b in zip(small, text)) else f"^{text}" if text.isalnum() else f"^({text})"


def bracketed(text: Text, strength: int) -> str:
    return text[0] if text[1] >= strength else f"({text[0]})"


def signed(parts: list[Text]) -> str:
    """A sum; a negated summand is subtracted."""
    result = ""
    for place, (text, strength) in enumerate(parts):
        minus = text.startswith("− ") and strength == NEGATED
        body = text[2:] if minus else text
        if place == 0:
            result = f"− {body}" if minus else bracketed((text, strength), SUM)
        else:
            result += f" − {body}" if minus else f" + {bracketed((text, strength), SUM)}"
    return result


def indexed(array: Text, pattern: tuple, dynamic: list[str]) -> str:
    entries, rest = [], list(dynamic)
    for part in pattern:
        if part == "i":
            entries.append(rest.pop(0) if rest else "…")
        elif isinstance(part, int):
            entries.append(str(part))
        elif part == "all":
            entries.append("..")
        else:
            _, low, high = part
            entries.append(f"{'' if low is None else low}..{'' if high is None else high}")
    while entries and entries[-1] == "..":
        entries.pop()
    base = bracketed(array, ATOM)
    slices = ".." in base.rpartition("[")[2]
    if entries and base.endswith("]") and base[0].isalpha() and not slices:  # x[i][j] is x[i, j]
        return f"{base[:-1]}, {', '.join(entries)}]"
    return f"{base}[{', '.join(entries)}]" if entries else array[0]


def without_index(text: str, index: str) -> str:
    """A value of a loop, seen as the array that the loop makes: `z` for `z[i]`."""
    for end in (f"[{index}]", f", {index}]"):
        if index and text.endswith(end):
            return text.removesuffix(end) + ("]" if end.startswith(",") else "")
    return text


def express(box: Box, of: Callable[[Wire], Text], axis_name: Callable[[Any], str] = str) -> Text:
    """The text of a box's value, from the texts of its inputs."""
    name, texts = box.op.name, [of(wire) for wire in box.inputs]
    plain = [text for text, _ in texts]
    if name in ("add", "sub", "neg", "mul", "div", "pow"):
        return arithmetic(name, texts)
    if name == "ne" and plain[1] == "0" and getattr(box.inputs[0].type, "bounds", None) == (0, 2):
        return texts[0]
    if name in COMPARISONS:
        return f"{bracketed(texts[0], SUM)} {COMPARISONS[name]} {bracketed(texts[1], SUM)}", COMPARE
    if name in ("and", "or"):
        strength = AND if name == "and" else OR
        return f" {name} ".join(bracketed(text, strength + 1) for text in texts), strength
    if name == "not":
        return f"not {bracketed(texts[0], COMPARE)}", COMPARE
    if name == "matmul":
        return f"{bracketed(texts[0], PRODUCT)} @ {bracketed(texts[1], NEGATED)}", PRODUCT
    if name in ("mod", "floordiv"):
        return f"{bracketed(texts[0], PRODUCT)} {box.op.symbol} {bracketed(texts[1], NEGATED)}", PRODUCT
    if name in TRANSPARENT and texts:
        return texts[0]
    match name:
        case "constant":
            text = constant(box)
            return text, NEGATED if text.startswith("−") else ATOM
        case "where":
            return chosen(box, texts)
        case "index":
            return indexed(texts[0], tuple(box["pattern"]), plain[1:]), ATOM
        case "spread":
            if not axis_name(box["axis"]):
                return texts[0]
            return indexed(texts[0], ("all",) * box.get("dimension", 0) + ("i",), [axis_name(box["axis"])]), ATOM
        case "format":
            rest = iter(plain)
            return '"' + "".join(piece if piece is not None else f"{{{next(rest)}}}" for piece in box["pieces"]) + '"', ATOM
        case "same":
            return f"{bracketed(texts[0], SUM)} == {bracketed(texts[1], SUM)}", COMPARE
        case "spell" | "words" | "copy":
            return texts[0]
        case "stack":
            return f"[{', '.join(plain)}]", ATOM
        case "field":
            return f"{bracketed(texts[0], ATOM)}.{box['name']}", ATOM
        case "iota" | "rows":
            return axis_name(box["axis"]), ATOM
        case "zeros" | "ones" | "eye" | "arange" | "full":
            sizes = box.get("shape", box.get("size", ""))
            return f"{name}({', '.join(map(str, sizes)) if isinstance(sizes, tuple) else sizes})", ATOM
        case "reduce":
            return f"{box['function']}({plain[0]})", ATOM
        case "network" | "extern":
            return f"{box.get('name', name)}({', '.join(plain)})", ATOM
    statics = [f"{parameter.name} = {number(box.get(parameter.name))}" for parameter in box.op.parameters
               if parameter.static and box.get(parameter.name) is not None and parameter.name != "axis"]
    return f"{name.rstrip('_')}({', '.join([*plain, *statics])})", ATOM


def arithmetic(name: str, texts: list[Text]) -> Text:
    match name:
        case "add":
            return (signed(texts), SUM) if len(texts) > 1 else texts[0]
        case "sub":
            right = texts[1][0] if texts[1][1] > SUM and not texts[1][0].startswith("−") else f"({texts[1][0]})"
            return f"{bracketed(texts[0], SUM)} − {right}", SUM
        case "neg":
            return f"− {bracketed(texts[0], PRODUCT)}", NEGATED
        case "mul":
            return " · ".join(bracketed(text, PRODUCT) for text in texts), PRODUCT
        case "div":
            return f"{bracketed(texts[0], PRODUCT)} / {bracketed(texts[1], NEGATED)}", PRODUCT
    base, exponent = texts
    if exponent[0].isdigit():
        return bracketed(base, ATOM) + raised(exponent[0]), POWER
    return f"{bracketed(base, ATOM)}^{bracketed(exponent, POWER)}", POWER


def chosen(box: Box, texts: list[Text]) -> Text:
    condition, then, other = texts
    if box.get("split") is not None:  # one side's term: 0 where it is not taken
        if other[0] in ("0", "0.0"):
            return f"{then[0]} if {condition[0]}", OR
        return f"{other[0]} if not {bracketed(condition, COMPARE)}", OR
    return f"{bracketed(then, AND)} if {condition[0]} else {bracketed(other, AND)}", OR


def called(name: str, arguments: Mapping[str, str] | list[str]) -> str:
    return f"{name}({', '.join(arguments)})"
