"""Diagrams as text of the language: `parse(print(D))` is D.

    pi * ket(0) >> Ry(t + 0.5) >> bra(0)

Boxes that stand side by side are one layer; layers are joined by `>>`.  Precedence, loosest first: `+`, `>>`, `*`, `^`.
"""
from __future__ import annotations

import math
from fractions import Fraction
from typing import Any, Mapping, Sequence

from pullback.compiler import ops as op
from pullback.compiler.diagrams import build
from pullback.compiler.diagrams.build import adjoint, bare, inner_inputs, shown
from pullback.compiler.diagrams.numbers import Numbers
from pullback.compiler.diagrams.order import Step, steps
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.type import Object

SUM, THEN, PRODUCT, ATOM = range(4)
SIGNS = {"add": ("+", 0), "sub": ("-", 0), "mul": ("*", 1), "div": ("/", 1), "pow": ("^", 3), "matmul": ("@", 1)}


def show(graph: Graph, known: Mapping[str, Any] | None = None) -> str:
    """The expression that a diagram is.  known: values of numbers by the names of their wires."""
    return Text(graph, known or {}).whole(graph, SUM)


def declaration(graph: Graph, name: str = "", known: Mapping[str, Any] | None = None) -> str:
    """`diagram name(theta: real[3]): …`; a domain is told by the expression itself."""
    given = [f"{wire.name}: {wire.type}" for wire in build.numbers(graph) if wire.name not in (known or {})]
    return f"diagram {name or graph.name or 'D'}({', '.join(given)}): {show(graph, known)}"


def coefficient(c: float) -> str:
    """A number in front: with π where it is a simple part of it."""
    if isinstance(c, int) or float(c).is_integer():
        return str(int(c))
    part = Fraction(c / math.pi).limit_denominator(64)
    if part and math.isclose(float(part) * math.pi, c, rel_tol=1e-13):
        above = "pi" if abs(part.numerator) == 1 else f"{abs(part.numerator)} * pi"
        return ("-" if part < 0 else "") + above + (f" / {part.denominator}" if part.denominator != 1 else "")
    return repr(float(c))


class Text:
    def __init__(self, graph: Graph, known: Mapping[str, Any]):
        self.numbers, self.known = Numbers(graph.boxes), known

    # ---- numbers

    def number(self, wire: Wire, level: int = 0) -> str:
        """The expression that computes a number."""
        if wire.name in self.known:
            return self.value(self.known[wire.name])
        box = self.numbers.maker.get(wire)
        if box is None:
            return wire.name.split(build.MARK)[0]
        match box.op:
            case op.constant:
                return self.value(box["value"])
            case op.index:
                rest = iter(self.number(one) for one in box.inputs[1:])
                parts = [next(rest) if part == "i" else ".." if part == "all" else str(part) if isinstance(part, int) else (
                    f"{'' if part[1] is None else part[1]}..{'' if part[2] is None else part[2]}") for part in box["pattern"]]
                return f"{self.number(box.inputs[0], 9)}[{', '.join(parts)}]"
            case op.neg:
                return self.grouped(f"-{self.number(box.inputs[0], 2)}", 1, level)
            case op.field:
                return f"{self.number(box.inputs[0], 9)}.{box['name']}"
            case op.stack:
                return f"[{', '.join(map(self.number, box.inputs))}]"
            case op.jacobian:
                inner = Text(box["graph"], {})
                return f"d({inner.number(box['graph'].outputs[0])}, {self.number(box.inputs[0])})"
        if box.op.name in SIGNS:
            sign, mine = SIGNS[box.op.name]
            first, *rest = box.inputs
            if sign == "^":
                return self.grouped(f"{self.number(first, 4)}^{self.number(rest[0], 3)}", 3, level)
            text = self.number(first, mine) + "".join(f" {sign} {self.number(one, mine + 1)}" for one in rest)
            return self.grouped(text, mine, level)
        given = [self.number(one) for one in box.inputs]
        given += [f"{key} = {self.value(value)}" for key, value in box.attributes.items() if isinstance(value, (int, float, tuple))]
        return f"{box.op.name}({', '.join(given)})"

    @staticmethod
    def grouped(text: str, mine: int, level: int) -> str:
        return f"({text})" if mine < level else text

    def value(self, value: Any) -> str:
        if hasattr(value, "tolist"):
            value = value.tolist()
        if isinstance(value, (tuple, list)):
            return f"[{', '.join(map(self.value, value))}]"
        if isinstance(value, bool):
            return str(value).lower()
        if isinstance(value, float):
            text = repr(value)
            return text if "e" not in text or "." in text else text.replace("e", ".0e")
        return str(value)

    # ---- diagrams

    def whole(self, graph: Graph, level: int) -> str:
        """A diagram, in parentheses if it binds less tightly than `level`."""
        terms = build.summands(graph)
        if not terms:
            return self.grouped(self.zero(graph), PRODUCT, level)
        if len(terms) == 1 and terms[0][0] == 1:
            return self.layers(terms[0][1], level)
        text = ""
        for c, term in terms:
            sign = "-" if c < 0 else "+"
            c = abs(c)
            inner = self.layers(term, THEN)
            inner = inner if c == 1 else f"{coefficient(c)} * {self.scaled(term, inner)}"
            text += f" {sign} {inner}" if text else inner if sign == "+" else f"-{self.layers(term, ATOM)}" if c == 1 else f"-{inner}"
        return self.grouped(text, THEN if len(terms) == 1 else SUM, level)

    def scaled(self, term: Graph, inner: str) -> str:
        """A number binds to the first factor, which is the whole all the same; but a sum in front must not be spread."""
        return f"({inner})" if inner.startswith("(") else inner

    def zero(self, graph: Graph) -> str:
        """0 of a signature: 0 times anything of it."""
        dom, cod = build.domain(graph), build.codomain(graph)
        if dom == cod:
            return f"0 * id({shown(dom)})" if dom else "0 * id()"
        ends = [f"bra({', '.join('0' for _ in dom)})" if all(a.linear for a in dom) else f"spider(1, 0, {shown(dom)})"] if dom else []
        ends += [f"ket({', '.join('0' for _ in cod)})" if all(a.linear for a in cod) else f"spider(0, 1, {shown(cod)})"] if cod else []
        return f"0 * {' >> '.join(ends)}"

    def layers(self, graph: Graph, level: int) -> str:
        rows = layered(steps(graph))
        if not rows:
            atoms = build.domain(graph)
            return f"id({shown(atoms)})" if atoms else "id()"
        texts = []
        for row in rows:
            items = powers(self.row(row))
            texts.append((" * ".join(text for text, _ in items), items))
        if len(texts) == 1:
            text, items = texts[0]
            mine = PRODUCT if len(items) > 1 else items[0][1]
            return self.grouped(text, mine, level)
        return self.grouped(" >> ".join(text for text, _ in texts), THEN, level)

    def row(self, row: Sequence[Step]) -> list[tuple[str, int]]:
        """One layer: boxes, and identities between them."""
        frontier, at, items = row[0].before, 0, []
        idle: list[Object] = []

        def rest() -> None:
            if idle:
                items.append((f"id({shown(idle)})", ATOM))
                idle.clear()
        for step in row:
            while at < step.place:
                idle.append(frontier[at].type)
                at += 1
            rest()
            if step.box is None:
                items.append((f"swap({frontier[at].type}, {frontier[at + 1].type})", ATOM))
                at += 2
            else:
                items.append(self.box(step.box, PRODUCT))
                at += len(inner_inputs(step.box))
        idle += [wire.type for wire in frontier[at:]]
        rest()
        return items

    def box(self, box: Box, level: int) -> tuple[str, int]:
        match box.op:
            case op.spider:
                return spider(box), ATOM
            case op.formal_sum:
                one = Graph((*box.inputs[:box["numbers"]], *inner_inputs(box)), (box,), box.outputs)
                return f"({self.whole(one, SUM)})", ATOM
            case op.bubble:
                name = box["function"].name
                for _ in range(box["order"]):
                    name = f"d({name})"
                return f"bubble({name}, {self.whole(box.regions[0], SUM)})", ATOM
        return self.named(box), ATOM

    def named(self, box: Box) -> str:
        """`loves(theta)`, `ket(0, 1)`, `f.dagger`."""
        record, given = box.get("gate"), [self.number(wire) for wire in box.inputs[:box["numbers"]]]
        static = record.static if record is not None and record.name not in ("scale", "weight") else ()
        words = [*(shown(static) if record is not None and record.kind == "discard" else str(one) for one in (
            static[:1] if record is not None and record.kind == "discard" else static)), *given]
        name = box["name"] + (f"({', '.join(words)})" if words or record is not None and record.name in ("ket", "bra") else "")
        if box.get("derivative") is not None:
            name = f"d({name}, {given[box['derivative']]})"
        turns = box["turns"] % 2 if all(w.type.selfdual for w in (*inner_inputs(box), *box.outputs)) else box["turns"]
        dagger = box["dagger"]
        if dagger and turns == 1:
            return name + ".conjugate"
        return name + ".dagger" * dagger + ".transpose" * max(turns, 0)


def powers(items: list[tuple[str, int]]) -> list[tuple[str, int]]:
    """`H * H` is `H^2`."""
    found: list[list[Any]] = []
    for text, level in items:
        if found and found[-1][0] == text and level == ATOM and not text.startswith("id("):
            found[-1][1] += 1
        else:
            found.append([text, 1, level])
    return [(text if count == 1 else f"{text}^{count}", level) for text, count, level in found]


def spider(box: Box) -> str:
    ins, outs = [w.type for w in box.inputs], [w.type for w in box.outputs]
    for pair, word, other in ((ins, "cup", outs), (outs, "cap", ins)):
        if len(pair) == 2 and not other and ((pair[1],) in (adjoint((pair[0],), 1), adjoint((pair[0],), -1))):
            return f"{word}({pair[0]}, {pair[1]})"
    atoms = [*ins, *outs]
    return f"spider({len(ins)}, {len(outs)}, {bare((atoms[0],))})" if atoms else "id()"


def layered(found: Sequence[Step]) -> list[list[Step]]:
    """Steps that don't touch each other's wires stand side by side; their places are those before the row."""
    rows: list[list[Step]] = []
    for step in found:
        joined = beside(rows[-1], step) if rows else None
        if joined is None:
            rows.append([step])
        else:
            rows[-1] = joined
    return rows


def beside(row: list[Step], step: Step) -> list[Step] | None:
    """The row with one step more; None if that reads what the row makes, or stands between its wires."""
    reads = inner_inputs(step.box) if step.box is not None else (step.before[step.place], step.before[step.place + 1])
    before = row[0].before
    if any(wire not in before for wire in reads) or any(
            one.box is None and set(reads) & set(one.before[one.place:one.place + 2]) for one in row):
        return None
    place, after = step.place, 0
    for at, one in enumerate(row):
        ins = 2 if one.box is None else len(inner_inputs(one.box))
        outs = 2 if one.box is None else len(one.box.outputs)
        start = position(row, at)
        if step.place >= start + outs:
            place += ins - outs
            after = at + 1
        elif step.place > start or (step.place == start and not reads and not ins and outs):
            if step.place > start:
                return None
    return [*row[:after], Step(step.box, place, before), *row[after:]]


def position(row: list[Step], at: int) -> int:
    """Where a step of a row stands once the row is done."""
    moved = 0
    for one in row[:at]:
        moved += 0 if one.box is None else len(one.box.outputs) - len(inner_inputs(one.box))
    return row[at].place + moved
