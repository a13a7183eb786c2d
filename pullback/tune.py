"""Which rule for which choice?  Variance, time and their product for the admissible assignments, measured.

    found = pb.variance(program["elbo"], params, data, key=0)
    found.best.text                 with {q.k: enum, q.z: reparam}

An assignment gives each choice one of the rules that are sound for it.  Where there are more than `MOST`, the search starts from
the automatic rules and changes one choice at a time while that helps.  Variance is that of one estimate of the gradient, all
coordinates together; what counts is variance × time: the time to a given standard error.
"""
from __future__ import annotations

import itertools
import time
from dataclasses import dataclass
from typing import Any, Iterator, Mapping, Sequence

import jax
import numpy as np

from pullback.compiler import ops as op
from pullback.compiler.analyses.facts import Facts
from pullback.compiler.analyses.ranges import support_size
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, ProgramError
from pullback.compiler.ir import Box, Graph
from pullback.compiler.ledger import shortest, written
from pullback.compiler.rule import Bias
from pullback.compiler.type import known
from pullback.function import estimator

CANDIDATES = ("enum", "reparam", "antithetic", "reinforce", "reinforce(k = 2, baseline = loo)", "reinforce(k = 4, baseline = loo)",
              "mvd", "disarm", "sum_and_sample(4)", "quadrature(4)")
MOST = 32       # assignments that are all measured
ROUNDS = 3      # of the search, where there are more
RUNS = 3        # of all draws; the quickest tells the time


@dataclass(frozen=True)
class Row:
    """assignment: address → rule; variance: of one gradient estimate; seconds: of one of many in a loop on the device."""

    assignment: Mapping[str, str]
    variance: float
    seconds: float
    value: float
    error: float

    @property
    def product(self) -> float:
        """Variance × seconds."""
        return self.variance * self.seconds

    @property
    def text(self) -> str:
        """The assignment as a program says it."""
        return f"with {{{', '.join(f'{address}: {rule}' for address, rule in self.assignment.items())}}}"


@dataclass(frozen=True)
class Measured:
    """rows: the best first; automatic: what no `by` gives; refused: assignments that do not compile, and why."""

    name: str
    rows: tuple[Row, ...]
    automatic: Mapping[str, str]
    refused: tuple[tuple[Mapping[str, str], str], ...] = ()

    @property
    def best(self) -> Row:
        return self.rows[0]

    def cells(self) -> tuple[list[str], list[list[str]]]:
        """The heads and the cells of a table."""
        addresses = list(self.rows[0].assignment)
        heads = [*addresses, "variance", "ms", "variance × ms", ""]
        body = [[*(row.assignment[a] for a in addresses), f"{row.variance:.4g}", f"{1e3 * row.seconds:.3f}",
                 f"{1e3 * row.product:.4g}", "automatic" if row.assignment == self.automatic else ""] for row in self.rows]
        return heads, body

    def __str__(self) -> str:
        heads, body = self.cells()
        widths = [max(len(line[i]) for line in (heads, *body)) for i in range(len(heads))]
        lines = ["  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip() for line in (heads, *body)]
        return "\n".join([f"{self.name}: {len(self.rows)} assignments, the best first", "", *lines, "", self.best.text])

    def plot(self) -> Any:
        """Variance over time, one point an assignment; lines of equal product."""
        import matplotlib.pyplot as plt
        figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
        seconds, variances = [1e3 * row.seconds for row in self.rows], [max(row.variance, 1e-12) for row in self.rows]
        axes.loglog(seconds, variances, "o", color="#1f6feb")
        for row, x, y in zip(self.rows, seconds, variances):
            axes.annotate(" · ".join(row.assignment.values()), (x, y), textcoords="offset points", xytext=(4, 3), fontsize=7)
        axes.set(xlabel="ms a call", ylabel="variance of the gradient", title=self.name)
        return figure


def variance(objective: Any, params: Mapping[str, Any], data: Mapping[str, Any] | None = None, *, key: Any = 0,
             assignments: str | Sequence[Mapping[str, Any]] = "all", draws: int = 400, **settings: Any) -> Measured:
    """Measure assignments of rules to the choices of an objective (or of a fit's).

    params, data: where it is measured, as in a call.  key: a JAX key, or an int.  assignments: "all" admissible ones, or a
    list of address → rule.  draws: estimates that a variance is told from.  settings: as `compile` takes them.
    """
    key = jax.random.key(key) if isinstance(key, int) else key
    data = dict(data or {})
    bench = Bench(objective, dict(params), data, key, draws, settings)
    if isinstance(assignments, str) and assignments != "all":
        raise ArgumentError(f"`assignments` is \"all\", or a list of address → rule; this is {assignments!r}")
    given = bench.every() if isinstance(assignments, str) else [
        {address: str(rule) if isinstance(rule, str) else written(rule) for address, rule in one.items()} for one in assignments]
    for one in given:
        bench.measure(one)
    if isinstance(assignments, str) and not given:
        bench.search()
    if not bench.rows:
        raise ArgumentError(Diagnostic("argument", f"no assignment of rules to the choices of `{objective.name}` compiles",
                                       help=bench.refused[0][1] if bench.refused else "it has no choices"))
    rows = tuple(sorted(bench.rows, key=lambda row: row.product))
    return Measured(objective.name, rows, bench.automatic, tuple(bench.refused))


class Bench:
    """Compiles and measures assignments of one objective."""

    def __init__(self, objective: Any, params: dict, data: dict, key: Any, draws: int, settings: dict):
        self.objective, self.params, self.data, self.key, self.draws, self.settings = objective, params, data, key, draws, settings
        self.rows: list[Row] = []
        self.refused: list[tuple[Mapping[str, str], str]] = []
        function = objective.compile(**settings)
        function.specialize(params, **data)
        graph = function.stages()["checked"]
        boxes = sites(graph)
        if not boxes:
            raise ArgumentError(Diagnostic("argument", f"`{objective.name}` has no choices: there is nothing to tune"))
        addresses = [box["address"] for box in boxes]
        facts = Facts(graph, settings.get("particles", getattr(function, "particles", 1)))
        self.candidates: dict[str, list[str]] = {}
        self.automatic: dict[str, str] = {}
        for box in boxes:
            name = shortest(box["address"], addresses)
            self.automatic[name] = written(box.rule)
            self.candidates[name] = list(dict.fromkeys([written(box.rule), *admissible(box, facts)]))

    def every(self) -> list[dict[str, str]]:
        """All assignments; none if there are too many."""
        names = list(self.candidates)
        if np.prod([len(found) for found in self.candidates.values()], dtype=float) > MOST:
            return []
        return [dict(zip(names, one)) for one in itertools.product(*self.candidates.values())]

    def search(self) -> None:
        """From the automatic rules, one choice changed at a time, as long as that helps."""
        best = self.measure(self.automatic)
        for _ in range(ROUNDS):
            before = best
            for name, found in self.candidates.items():
                at = dict(best.assignment if best is not None else self.automatic)
                for rule in found:
                    row = self.measure({**at, name: rule})
                    if row is not None and (best is None or row.product < best.product):
                        best = row
            if best is before:
                return

    def measure(self, assignment: Mapping[str, str]) -> Row | None:
        for row in self.rows:
            if row.assignment == assignment:
                return row
        try:
            function = self.objective.compile(**{**self.settings, "rules": {**self.settings.get("rules", {}), **assignment}})
            function.specialize(self.params, **self.data)
        except ProgramError as error:
            self.refused.append((assignment, error.diagnostics[0].message))
            return None
        run = estimator(function, self.params, self.data, self.draws)
        run(self.key)
        seconds = float("inf")
        for _ in range(RUNS):
            started = time.perf_counter()
            found = run(self.key)
            seconds = min(seconds, (time.perf_counter() - started) / self.draws)
        spread = sum(error ** 2 for _, error in found.gradients.values()) * self.draws
        row = Row(dict(assignment), spread, seconds, found.value, found.error)
        self.rows.append(row)
        return row


def sites(graph: Graph) -> list[Box]:
    """The choices whose rule may be chosen: those of marginals are summed out."""
    def walk(graph: Graph) -> Iterator[Box]:
        for box in graph.boxes:
            if box.op is not op.marginal:
                yield box
                for region in box.regions:
                    yield from walk(region)
    return [box for box in walk(graph) if box.op is op.draw]


def admissible(box: Box, facts: Facts) -> list[str]:
    """The rules that are sound for a choice, as they are written."""
    from pullback.dsl.parse import parse_rule
    from pullback.dsl.rules import rule as made
    found = []
    for text in CANDIDATES:
        rule = made(None, parse_rule(text))
        trial = box.but(rule=rule)
        if getattr(rule, "admits", lambda *_: None)(trial, facts) is not None:
            continue
        told = rule.verdict(trial, facts)[0] if hasattr(rule, "verdict") else rule.bias
        size = support_size(box)
        same = rule.name == "sum_and_sample" and known(size or 0) and (size or 0) <= rule.k     # that is `enum`
        if told in (Bias.none, Bias.exact) and not same:
            found.append(text)
    return found
