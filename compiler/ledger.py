"""The ledger: which rule every choice has, why, and whether the whole is unbiased."""
from __future__ import annotations

from dataclasses import dataclass

from pullback.compiler import ops as op
from pullback.compiler.analyses.host import on_host
from pullback.compiler.ir import Box, Graph
from pullback.compiler.rule import joining


@dataclass(frozen=True, slots=True)
class Choice:
    """One row: verdict is one of exact unbiased numerical assumed reweighted biased heuristic pending.  `words`: it is about
    what is said of texts, which is never unbiased and takes nothing from the numbers."""

    address: str
    rule: str
    reason: str
    verdict: str
    unbiased: bool
    file: str | None
    line: int | None
    words: bool = False


SIDES = {"under": "its log density at a given trace: the mean lies below", "over": "its log density at its own draw: the mean lies above"}
SOUND = ("exact", "unbiased", "assumed", "reweighted")


@dataclass(frozen=True, slots=True)
class Ledger:
    name: str
    rows: tuple[Choice, ...]
    allowed: bool = False

    @property
    def unbiased(self) -> bool:
        """Is the estimate, and so its gradient in numbers, unbiased?"""
        return not self.allowed and all(row.unbiased for row in self.rows if not row.words)

    @property
    def kind(self) -> str:
        return "estimand"

    def __str__(self) -> str:
        head = ("choice", "rule", "verdict", "line", "why")
        body = [(row.address, row.rule, row.verdict, str(row.line or ""), row.reason) for row in self.rows]
        widths = [max(len(line[i]) for line in (head, *body)) for i in range(len(head))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in (head, *body)]
        return "\n".join([f"{self.name}: {self.summary}", "", *lines])

    @property
    def summary(self) -> str:
        """The verdict on the whole in words."""
        rows = [row for row in self.rows if not row.words]
        if rows != list(self.rows):
            numbers = Ledger(self.name, tuple(rows), self.allowed).summary if rows or self.allowed else ""
            return f"feedback on texts is heuristic{f'; numbers: {numbers}' if numbers else ''}"
        loud = [row for row in self.rows if not row.unbiased]
        if loud:
            return "biased: " + ", ".join(f"`{row.address}` (line {row.line})" for row in loud)
        if self.allowed:
            return "biased: the program allows it"
        assumed = sum(row.verdict == "assumed" for row in self.rows)
        if assumed:
            return f"{assumed} choice{'s' * (assumed > 1)} assumed"
        if all(row.verdict == "exact" for row in self.rows):
            return "exact"
        return "unbiased"


def ledger(graph: Graph, name: str, allowed: bool = False) -> Ledger:
    """The ledger of a checked graph."""
    rows: list[Choice] = []
    addresses = [box["address"] for box in graph.walk() if box.op is op.draw]
    for box in graph.walk():
        if box.op is op.draw:
            rows.append(row(box, shortest(box["address"], addresses)))
        elif box.op is op.plate and box.rule is not None:
            rows.append(Choice(box["index"], written(box.rule), "rows of the loop, the rest by weight", "unbiased", True,
                               box.span.source.name if box.span else None, box.span.line if box.span else None))
        elif joining(box):
            rows += [joined(box, name, rule) for name, rules in places(box) for rule in rules]
        elif box.op is op.estimate and box["side"]:
            rows.append(Choice(box["name"], "estimate", SIDES[box["side"]], "unbiased", True,
                               box.span.source.name if box.span else None, box.span.line if box.span else None))
        elif on_host(box) and (box.op.kind == "engine" or box.rule is not None or box.op is op.extern):
            rows.append(worded(box))
    return Ledger(name, tuple(rows), allowed)


def places(box: Box) -> list[tuple[str, tuple]]:
    """What a junction is called, and each of its terms, with their rules."""
    return [*zip(box.get("terms", ()), box.get("rules", ())), (box.get("name", "combine"), box.rule or ())]


def joined(box: Box, name: str, rule) -> Choice:
    biased = rule.bias.value not in SOUND
    reason = "joins derivatives" + ("; theirs is not the sum's" if biased else "")
    return Choice(name, written(rule), reason, rule.bias.value, not biased, box.span.source.name if box.span else None,
                  box.span.line if box.span else None)


def worded(box: Box) -> Choice:
    """How what is said of a reply, a judgment or a verifier's value comes back to its texts."""
    name = box.get("address") or box.get("name") or box.op.name
    rule = written(box.rule) if box.rule is not None and not isinstance(box.rule, tuple) else (
        ", ".join(map(written, box.rule or ())) or {"judge": "its words", "extern": "words"}.get(box.op.name, box.op.pull))
    why = {"judge": "a judgment is its own criticism", "extern": "a verifier's value, its sign and size"}.get(
        box.op.name, "a critic says what should change")
    return Choice(name.rpartition(".")[2], rule, why, "heuristic", False, box.span.source.name if box.span else None,
                  box.span.line if box.span else None, True)


def row(box: Box, address: str) -> Choice:
    verdict = box["verdict"]
    return Choice(address, written(box.rule), box["reason"], verdict, verdict in SOUND,
                  box.span.source.name if box.span else None, box.span.line if box.span else None)


def written(rule) -> str:
    """A rule as it stands after `by`: its name and the options that are not its defaults."""
    import dataclasses
    options = [f"{f.name} = {getattr(rule, f.name)}" for f in dataclasses.fields(rule)
               if f.default is dataclasses.MISSING or getattr(rule, f.name) != f.default] if dataclasses.is_dataclass(rule) else []
    if len(options) == 1 and dataclasses.fields(rule)[0].default is dataclasses.MISSING:
        options = [options[0].partition(" = ")[2]]
    return rule.name + (f"({', '.join(options)})" if options else "")


def shortest(address: str, addresses: list[str]) -> str:
    """The shortest suffix of a full name that fits no other."""
    parts = address.split(".")
    for count in range(1, len(parts) + 1):
        suffix = ".".join(parts[-count:])
        if sum(a == suffix or a.endswith("." + suffix) for a in addresses) == 1:
            return suffix
    return address
