"""Criticism by a language model: how each input should change for the output to be better."""
from __future__ import annotations

from dataclasses import dataclass
from typing import ClassVar, Sequence

from pullback.compiler.case import Case, Cotangent
from pullback.compiler.contract import Ask
from pullback.compiler.ops.text import printed
from pullback.compiler.rule import Bias, rule
from pullback.stdlib.text import critic


@rule
@dataclass(frozen=True, slots=True)
class Critique:
    """Ask a critic how the inputs of a box should change, given what was said of its output.

    Use it for: `reply ~ llm(system, question) by critique`; it is what a reply has when nothing is written.
    Cost: one call for each input that is differentiated and each element of the loops around; with `joint = true` one call for
    all inputs of a box, which may find that an input is not at fault.  What nothing was said of costs no call.
    Bias: words are no derivative of numbers: heuristic.   Errors: those of the engine.
    Source: Yuksekgonul et al. (2024), arXiv 2406.07496; of several inputs together: Cheng et al. (2024), arXiv 2406.16218.
    """

    joint: bool = False
    bias: ClassVar[Bias] = Bias.heuristic
    through: ClassVar[str] = "words"

    def __post_init__(self) -> None:
        if not isinstance(self.joint, bool):
            raise ValueError("`joint` is true or false")

    def pull(self, ask: Ask, cases: Sequence[Case]) -> list[dict[str, Cotangent]]:
        """One question for each case and wanted input, all at once; what nothing was said of is not asked about."""
        seen = [critic.Seen(case.role, tuple((name, printed(value)) for name, value in case.inputs), case.output(), case.spoken(),
                            case.wanted, case.roles, case.source, self.joint) for case in cases]
        return critic.critique(ask, seen)
