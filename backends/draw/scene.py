"""A picture before it is laid out: nodes, lines and regions, each with what is said about it.

Views make scenes from graphs, folding changes scenes, `dot.py` writes them down.  A node's `id` is that of its box
(`box-12`); order in the lists is the order of the source, at all stages, so that the same box stands in the same place.
"""
from __future__ import annotations

from dataclasses import dataclass, field
from typing import Iterator, Literal

Tint = Literal["value", "weight", "words", "quiet"]
Shape = Literal["choice", "given", "box", "parameter", "data", "carry", "term", "junction", "copy", "plus", "objective",
                "fold", "select", "note", "plate-choice", "plate-given", "text", "listing"]
Style = Literal["value", "probability", "weight", "idle", "both", "plain", "stopped", "given", "criticism"]


@dataclass(frozen=True, slots=True)
class Badge:
    """A rule and its mark; `outlined`: chosen by `auto`, not written.  `word` stands after it when all is not sound."""

    text: str
    tint: Tint
    outlined: bool = False
    word: str = ""

    @property
    def loud(self) -> bool:
        return self.word == "biased"


@dataclass(frozen=True, slots=True)
class Chip:
    """An axis: the site that it comes from and its size; `opened`: by the rule of this very box."""

    text: str
    opened: bool = False


@dataclass(frozen=True, slots=True)
class Cell:
    """One cell of a term: its cost (no tint), or a weight; or a line of a source, with its badges in the margin."""

    port: str
    text: str
    tint: Tint | None = None
    badges: tuple[Badge, ...] = ()


@dataclass(slots=True)
class Node:
    id: str
    shape: Shape
    name: str = ""
    second: str = ""
    third: str = ""
    badge: Badge | None = None
    chips: tuple[Chip, ...] = ()
    cells: tuple[Cell, ...] = ()
    tint: Tint | None = None
    region: str | None = None
    classes: tuple[str, ...] = ()
    tip: tuple[str, ...] = ()
    line: int | None = None

    @property
    def sound(self) -> bool:
        """May it be hidden in a fold without hiding a warning?"""
        return self.badge is None or not self.badge.word


@dataclass(slots=True)
class Line:
    """From the source of a value to its reader; `back`: the value goes the other way, to the next step of a loop."""

    source: str
    target: str
    style: Style = "plain"
    port: str | None = None
    label: str = ""
    back: bool = False
    tail: str | None = None       # a region that the line leaves by its border
    head: str | None = None       # a region that the line enters by its border
    classes: tuple[str, ...] = ()
    tip: tuple[str, ...] = ()


@dataclass(slots=True)
class Region:
    id: str
    caption: str
    kind: Literal["plate", "particles", "scan", "branch", "side", "callee", "marginal"] = "plate"
    parent: str | None = None
    classes: tuple[str, ...] = ()
    tip: tuple[str, ...] = ()
    line: int | None = None


@dataclass(slots=True)
class Scene:
    name: str
    stage: str
    nodes: list[Node] = field(default_factory=list)
    lines: list[Line] = field(default_factory=list)
    regions: list[Region] = field(default_factory=list)
    words: list[str] = field(default_factory=list)   # the title line, after the name
    rows: list[set[str]] = field(default_factory=list)  # nodes that stand in one row
    table: list[tuple[str, str]] = field(default_factory=list)  # beside a plate diagram

    def node(self, id: str) -> Node:
        return next(node for node in self.nodes if node.id == id)

    def region(self, id: str) -> Region:
        return next(region for region in self.regions if region.id == id)

    def around(self, region: str | None) -> Iterator[str]:
        """A region and all that it stands in, innermost first."""
        while region is not None:
            yield region
            region = self.region(region).parent

    def inside(self, region: str) -> list[Node]:
        """The nodes of a region, those of its inner regions too."""
        return [node for node in self.nodes if region in self.around(node.region)]
