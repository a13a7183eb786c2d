"""Some of several criticisms, at random."""
from __future__ import annotations

import random
from dataclasses import dataclass, replace
from typing import ClassVar

from pullback.compiler.criticism import Criticism
from pullback.compiler.rule import Bias, rule


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

    def meet(self, key: int, group: tuple[Criticism, ...]) -> list[tuple[Criticism, ...]]:
        if len(group) <= self.k:
            return [group]
        kept = sorted(random.Random(key).sample(range(len(group)), self.k))
        return [tuple(replace(group[at], weight=group[at].weight * len(group) / self.k) for at in kept)]
