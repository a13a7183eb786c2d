"""Graph → text."""
from __future__ import annotations

import json
import re
from collections.abc import Mapping
from dataclasses import MISSING, fields, is_dataclass
from typing import Any, Iterable, Sequence

import numpy as np

from pullback.compiler import distribution as distributions
from pullback.compiler import ops as op
from pullback.compiler import rule as rules
from pullback.compiler.ir import Ancestor, Axis, Box, Graph, Wire
from pullback.compiler.type import Array, Constraint, Params, Type

WORD = re.compile(r"[^\W\d]\w*(?:[.#]\w+)*")
WORDS = {"none": None, "true": True, "false": False, "inf": float("inf"), "nan": float("nan")}
WHOLE = ("natural", "boolean", "positive_int", "multinomial", "one_of")   # constraints whose values are ints
LOOPS = (op.plate, op.scan)
OURS = "pullback.compiler."                                     # modules whose dataclasses show their fields
NOTES = ("path", "auto", "reason", "verdict")                   # attributes that no pass reads


def show(graph: Graph, spans: bool = False, ancestors: bool = False, notes: bool = False) -> str:
    """The text of a graph.  On request: the line and column of each box; the choices that each wire depends on; what
    boxes carry for people only (why a rule was chosen, the path of a choice)."""
    return "\n".join(Writer(spans, ancestors, notes).graph(graph))


class Writer:
    def __init__(self, spans: bool, ancestors: bool, notes: bool):
        self.spans, self.ancestors, self.hidden = spans, ancestors, () if notes else NOTES

    def graph(self, graph: Graph) -> list[str]:
        name = "`graph`" if graph.name == "graph" else quoted(graph.name or "graph")
        return [f"{name}({', '.join(map(self.wire, graph.inputs))}) {{", *self.body(graph), "}"]

    def body(self, graph: Graph) -> list[str]:
        lines = [line for box in graph.boxes for line in self.box(box)]
        return ["  " + line for line in [*lines, f"return {names(graph.outputs)}".rstrip()]]

    def wire(self, wire: Wire) -> str:
        axes = f" {{{', '.join(map(show_axis, wire.axes))}}}" if wire.axes else ""
        found = sorted(map(show_ancestor, wire.ancestors)) if self.ancestors else []
        return f"{quoted(wire.name)}: {show_type(wire.type)}{axes}" + (f" <{', '.join(found)}>" if found else "")

    def box(self, box: Box) -> list[str]:
        sign = "~" if box.op is op.draw else "="
        head = f"{', '.join(map(self.wire, box.outputs)) or '()'} {sign} {self.made(box)}"
        tail = f" by {show_rule(box.rule)}" if box.rule is not None else ""
        tail += f" @{box.span.line}:{box.span.column}" if self.spans and box.span is not None else ""
        tail += f"  # {box['address']}" if isinstance(box.get("address"), str) else ""
        if not box.regions:
            return [head + tail]
        lines = [head]
        for place, region in enumerate(box.regions):
            lines[-1] += f" {self.opening(box, region)}"
            lines += [*self.body(region), "}"]
        lines[-1] += tail
        return lines

    def opening(self, box: Box, region: Graph) -> str:
        """`{`, and the inputs that are not the captured wires; `||` if it has others than those."""
        count = len(region.inputs) - captured(box)
        name = f"{quoted(region.name)} " if region.name else ""
        if count < 0 or region.inputs[count:] != box.inputs[len(box.inputs) - captured(box):]:
            return f"{name}{{ ||{', '.join(map(self.wire, region.inputs))}||"
        if box.op in LOOPS and count == 1 and self.wire(region.inputs[0]) == self.wire(index_wire(box)):
            count = 0
        return f"{name}{{" + (f" |{', '.join(map(self.wire, region.inputs[:count]))}|" if count else "")

    def made(self, box: Box) -> str:
        """What stands right of the sign."""
        attributes = {k: v for k, v in box.attributes.items()
                      if not (k in self.hidden or k == "address" and isinstance(v, str))}
        match box.op:
            case op.constant if set(attributes) == {"value"} and is_number(attributes["value"]):
                return show_number(attributes["value"])
            case op.index if set(attributes) == {"pattern"} and box.inputs:
                return f"{quoted(box.inputs[0].name)}[{show_pattern(attributes['pattern'], box.inputs[1:])}]"
            case op.draw | op.density:
                return self.random(box, attributes)
        loop = ""
        if box.op in LOOPS:
            index, start, size = attributes.pop("index"), attributes.pop("start", 0), attributes.pop("size")
            between = "" if isinstance(start, int) and start == 0 else f"{show_size(start)}.."
            loop = f" {quoted(index)}: {between}{show_size(size)} "
        return f"{box.op.name}{show_attributes(attributes)}{loop}({names(box.inputs)})"

    def random(self, box: Box, attributes: dict[str, Any]) -> str:
        record, onto = attributes.pop("distribution"), attributes.pop("onto", None)
        wires = [quoted(wire.name) for wire in box.inputs]
        value = [wires.pop(0)] if box.op is op.density else []
        found = distributions.find(record.name)
        if record in found[1:]:   # not the parametrization that positions mean
            wires = [f"{f.name} = {w}" for f, w in zip(record.fields, wires)] + wires[len(record.fields):]
        name = record.name if record in found else f"${record.name}"
        inside = " | ".join([*value, ", ".join(wires)]) if value else ", ".join(wires)
        onto = f" onto {show_constraint(onto) if isinstance(onto, Constraint) else show_value(onto)}" if onto else ""
        return f"{'logp ' if value else ''}{name}{show_attributes(attributes)}({inside}){onto}"


def captured(box: Box) -> int:
    """How many of a box's inputs its regions capture: the last ones."""
    return len(box.inputs) - (1 if box.op is op.branch else box.get("carries", 0) if box.op is op.scan else 0)


def index_wire(box: Box) -> Wire:
    """The index of a loop as it is where nothing else is said."""
    start = box.get("start", 0)
    return Wire(box["index"], Array("int", (), Constraint("range", (start, start + box["size"]))))


def quoted(name: str) -> str:
    return name if WORD.fullmatch(name) else f"`{name}`"


def names(wires: Iterable[Wire]) -> str:
    return ", ".join(quoted(wire.name) for wire in wires)


def show_size(size: Any) -> str:
    return str(size)


def show_type(type: Type) -> str:
    if not isinstance(type, Array) or type.constraint is None or type.constraint.name == "range":
        return str(type)
    default = "int" if type.constraint.name in WHOLE else "real"
    sizes = f"[{', '.join(map(show_size, type.shape))}]" if type.shape else ""
    return ("" if type.kind == default else f"{type.kind} ") + show_constraint(type.constraint) + sizes


def show_constraint(constraint: Constraint) -> str:
    arguments = f"({', '.join(map(show_value, constraint.arguments))})" if constraint.arguments else ""
    return constraint.name + arguments


def show_axis(axis: Axis) -> str:
    kind = "" if axis.kind == "plate" else f"{axis.kind} "
    total = f" of {show_size(axis.total)}" if axis.total is not None else ""
    return f"{kind}{quoted(axis.name)}: {show_size(axis.size)}{total}"


def show_ancestor(ancestor: Ancestor) -> str:
    axes = ", ".join(show_axis(axis) for axis in sorted(ancestor.mixed, key=lambda axis: axis.order))
    return quoted(ancestor.site) + (f"{{{axes}}}" if axes else "") + (" past" if ancestor.past else "")


def show_pattern(pattern: Sequence[Any], dynamic: Sequence[Wire]) -> str:
    rest = [quoted(wire.name) for wire in dynamic]

    def part(p: Any) -> str:
        match p:
            case "i":
                return rest.pop(0)
            case "all":
                return ".."
            case ("slice", None, None):
                return ":"
            case ("slice", low, high):
                return f"{'' if low is None else show_size(low)}..{'' if high is None else show_size(high)}"
        return show_value(p)
    return ", ".join(map(part, pattern))


def is_number(value: Any) -> bool:
    return all(map(is_number, value)) if isinstance(value, tuple) else isinstance(value, (int, float)) or np.isscalar(value)


def show_number(value: Any) -> str:
    return f"[{', '.join(map(show_number, value))}]" if isinstance(value, tuple) else show_value(value)


def show_attributes(attributes: Mapping[str, Any]) -> str:
    return f"[{', '.join(f'{key} = {show_value(value)}' for key, value in attributes.items())}]" if attributes else ""


def show_rule(rule: Any) -> str:
    """A rule by its name, with the options that are not its defaults."""
    if isinstance(rule, (tuple, list)):
        return f"[{', '.join(map(show_rule, rule))}]"
    given = show_fields(rule, bare=True) if is_dataclass(rule) else ""
    return rule.name + (f"({given})" if given else "")


def show_fields(record: Any, bare: bool = False) -> str:
    """The fields of a dataclass that are not its defaults."""
    return ", ".join(f"{f.name} = {show_value(getattr(record, f.name), bare)}" for f in fields(record)
                     if f.init and not default(f, getattr(record, f.name)))


def default(field: Any, value: Any) -> bool:
    made = field.default_factory() if field.default_factory is not MISSING else field.default
    return made is not MISSING and type(made) is type(value) and bool(np.all(made == value))


def show_value(value: Any, bare: bool = False) -> str:
    """The text of an attribute; in a rule (`bare`) a string that is a word stands without quotes."""
    match value:
        case None | bool():
            return str(value).lower()
        case str():
            plain = bare and WORD.fullmatch(value) and value not in WORDS
            return value if plain else json.dumps(value, ensure_ascii=False)
        case int() | float() | np.integer() | np.floating():
            return repr(value.item() if isinstance(value, np.generic) else value)
        case complex() | np.complexfloating():
            return f"complex({show_value(float(value.real))}, {show_value(float(value.imag))})"
        case tuple():
            return f"({', '.join(show_value(v, bare) for v in value)}{',' if len(value) == 1 else ''})"
        case list():
            return f"[{', '.join(show_value(v, bare) for v in value)}]"
        case Mapping():
            return f"{{{', '.join(f'{quoted(str(k))} = {show_value(v, bare)}' for k, v in value.items())}}}"
        case frozenset() | set():
            return f"set({', '.join(sorted(show_value(v, bare) for v in value))})"
        case np.ndarray():
            return show_value(value.tolist())
        case Constraint():
            return f"onto({show_constraint(value)})"
        case Array() | Params():
            return f"type({show_type(value)})"
        case Axis():
            return f"axis({show_axis(value)})"
        case Ancestor():
            return f"site({show_ancestor(value)})"
        case Wire():
            return f"%{quoted(value.name)}"
        case distributions.Distribution() if value in distributions.find(value.name):
            which = [] if value is distributions.find(value.name)[0] else [f.name for f in value.fields]
            return f"law({', '.join([value.name, *which])})"
    if hasattr(value, "_get_vars"):
        return f"'{show_size(value)}'"
    if isinstance(getattr(value, "name", None), str) and rules.RULES.get(value.name) is type(value):
        return f"by({show_rule(value)})"
    if is_dataclass(value) and type(value).__module__.startswith(OURS) and not hasattr(value, "apply"):
        return f"{type(value).__name__}({show_fields(value)})"
    return f"${quoted(getattr(value, 'name', None) or getattr(value, '__name__', None) or type(value).__name__)}"
