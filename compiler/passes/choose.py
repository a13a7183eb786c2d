"""Give every choice a rule: check those that are written, choose those that are not, and say why.

    1  enum       the support is finite and what is evaluated downstream grows by at most 16 ×
    2  reparam    a pathwise derivative, and nothing downstream jumps
    3  reinforce  else: leave-one-out over the particles where there are two or more, else over k = 2
    4  mvd        where the support moves too, so that a score is unsound

Needs: calls open.  Leaves: a rule on every `draw`, with attributes `auto`, `reason`, `verdict`.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler import rule as rules
from pullback.compiler.analyses.facts import Facts
from pullback.compiler.diagnostic import Diagnostic, Reported
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.analyses.ranges import support_size
from pullback.compiler.type import known

GROWTH = 16


def choose(graph: Graph, particles: int = 1, refused: dict[str, str] | None = None,
           allow_biased: bool = False) -> Graph:
    """`refused`: sites that a later pass has found not to be enumerable, and why."""
    facts = Facts(graph, particles)
    choosing = Choosing(facts, refused or {})
    graph = choosing.graph(graph)
    if choosing.found:
        raise Reported(*choosing.found)
    return graph


class Choosing:
    def __init__(self, facts: Facts, refused: dict[str, str]):
        self.facts, self.refused = facts, refused
        self.found: list[Diagnostic] = []
        self.growth = Growth(facts.graph, refused)

    def graph(self, graph: Graph, marginal: bool = False) -> Graph:
        boxes = []
        for box in graph.boxes:
            if box.regions:
                inside = marginal or box.op is op.marginal
                box = box.but(regions=tuple(self.graph(region, inside) for region in box.regions))
            if box.op is op.draw:
                box = self.summed(box) if marginal else self.written(box) if box.rule is not None else self.automatic(box)
            boxes.append(box)
        return Graph(graph.inputs, tuple(boxes), graph.outputs, graph.name)

    def written(self, box: Box) -> Box:
        if box["distribution"].log_prob is None and box.rule.name != "shift":
            problem = Diagnostic("rule", f"`{box.output.name}` are the frequencies of a measured diagram, which `shift` alone differentiates",
                                 box.span, f"given the rule `{box.rule.name}`", help="`shift(shots = 8192)`, or `shift` for the exact value")
        else:
            problem = getattr(box.rule, "admits", lambda box, facts: None)(box, self.facts)
        if problem is not None:
            self.found.append(problem)
        return self.judged(box, box.rule, False, "written in the program")

    def summed(self, box: Box) -> Box:
        """A choice of a marginal: summed out."""
        enum = rules.find("enum")()
        problem = self.facts.infinite(box)
        if problem is not None:
            self.found.append(Diagnostic(
                problem.code, f"`{box.output.name}` is marginalized `using enum`, but the support of "
                f"`{box['distribution'].name}` is not finite", box.span, "drawn here"))
        return self.judged(box, enum, False, "marginalized")

    def automatic(self, box: Box) -> Box:
        distribution = box["distribution"]
        size = support_size(box)
        reasons = []
        if size is not None and (not known(size) or size <= GROWTH) and box["address"] not in self.refused \
                and self.growth.allows(box, size if known(size) else 1):
            return self.judged(box, rules.find("enum")(), True, f"finite: {size} values, exact")
        if size is not None:
            reasons.append(self.refused.get(box["address"]) or f"too many values to enumerate ({size})")
        reparam = rules.find("reparam")()
        if distribution.kind == "real":
            problem = reparam.admits(box, self.facts)
            if problem is None:
                how = "implicit pathwise derivative" if distribution.implicit else "pathwise derivative"
                return self.judged(box, reparam, True, f"{how}, and nothing downstream jumps")
            reasons.append(problem.message.replace("is drawn `by reparam`, but ", "jumps: "))
        reinforce = rules.find("reinforce")
        rule = reinforce(1, "loo") if self.facts.particles > 1 else reinforce(2, "loo")
        problem = rule.admits(box, self.facts)
        if problem is not None:
            mvd = rules.find("mvd")()
            if mvd.admits(box, self.facts) is None and box["address"] not in self.refused:
                return self.judged(box, mvd, True, f"{'; '.join(reasons)}: a score would miss the moving edge")
            problem = self.nothing_fits(box, problem)
            self.found.append(problem)
        over = "particles" if self.facts.particles > 1 else "two samples"
        why = "; ".join(reasons) or "discrete, without end"
        return self.judged(box, rule, True, f"{why}: the score, leave-one-out over {over}")

    def nothing_fits(self, box: Box, problem: Diagnostic) -> Diagnostic:
        return Diagnostic(problem.code, f"no rule is sound for `{box.output.name}`: {problem.message}", box.span, problem.label,
                          problem.notes, problem.help)

    def judged(self, box: Box, rule: Any, auto: bool, reason: str) -> Box:
        verdict = rule.bias.value if hasattr(rule, "bias") else "unbiased"
        if hasattr(rule, "verdict"):
            told, why = rule.verdict(box, self.facts)
            verdict, reason = told.value, why if why and not auto else reason
        if getattr(rule, "through", "weight") == "value" and box["distribution"].kind == "real" and self.facts.assumed(box):
            verdict, reason = "assumed", f"{reason}; {self.facts.assumed(box)}"
        found = {"auto": auto, "reason": reason, "verdict": verdict}
        if getattr(rule, "axis", "points") == "perturbation":
            found["carries"] = self.facts.carries(box)
        return box.but(rule=rule, attributes=found)


class Growth:
    """How many times what reads a set of enumerated choices is evaluated."""

    def __init__(self, graph: Graph, refused: dict[str, str]):
        self.above: dict[Wire, frozenset[str]] = {}
        self.sizes: dict[str, int] = {}
        self.chosen: set[str] = set()
        self.sets: set[frozenset[str]] = set()
        self.walk(graph)

    def walk(self, graph: Graph) -> None:
        for box in graph.boxes:
            for region in box.regions:
                self.walk(region)
            above = frozenset().union(*(self.above.get(wire, frozenset()) for wire in box.inputs))
            if box.regions:
                above |= frozenset().union(*(self.above.get(w, frozenset()) for r in box.regions for w in r.outputs))
            if box.op is op.draw:
                size = support_size(box)
                if size is not None and known(size):
                    self.sizes[box["address"]] = size
                    above |= {box["address"]}
                    if getattr(box.rule, "axis", "") == "finite":
                        self.chosen.add(box["address"])
            if box.op is op.marginal:
                above = frozenset()
            for wire in box.outputs:
                self.above[wire] = above
            self.sets.add(above)

    def allows(self, box: Box, size: int) -> bool:
        site = box["address"]
        for together in self.sets:
            if site in together:
                product = 1
                for other in together:
                    if other == site or other in self.chosen:
                        product *= self.sizes[other]
                if product > GROWTH:
                    return False
        self.chosen.add(site)
        return True
