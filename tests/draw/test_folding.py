"""Large pictures fold themselves, and never hide what is not sound."""
from collections import Counter

import pytest

from pullback.backends.draw import draw, page
from pullback.backends.draw.drawing import Drawing
from pullback.backends.draw.folding import LIMIT, folded
from pullback.backends.draw.render import available
from pullback.backends.draw.scene import Badge, Line, Node, Region, Scene

needs_graphviz = pytest.mark.skipif(not available(), reason="no Graphviz here")


def large(regions=6, boxes=10, kind="callee", word=""):
    """Regions with a chain of boxes each; `word`: what is said of a choice in the first."""
    scene = Scene("large", "ir")
    scene.nodes.append(Node("input-w", "parameter", "w", classes=("parameter",)))
    for r in range(regions):
        scene.regions.append(Region(f"region-{r}", f"part {r}", kind, None, (kind,)))
        for b in range(boxes):
            badge = Badge("reparam ✓" if not word or r else "mine", "value", word="" if r else word) if b == 0 else None
            scene.nodes.append(Node(f"box-{r}{b}", "choice" if b == 0 else "box", f"x{r}{b}", "+" if r % 2 else "·",
                                    badge=badge, region=f"region-{r}", classes=("box", f"line-{r}")))
            before = "input-w" if b == 0 else f"box-{r}{b - 1}"
            scene.lines.append(Line(before, f"box-{r}{b}", "value" if b else "probability", classes=("value",)))
    scene.nodes.append(Node("output-0", "objective", "large", classes=("objective",)))
    scene.lines += [Line(f"box-{r}{boxes - 1}", "output-0", "value", classes=("value",)) for r in range(regions)]
    return scene


def test_up_to_forty_boxes_stand_open():
    scene = large(3)
    assert folded(scene) is scene


def test_callees_are_folded():
    scene = folded(large())
    assert len(scene.nodes) == 8 <= LIMIT and not scene.regions
    fold = scene.node("region-0")
    assert (fold.shape, fold.name, fold.second) == ("fold", "part 0", "10 boxes   1 choice: reparam ✓")
    assert Counter((line.source, line.target) for line in scene.lines).most_common(1)[0][1] == 1
    assert "line-0" in fold.classes


def test_of_regions_of_equal_shape_one_is_drawn():
    scene = folded(large(8, 8, "plate"))
    assert sorted(region.caption for region in scene.regions) == ["part 0  × 4", "part 1  × 4"]
    assert len(scene.nodes) == 18


def test_what_is_not_sound_stays_open():
    scene = folded(large(word="biased"))
    assert [region.id for region in scene.regions] == ["region-0"]
    assert scene.node("box-00").badge.word == "biased"


def test_what_is_asked_for_stays_open():
    scene = folded(large(), focus="x35")
    assert [region.id for region in scene.regions] == ["region-3"]
    with pytest.raises(ValueError, match="nothing in this picture is called 'nobody'"):
        folded(large(), focus="nobody")


def test_depth():
    assert not folded(large(2, 3), depth=1).regions
    assert len(folded(large(2, 3), depth=2).regions) == 2


def test_folds_open_by_hand():
    drawing = Drawing(large())
    assert len(drawing.folds) == 6
    assert drawing.open("region-2").folds == [fold for fold in drawing.folds if fold != "region-2"]
    assert drawing.open().folds == []


@needs_graphviz
def test_a_page_holds_what_is_folded():
    whole = page({"ir": Drawing(large())})
    assert whole.count("<template") == 8 and 'data-key="ir-region-2"' in whole
    assert "class=\"node fold callee" in whole


def test_many_parameters_of_one_prefix_are_one_node(maker):
    m = maker()
    leaves = [m.wire(f"w.{n}.weight") for n in range(12)]
    graph = m.graph("f", leaves, m.do("add", *leaves))
    nodes = draw(graph, "ir").scene.nodes
    assert [(node.name, node.second) for node in nodes if node.shape == "parameter"] == [("w", "12 arrays")]


def test_a_fold_over_what_is_biased_says_so():
    from pullback.backends.draw.folding import fold
    scene = fold(large(word="biased"), ["region-0"])
    assert scene.node("region-0").badge.loud
