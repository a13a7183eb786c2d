"""`using choose(4)`: a categorical over rewrites, whose logits are learned, and then again around the best."""
from __future__ import annotations

import math
import random
from dataclasses import dataclass
from typing import Any, ClassVar, Sequence

from pullback.compiler.optimizer import optimizer
from pullback.compiler.predicate import Constraint
from pullback.compiler.revision import Edit, Readings, Report, Texts
from pullback.stdlib.text.editor import rewrite

WARM = 0.7


@optimizer
@dataclass(frozen=True, slots=True)
class Choose:
    """The texts as a random choice among k: the present ones and k − 1 rewrites, with logits that climb the objective.

    Use it for: small sets of variants, noisy objectives.   Rather not: where each evaluation is dear (`tgd`).
    The gradient of Σ p f in the logits is pⱼ (fⱼ − Σ p f).   by: `enum` evaluates all k, exactly; `reinforce(k = 2)`
    draws two and is unbiased (each is the other's baseline).   rate: of the logits.   When the best has probability
    `sure`, or after `rounds` steps, k − 1 new rewrites are made of the best.
    Cost: k − 1 rewrites a restart; k (or the number of draws) evaluations a step.   Bias: none in the logits.
    Source: Williams (1992), Machine Learning 8 (the draws).
    """

    k: int = 4
    by: Any = "enum"
    rate: float = 2.0
    sure: float = 0.9
    rounds: int = 8
    constraints: tuple[Constraint, ...] = ()
    examples: tuple[str, ...] = ()
    texts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("constraints", "examples"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        if isinstance(self.k, bool) or not isinstance(self.k, int) or self.k < 2:
            raise ValueError(f"`choose` takes an int from 2 up, and this is {self.k!r}")
        if self.rule not in ("enum", "reinforce"):
            raise ValueError("`by` is `enum` or `reinforce(k = 2)`")
        if self.rule == "reinforce" and self.draws < 2:
            raise ValueError("`reinforce` of `choose` needs two draws at least: each is the other's baseline")

    @property
    def rule(self) -> str:
        return self.by if isinstance(self.by, str) else getattr(self.by, "name", "")

    @property
    def draws(self) -> int:
        return getattr(self.by, "k", 2)

    @property
    def needs_validate(self) -> bool:
        return False

    def init(self, values: Texts) -> dict[str, Any]:
        """candidates: [{name: text}, …], empty before a restart;  logits: one each;  age: steps since the restart."""
        return {"candidates": [], "logits": [], "age": 0, "restarts": 0}

    def step(self, seed: int, state: dict[str, Any], values: Texts, readings: Readings) -> tuple[dict[str, Any], dict[str, str], list[Report]]:
        chance, restarts = random.Random(seed), state["restarts"]
        candidates, logits, age = state["candidates"], state["logits"], state["age"]
        if not candidates:
            candidates = self.candidates(values, readings, restarts)
            logits, age, restarts = [0.0] * len(candidates), 0, restarts + 1
            if len(candidates) == 1:
                what = "stalled" if any(readings.criticisms.get(name) for name in values) else "satisfied"
                return {**state, "restarts": restarts}, dict(values), [
                    Report(name, what, "no rewrite differs from it", text, text, readings.score) for name, text in values.items()]
        p = softmax(logits)
        slope, score = self.slope(p, candidates, readings, chance)
        logits = [a + self.rate * b for a, b in zip(logits, slope)]
        p, age = softmax(logits), age + 1
        best = p.index(max(p))
        new = dict(candidates[best])
        reports = [Report(name, "changed" if new[name] != text else "kept", f"probability {p[best]:.3f} of {len(p)} candidates",
                          text, new[name], score) for name, text in values.items()]
        if p[best] >= self.sure or age >= self.rounds:
            candidates, logits, age = [], [], 0
        return {"candidates": candidates, "logits": logits, "age": age, "restarts": restarts}, new, reports

    def candidates(self, values: Texts, readings: Readings, restarts: int) -> list[dict[str, str]]:
        """The present texts and what k − 1 rewrites give that differs."""
        names = [name for name in values if readings.criticisms.get(name)]
        edits = [Edit(name, readings.roles.get(name, ""), values[name], readings.criticisms[name], constraints=self.constraints,
                      examples=self.examples, temperature=WARM, rollout=restarts * (self.k - 1) + i)
                 for i in range(1, self.k) for name in names]
        made = iter(rewrite(readings.ask, edits)) if edits else iter(())
        found = [dict(values)]
        for _ in range(1, self.k):
            candidate = {**values, **{name: next(made).value for name in names}}
            if candidate not in found:
                found.append(candidate)
        return found

    def slope(self, p: Sequence[float], candidates: Sequence[Texts], readings: Readings, chance: random.Random) -> tuple[list[float], float]:
        """The gradient of Σ p f in the logits, or an estimate of it; and Σ p f, or its estimate."""
        def f(place: int) -> float:
            scores = readings.scores(candidates[place])
            return sum(scores) / len(scores)
        if self.rule == "enum":
            values = [f(place) for place in range(len(p))]
            mean = sum(a * b for a, b in zip(p, values))
            return [a * (b - mean) for a, b in zip(p, values)], mean
        drawn = chance.choices(range(len(p)), weights=p, k=self.draws)
        known = {place: f(place) for place in dict.fromkeys(drawn)}
        total = sum(known[place] for place in drawn)
        slope = [0.0] * len(p)
        for place in drawn:
            advantage = (known[place] - (total - known[place]) / (len(drawn) - 1)) / len(drawn)
            for j in range(len(p)):
                slope[j] += advantage * ((j == place) - p[j])
        return slope, total / len(drawn)


def softmax(logits: Sequence[float]) -> list[float]:
    top = max(logits)
    weights = [math.exp(logit - top) for logit in logits]
    return [weight / sum(weights) for weight in weights]
