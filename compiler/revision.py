"""What an optimizer of texts is: a map from (state, texts, what is known of the objective) to the next texts.

Like an optimizer of arrays it is a frozen dataclass whose fields are its options, registered by `@optimizer` under its
name; `texts = True` says that it is one.  All its texts step from the same cotangents and are committed together.
Its state is JSON data, so a checkpoint holds it as it is.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar, Mapping, Protocol, Sequence, runtime_checkable

from pullback.compiler.contract import Answer, Question
from pullback.compiler.criticism import Criticism
from pullback.compiler.diagnostic import EngineError
from pullback.compiler.predicate import Constraint

Texts = Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Past:
    """An earlier value of a text: what was said of it, and how good it was (higher is better), where that is known."""

    value: str
    said: tuple[str, ...] = ()
    score: float | None = None


@dataclass(frozen=True, slots=True)
class Edit:
    """One text to be rewritten: its name, what it is for, its whole value, what was said of it and under which conditions.

    history: earlier values.   steps: what the history means, for the editor.   constraints: words and predicates.
    examples: demonstrations.   other: a second text to be united with the first, where two are crossed.
    temperature, rollout: of the editor's request.
    """

    name: str
    role: str
    value: str
    criticisms: tuple[Criticism, ...] = ()
    history: tuple[Past, ...] = ()
    steps: str = ""
    constraints: tuple[Constraint, ...] = ()
    examples: tuple[str, ...] = ()
    other: str | None = None
    temperature: float = 0.0
    rollout: int = 0


@dataclass(frozen=True, slots=True)
class Rewritten:
    """The text after an edit.  `kept`: why the old one stands, or empty."""

    value: str
    kept: str = ""


@dataclass(frozen=True, slots=True)
class Report:
    """What a step did to one text: `changed`, `kept`, `reverted`, `satisfied` (nothing was said), `stalled`; and why."""

    name: str
    what: str
    why: str = ""
    before: str = ""
    after: str = ""
    score: float | None = None


class Readings(Protocol):
    """What an optimizer of texts may ask of the objective.  Higher scores are better, whichever way the fit goes.

    criticisms: of each text, at its present value, made when first read.   score: of the present values, where the objective is a number.
    roles: what each text is for.   rows: how many data the objective is a mean over (0: it is none).
    """

    criticisms: Mapping[str, tuple[Criticism, ...]]
    score: float | None
    roles: Mapping[str, str]
    rows: int

    def ask(self, questions: Sequence[Question]) -> list[Answer | EngineError]:
        """Ask the engines of the run, all at once: `rewrite(readings.ask, edits)` is how the editor is asked."""

    def validate(self, texts: Texts) -> float:
        """The fit's `validate` clause at these texts."""

    def scores(self, texts: Texts, rows: Sequence[int] | None = None) -> list[float]:
        """The objective at these texts, datum by datum, for these rows or all."""

    def criticize(self, texts: Texts, rows: Sequence[int]) -> Mapping[str, tuple[Criticism, ...]]:
        """What is said of these texts on these rows."""


@runtime_checkable
class TextOptimizer(Protocol):
    """`needs_validate`: does it read the fit's `validate` clause?"""

    texts: ClassVar[bool]

    @property
    def needs_validate(self) -> bool: ...

    def init(self, values: Texts) -> dict[str, Any]:
        """The state before the first step, as JSON data."""

    def step(self, seed: int, state: dict[str, Any], values: Texts, readings: Readings) -> tuple[dict[str, Any], dict[str, str], list[Report]]:
        """The state, the texts and the reports after a step; what it was given is left as it is."""
