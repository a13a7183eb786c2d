"""`using pareto(pool = 8)`: a pool of texts, each the best somewhere, from which the next rewrite starts."""
from __future__ import annotations

import random
from dataclasses import dataclass
from typing import Any, ClassVar, Sequence

from pullback.compiler.optimizer import optimizer
from pullback.compiler.predicate import Constraint
from pullback.compiler.revision import Edit, Readings, Report, Texts
from pullback.stdlib.text.editor import rewrite


@optimizer
@dataclass(frozen=True, slots=True)
class Pareto:
    """Reflective evolution: rewrites of texts that are the best on some datum, kept if they do better.

    Use it for: data of several kinds, on which different prompts shine.   Rather not: one case (`tgd`).
    A step: a parent is drawn, as likely as the data it is best on are many; `minibatch` rows are criticized and the
    parent rewritten; a child that scores higher on these rows is scored on all and joins the pool.  With `merge` two
    of the pool are then united, judged on rows where they differ.  The pool holds `pool`; the texts of the fit are those
    of highest `validate` in it, the earlier of two equal ones.
    constraints: words, and predicates that are enforced.   examples: demonstrations.
    Cost a step: 2·minibatch evaluations, a rewrite a text; a child that is kept: all data and one validation.
    Bias: heuristic.   Source: Agrawal et al. (2025), GEPA, arXiv 2507.19457.
    """

    pool: int = 8
    minibatch: int = 3
    merge: bool = True
    constraints: tuple[Constraint, ...] = ()
    examples: tuple[str, ...] = ()
    texts: ClassVar[bool] = True
    needs_validate: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("constraints", "examples"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("pool", "minibatch"):
            if isinstance(value := getattr(self, name), bool) or not isinstance(value, int) or value < 1:
                raise ValueError(f"`{name}` is a positive int, and this is {value!r}")

    def init(self, values: Texts) -> dict[str, Any]:
        """pool: [{values, scores (one a row), validated}, …]."""
        return {"pool": []}

    def step(self, seed: int, state: dict[str, Any], values: Texts, readings: Readings) -> tuple[dict[str, Any], dict[str, str], list[Report]]:
        chance = random.Random(seed)
        pool = list(state["pool"]) or [member(values, readings)]
        parent = pool[drawn(pool, chance)]
        rows = sorted(chance.sample(range(len(parent["scores"])), min(self.minibatch, len(parent["scores"]))))
        said = readings.criticize(parent["values"], rows)
        edits = [Edit(name, readings.roles.get(name, ""), text, said[name], constraints=self.constraints, examples=self.examples)
                 for name, text in parent["values"].items() if said.get(name)]
        pool, note = self.joined(pool, [parent], edits, rows, readings)
        if self.merge and len(pool) > 1:
            first, second = crossed(pool, chance)
            differ = [row for row, pair in enumerate(zip(first["scores"], second["scores"])) if pair[0] != pair[1]]
            if differ:  # on the others there is nothing to unite
                rows = sorted(chance.sample(differ, min(self.minibatch, len(differ))))
                edits = [Edit(name, readings.roles.get(name, ""), text, other=second["values"][name], constraints=self.constraints,
                              examples=self.examples) for name, text in first["values"].items() if second["values"][name] != text]
                pool, merged = self.joined(pool, [first, second], edits, rows, readings)
                note = f"{note}; united two: {merged}"
        best = max(pool, key=lambda m: m["validated"])  # the first of equals
        reports = [Report(name, "changed" if best["values"][name] != text else "kept" if edits or said.get(name) else "satisfied",
                          note, text, best["values"][name], best["validated"]) for name, text in values.items()]
        return {"pool": pool}, dict(best["values"]), reports

    def joined(self, pool: list[dict], parents: list[dict], edits: list[Edit], rows: Sequence[int], readings: Readings) -> tuple[list[dict], str]:
        """The pool with the child, if there is one and it beats its parents on these rows; and a word on it."""
        made = {edit.name: found.value for edit, found in zip(edits, rewrite(readings.ask, edits) if edits else ())}
        child = {**parents[0]["values"], **made}
        if any(child == known["values"] for known in pool):
            return pool, "nothing new"
        before = max(sum(parent["scores"][row] for row in rows) for parent in parents)
        after = sum(readings.scores(child, rows))
        if not after > before:
            return pool, f"refused, {after:.6g} against {before:.6g} on {len(rows)} rows"
        pool = [*pool, member(child, readings)]
        while len(pool) > self.pool:
            wins, best = won(pool), front(pool)
            keep = max(range(len(pool)), key=lambda i: pool[i]["validated"])
            pool.pop(min((i for i in range(len(pool)) if i != keep), key=lambda i: (i in best, wins[i], mean(pool[i]), -i)))
        return pool, f"kept, {after:.6g} against {before:.6g} on {len(rows)} rows"


def member(values: Texts, readings: Readings) -> dict[str, Any]:
    return {"values": dict(values), "scores": [float(s) for s in readings.scores(values)], "validated": float(readings.validate(values))}


def mean(one: dict[str, Any]) -> float:
    return sum(one["scores"]) / len(one["scores"])


def won(pool: list[dict]) -> list[int]:
    """On how many rows each is the best, or one of the best."""
    tops = [max(column) for column in zip(*(m["scores"] for m in pool))]
    return [sum(score >= top for score, top in zip(m["scores"], tops)) for m in pool]


def front(pool: list[dict]) -> list[int]:
    """Those that are best somewhere and that no other is as good as everywhere and better than somewhere."""
    def beaten(a: list[float], b: list[float]) -> bool:
        return all(y >= x for x, y in zip(a, b)) and a != b
    wins = won(pool)
    return [i for i, m in enumerate(pool) if wins[i] and not any(beaten(m["scores"], other["scores"]) for other in pool)]


def drawn(pool: list[dict], chance: random.Random) -> int:
    wins, best = won(pool), front(pool)
    return chance.choices(best, weights=[wins[i] for i in best])[0]


def crossed(pool: list[dict], chance: random.Random) -> tuple[dict, dict]:
    """Two of the front, or the best and another."""
    best = front(pool)
    pair = chance.sample(best, 2) if len(best) > 1 else [best[0], chance.choice([i for i in range(len(pool)) if i != best[0]])]
    return pool[pair[0]], pool[pair[1]]
