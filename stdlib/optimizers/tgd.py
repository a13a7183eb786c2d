"""`using tgd(momentum = 3, accept = strict)`: a text is rewritten by what was said of it."""
from __future__ import annotations

import hashlib
from dataclasses import dataclass, replace
from typing import Any, ClassVar

from pullback.compiler.criticism import Criticism
from pullback.compiler.optimizer import optimizer
from pullback.compiler.predicate import Constraint
from pullback.compiler.revision import Edit, Past, Readings, Report, Rewritten, Texts
from pullback.stdlib.text.editor import another, rewrite

MOMENTUM = """\
Earlier versions, oldest first, with what was said of them and their scores (higher is better). A remark that comes again
and again means that the changes made so far were too small: make a larger one, and don't go back to what failed."""
MEMORY = "What was said at earlier steps, oldest first; mind that it was said of other versions:"


@optimizer
@dataclass(frozen=True, slots=True)
class Tgd:
    """Textual gradient descent: one rewrite of each text a step, from the criticisms that reached it.

    Use it for: prompts, answers, code, each by its feedback.   Rather not: many candidates at once (`pareto`, `choose`).
    momentum: so many earlier (value, criticism, score) are shown.   memory: so many earlier criticisms alone.
    accept: `strict` keeps a rewrite only if the fit's `validate` clause is better than before, `ties` if not worse.
    constraints: words, and predicates that are enforced (`max_chars(400)`).   examples: demonstrations.
    A text of which nothing is said stays, without a call; a rewrite that was there before is asked for once more, warmer,
    then the text has `stalled`.
    Cost: one call a text and step, one more for each repair; with `accept` one validation a step.   Bias: heuristic.
    Source: Yuksekgonul et al. (2024), TextGrad, arXiv 2406.07496.
    """

    momentum: int = 0
    memory: int = 0
    accept: str = "always"
    constraints: tuple[Constraint, ...] = ()
    examples: tuple[str, ...] = ()
    texts: ClassVar[bool] = True

    def __post_init__(self) -> None:
        for name in ("constraints", "examples"):
            object.__setattr__(self, name, tuple(getattr(self, name)))
        for name in ("momentum", "memory"):
            if isinstance(value := getattr(self, name), bool) or not isinstance(value, int) or value < 0:
                raise ValueError(f"`{name}` is an int from 0 up, and this is {value!r}")
        if self.momentum and self.memory:
            raise ValueError("`momentum` shows what `memory` shows: give one of the two")
        if self.accept not in ("always", "strict", "ties"):
            raise ValueError(f"`accept` is `always`, `strict` or `ties`, and this is `{self.accept}`")

    @property
    def needs_validate(self) -> bool:
        return self.accept != "always"

    def init(self, values: Texts) -> dict[str, Any]:
        """history: name -> [[value, [said, …], score], …];  tried: name -> digests;  validated: of the present values."""
        return {"history": {name: [] for name in values}, "tried": {name: [digest(text)] for name, text in values.items()},
                "validated": None}

    def step(self, seed: int, state: dict[str, Any], values: Texts, readings: Readings) -> tuple[dict[str, Any], dict[str, str], list[Report]]:
        spoken = [name for name in values if readings.criticisms.get(name)]
        edits = [self.edit(name, state, values, readings) for name in spoken]
        found = dict(zip(spoken, fresh(edits, state["tried"], readings)))
        new = {name: found[name].value if name in found else text for name, text in values.items()}
        tried = {name: [*past, digest(new[name])] if digest(new[name]) not in past else past for name, past in state["tried"].items()}
        history = {name: [*state["history"][name], remembered(values[name], readings.criticisms[name], readings.score)]
                   if name in found else state["history"][name] for name in values}
        validated, accepted, why = state["validated"], True, ""
        if self.needs_validate and new != dict(values):
            before = readings.validate(values) if validated is None else validated
            after = readings.validate(new)
            accepted = after > before or self.accept == "ties" and after == before
            why = f"`validate` went from {before:.6g} to {after:.6g}"
            validated = after if accepted else before
            if not accepted:
                history = {name: [*past, [new[name], [f"It was tried and taken back: {why}."], after]]
                           if new[name] != values[name] else past for name, past in history.items()}
        keep = max(self.momentum, self.memory)
        history = {name: past[-keep:] if keep else [] for name, past in history.items()}
        reports = [report(name, values[name], found.get(name), accepted, why, validated if self.needs_validate else readings.score)
                   for name in values]
        state = {"history": history, "tried": tried, "validated": validated}
        return state, new if accepted else dict(values), reports

    def edit(self, name: str, state: dict[str, Any], values: Texts, readings: Readings) -> Edit:
        """What the editor is asked about one text."""
        past = state["history"][name]
        history = tuple(Past(value if self.momentum else "", tuple(said), score if self.momentum else None)
                        for value, said, score in past)
        return Edit(name, readings.roles.get(name, ""), values[name], readings.criticisms[name], history,
                    MOMENTUM if self.momentum else MEMORY, self.constraints, self.examples)


def fresh(edits: list[Edit], tried: dict[str, list[str]], readings: Readings) -> list[Rewritten]:
    """The rewrites; one that was there before is asked for once more, then it is `stalled`."""
    found = rewrite(readings.ask, edits)

    def old(edit: Edit, made: Rewritten) -> bool:
        return made.kept.endswith("the same text") or not made.kept and digest(made.value) in tried[edit.name]
    again = [place for place, (edit, made) in enumerate(zip(edits, found)) if old(edit, made)]
    second = dict(zip(again, rewrite(readings.ask, [another(edits[place]) for place in again]))) if again else {}
    stalled = {place for place, made in second.items() if old(edits[place], made)}
    return [Rewritten(edit.value, "stalled") if place in stalled else second.get(place, made)
            for place, (edit, made) in enumerate(zip(edits, found))]


def remembered(value: str, said: tuple[Criticism, ...], score: float | None) -> list[Any]:
    return [value, [item.text for item in said], score]


def report(name: str, before: str, made: Rewritten | None, accepted: bool, why: str, score: float | None) -> Report:
    """What the step did to one text."""
    base = Report(name, "changed", why, before, before, score)
    if made is None:
        return replace(base, what="satisfied", why="nothing was said of it")
    if made.kept == "stalled":
        return replace(base, what="stalled", why="the editor gave a text that was there before, twice")
    if made.kept:
        return replace(base, what="kept", why=made.kept)
    return replace(base, after=made.value) if accepted else replace(base, what="reverted", after=before)


def digest(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]
