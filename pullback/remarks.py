"""The picture of the way back: what each box says to the texts that it reads, before a run by which rule, after it in words."""
from __future__ import annotations

from typing import Any, Mapping

import numpy as np

from pullback.backends.draw import Remark
from pullback.backends.text import back
from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Graph, Wire
from pullback.compiler.ledger import written


def remarks(graph: Graph, values: Mapping[str, Any] | None) -> list[Remark]:
    """One for each box that criticizes and each drawn box or text that it does so to; `values`: those of the last sweep."""
    boxes = {box.number: box for box in graph.boxes}
    made = graph.producers()
    found = []
    for box in graph.boxes:
        forward = boxes[box["box"]] if box.op is op.criticize else None
        if forward is None or not drawn(forward):
            continue
        for place, output in zip(box["wanted"], box.outputs):
            text = said(box, forward, output, values)
            for target in dict.fromkeys(targets(forward.inputs[place], made)) if text else ():
                found.append(Remark(name_of(forward), target, text))
    return list(dict.fromkeys(found))


def drawn(box: Box) -> bool:
    return box.op.kind == "engine" or box.op is op.extern


def said(box: Box, forward: Box, output: Wire, values: Mapping[str, Any] | None) -> str:
    if values is None:
        rule = box.rule or back.default(forward)
        return f"by {written(rule)}" if hasattr(rule, "name") else "its words"
    items = [item for said in np.asarray(values[output.name], object).reshape(-1) for item in said]
    more = f" (and {len(items) - 1} more)" if len(items) > 1 else ""
    return f"{items[0].text}{more}" if items else ""


def targets(wire: Wire, made: Mapping[Wire, Box]) -> list[str]:
    """What is drawn of where a text comes from."""
    box = made.get(wire)
    if box is None:
        return [wire.name]
    if drawn(box):
        return [name_of(box)]
    return [name for one in box.inputs if one.type.kind == "text" for name in targets(one, made)] if box.op is not op.constant else []


def name_of(box: Box) -> str:
    return (box.get("address") or box.get("name") or box.op.name).rpartition(".")[2]
