"""`a if c else b`: a `where`, element by element; a branch where one condition decides and a side may not be finite.

In a branch, the derivative passes into the side that was taken only: `sqrt(x) if x > 0 else 0.0` has the derivative 0 at
x = 0, where a `where` has 0 · ∞.
"""
from __future__ import annotations

from typing import Any

from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Wire
from pullback.compiler.type import Array, same_shape
from pullback.dsl import syntax as s
from pullback.dsl.arithmetic import agree
from pullback.dsl.branches import truth
from pullback.dsl.context import Context, evaluates
from pullback.dsl.join import cast

FINITE = frozenset("""constant add sub neg mul where index stack concat field stop square abs sin cos tanh sigmoid relu softplus
    max min sum mean dot zeros ones eye full arange lt le gt ge eq ne and or not reshape ravel transpose
    """.split())  # with their derivatives, wherever their arguments are


@evaluates(s.Conditional)
def conditional(ctx: Context, node: s.Conditional) -> Any:
    condition = ctx.value(node.condition)
    if isinstance(condition, (bool, int)):
        return ctx.value(node.value if condition else node.otherwise)
    wire = ctx.wire(condition, node.condition.span, "a condition")
    writer, sides, blocks = ctx.writer, [], []
    for word, side in (("if", node.value), ("else", node.otherwise)):
        with writer.region() as block:
            inside = ctx.but(guarded=True)
            sides.append(inside.wire(inside.value(side), side.span, "a side of `if … else`"))
        blocks.append(block)
    agree(ctx, "if … else", [wire, *sides] if wire.type.shape else sides, node.span)
    if wire.type.shape or not branches(wire, sides) or not any(risky(box) for block in blocks for box in block.boxes):
        for block in blocks:
            writer.block.boxes.extend(block.boxes)
        return writer.emit(op.where, (wire, *sides), span=node.span)[0]
    (type,) = op.where.infer([wire.type, *(side.type for side in sides)], {})
    regions = []
    for block, side in zip(blocks, sides):
        with writer.inside(block):
            side = cast(ctx, side, type)
        regions.append(writer.close(block, [side]))
    captured = tuple(dict.fromkeys(one for region in regions for one in region.inputs))
    regions = [region.__class__(captured, region.boxes, region.outputs) for region in regions]
    return writer.emit(op.branch, (truth(ctx, wire, node.condition.span), *captured), {"name": ctx.work.loop(ctx.path, "if")},
                       span=node.span, regions=regions, types=[type])[0]


def branches(condition: Wire, sides: list[Wire]) -> bool:
    """May a branch choose between the two?"""
    a, b = (side.type for side in sides)
    bounds = condition.type.bounds
    whole = condition.type.kind == "bool" or bounds is not None and condition.type.kind == "int" and bounds == (0, 2)
    return whole and isinstance(a, Array) and isinstance(b, Array) and same_shape(a.shape, b.shape) is True


def risky(box: Box) -> bool:
    """May the box give what is not finite, or a derivative that is not?"""
    return bool(box.regions) and any(risky(inner) for region in box.regions for inner in region.boxes) or (
        not box.regions and box.op.name not in FINITE)
