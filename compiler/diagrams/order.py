"""A diagram as it is read from top to bottom: which box comes when, and where among the wires.

The wires cut by a horizontal line are the frontier.  A box that reads wires stands where they are; where they are not side by
side, wires are swapped.  A box without inputs has a place only by its outputs: the face of the drawing beside them is walked
until it comes up to a wire of the frontier (in a planar diagram it does), and the box stands next to that.
"""
from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from pullback.compiler.diagrams.build import entering, inner_inputs
from pullback.compiler.ir import Box, Graph, Wire


@dataclass(frozen=True, slots=True)
class Step:
    """A box at a place of the frontier, or (box None) a swap of the wires at a place and right of it; `before`: the frontier."""

    box: Box | None
    place: int
    before: tuple[Wire, ...]


def steps(graph: Graph) -> list[Step]:
    """The boxes one after the other, with the swaps between."""
    boxes = [box for box in graph.boxes if box.op.kind == "diagram"]
    ports = Ports(graph, boxes)
    frontier, found = list(entering(graph)), []
    for box in boxes:
        ins = inner_inputs(box)
        if ins:
            place = gathered(frontier, ins, found)
        else:
            place = ports.place(box, frontier) if box.outputs else len(frontier)
        found.append(Step(box, place, tuple(frontier)))
        frontier[place:place + len(ins)] = box.outputs
    for place, wire in enumerate(graph.outputs):
        moved(frontier, frontier.index(wire), place, found)
    return found


def moved(frontier: list[Wire], at: int, to: int, found: list[Step]) -> None:
    """Move a wire by swaps of neighbors."""
    while at != to:
        place = at if at < to else at - 1
        found.append(Step(None, place, tuple(frontier)))
        frontier[place], frontier[place + 1] = frontier[place + 1], frontier[place]
        at += 1 if at < to else -1


def gathered(frontier: list[Wire], wires: tuple[Wire, ...], found: list[Step]) -> int:
    """Bring wires side by side, in order, by as few swaps as one of them standing still allows; where they begin."""
    def cost(anchor: int) -> tuple[int, list[Wire], list[Step]]:
        now, made = list(frontier), []
        for other in range(anchor + 1, len(wires)):
            moved(now, now.index(wires[other]), now.index(wires[other - 1]) + (now.index(wires[other]) > now.index(wires[other - 1])), made)
        for other in range(anchor - 1, -1, -1):
            at, right = now.index(wires[other]), now.index(wires[other + 1])
            moved(now, at, right - (at < right), made)
        return len(made), now, made
    best = min((cost(anchor) for anchor in range(len(wires))), key=lambda one: one[0])
    frontier[:] = best[1]
    found += best[2]
    return frontier.index(wires[0])


class Ports:
    """Where wires begin and end."""

    def __init__(self, graph: Graph, boxes: list[Box]):
        self.graph = graph
        self.maker: dict[Wire, tuple[Any, int]] = {w: (None, i) for i, w in enumerate(entering(graph))}
        self.reader: dict[Wire, tuple[Any, int]] = {w: (None, i) for i, w in enumerate(graph.outputs)}
        for box in boxes:
            self.maker |= {w: (box, i) for i, w in enumerate(box.outputs)}
            self.reader |= {w: (box, i) for i, w in enumerate(inner_inputs(box))}

    def place(self, box: Box, frontier: list[Wire]) -> int:
        """Where in the frontier a box without inputs stands: by the side whose face comes up without passing below an effect."""
        found = [self.walk(box, frontier, side) for side in (-1, 1)]
        around, place = min(found, key=lambda one: one[0])
        return place if place is not None else len(frontier)

    def walk(self, box: Box, frontier: list[Wire], side: int) -> tuple[int, int | None]:
        """The face on one side of the box's wires: how often it passes below an effect, and the place where it comes up."""
        end = 0 if side < 0 else -1
        down, wire, around = True, box.outputs[end], 0
        seen: set[tuple[bool, Wire]] = set()
        while (down, wire) not in seen:
            seen.add((down, wire))
            if down:
                reader, port = self.reader[wire]
                ports = self.graph.outputs if reader is None else inner_inputs(reader)
                if 0 <= port + side < len(ports):
                    down, wire = False, ports[port + side]
                elif reader is None:
                    return around, 0 if side < 0 else len(frontier)
                elif reader.outputs:
                    wire = reader.outputs[end]
                else:
                    down, wire, around = False, ports[-1 - end], around + 1
            else:
                if wire in frontier:
                    return around, frontier.index(wire) + (side < 0)
                maker, port = self.maker[wire]
                if maker is None:
                    return around + 1, None
                if 0 <= port - side < len(maker.outputs):
                    down, wire = True, maker.outputs[port - side]
                elif inner_inputs(maker):
                    wire = inner_inputs(maker)[-1 - end]
                else:
                    down, wire = True, maker.outputs[end]
        return len(self.maker) + 1, None
