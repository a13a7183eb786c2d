"""The program's own text, with the rule of every choice in the margin of its line."""
from __future__ import annotations

from pullback.backends.draw import words
from pullback.backends.draw.scene import Badge, Cell, Node, Scene
from pullback.compiler.ir import Graph
from pullback.compiler.source import Source


def listing(graph: Graph, source: Source | None = None) -> Scene:
    """The text of `source`, or of the first that the graph comes from."""
    boxes = [box for box in graph.walk() if box.span is not None]
    source = source or (boxes[0].span.source if boxes else Source(graph.name or "program", ""))
    badges: dict[int, dict[str, Badge]] = {}
    for box in boxes:
        badge = words.badge(box)
        if badge is not None and box.span.source is source:
            badges.setdefault(box.span.line, {})[badge.text] = badge
    lines = source.text.rstrip("\n").split("\n")
    cells = tuple(Cell(f"line-{number}", line.rstrip("\r"), badges=tuple(badges.get(number, {}).values()))
                  for number, line in enumerate(lines, 1))
    scene = Scene(source.name, "source")
    scene.nodes.append(Node("source", "listing", cells=cells, classes=("source",), tip=(source.name,)))
    return scene
