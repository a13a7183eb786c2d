"""Criticism goes to the operand that was used, and to no other."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Sequence

from pullback.compiler.case import Case, Cotangent
from pullback.compiler.contract import Ask
from pullback.compiler.rule import Bias, rule


@rule
@dataclass(frozen=True, slots=True)
class Used:
    """What is said of the output is said of each input whose text stands in it; no call is made.

    Use it for: boxes that pick or quote: a tool that returns a passage, a router.
    Cost: none.   Bias: heuristic.
    """

    bias: ClassVar[Bias] = Bias.heuristic
    through: ClassVar[str] = "words"

    def pull(self, ask: Ask, cases: Sequence[Case]) -> list[dict[str, Cotangent]]:
        """What is said of the output goes to the wanted inputs that stand in it."""
        found = []
        for case in cases:
            output = case.output()
            used = {name for name, value in case.inputs if isinstance(value, str) and value.strip() and value in output}
            found.append({name: tuple(item.under(*case.source, name) for item in case.spoken()) if name in used else ()
                          for name in case.wanted})
        return found
