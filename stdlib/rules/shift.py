"""`by shift`: the probabilities of a measured diagram, differentiated by their values at shifted turns."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any, ClassVar

from jax.lax import stop_gradient

from pullback.compiler.diagnostic import Diagnostic
from pullback.compiler.diagrams import shots
from pullback.compiler.rule import Bias, Points, rule


@rule
@dataclass(frozen=True, slots=True)
class Shift:
    """The parameter-shift rule: what a device can do, which gives frequencies and no derivatives.

    Use it for: `D >> measure` as a device would read it.   Rather not: exact values, whose derivative needs no rule.
    Points: K = 1.  Without `shots` the probabilities; with it the frequencies of all outcomes in so many shots, at the turns and at
    each shifted one.  Where a diagram's cups make it a circuit times a number, its circuit is what is drawn from.
    Cost: one evaluation, and one for each term of each gate's rule, together.   Bias: none in what is linear in the frequencies.
    Errors: `bias` if what reads them is not linear; `derivative` if a gate has no shift rule; a second derivative is refused.
    Source: Mitarai, Negoro, Kitagawa and Fujii (2018), Phys. Rev. A 98; Wierichs et al. (2022), Quantum 6.
    """

    shots: int | None = None
    bias: ClassVar[Bias] = Bias.none
    through: ClassVar[str] = "value"

    def __post_init__(self) -> None:
        if self.shots is not None and (isinstance(self.shots, bool) or not isinstance(self.shots, int) or self.shots < 1):
            raise ValueError("`shots` is a whole number from 1 up")

    @property
    def estimates(self) -> bool:
        """Does the value stand for its mean?"""
        return self.shots is not None

    def admits(self, box: Any, facts: Any) -> Diagnostic | None:
        if box["distribution"].name == shots.NAME:
            return None
        return facts.refuse(box, "rule", "`shift` is the rule of a measured diagram, and "
                            f"`{box.output.name}` is drawn from `{box['distribution'].name}`", help=facts.admissible(box))

    def verdict(self, box: Any, facts: Any) -> tuple[Bias, str]:
        if self.admits(box, facts) is not None:
            return self.bias, ""
        rows = box.inputs[0].type.shape[0]
        if self.shots is None:
            return Bias.exact, f"probabilities, at {rows} sets of turns"
        return Bias.none, f"{self.shots:,} shots at each of {rows} sets of turns"

    def points(self, key: Any, choice: Any, state: Any) -> Points:
        drawn = replace(choice, distribution=shots.distribution(choice.distribution.rank, self.shots))
        return Points(stop_gradient(drawn.sample(key, (1,))))
