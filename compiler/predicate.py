"""Constraints on a text that are enforced: `constraints = ["plain words", max_chars(400), contains("Answer:")]`.

A constraint in words goes to the engine that rewrites a text and no further.  A predicate goes there in words too, and
then every new text is tested by it: one that fails is never adopted.
"""
from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any, Callable, Iterable, Protocol


class Predicate(Protocol):
    """`words` tells the engine; `failure(text)` says how a text fails, in words, or is empty."""

    @property
    def words(self) -> str: ...

    def failure(self, text: str) -> str: ...


@dataclass(frozen=True, slots=True)
class MaxChars:
    """`max_chars(n)`: at most n characters."""

    n: int

    def __post_init__(self) -> None:
        if isinstance(self.n, bool) or not isinstance(self.n, int) or self.n < 1:
            raise ValueError(f"`max_chars` takes a positive int, and this is {self.n!r}")

    @property
    def words(self) -> str:
        return f"at most {self.n} characters"

    def failure(self, text: str) -> str:
        return f"it has {len(text)} characters, and at most {self.n} are allowed" if len(text) > self.n else ""


@dataclass(frozen=True, slots=True)
class Contains:
    """`contains(part)`: the part stands in it, letter for letter."""

    part: str

    @property
    def words(self) -> str:
        return f"it contains {self.part!r}, letter for letter"

    def failure(self, text: str) -> str:
        return "" if self.part in text else f"it does not contain {self.part!r}"


@dataclass(frozen=True, slots=True)
class Matches:
    """`matches(pattern)`: the regular expression fits somewhere in it (`^…$` for the whole)."""

    pattern: str

    def __post_init__(self) -> None:
        try:
            re.compile(self.pattern)
        except re.error as error:
            raise ValueError(f"{self.pattern!r} is no regular expression: {error}") from None

    @property
    def words(self) -> str:
        return f"it matches the regular expression {self.pattern}"

    def failure(self, text: str) -> str:
        return "" if re.search(self.pattern, text) else f"it does not match the regular expression {self.pattern}"


@dataclass(frozen=True, slots=True)
class Holds:
    """A function of the caller's that is true of every text allowed; its first line of documentation tells the engine."""

    function: Callable[[str], Any]

    @property
    def words(self) -> str:
        return (self.function.__doc__ or "").strip().split("\n")[0] or f"it passes `{self.function.__name__}`"

    def failure(self, text: str) -> str:
        return "" if self.function(text) else f"it does not pass `{self.function.__name__}` ({self.words})"


PREDICATES: dict[str, Callable[..., Predicate]] = {"max_chars": MaxChars, "contains": Contains, "matches": Matches}

Constraint = str | Predicate


def words(constraints: Iterable[Constraint]) -> tuple[str, ...]:
    """All of them in words."""
    return tuple(c if isinstance(c, str) else c.words for c in constraints)


def failures(constraints: Iterable[Constraint], text: str) -> tuple[str, ...]:
    """How the text fails those that are enforced."""
    return tuple(filter(None, (c.failure(text) for c in constraints if not isinstance(c, str))))
