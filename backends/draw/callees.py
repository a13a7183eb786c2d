"""Calls of a program as regions, and what a value is to the model that is given it.

One line leaves a callee by its border: its log density.  Inside, a value that is given comes from the choice there.
"""
from __future__ import annotations

from pullback.backends.draw import words
from pullback.backends.draw.scene import Line, Node, Region
from pullback.backends.draw.weave import Path, Paths, Weave
from pullback.compiler.ir import Box, Wire


class Callees(Weave):
    """A weave of a graph that keeps its calls, or the paths of calls that `inline` has opened."""

    def __post_init__(self) -> None:
        self.aliases: dict[tuple[str, ...], dict[str, str]] = {}
        self.callees: dict[tuple, str] = {}
        self.frame: tuple[str, ...] = ()
        self.choices: dict[str, Box] = {}
        self.objectives = {str(box["name"]) for box in self.graph.walk() if box.op.name == "expectation"}
        super().__post_init__()

    def called(self, region: str | None, outer: tuple[str, ...], frame: tuple[str, ...]) -> str | None:
        """The region of a path of calls that `inline` has opened, inside a region."""
        for depth in range(len(outer) + 1, len(frame) + 1):
            key = (region, frame[:depth])
            if words.last(frame[depth - 1]) in self.objectives:
                continue
            if key not in self.callees:
                name = words.last(frame[depth - 1])
                found = self.region(Region(f"region-call-{len(self.callees)}", name, "callee", region, ("callee",),
                                           (frame[depth - 1],)))
                self.callees[key] = found.id
            region = self.callees[key]
        return region

    def look(self, wire: Wire) -> Paths:
        """The paths of a wire; inside a callee, a value that it is given comes from the choice there."""
        found = self.paths.get(wire, {})
        for depth in range(len(self.frame), 0, -1):
            alias = self.aliases.get(self.frame[:depth])
            if alias and any(node in alias for node in found):
                return {alias.get(node, node): path for node, path in found.items()}
        return found

    def joins(self, wire: Wire, target: Node, label: str = "", given: bool = False) -> None:
        """Lines into a node; a log density leaves its callee by the border."""
        kept = self.paths.get(wire, {})
        found = self.look(wire)
        plain = {node: path for node, path in found.items() if not self.border(node, path, target)}
        self.paths[wire] = plain
        self.connect(wire, target.id, style="given" if given else "plain", label=label)
        self.paths[wire] = kept
        for node, path in found.items():
            region = self.border(node, path, target)
            node = self.scene.inside(region)[-1].id if region is not None else node
            if region is not None and (region, target.id, None) not in self.lines:
                line = Line(node, target.id, "plain", None, f"logp({path.logp})",
                            tail=region, classes=("plain",), tip=("log density",))
                self.lines[region, target.id, None] = line
                self.scene.lines.append(line)

    def border(self, node: str, path: Path, target: Node) -> str | None:
        """The outermost callee that a log density leaves on its way to the target."""
        if not path.logp:
            return None
        around = set(self.scene.around(target.region))
        found = None
        for region in self.scene.around(self.scene.node(node).region):
            if region not in around and self.scene.region(region).kind == "callee":
                found = region
        return found

    # ------------------------------------------------------------ densities at their own draws

    def own(self, density: Box, value: Wire) -> str | None:
        """The choice whose own density this is: the same statement, at the value that it drew."""
        for node in self.behind(list(self.paths.get(value, {}))):
            box = self.choices.get(node)
            if box is None or box["distribution"] is not density["distribution"]:
                continue
            if density.span is not None and box.span is not None:
                same = (density.span.source, density.span.start) == (box.span.source, box.span.start)
            else:
                same = box["address"] == density["address"]
            if same:
                return node
        return None

    def behind(self, nodes: list[str]) -> list[str]:
        """The nodes, and those that a `select` among them chooses from."""
        found = list(nodes)
        for node in found:
            if self.scene.node(node).shape == "select":
                found += [line.source for line in self.scene.lines if line.target == node and line.source not in found]
        return found

    def model(self) -> str:
        return words.last(self.frame[-1]) if self.frame else "p"

    def recaption(self, choice: str) -> None:
        """A draw's region is called by its model too, which the call of its density names."""
        for id in self.scene.around(self.scene.node(choice).region):
            region = self.scene.region(id)
            if region.kind == "callee":
                if self.model() not in ("p", *region.caption.split()):
                    region.caption = f"{self.model()}  {region.caption}"
                return
