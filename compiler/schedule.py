"""Schedules: a number that changes with the steps of a fit.

Wherever an optimizer or a rule takes a number, a fit may say `linear(0.01, 0.001)`, and the number at step t of T is

    linear(a, b)        a + (b − a)·s               s = min(t / (S − 1), 1),  S = `steps` or all T of the fit
    exponential(a, b)   a·(b / a)^s
    cosine(a, b = 0)    b + (a − b)·(1 + cos πs)/2
    constant(a)         a

and `warmup = w` first climbs from 0 to a over w steps; s then begins after them.

>>> [float(find("linear")(1.0, 0.0).at(t, 5)) for t in range(5)]
[1.0, 0.75, 0.5, 0.25, 0.0]
>>> round(float(find("exponential")(1.0, 0.01).at(2, 5)), 6)
0.1
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar


@dataclass(frozen=True, slots=True)
class Schedule:
    """A number that goes from `start` to `end`; subclasses say along which curve."""

    start: float
    end: float
    steps: int | None = None
    warmup: int = 0

    name: ClassVar[str] = ""

    def at(self, step: Any, total: int) -> Any:
        """The number at a step (from 0; it may be traced) of a fit of `total` steps."""
        import jax.numpy as jnp
        last = max((self.steps or total) - self.warmup - 1, 1)
        along = jnp.clip((step - self.warmup) / last, 0.0, 1.0)
        climb = jnp.minimum((step + 1) / (self.warmup + 1), 1.0) if self.warmup else 1.0
        return climb * self.curve(along)

    def curve(self, along: Any) -> Any:
        """The number at `along` of the way, 0 to 1."""
        raise NotImplementedError

    def over(self, total: int) -> Any:
        """The same as a function of the step alone."""
        return lambda step: self.at(step, total)


@dataclass(frozen=True, slots=True)
class Linear(Schedule):
    name: ClassVar[str] = "linear"

    def curve(self, along: Any) -> Any:
        return self.start + (self.end - self.start) * along


@dataclass(frozen=True, slots=True)
class Exponential(Schedule):
    name: ClassVar[str] = "exponential"

    def __post_init__(self) -> None:
        if not self.start * self.end > 0:
            raise ValueError("`exponential(a, b)` needs a and b of one sign, neither 0")

    def curve(self, along: Any) -> Any:
        return self.start * (self.end / self.start) ** along


@dataclass(frozen=True, slots=True)
class Cosine(Schedule):
    end: float = 0.0

    name: ClassVar[str] = "cosine"

    def curve(self, along: Any) -> Any:
        import jax.numpy as jnp
        return self.end + (self.start - self.end) * (1 + jnp.cos(jnp.pi * along)) / 2


@dataclass(frozen=True, slots=True)
class Constant(Schedule):
    end: float = 0.0

    name: ClassVar[str] = "constant"

    def curve(self, along: Any) -> Any:
        return self.start


SCHEDULES = {kind.name: kind for kind in (Constant, Cosine, Exponential, Linear)}


def find(name: str) -> type[Schedule] | None:
    """The schedule called `name`, or None."""
    return SCHEDULES.get(name)
