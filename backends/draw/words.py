"""What is said of a box: its name as in the source, its rule's badge, its classes and tooltip.

A site is called by the shortest end of its address that no other site shares: `z`, or `q.z` beside `p.z`.
"""
from __future__ import annotations

import dataclasses
import re
from typing import Any, Iterable

from pullback.backends.draw.scene import Badge, Chip
from pullback.backends.draw.strands import through
from pullback.compiler.ir import Axis, Box, Wire
from pullback.compiler.rule import Bias
from pullback.compiler.type import is_text

MARKS = {"unbiased": "✓", "exact": "="}
SOUND = frozenset({"unbiased", "exact"})
BINDER = re.compile(r"([\w.]+(?:\[[^\]~]*\])?)\s*(?::[^~=]*)?~")
AFTER = re.compile(r"\s*(by\b.*)?(#.*)?$")
BEFORE = re.compile(r"^(.+)_before\d*$")
AGO = re.compile(r"^(.+)_(\d+)_ago\d*$")
ASSIGNED = re.compile(r"^\s*([A-Za-z_]\w*)(?:\[[^\]]*\])?\s*(?::[^=~]*)?=(?!=)")


def last(address: str) -> str:
    """The last name of an address, without the count of a repeated call."""
    return address.rpartition(".")[2].partition("#")[0]


def shortest(addresses: Iterable[str]) -> dict[str, str]:
    """For each address its shortest end that is an end of no other."""
    every = list(dict.fromkeys(addresses))
    found = {}
    for address in every:
        parts = address.split(".")
        for count in range(1, len(parts) + 1):
            end = ".".join(parts[-count:])
            if sum(other == end or other.endswith("." + end) for other in every) == 1:
                break
        found[address] = end.partition("'")[0]
    return found


def summed(box: Box) -> tuple[str, str, str, str]:
    """Of a marginal or an expectation that is summed out: its region's caption, its sign, over what, and what it stands for."""
    if box.op.name == "expected":
        return f"E {box['name']}", "Σ", str(box["name"]), f"{box['name']}(…)"
    names = ", ".join(map(str, box.get("over", ())))
    return f"marginalize {names}".strip(), "log Σ", names, f"logp({box.get('name') or names})"


def statement(box: Box) -> str:
    """The text of the line that the box's span begins on, from the statement's start."""
    return box.span.source.line(box.span.line) if box.span is not None else ""


def assigned(box: Box) -> str | None:
    """The name that the program gives to this box's value, if it gives one."""
    if box.op.kind == "engine" and box.get("address"):
        return last(box["address"])
    if len(box.outputs) != 1:
        return None
    base = plain(box.output.name)
    if box.span is not None:
        line = statement(box)
        found = ASSIGNED.match(line)
        if found is None or box.span.line != box.span.end_line:
            return found[1] if found and found[1] in (base, box.output.name) else None
        whole = not line[found.end():box.span.column - 1].strip() and AFTER.match(line[box.span.end_column - 1:])
        return found[1] if whole or found[1] in (base, box.output.name) else None
    made = base != box.output.name or base == box.op.name or getattr(box.output.type, "kind", "") == "bool"
    return None if made or base == "index" else box.output.name


def binder(box: Box) -> str:
    """The name of a choice as it stands left of its `~`."""
    found = BINDER.search(statement(box))
    short = last(box.get("address", box.outputs[0].name)).partition("'")[0]
    return found[1] if found and found[1].partition("[")[0] == short.partition("[")[0] else short


def stem(name: str) -> str:
    """The array that a loop carries, without how far back."""
    found = BEFORE.match(name) or AGO.match(name)
    return found[1] if found else plain(name)


def lagged(name: str, index: str) -> str:
    """What a loop carries of an array: `z[t − 1]`."""
    found, ago = BEFORE.match(name), AGO.match(name)
    if found:
        return f"{found[1]}[{index} − 1]"
    return f"{ago[1]}[{index} − {ago[2]}]" if ago else plain(name)


# ------------------------------------------------------------------ rules

def called(rule: Any) -> str:
    """A rule with the options that differ from their defaults: `reinforce(4)  loo`; of several, one after the other."""
    if isinstance(rule, tuple):
        return ", ".join(map(called, rule))
    name = getattr(rule, "name", type(rule).__name__.lower())
    if not dataclasses.is_dataclass(rule):
        return name
    numbers, words = [], []
    for field in dataclasses.fields(rule):
        value = getattr(rule, field.name)
        if value == field.default or value is None or value == ():
            continue
        if isinstance(value, str):
            words.append(value)
        elif isinstance(value, (int, float)) and not isinstance(value, bool):
            numbers.append(f"{value:g}" if isinstance(value, float) else str(value))
    return "  ".join([f"{name}({', '.join(numbers)})" if numbers else name, *words])


def tint(box: Box) -> str | None:
    """The color of a box: that of its rule."""
    if box.rule is None:
        return None
    if any(is_text(wire.type) for wire in (*box.inputs, *box.outputs)):
        return "words"
    way = through(box.rule)
    return way if way in ("value", "weight", "words") and box.op.name not in ("reduce", "combine", "plate", "rows") else None


def verdict(box: Box) -> str:
    """What the ledger says of the box."""
    rules = box.rule if isinstance(box.rule, tuple) else (box.rule,)
    bias = next((rule.bias for rule in rules if getattr(rule, "bias", Bias.none) is not Bias.none), getattr(rules[0], "bias", None))
    return box.get("verdict") or getattr(bias, "value", None) or "unbiased"


def badge(box: Box) -> Badge | None:
    if box.rule is None:
        return None
    said = verdict(box)
    mark = MARKS.get(said, "")
    return Badge(f"{called(box.rule)} {mark}".strip(), tint(box) or "quiet", bool(box.get("auto")), "" if mark else said)


def chips(axes: Iterable[Axis], own: Axis | None, names: dict[str, str]) -> tuple[Chip, ...]:
    """The axes that are neither plates nor particles; above three, their number."""
    shown = [axis for axis in axes if axis.kind not in ("plate", "particles")]
    if len(shown) > 3:
        return (Chip(f"{len(shown)} axes", own in shown),)
    return tuple(Chip(f"{axis_name(axis, names)} {axis.size}", axis == own) for axis in shown)


def axis_name(axis: Axis, names: dict[str, str]) -> str:
    """The site that opened an axis; of the axis of a loop's state, the state."""
    return "δ" if axis.kind == "perturbation" else names.get(axis.name) or stem(last(axis.name))


def plain(name: str) -> str:
    """A wire's name without the number that kept it apart from others."""
    return re.sub(r"_?\d+$", "", name) or name


# ------------------------------------------------------------------ classes, tooltips

def classes(kind: str, box: Box, also: Iterable[Box] = ()) -> tuple[str, ...]:
    """`choice rule-reparam verdict-unbiased line-4 origin-3`; `also`: boxes that stand in this one's label."""
    found = [kind]
    if box.rule is not None:
        found += [f"rule-{getattr(box.rule, 'name', 'own')}", f"verdict-{verdict(box)}"]
    lines = [one.span.line for one in (box, *also) if one.span is not None]
    origins = [number for one in (box, *also) for number in (*one.origin, *(() if one.number is None else (one.number,)))]
    found += [f"line-{line}" for line in dict.fromkeys(lines)]
    found += [f"origin-{number}" for number in dict.fromkeys(origins)]
    return tuple(re.sub(r"[^\w-]", "-", one) for one in found)


def tips(box: Box, text: str, names: dict[str, str]) -> tuple[str, ...]:
    """The whole expression, type, rule, reason, axes and place."""
    found = [text, ", ".join(f"{wire.name}: {wire.type}" for wire in box.outputs)]
    if box.rule is not None:
        found.append(f"{'auto' if box.get('auto') else 'by'}: {called(box.rule)}, {verdict(box)}")
    if box.get("reason"):
        found.append(str(box["reason"]))
    axes = dict.fromkeys(axis for wire in box.outputs for axis in wire.axes)
    if axes:
        found.append("evaluated over " + ", ".join(f"{axis_name(axis, names)}: {axis.size}" for axis in axes))
    if box.span is not None:
        found.append(str(box.span))
    return tuple(found)


def typed(wire: Wire) -> str:
    return str(wire.type)
