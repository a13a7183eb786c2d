"""A run of a text program: criticisms as notes on lines upward, a funnel where several meet below one parameter."""
from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Iterable

from pullback.backends.draw.scene import Line, Node, Scene


@dataclass(frozen=True, slots=True)
class Remark:
    """What the box called `source` says to the one called `target`, which it reads."""

    source: str
    target: str
    text: str


def criticized(scene: Scene, remarks: Iterable[Remark], combined: str = "concatenate", score: str = "") -> Scene:
    """The scene of a run: forward lines plain, criticisms violet and upward."""
    remarks = list(remarks)
    ids = {name: node.id for node in reversed(scene.nodes) for name in called(node)}
    nodes, lines = list(scene.nodes), [replace(line, style="plain", classes=("plain",)) for line in scene.lines]
    regions = {node.id: node.region for node in nodes}
    entry: dict[str, str] = {}
    for target in dict.fromkeys(one.target for one in remarks):
        count = sum(one.target == target for one in remarks)
        if count > 1 and target in ids:
            entry[target] = funnel(nodes, lines, ids[target], combined, count)
    for number, one in enumerate(remarks):
        if one.source not in ids or one.target not in ids:
            raise ValueError(f"nothing in this picture is called {one.source if one.source not in ids else one.target!r}")
        note = Node(f"criticism-{number}", "note", one.text, region=regions[ids[one.source]], classes=("criticism",),
                    tip=(one.text,))
        place = next(i for i, node in enumerate(nodes) if node.id == ids[one.source])
        nodes.insert(place, note)
        top = entry.get(one.target, ids[one.target])
        for upper, lower in ((top, note.id), (note.id, ids[one.source])):
            lines.append(Line(upper, lower, "criticism", classes=("criticism",), tip=(one.text,)))
    if score:
        nodes = [replace(node, second=score) if node.shape == "objective" else node for node in nodes]
    return replace(scene, nodes=nodes, lines=lines)


def funnel(nodes: list[Node], lines: list[Line], parameter: str, name: str, count: int) -> str:
    """Below a parameter, narrow side up: what several readers say of it is combined there."""
    place = next(i for i, node in enumerate(nodes) if node.id == parameter)
    made = Node(f"{parameter}-combined", "copy", name, f"{count} criticisms", classes=("junction",),
                tip=(f"{name}: {count} criticisms",))
    nodes.insert(place + 1, made)
    for i, line in enumerate(lines):
        if line.source == parameter:
            lines[i] = replace(line, source=made.id)
    lines.append(Line(parameter, made.id, "plain", classes=("plain",), tip=(name,)))
    lines.append(Line(parameter, made.id, "criticism", classes=("criticism",), tip=(f"{count} criticisms",)))
    return made.id


def called(node: Node) -> set[str]:
    """What a remark may call a node: `reply`, `judge` for `judge(reply, answer)`."""
    name, _, value = node.name.partition(" = ")
    return {name, name.partition("(")[0], value.partition("(")[0]}
