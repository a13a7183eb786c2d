"""Criticism goes to the operand that was used, and to no other."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar

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
