"""A drawing: a scene, how it is to be shown, and all that can be made of it.

    f.graph("estimator")                      in a notebook: the picture
    f.graph("estimator").save("f.svg")        also .png, .pdf, .html, .dot
    f.graph("estimator").dot                  the DOT text, with no Graphviz needed
"""
from __future__ import annotations

import html
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any, Callable

from pullback.backends.draw.dot import dot
from pullback.backends.draw.folding import folded
from pullback.backends.draw.palette import themed
from pullback.backends.draw.render import INSTALL, NoRenderer, render
from pullback.backends.draw.scene import Scene
from pullback.backends.draw.svg import finished

FORMATS = (".svg", ".png", ".pdf", ".html", ".dot")


@dataclass(frozen=True, eq=False)
class Drawing:
    """The picture of one stage.  `depth`, `focus`, `direction` as in `draw`; `text` is what `str` gives."""

    scene: Scene
    graph: Any = None
    depth: int | None = None
    focus: str | None = None
    direction: str = "down"
    opened: frozenset[str] = frozenset()
    text: Callable[[], str] | None = None

    @property
    def name(self) -> str:
        return self.scene.name

    @property
    def stage(self) -> str:
        return self.scene.stage

    @cached_property
    def shown(self) -> Scene:
        """The scene with its folds."""
        return folded(self.scene, self.depth, self.focus, self.opened)

    @cached_property
    def dot(self) -> str:
        """DOT text, in the light theme."""
        return dot(self.shown, self.direction)

    @property
    def folds(self) -> list[str]:
        """The regions that are folded."""
        return [node.id for node in self.shown.nodes if node.shape == "fold" and node.id.startswith("region-")]

    def open(self, *regions: str) -> Drawing:
        """The drawing with these folds opened (all, if none is named)."""
        if not regions:
            return replace(self, depth=None, focus=None, opened=frozenset(one.id for one in self.scene.regions))
        return replace(self, opened=self.opened | frozenset(regions))

    def svg(self, theme: str = "auto", page: bool = False) -> str:
        """SVG text.  theme: `auto` follows the reader's; `light` and `dark` are fixed."""
        return finished(render(self.dot, "svg").decode(), theme, page, f"{self.name}, {self.stage}")

    def png(self, theme: str = "light", dpi: int = 96) -> bytes:
        return render(themed(self.dot, theme), "png", dpi)

    def rendered(self, format: str, theme: str, dpi: int) -> bytes:
        """The picture in a format that Graphviz writes."""
        return render(themed(self.dot, theme), format, dpi)

    def html(self) -> str:
        """A page of its own; `page` puts several stages on one."""
        from pullback.backends.draw.html import page
        return page({self.stage: self})

    def save(self, path: str | Path, theme: str | None = None, dpi: int = 144) -> Path:
        """Write the picture; the ending of the name says how.  Without Graphviz the DOT text is written instead."""
        path = Path(path)
        if path.suffix not in FORMATS:
            raise ValueError(f"a drawing is saved as {', '.join(FORMATS)}, not {path.suffix or path.name!r}")
        try:
            match path.suffix:
                case ".dot":
                    content: str | bytes = themed(self.dot, theme or "light")
                case ".svg":
                    content = self.svg(theme or "auto")
                case ".html":
                    content = self.html()
                case _:
                    content = self.rendered(path.suffix[1:], theme or "light", dpi)
        except NoRenderer:
            there = path.with_suffix(".dot")
            there.write_text(self.dot, encoding="utf-8")
            raise NoRenderer(f"{INSTALL}; the DOT text is in {there}") from None
        path.write_bytes(content) if isinstance(content, bytes) else path.write_text(content, encoding="utf-8")
        return path

    def to_networkx(self) -> Any:
        """The graph as a `networkx.MultiDiGraph`: boxes are nodes, wires between them edges."""
        import networkx
        found = networkx.MultiDiGraph(name=self.name, stage=self.stage)
        for node in self.scene.nodes:
            found.add_node(node.id, kind=node.shape, name=node.name, label=node.second, region=node.region,
                           rule=node.badge.text if node.badge else None, line=node.line)
        for line in self.scene.lines:
            source, target = (line.target, line.source) if line.back else (line.source, line.target)
            found.add_edge(source, target, style=line.style, label=line.label)
        return found

    def __str__(self) -> str:
        return self.text() if self.text is not None else self.dot

    def __repr__(self) -> str:
        return f"<drawing of {self.name}, {self.stage}: {len(self.scene.nodes)} boxes, {len(self.scene.lines)} lines>"

    def _repr_svg_(self) -> str | None:
        try:
            return self.svg()
        except NoRenderer:
            return None

    def _repr_html_(self) -> str:
        try:
            return f'<div style="overflow-x:auto">{self.svg()}</div>'
        except NoRenderer:
            return f"<p>{html.escape(INSTALL)}</p><pre>{html.escape(self.dot)}</pre>"
