"""The heaviest of several criticisms."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pullback.compiler.case import Cotangent
from pullback.compiler.contract import Ask
from pullback.compiler.rule import Bias, rule
from pullback.stdlib.text import merge


@rule
@dataclass(frozen=True, slots=True)
class Top:
    """Keep the k criticisms of the greatest weight, among equals those of the worst scores; their order stays.

    Cost: none.   Use it for: `mean i in 0..n by top(4): …`, `with {system: [top(4), summarize]}`.
    """

    k: int
    bias: ClassVar[Bias] = Bias.heuristic
    through: ClassVar[str] = "words"
    junction: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise ValueError("`k` is a whole number from 1 up")

    def meet(self, ask: Ask, seed: int, groups: list[Cotangent], role: str) -> list[Cotangent]:
        return [merge.top(self.k, group) for group in groups]
