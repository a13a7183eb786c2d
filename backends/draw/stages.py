"""From a graph and the name of its stage to a drawing."""
from __future__ import annotations

from typing import Any, Collection, Iterable, Mapping, Sequence

from pullback.backends.draw import title
from pullback.backends.draw.criticism import Remark, criticized
from pullback.backends.draw.drawing import Drawing
from pullback.backends.draw.estimator import estimator
from pullback.backends.draw.jaxpr import jaxpr
from pullback.backends.draw.plates import plates
from pullback.backends.draw.scene import Scene
from pullback.backends.draw.source import listing
from pullback.backends.draw.structure import structure
from pullback.compiler.ir import Graph
from pullback.compiler.source import Source

STAGES = ("source", "ir", "checked", "estimator", "jaxpr")
PROGRAMS = ("ir", "inline", "checked")
BEFORE_HOISTING = "lift"  # a loop is drawn with all that its steps do, not with what was taken out of it for speed


def draw(graph: Graph | Mapping[str, Graph], stage: str = "ir", *, parameters: Collection[str] | None = None,
         source: Source | None = None, name: str | None = None, depth: int | None = None, focus: str | None = None,
         direction: str = "down", criticisms: Iterable[Remark] = (), score: str = "") -> Drawing:
    """The drawing of one stage.

    graph: that stage's graph, or all (`pipeline.stages`).  `parameters`: the inputs that are differentiated (without it:
    all that are real).  `depth`: 1 folds outermost regions, 2 those inside them; without it, large pictures fold themselves.
    `focus`: the name of a box that stays open with all around it.  `direction`: down, right, up, left.
    """
    graphs = graph if isinstance(graph, Mapping) else {stage: graph}
    if stage == "source":
        shown = graphs.get("checked") or next(iter(graphs.values()))
    elif stage not in graphs:
        raise ValueError(f"there is no stage {stage!r}: {', '.join(['source', *graphs])}")
    else:
        shown = graphs.get(BEFORE_HOISTING, graphs[stage]) if stage == "estimator" else graphs[stage]
    scene = scene_of(shown, stage, parameters, source, graphs.get("checked"))
    if name:
        scene.name = name
    remarks = list(criticisms)
    if remarks:
        scene = criticized(scene, remarks, score=score)
    written = "\n".join(one.text for one in scene.nodes[0].cells) if stage == "source" else None
    return Drawing(scene, shown, depth, focus, direction,
                   text=lambda: written if written is not None else text(graphs.get(stage, shown)))


def scene_of(graph: Graph, stage: str, parameters: Collection[str] | None, source: Source | None,
             program: Graph | None = None) -> Scene:
    if stage == "source":
        scene = listing(graph, source)
        scene.words = title.ledger(graph)
        return scene
    flat = any(box.op.kind == "estimator" for box in graph.walk() if box.op.name not in ("expectation", "estimate"))
    if not flat or stage in PROGRAMS:
        scene = structure(graph, stage, parameters)
        scene.words = title.ledger(graph) if stage == "checked" else []
        return scene
    scene = estimator(graph, stage, parameters, program)
    scene.words = [*title.ledger(graph), *title.points(graph)]
    return scene


def draw_jaxpr(closed: Any, graph: Graph | None = None, *, name: str = "", inputs: Sequence[str] = (), depth: int | None = None,
               direction: str = "down") -> Drawing:
    """The drawing of a `ClosedJaxpr`: one box for each box of `graph` that its equations come from.  `inputs`: the names of
    its arguments, in order."""
    return Drawing(jaxpr(closed, graph, name, inputs), closed, depth, None, direction, text=lambda: str(closed))


def draw_plates(graph: Graph, observed: Collection[str] = (), *, name: str | None = None, direction: str = "down") -> Drawing:
    """The plate diagram of a model's graph."""
    scene = plates(graph, observed)
    scene.name = name or scene.name
    return Drawing(scene, graph, direction=direction, text=lambda: text(graph))


def text(graph: Graph) -> str:
    """The graph in the IR's own notation."""
    from pullback.compiler import notation
    return notation.show(graph)
