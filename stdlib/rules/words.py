"""The derivative of a verifier in words: a function says what is wrong with its inputs."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pullback.compiler.rule import Bias, rule


@rule
@dataclass(frozen=True, slots=True)
class Words:
    """A function's words are the criticism of the texts that a verifier looked at; no call is made.

    Use it for: `return right(reply, answer) by words(explain)` with `extern explain(reply: text, answer: text, value: real,
    way: int) -> text`: it is given the verifier's inputs, its value, and 1 or −1 for up or down; empty words mean that there is
    nothing to say.  Without a function a fixed sentence says the same.
    Weight: |∂ objective / ∂ value|.   Bias: heuristic.
    """

    f: str = ""
    bias: ClassVar[Bias] = Bias.heuristic
    through: ClassVar[str] = "words"

    def __post_init__(self) -> None:
        if not isinstance(self.f, str):
            raise ValueError("`f` is the name of an extern")
