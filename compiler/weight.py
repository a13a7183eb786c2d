"""The weights of sites while points are put in their places: what `points` and `forward` share."""
from __future__ import annotations

from dataclasses import dataclass, field

from pullback.compiler.ir import Axis, Box, Wire


@dataclass(frozen=True, slots=True)
class Weight:
    """The weight of a site: its wire; is it a logarithm; the axes that it is summed over; over which axis it is centered
    (leave-one-out); the plates that a joint enumeration has already taken together; the plates that the site stands in."""

    wire: Wire
    log: bool
    axes: tuple[Axis, ...] = ()
    center: str | None = None
    joint: frozenset[Axis] = frozenset()
    plates: frozenset[Axis] = frozenset()


Weights = dict[tuple[str, bool], Weight]  # (site, past) → its weight


@dataclass
class Region:
    """What is gathered while a region is written."""

    boxes: list[Box] = field(default_factory=list)
    axes: dict[Axis, None] = field(default_factory=dict)    # the point axes opened in it
    done: set[str] = field(default_factory=set)             # sites whose weight is in an α
    absorbed: set[Wire] = field(default_factory=set)        # factors that are in an α
    values: dict[Wire, Axis] = field(default_factory=dict)  # a wire that is the support along its own axis
