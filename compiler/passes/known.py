"""Read what is known without its box.

    index(stack(a, b, …), 1)      ⇒   b
    guard(where(c, a, b), c)      ⇒   a         inside the side that was taken, the choice is that side

Needs: nothing.  Leaves: the same values and derivatives.  A wire with fewer axes is never put in another's place: how often an
element counts is read from its axes.
"""
from __future__ import annotations

from typing import Mapping

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Wire


def instead(box: Box, makers: Mapping[Wire, Box]) -> Wire | None:
    """The wire that the box's output is, if it is known."""
    found = None
    if box.op is op.index:
        found = element(box, makers)
    elif box.op is op.guard:
        found = side(box, makers)
    return found if found is not None and set(found.axes) == set(box.output.axes) else None


def element(box: Box, makers: Mapping[Wire, Box]) -> Wire | None:
    """One whole element of a stack, at a known place."""
    array, *dynamic = box.inputs
    stack, (first, *rest) = makers.get(array), box["pattern"]
    if stack is None or stack.op is not op.stack or any(entry != "all" for entry in rest):
        return None
    if first == "i":
        maker = makers.get(dynamic[0])
        first = maker["value"] if maker is not None and maker.op is op.constant else None
    return stack.inputs[first] if isinstance(first, int) and 0 <= first < len(stack.inputs) else None


def side(box: Box, makers: Mapping[Wire, Box]) -> Wire | None:
    """The side of a branch, where that side was taken."""
    value, taken = box.inputs
    where = makers.get(value)
    if where is None or where.op is not op.where or "branch" not in where.attributes:
        return None
    condition, *sides = where.inputs
    if taken == condition:
        return sides[0]
    opposite = makers.get(taken)
    return sides[1] if opposite is not None and opposite.op is op.not_ and opposite.inputs == (condition,) else None
