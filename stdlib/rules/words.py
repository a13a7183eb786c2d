"""The derivative of a verifier in words: a function says what is wrong with its inputs."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Sequence

from pullback.compiler.case import Case, Cotangent
from pullback.compiler.contract import Ask
from pullback.compiler.criticism import Criticism
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

    def pull(self, ask: Ask, cases: Sequence[Case]) -> list[dict[str, Cotangent]]:
        """The same words for every wanted input, under its name."""
        return [{name: tuple(item.under(*case.source, name) for item in self.said(case)) for name in case.wanted} for case in cases]

    @staticmethod
    def said(case: Case) -> Cotangent:
        found = []
        for name, value, slope in case.moves():
            way = 1 if slope > 0 else -1
            if case.explain is not None:
                text = str(case.explain(*(given for _, given in case.inputs), value, way))
            else:
                text = f"The score `{name}` is {value:.6g}, and should be {'higher' if way > 0 else 'lower'}."
            if text.strip():
                found.append(Criticism(text, (name,), case.context(), abs(slope), value))
        return tuple(found)
