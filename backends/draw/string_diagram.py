"""A string diagram as a drawing: DOT with every place pinned, so that Graphviz only renders.

    s.draw()                    in a notebook: the picture
    s.draw().save("s.svg")      also .png, .pdf, .dot

Boxes with numbers are blue, as parameters are in all drawings; states are pointed above, effects below, scalars diamonds, spiders
dots (Z white, X gray), swaps crossing wires; a bubble and a sum inside a diagram have a frame.
"""
from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any, Mapping

from pullback.backends.draw.drawing import Drawing
from pullback.backends.draw.labels import escape
from pullback.backends.draw.palette import FONT, color, themed
from pullback.backends.draw.render import render
from pullback.backends.draw.scene import Scene
from pullback.backends.draw.string_layout import Picture, Shape, picture, wide
from pullback.backends.draw.svg import finished
from pullback.compiler.diagrams import build
from pullback.compiler.ir import Graph

SHAPES = {"box": "box", "state": "house", "effect": "invhouse", "scalar": "diamond", "frame": "box", "dot": "circle", "z": "ellipse",
          "x": "ellipse"}
SIZES = {"type": 8, "text": 11, "sign": 13, "caption": 9, "title": 11}
MARGIN, TITLE = 12.0, 26.0


@dataclass(frozen=True, eq=False)
class StringDrawing(Drawing):
    """The picture of a diagram; `known`: numbers that its parameters are bound to."""

    known: Mapping[str, Any] | None = None

    @cached_property
    def dot(self) -> str:
        return dot(self.graph, self.name, self.known)

    def svg(self, theme: str = "auto", page: bool = False) -> str:
        return finished(render(self.dot, "svg", pinned=True).decode(), theme, page, f"{self.name}, {self.stage}")

    def png(self, theme: str = "light", dpi: int = 96) -> bytes:
        return render(themed(self.dot, theme), "png", dpi, pinned=True)

    def rendered(self, format: str, theme: str, dpi: int) -> bytes:
        return render(themed(self.dot, theme), format, dpi, pinned=True)

    def html(self) -> str:
        return f"<!doctype html><meta charset=utf-8><title>{escape(self.name)}</title>{self.svg()}"

    def to_networkx(self) -> Any:
        """The connected form: boxes, their ports, and classes of wires."""
        from pullback.compiler.diagrams.equal import network
        return network(self.graph)

    def __repr__(self) -> str:
        return f"<drawing of {self.name}: {build.signature(self.graph)}>"


def draw_diagram(graph: Graph, name: str = "", text: str = "", known: Mapping[str, Any] | None = None) -> StringDrawing:
    return StringDrawing(Scene(name or "diagram", "diagram"), graph, text=lambda: text, known=known)


def dot(graph: Graph, name: str, known: Mapping[str, Any] | None = None) -> str:
    """DOT text; places in points, with y upward."""
    plain = {wire.type.name for wire in graph.wires() if build.is_object(wire)}
    found = Picture()
    inner = picture(graph, known, types=bool(plain - {"qubit", "bit", "dim"}))
    title = f"{name}: {build.signature(graph)}"
    found.put(inner, MARGIN + max(0.0, (wide(title) - inner.width) / 2), MARGIN + TITLE)
    found.width = max(found.width, wide(title) + 2 * MARGIN) + MARGIN
    found.height += MARGIN
    found.text(title, found.width / 2, MARGIN + TITLE / 2 - 6, "title")
    lines = ["graph {", f'  bgcolor="{color("background")}" pad=0 splines=true outputorder=nodesfirst',
             f'  node [fontname="{FONT}" fontsize=11 fontcolor="{color("ink")}" color="{color("ink")}" penwidth=1 fixedsize=shape margin=0]',
             f'  edge [color="{color("ink")}" penwidth=1.3]',
             '  "corner-0" [pos="0,0" style=invis width=0.01 height=0.01 label=""]',
             f'  "corner-1" [pos="{found.width:.2f},{found.height:.2f}" style=invis width=0.01 height=0.01 label=""]']
    frames = [shape for shape in found.shapes if shape.kind == "frame"]
    rest = [shape for shape in found.shapes if shape.kind != "frame"]
    for at, shape in enumerate([*frames, *rest]):
        lines.append(node(at, shape, found.height))
    for at, curve in enumerate(found.curves):
        points = " ".join(f"{x:.2f},{found.height - y:.2f}" for x, y in curve.points)
        lines.append(f'  "corner-0" -- "corner-1" [pos="{points}" id="wire-{at}" class="wire"]')
    return "\n".join([*lines, "}"]) + "\n"


def node(at: int, shape: Shape, height: float) -> str:
    place = f'pos="{shape.x:.2f},{height - shape.y:.2f}"'
    label = escape(shape.label)
    if shape.kind in SIZES:
        shade = "quiet" if shape.kind in ("type", "caption", "title") else "ink"
        return (f'  "text-{at}" [shape=plaintext {place} width={shape.width / 72:.3f} height=0.2 fontsize={SIZES[shape.kind]} '
                f'fontcolor="{color(shade)}" label=<{label}> id="text-{at}" class="{shape.kind}"]')
    size = f"width={shape.width / 72:.3f} height={shape.height / 72:.3f}"
    fill, text, style = color("box"), color("ink"), "filled"
    if shape.filled:
        fill, text = color("value"), color("on-badge")
    match shape.kind:
        case "frame":
            fill, style = color("region"), '"filled,rounded"'
        case "dot":
            fill = color("ink")
        case "z":
            fill = color("background")
        case "x":
            fill = color("data")
    line = f" line-{shape.box.span.line}" if shape.box is not None and shape.box.span is not None else ""
    return (f'  "box-{at}" [shape={SHAPES[shape.kind]} {place} {size} style={style} fillcolor="{fill}" fontcolor="{text}" '
            f'label=<{label or " "}> id="box-{at}" class="{shape.kind}{line}"]')
