"""Where the boxes of an estimator stand: in the plates and particles of their axes, in loops, on a side of a branch."""
from __future__ import annotations

from dataclasses import dataclass
from typing import Iterable

from pullback.backends.draw import words
from pullback.backends.draw.grounds import Grounds, Step
from pullback.backends.draw.scene import Region
from pullback.backends.draw.structure import extent
from pullback.backends.draw.weave import Weave
from pullback.compiler.ir import Axis, Box, Wire


@dataclass
class Placed(Weave):
    """A weave of a flat graph, whose regions are made from axes."""

    def __post_init__(self) -> None:
        super().__post_init__()
        self.steps = {box["steps"]: box for box in self.graph.walk() if box.op.name == "scan" and box.get("steps")}
        self.made_regions: dict[Step, Region] = {}
        self.grounds = Grounds(self.graph, self.hidden_axis, self.caption, self.region, self.loops)
        self.sides: dict[Wire, tuple[Step, ...]] = {}
        self.context: tuple[Step, ...] = ()
        self.within: list[str] = []
        self.readers: dict[Wire, list[Box]] = {wire: [] for wire in self.made}
        for box in self.graph.walk():
            for wire in box.inputs:
                self.readers.setdefault(wire, []).append(box)

    def hidden_axis(self, axis: Axis) -> bool:
        """The dimension of an array choice is no region, nor are the steps of a loop."""
        return axis in self.steps or axis.kind == "plate" and axis.name in self.arrays

    def caption(self, axis: Axis) -> str:
        if axis.kind == "particles":
            return f"particles {axis.size}"
        name, loop = self.axis_name(axis), self.loops.get(axis.name)
        if axis.total is not None:
            return f"{name} in {axis.size} of {axis.total}"
        return f"{name} in {extent(loop)}" if loop is not None else f"{name}: {axis.size}"

    def place(self, axes: Iterable[Axis], inputs: Iterable[Wire] = ()) -> str | None:
        inside = self.context
        axes = list(axes)
        for axis in axes:
            if axis in self.steps:
                inside = self.scan_path(self.steps[axis])
        side = next((self.sides[wire] for wire in inputs if wire in self.sides), ())
        return self.grounds.region(self.grounds.path(axes, inside, side), self.made_regions)

    def scan_path(self, box: Box) -> tuple[Step, ...]:
        step: Step = ("scan", box.number)
        if step not in self.made_regions:
            start, size, index = box.get("start", 0), box["size"], str(box["index"])
            end = start + size if start else size
            self.made_regions[step] = Region(
                f"region-{box.number}", f"scan {index} in {start}..{end}", "scan", None, words.classes("scan", box),
                (words.statement(box).strip(), f"{size} steps"), box.span.line if box.span else None)
        body = box.regions[0]
        around = [*box.get("axes", ()), *(axis for wire in body.inputs[1:1 + box["carries"]] for axis in wire.axes)]
        around += [axis for inner in body.boxes for wire in inner.outputs for axis in wire.axes if axis.kind == "particles"]
        return (*self.grounds.path(around, self.context), step)

    # ------------------------------------------------------------ branches

    def guard(self, box: Box) -> None:
        """What stands behind a guard belongs to a side of a branch."""
        self.absorb(box)
        found = self.taken(box.inputs[1], 0)
        if found is not None:
            condition, side = found
            number = min((other.number for other in self.readers.get(condition, ())
                          if other.op.name == "where" and other.number is not None), default=box.number)
            outer: Step = ("branch", number)
            inner: Step = ("side", (number, side))
            text = self.text(condition)[0]
            self.made_regions.setdefault(outer, Region(f"region-{number}", f"if {text}", "branch", None, ("branch",), (text,)))
            name = ("then", "else")[side]
            self.made_regions.setdefault(inner, Region(f"region-{number}-{name}", name, "side", None, ("side",), (name,)))
            before = self.sides.get(box.inputs[0], ())
            self.sides[box.output] = (*before, outer, inner)

    def taken(self, wire: Wire, side: int) -> tuple[Wire, int] | None:
        """The condition that a guard asks, and the side on which it is taken."""
        box = self.made.get(wire)
        if box is not None and box.op.name == "not":
            return self.taken(box.inputs[0], 1 - side)
        if box is not None and box.op.name == "and":
            return self.taken(box.inputs[-1], side)
        return wire, side

    def sided(self, box: Box) -> None:
        found = max((self.sides[wire] for wire in box.inputs if wire in self.sides), key=len, default=None)
        if found:
            for wire in box.outputs:
                self.sides[wire] = found
