"""Several criticisms of one text, one after the other."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pullback.compiler.case import Cotangent
from pullback.compiler.contract import Ask
from pullback.compiler.rule import Bias, rule


@rule
@dataclass(frozen=True, slots=True)
class Concatenate:
    """Keep every criticism, in the order of its sources: what is done where nothing is written.

    Cost: none.   Rather not: over a whole data set, where the optimizer's prompt grows with it (`top(k)`, `summarize`).
    Source: the sum of text derivatives in Yuksekgonul et al. (2024), arXiv 2406.07496.
    """

    bias: ClassVar[Bias] = Bias.heuristic
    through: ClassVar[str] = "words"
    junction: ClassVar[bool] = True

    def meet(self, ask: Ask, seed: int, groups: list[Cotangent], role: str) -> list[Cotangent]:
        return groups
