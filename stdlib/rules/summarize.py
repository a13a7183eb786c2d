"""Several criticisms of one text, put into one."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pullback.compiler.case import Cotangent
from pullback.compiler.contract import Ask
from pullback.compiler.rule import Bias, rule
from pullback.stdlib.text import merge


@rule
@dataclass(frozen=True, slots=True)
class Summarize:
    """Ask for one criticism that says what all of them say: duplicates dropped, conflicts stated, nothing rewritten.

    Cost: one call (role `merge`) for each group of two or more.   Weight: their sum.
    Source: AdalFlow's and TextGrad's reductions of gradients (Yuksekgonul et al., 2024, arXiv 2406.07496).
    """

    bias: ClassVar[Bias] = Bias.heuristic
    through: ClassVar[str] = "words"
    junction: ClassVar[bool] = True

    def meet(self, ask: Ask, seed: int, groups: list[Cotangent], role: str) -> list[Cotangent]:
        return merge.summarize(ask, groups, [role] * len(groups))
