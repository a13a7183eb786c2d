"""Where boxes of a flat graph stand: regions made from the axes that wires carry.

A box stands in the regions of its plates and of the particles, inside the loop whose body it belongs to.  Which region is
the outer one is not said by axes; the one that holds more boxes is, so that a region rarely has to be drawn twice.
"""
from __future__ import annotations

from typing import Callable, Iterable, Mapping

from pullback.backends.draw import words
from pullback.backends.draw.scene import Region
from pullback.compiler.ir import Axis, Box, Graph

Step = tuple[str, object]


class Grounds:
    """The tree of regions of one scene."""

    def __init__(self, graph: Graph, hidden: Callable[[Axis], bool], caption: Callable[[Axis], str],
                 put: Callable[[Region], Region], loops: Mapping[str, Box]):
        self.hidden, self.caption, self.put = hidden, caption, put
        self.regions: dict[tuple[Step, ...], str] = {}
        count: dict[Axis, int] = {}
        self.owner: dict[str, int] = {}
        self.loops = loops
        for box in graph.walk():
            if box.op.name in ("iota", "rows"):
                self.owner.setdefault(box["axis"].name, box.number)
            if box.op.name in ("points", "density", "network", "extern", "terms", "contract"):
                for axis in self.shown(axis for wire in (*box.inputs, *box.outputs) for axis in wire.axes):
                    count[axis] = count.get(axis, 0) + 1
        self.order = {axis: place for place, axis in enumerate(sorted(count, key=lambda a: (-count[a], a.order)))}

    def shown(self, axes: Iterable[Axis]) -> list[Axis]:
        return [axis for axis in dict.fromkeys(axes) if axis.kind in ("plate", "particles") and not self.hidden(axis)]

    def path(self, axes: Iterable[Axis], inside: tuple[Step, ...] = (), then: tuple[Step, ...] = ()) -> tuple[Step, ...]:
        """The way from the outermost region to a box: `inside` the loop, by its own axes, `then` a side of a branch."""
        done = {step for step in inside}
        mine = sorted(self.shown(axes), key=lambda axis: (self.order.get(axis, len(self.order)), axis.order))
        return (*inside, *(("axis", axis) for axis in mine if ("axis", axis) not in done), *then)

    def region(self, path: tuple[Step, ...], made: dict[Step, Region] | None = None) -> str | None:
        """The id of the region at the end of a path; `made`: how regions of loops and branches look."""
        parent = None
        for depth in range(1, len(path) + 1):
            way = path[:depth]
            if way not in self.regions:
                self.regions[way] = self.put(self.make(way[-1], parent, made or {})).id
            parent = self.regions[way]
        return parent

    def make(self, step: Step, parent: str | None, made: dict[Step, Region]) -> Region:
        kind, what = step
        if kind != "axis":
            region = made[step]
            region.parent = parent
            return region
        axis: Axis = what
        loop = self.loops.get(axis.name)
        number = loop.number if loop is not None else self.owner.get(axis.name, f"axis-{self.order.get(axis, 0)}")
        name = "particles" if axis.kind == "particles" else str(number)
        again = sum(way[-1] == step for way in self.regions)
        return Region(f"region-{name}{f'-{again}' if again else ''}", self.caption(axis), axis.kind, parent,
                      words.classes("plate", loop) if loop is not None else (axis.kind,), (f"{axis.name}: {axis.size}",),
                      loop.span.line if loop is not None and loop.span is not None else None)
