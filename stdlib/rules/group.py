"""Criticisms in groups, so that what follows meets each group by itself."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

from pullback.compiler.case import Cotangent
from pullback.compiler.contract import Ask
from pullback.compiler.criticism import Criticism
from pullback.compiler.rule import Bias, rule


@rule
@dataclass(frozen=True, slots=True)
class Group:
    """Split criticisms by where they came from: `group(i)` by the index `i` of a loop, `group(reply)` by whether they came by way
    of that box, `group(8)` into eights in their order.  `[group(8), summarize]` then puts each group into one.

    Cost: none.   Source: DSPy's and GEPA's minibatches of reflections (Agrawal et al., 2025, arXiv 2507.19457).
    """

    by: str | int
    bias: ClassVar[Bias] = Bias.heuristic
    through: ClassVar[str] = "words"
    junction: ClassVar[bool] = True

    def __post_init__(self) -> None:
        if isinstance(self.by, bool) or not isinstance(self.by, (str, int)) or isinstance(self.by, int) and self.by < 1:
            raise ValueError("criticisms are grouped by a name, or into so many at a time")

    def meet(self, ask: Ask, seed: int, groups: list[Cotangent], role: str) -> list[Cotangent]:
        return [inner for group in groups for inner in self.split(group)]

    def split(self, group: Cotangent) -> list[Cotangent]:
        if isinstance(self.by, int):
            return [group[at:at + self.by] for at in range(0, len(group), self.by)]
        found: dict[object, list[Criticism]] = {}
        for item in group:
            found.setdefault(part(item, self.by), []).append(item)
        return [tuple(items) for items in found.values()]


def part(item: Criticism, name: str) -> object:
    """What stands behind a name in a source: an index, or the name itself; None if the source does not hold it."""
    for at, word in enumerate(item.source):
        if word == name or isinstance(word, str) and word.endswith(f".{name}"):
            behind = item.source[at + 1] if at + 1 < len(item.source) else None
            return behind if isinstance(behind, int) else name
    return None
