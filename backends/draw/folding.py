"""What is shown of a large picture: regions folded to one box each, until a reader can take it in.

Up to 40 boxes all stand open.  Above: callees are folded, of regions of equal shape one is drawn (`× 6`), then all
regions are folded, innermost first, until it is enough.  Never folded: what is not unbiased, and what a reader asked for
(`focus`).
"""
from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Callable, Iterable

from pullback.backends.draw.scene import Badge, Line, Node, Region, Scene
from pullback.backends.draw.weave import united

LIMIT = 40


def folded(scene: Scene, depth: int | None = None, focus: str | None = None, opened: Iterable[str] = ()) -> Scene:
    """The scene as it is shown.  `depth=1` folds outermost regions, 2 those inside them; `opened` stay open."""
    keep = {*opened, *path(scene, focus)}

    def may(region: Region) -> bool:
        nodes = scene.inside(region.id)
        return region.id not in keep and len(nodes) > 1 and all(node.sound for node in nodes)
    if depth is not None:
        return fold(scene, [one.id for one in scene.regions if level(scene, one) == depth and may(one)])
    if focus is not None:
        return fold(scene, outermost(scene, [one.id for one in scene.regions if may(one)]))
    if len(scene.nodes) <= LIMIT:
        return scene
    scene = inward(scene, lambda one: one.kind == "callee" and may(one))
    if len(scene.nodes) > LIMIT:
        scene = once(scene, may)
    return inward(scene, may)


def inward(scene: Scene, may: Callable[[Region], bool]) -> Scene:
    """Innermost regions first, one level after the other, until the picture is small enough."""
    deepest = max((level(scene, one) for one in scene.regions), default=0)
    for depth in range(deepest, 0, -1):
        if len(scene.nodes) <= LIMIT:
            break
        scene = fold(scene, [one.id for one in scene.regions if level(scene, one) == depth and may(one)])
    return scene


def path(scene: Scene, focus: str | None) -> set[str]:
    """The regions around the node of this name or id."""
    if focus is None:
        return set()
    found = [node for node in scene.nodes if focus in (node.id, node.name, node.name.partition(" = ")[0])]
    if not found:
        raise ValueError(f"nothing in this picture is called {focus!r}")
    return {region for node in found for region in scene.around(node.region)}


def level(scene: Scene, region: Region) -> int:
    return len(list(scene.around(region.id)))


def outermost(scene: Scene, regions: list[str]) -> list[str]:
    """Those that stand in no other of them."""
    return [one for one in regions if not set(list(scene.around(one))[1:]) & set(regions)]


def fold(scene: Scene, regions: list[str]) -> Scene:
    """The scene with each of these regions as one box."""
    inside: dict[str, str] = {}
    made: dict[str, Node] = {}
    for region in regions:
        nodes = scene.inside(region)
        if nodes:
            made[region] = summary(scene.region(region), nodes)
            inside.update({node.id: region for node in nodes})
    if not made:
        return scene
    nodes, seen = [], set()
    for node in scene.nodes:
        region = inside.get(node.id)
        if region is None:
            nodes.append(node)
        elif region not in seen:
            seen.add(region)
            nodes.append(made[region])
    gone = {one.id for one in scene.regions if set(scene.around(one.id)) & set(made)}
    return replace(scene, nodes=nodes, lines=rerouted(scene, inside), regions=[r for r in scene.regions if r.id not in gone],
                   rows=[row - set(inside) for row in scene.rows])


def rerouted(scene: Scene, inside: dict[str, str]) -> list[Line]:
    """Lines to and from folded nodes, one for each pair."""
    found: dict[tuple, Line] = {}
    for line in scene.lines:
        source, target = inside.get(line.source, line.source), inside.get(line.target, line.target)
        if source == target:
            continue
        moved = target != line.target
        key = (source, target, None if moved else line.port, line.back)
        if key in found:
            found[key] = replace(found[key], style=united(found[key].style, line.style), label=found[key].label or line.label)
        else:
            found[key] = replace(line, source=source, target=target, port=None if moved else line.port,
                                 tail=None if source != line.source else line.tail, head=None if moved else line.head)
    return [replace(line, classes=(line.style, *line.classes[1:])) for line in found.values()]


def summary(region: Region, nodes: list[Node]) -> Node:
    """`10 boxes   2 choices: reparam ✓`; what is not sound inside shows outside."""
    choices = [node for node in nodes if node.shape == "choice"]
    rules = Counter(node.badge.text for node in choices if node.badge is not None)
    said = f"{len(choices)} choice{'s' if len(choices) != 1 else ''}" if choices else ""
    if rules:
        said += f": {', '.join(rules)}"
    words = [node.badge.word for node in nodes if node.badge is not None and node.badge.word]
    loud = next((word for word in words if word == "biased"), words[0] if words else "")
    boxes = f"{len(nodes)} box{'es' if len(nodes) != 1 else ''}"
    inner = dict.fromkeys(name for node in nodes for name in node.classes if name.startswith(("line-", "origin-")))
    return Node(region.id, "fold", region.caption, "   ".join(filter(None, (boxes, said))), region=region.parent,
                badge=Badge(loud, "quiet", True, loud) if loud else None, classes=("fold", *region.classes, *inner),
                tip=(*region.tip, *(node.name for node in nodes if node.name)), line=region.line)


def once(scene: Scene, may: Callable[[Region], bool]) -> Scene:
    """Of sibling regions of equal shape the first alone, with how many there are."""
    groups: dict[tuple, list[Region]] = {}
    for region in scene.regions:
        if may(region):
            groups.setdefault((region.parent, region.kind, shape(scene, region)), []).append(region)
    for alike in groups.values():
        if len(alike) < 2 or any(region not in scene.regions for region in alike):
            continue
        first, *rest = alike
        moved = {}
        for region in rest:
            moved.update(zip((node.id for node in scene.inside(region.id)), (node.id for node in scene.inside(first.id))))
        gone = {one.id for region in rest for one in scene.regions if region.id in scene.around(one.id)}
        lines: dict[tuple, Line] = {}
        for line in scene.lines:
            source, target = moved.get(line.source, line.source), moved.get(line.target, line.target)
            lines.setdefault((source, target, line.port, line.back), replace(
                line, source=source, target=target, tail=first.id if line.tail in {r.id for r in rest} else line.tail))
        regions = [replace(one, caption=f"{one.caption}  × {len(alike)}") if one.id == first.id else one
                   for one in scene.regions if one.id not in gone]
        scene = replace(scene, nodes=[node for node in scene.nodes if node.id not in moved], lines=list(lines.values()),
                        regions=regions, rows=[row - set(moved) for row in scene.rows])
    return scene


def shape(scene: Scene, region: Region) -> tuple:
    """What two regions have in common that look alike: kinds of nodes, and the lines between them."""
    nodes = scene.inside(region.id)
    place = {node.id: number for number, node in enumerate(nodes)}
    lines = tuple((place[line.source], place[line.target], line.style) for line in scene.lines
                  if line.source in place and line.target in place)
    return tuple((node.shape, node.second.partition("(")[0], node.badge) for node in nodes), lines
