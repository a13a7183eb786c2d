"""Some of several criticisms, at random."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pullback.compiler.case import Cotangent
from pullback.compiler.contract import Ask
from pullback.compiler.rule import Bias, rule
from pullback.stdlib.text import merge


@rule
@dataclass(frozen=True, slots=True)
class Sample:
    """Keep k criticisms drawn without replacement, each n/k times as heavy; their order stays.

    Cost: none.   The draw is the run's: the same key gives the same criticisms.
    """

    k: int
    bias: ClassVar[Bias] = Bias.heuristic
    through: ClassVar[str] = "words"
    junction: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if not isinstance(self.k, int) or isinstance(self.k, bool) or self.k < 1:
            raise ValueError("`k` is a whole number from 1 up")

    def meet(self, ask: Ask, seed: int, groups: list[Cotangent], role: str) -> list[Cotangent]:
        return [merge.sample(self.k, group, seed + place) for place, group in enumerate(groups)]
