"""How many calls a sweep makes, by role: counted on the graph, before any call.

A box that asks does so once for each element of its axes; one in a branch perhaps never.  A critic is asked about what was found
wrong: at least nothing, at most everything.  What is asked again because a reply was cut, broke its contract or was lost is not
counted, nor what is not asked because a reply was kept.
"""
from __future__ import annotations

from dataclasses import dataclass, replace
from math import ceil, prod
from typing import Any, Iterable, Mapping

from pullback.backends.text import back, host
from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph

TOKENS = 512  # of a reply, where a box does not say
ORDER = ("forward", "judge", "critic", "merge", "optimize")


@dataclass(frozen=True, slots=True)
class Count:
    """Calls of one role: at least, at most, by the runs so far (None before any), and the tokens of all replies at most."""

    role: str
    least: int = 0
    most: int = 0
    tokens: int = 0
    expected: float | None = None

    def __add__(self, other: Count) -> Count:
        expected = None if self.expected is None and other.expected is None else (self.expected or 0) + (other.expected or 0)
        return Count(self.role, self.least + other.least, self.most + other.most, self.tokens + other.tokens, expected)

    def times(self, least: int, most: int) -> Count:
        expected = None if self.expected is None else self.expected * most
        return Count(self.role, self.least * least, self.most * most, self.tokens * most, expected)


@dataclass(frozen=True, slots=True)
class Plan:
    """What a sweep, or a fit, asks of its engines: one row a role."""

    rows: tuple[Count, ...]

    def __getitem__(self, role: str) -> Count:
        return next((row for row in self.rows if row.role == role), Count(role))

    @property
    def least(self) -> int:
        return sum(row.least for row in self.rows)

    @property
    def most(self) -> int:
        return sum(row.most for row in self.rows)

    @property
    def expected(self) -> float | None:
        known = [row.expected for row in self.rows if row.expected is not None]
        return sum(known) if known else None

    def __add__(self, other: Plan) -> Plan:
        return total([*self.rows, *other.rows])

    def times(self, least: int, most: int) -> Plan:
        """The plan of so many of them."""
        return Plan(tuple(row.times(least, most) for row in self.rows))

    def seen(self, calls: Mapping[str, float]) -> Plan:
        """With what earlier runs took on average."""
        return Plan(tuple(replace(row, expected=calls.get(row.role, 0.0)) for row in self.rows)) if calls else self

    def __str__(self) -> str:
        head = ("role", "at least", "at most", "expected", "tokens of replies, at most")
        body = [(row.role, f"{row.least:,}", f"{row.most:,}", "" if row.expected is None else f"{row.expected:,.1f}", f"{row.tokens:,}")
                for row in [*self.rows, Count("all", self.least, self.most, sum(row.tokens for row in self.rows), self.expected)]]
        widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
        return "\n".join("  ".join(cell.ljust(width) if not at else cell.rjust(width) for at, (cell, width) in enumerate(zip(line, widths)))
                         for line in (head, *body))


def total(counts: Iterable[Count]) -> Plan:
    """The counts by role."""
    found: dict[str, Count] = {}
    for count in counts:
        found[count.role] = found[count.role] + count if count.role in found else count
    return Plan(tuple(sorted(found.values(), key=lambda count: ORDER.index(count.role))))


def plan(graph: Graph) -> Plan:
    """The plan of one run of a graph, the way back included where it is written."""
    boxes = {box.number: box for box in graph.boxes}
    return total(count for box in graph.boxes for count in counts(box, boxes))


def counts(box: Box, boxes: Mapping[int, Box]) -> Iterable[Count]:
    if box.op.kind == "engine":
        number = size(box)
        role = box.get("engine_role") or box.op.engine
        yield Count(role, 0 if box.get("masked") else number, number, number * (box.get("max_tokens") or TOKENS))
    elif box.op is op.criticize:
        forward = boxes[box["box"]]
        if forward.op is op.copy:
            yield from merged(box.rule or (), 1)
        elif not host.moves(forward) and getattr(rule := box.rule or back.default(forward), "name", "") == "critique":
            number = size(forward) * (1 if rule.joint else len(box["wanted"]))
            yield Count("critic", 0, number, number * TOKENS)
    elif box.op is op.gather:
        for rules in dict(box.get("rules", {})).values():
            yield from merged(rules, prod(axis.size for axis in box["over"]) or 1)


def merged(rules: Any, number: int) -> Iterable[Count]:
    """The calls by which so many criticisms meet."""
    groups = 1
    for rule in rules:
        if rule.name == "group":
            groups = ceil(number / rule.by) if isinstance(rule.by, int) else number
        elif rule.name == "summarize":
            yield Count("merge", 0, groups, groups * TOKENS)


def size(box: Box) -> int:
    return prod(axis.size for axis in box.axes)
