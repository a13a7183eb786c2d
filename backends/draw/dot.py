"""A scene as DOT text, with every color and font set: what is left at a default has nothing for a theme to select.

Traps of Graphviz that this file knows: a line upward is declared downward with `dir=back`; lines enter a cell of a
term at its top (`:w4:n`); a row is a row only inside one region; captions stand at the bottom, where no line comes in.
"""
from __future__ import annotations

import re
from typing import Iterable

import graphviz

from pullback.backends.draw.labels import CAPTION, cell, clip, font, row, table, tip
from pullback.backends.draw.looks import LEGEND, LINES, LOOKS, REGIONS
from pullback.backends.draw.palette import FONT, color
from pullback.backends.draw.scene import Line, Node, Region, Scene

MANY = 30  # nodes, above which lines are thinner
DIRECTIONS = {"down": "TB", "right": "LR", "up": "BT", "left": "RL"}


def dot(scene: Scene, direction: str = "down", links: bool = False) -> str:
    """The DOT text of a scene.  `links`: nodes and lines link to `#line-4`, for a page that has such anchors."""
    return Writer(scene, direction, links).text()


class Writer:
    def __init__(self, scene: Scene, direction: str, links: bool):
        if direction not in DIRECTIONS:
            raise ValueError(f"there is no direction {direction!r}: {', '.join(DIRECTIONS)}")
        self.scene, self.direction, self.links = scene, direction, links
        self.stage = re.sub(r"[^\w-]", "-", scene.stage)
        self.ports = {node.id: {one.port for one in node.cells} for node in scene.nodes if node.cells}

    def text(self) -> str:
        words = {"fontname": FONT, "fontcolor": color("ink")}
        down = DIRECTIONS[self.direction] in ("TB", "BT")
        graph = graphviz.Digraph(
            self.stage,
            graph_attr={**words, "id": f"{self.stage}-drawing", "class": f"drawing stage-{self.stage}", "compound": "true",
                        "newrank": "true", "bgcolor": color("background"), "rankdir": DIRECTIONS[self.direction],
                        "ranksep": "0.36", "nodesep": "0.28", "pad": "0.18", "labelloc": "t", "labeljust": "l",
                        "tooltip": tip([f"{self.scene.name} · {self.scene.stage}"]), "label": self.title()},
            node_attr={**words, "fontsize": "12", "color": color("line")},
            edge_attr={**words, "fontsize": "10", "fontcolor": color("quiet"), "color": color("line"), "arrowsize": "0.75",
                       "penwidth": "1"})
        self.fill(graph, None)
        if down:
            for names in self.scene.rows:
                self.rank(graph, names)
        for number, line in enumerate(self.scene.lines, 1):
            self.line(graph, line, number)
        return graph.source

    # ------------------------------------------------------------ nodes, regions

    def fill(self, graph: graphviz.Digraph, region: str | None) -> None:
        """The nodes of a region and its inner regions, in the order of the source."""
        inner = [one for one in self.scene.regions if one.parent == region]
        first = {one.id: self.place(one.id) for one in inner}
        mine = [(place, node) for place, node in enumerate(self.scene.nodes) if node.region == region]
        for _, what in sorted([*((place, node) for place, node in mine), *((first[one.id], one) for one in inner)],
                              key=lambda pair: pair[0]):
            if isinstance(what, Node):
                self.node(graph, what)
            elif self.scene.inside(what.id):
                self.cluster(graph, what)

    def place(self, region: str) -> float:
        return min((place - 0.5 for place, node in enumerate(self.scene.nodes)
                    if region in self.scene.around(node.region)), default=-1)

    def node(self, graph: graphviz.Digraph, node: Node) -> None:
        given = {**LOOKS[node.shape](node), "id": f"{self.stage}-{node.id}", "class": " ".join(node.classes),
                 "tooltip": tip(node.tip)}
        if self.links and node.line is not None:
            given["URL"] = f"#line-{node.line}"
        graph.node(node.id, **given)

    def cluster(self, graph: graphviz.Digraph, region: Region) -> None:
        with graph.subgraph(name=cluster_name(region.id)) as inner:
            inner.attr(**REGIONS[region.kind], id=f"{self.stage}-{region.id}", labelloc="b", labeljust="r", margin="10",
                       label=f"<{font(clip(region.caption, CAPTION), 'quiet', 10.5)}>", tooltip=tip(region.tip),
                       **{"class": " ".join(region.classes)})
            self.fill(inner, region.id)

    def rank(self, graph: graphviz.Digraph, names: Iterable[str]) -> None:
        ordered = [node for node in self.scene.nodes if node.id in names]
        if len(ordered) < 2 or len({node.region for node in ordered}) != 1:
            return
        graph.body.append(f"\t{{ rank=same {' '.join(quoted(node.id) for node in ordered)} }}\n")

    # ------------------------------------------------------------ lines

    def line(self, graph: graphviz.Digraph, line: Line, number: int) -> None:
        given = {**LINES[line.style], "id": f"{self.stage}-wire-{number}", "class": " ".join(line.classes),
                 "tooltip": tip(line.tip)}
        if len(self.scene.nodes) > MANY and line.style in ("value", "probability", "weight", "both"):
            given["penwidth"] = "1.4"
        if line.label:
            given |= {"label": f"<{font(NBSP + clip(line.label, 20), 'quiet', 10)}>", "labeltooltip": tip(line.tip)}
        if line.back:
            given["dir"] = "back"
            if given.get("arrowhead"):
                given["arrowtail"] = given.pop("arrowhead")
        if line.style == "criticism":
            given |= {"dir": "back", "arrowtail": "normal"}
        if line.tail:
            given["ltail"] = cluster_name(line.tail)
        if line.head:
            given["lhead"] = cluster_name(line.head)
        target, source = line.target, line.source
        if line.port and line.port in self.ports.get(line.target, ()):
            target = f"{line.target}:{line.port}" + (":n" if self.direction == "down" else "")
        graph.edge(source, target, **given)

    # ------------------------------------------------------------ title

    def title(self) -> str:
        """Two lines inside the picture: name, stage and verdict; a legend of the lines that occur."""
        head = font(f"{clip(self.scene.name, 32)}  ·  {self.scene.stage}", size=13, bold=True)
        head += "".join(font(NBSP * 3, size=11) + font(clip(words, 60), "quiet", 13) for words in self.scene.words)
        rows = [row(cell(head, ALIGN="LEFT"))]
        legend = [self.entry(style) for style in LEGEND if style in self.styles()]
        if legend:
            rows.append(row(cell(font(NBSP * 4, size=11).join(legend), ALIGN="LEFT")))
        for name, type in self.scene.table:
            rows.append(row(cell(font(clip(name, 48), size=11) + font(NBSP * 3) + font(type, "quiet", 10), ALIGN="LEFT")))
        return f"<{table(*rows, padding=3)}>"

    def styles(self) -> set[str]:
        found = {line.style for line in self.scene.lines}
        if "both" in found:
            found |= {"value", "probability"}
        return found - {"both"} if found - {"plain", "given", "both"} else found & {"given"}

    def entry(self, style: str) -> str:
        sign, ink, words = LEGEND[style]
        return font(sign, ink, 10.5) + font(f" {words}", "quiet", 10.5)


NBSP = "\N{NO-BREAK SPACE}"


def cluster_name(region: str) -> str:
    return "cluster_" + region.removeprefix("region-").replace("-", "_")


def quoted(name: str) -> str:
    return f'"{name}"'
