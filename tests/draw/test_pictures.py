"""Pictures by structure: every box, line and region once; no color, font or size of Graphviz's own; text inside its box."""
import re
import warnings
from collections import Counter
from xml.etree import ElementTree

import pytest

from pullback.backends.draw import draw
from pullback.backends.draw.palette import DARK, FONT, LIGHT, MONO
from pullback.backends.draw.render import available
from pullback.compiler.pipeline import stages

SVG = "{http://www.w3.org/2000/svg}"
PARAMETERS = {"gmm": ("logits", "loc"), "vae": ("v", "w"), "hmm": ("transition", "loc"), "iwae": ("mean", "log_sd")}
PARTICLES = {"cone": 64, "policy": 64}
STAGES = ("source", "ir", "checked", "estimator")
NAMES = ("cone", "four_rules", "gmm", "vae", "hmm", "policy", "iwae")
needs_graphviz = pytest.mark.skipif(not available(), reason="no Graphviz here")


@pytest.fixture(scope="module")
def drawings(programs):
    found = {}
    for name, graph in programs.items():
        graphs = stages(graph, particles=PARTICLES.get(name, 1))
        found |= {(name, stage): draw(graphs, stage, parameters=PARAMETERS.get(name)) for stage in STAGES}
    return found


@pytest.fixture(scope="module")
def pictures(drawings):
    found = {}
    with warnings.catch_warnings():
        warnings.simplefilter("error")  # Graphviz warns of a port or a label that it could not use
        for key, drawing in drawings.items():
            found[key] = ElementTree.fromstring(drawing.svg())
    return found


def groups(picture):
    return [group for group in picture.iter(f"{SVG}g") if group.get("class", "").split(" ")[0] in ("node", "edge", "cluster")]


every = pytest.mark.parametrize("key", [(name, stage) for name in NAMES for stage in STAGES], ids="-".join)


@needs_graphviz
@every
def test_every_box_line_and_region_once(key, drawings, pictures):
    scene, stage = drawings[key].shown, key[1]
    ids = Counter(group.get("id") for group in pictures[key].iter(f"{SVG}g") if group.get("id"))
    assert max(ids.values()) == 1
    kinds = {kind: [g for g in groups(pictures[key]) if g.get("class").startswith(kind)]
             for kind in ("node", "edge", "cluster")}
    assert {g.get("id") for g in kinds["edge"]} == {f"{stage}-wire-{n + 1}" for n in range(len(scene.lines))}
    assert {g.get("id") for g in kinds["node"]} == {f"{stage}-{node.id}" for node in scene.nodes}
    assert {g.get("id") for g in kinds["cluster"]} == {f"{stage}-{one.id}" for one in scene.regions if scene.inside(one.id)}
    by_id = {g.get("id"): set(g.get("class").split()) for g in groups(pictures[key])}
    for node in scene.nodes:
        assert node.classes and set(node.classes) <= by_id[f"{stage}-{node.id}"]


@needs_graphviz
@every
def test_no_color_and_no_font_is_left_to_graphviz(key, pictures):
    palette = {*LIGHT.values(), "none", "transparent", None}
    for element in pictures[key].iter():
        if element.tag in (f"{SVG}style", f"{SVG}svg"):
            continue
        assert element.get("fill") in palette and element.get("stroke") in palette, ElementTree.tostring(element)
        if element.tag == f"{SVG}text":
            assert element.get("fill") is not None
            assert element.get("font-family") in (FONT, MONO), ElementTree.tostring(element)


def outline(group):
    """The extent of a node's own shapes."""
    xs, ys = [], []
    for shape in group.iter():
        if shape.tag == f"{SVG}ellipse":
            x, y, rx, ry = (float(shape.get(key)) for key in ("cx", "cy", "rx", "ry"))
            xs += [x - rx, x + rx]
            ys += [y - ry, y + ry]
        elif shape.tag in (f"{SVG}polygon", f"{SVG}path", f"{SVG}polyline"):
            numbers = [float(n) for n in re.findall(r"-?\d+\.?\d*", shape.get("points") or shape.get("d"))]
            xs += numbers[0::2]
            ys += numbers[1::2]
    return min(xs), max(xs), min(ys), max(ys)


@needs_graphviz
@every
def test_no_text_outside_its_box(key, pictures):
    for group in groups(pictures[key]):
        if not group.get("class").startswith("node") or "source" in group.get("class").split():
            continue
        left, right, top, bottom = outline(group)
        for text in group.iter(f"{SVG}text"):
            size = float(text.get("font-size"))
            wide = 0.5 * size * len((text.text or "").strip())
            x, y = float(text.get("x")), float(text.get("y"))
            start = x if text.get("text-anchor") == "start" else x - wide / 2
            assert left - 1 <= start and start + wide <= right + 0.15 * wide + 1, text.text
            assert top - 1 <= y - 0.6 * size and y <= bottom + 1, text.text


@needs_graphviz
@every
def test_no_label_is_longer_than_its_limit(key, pictures):
    if key[1] == "source":
        return
    for group in groups(pictures[key]):
        for text in group.iter(f"{SVG}text"):
            limit = 24 if group.get("class").startswith("cluster") else 28
            assert len(text.text or "") <= limit, text.text


@needs_graphviz
@pytest.mark.parametrize("name", NAMES)
def test_terms_stand_in_rows(name, drawings, pictures):
    scene = drawings[name, "estimator"].shown
    height = {group.get("id"): outline(group)[2] for group in groups(pictures[name, "estimator"])
              if group.get("class").startswith("node")}
    for row in scene.rows:
        assert len({round(height[f"estimator-{node}"]) for node in row}) <= 1


def test_the_same_picture_each_time(programs, drawings):
    for name in ("cone", "hmm"):
        graphs = stages(programs[name], particles=PARTICLES.get(name, 1))
        for stage in STAGES:
            assert draw(graphs, stage, parameters=PARAMETERS.get(name)).dot == drawings[name, stage].dot


def test_both_themes_have_the_same_names_and_no_color_twice():
    assert LIGHT.keys() == DARK.keys()
    assert len(set(LIGHT.values())) == len(LIGHT) and len(set(DARK.values())) == len(DARK)


@needs_graphviz
def test_a_dark_picture_has_no_light_color(drawings):
    dark = drawings["gmm", "estimator"].svg("dark")
    assert not any(hex in dark for hex in LIGHT.values())


# ------------------------------------------------------------------ what each stage says

def styles(drawing):
    return Counter(line.style for line in drawing.scene.lines)


def line(drawing, source, target, port=None):
    ids = {node.name.partition(" = ")[0]: node.id for node in reversed(drawing.scene.nodes)}
    ids |= {node.cells[0].text: node.id for node in drawing.scene.nodes if node.cells}
    found = [one for one in drawing.scene.lines
             if one.source == ids[source] and one.target == ids[target] and (port is None or one.port == port)]
    assert len(found) == 1, (source, target, ids)
    return found[0].style


@pytest.mark.parametrize("stage", ["ir", "checked"])
def test_programs_have_no_colored_line(stage, drawings):
    for name in NAMES:
        assert set(styles(drawings[name, stage])) <= {"plain", "given"}


def test_badges_are_the_checkers_word(drawings):
    for name in NAMES:
        assert not any(node.badge for node in drawings[name, "ir"].scene.nodes)
        assert any(node.badge for node in drawings[name, "checked"].scene.nodes)


def test_plain_reparametrization_is_blue_throughout(drawings):
    drawing = drawings["cone", "estimator"]
    assert set(styles(drawing)) == {"value"}
    terms = [node.cells[0].text for node in drawing.scene.nodes if node.shape == "term"]
    assert sorted(terms) == sorted(["log p(x)", "log p(y)", "log p(z | r)", "− log q(x)", "− log q(y)"])
    assert [node.second for node in drawing.scene.nodes if node.shape == "junction"] == ["particles"]


def test_a_policy_gradient_has_no_blue_at_all(drawings):
    drawing = drawings["policy", "estimator"]
    assert not {"value", "both"} & set(styles(drawing))
    assert line(drawing, "w", "policy net") == line(drawing, "policy net", "a[t]") == "probability"
    assert line(drawing, "a[t]", "step(s, a[t])") == "stopped"
    assert line(drawing, "ℓ + log w(a[t])", "reward(s, a[t])", "w0") == "weight"
    assert drawing.scene.words == ["unbiased ✓"]


def test_weights_multiply_their_own_terms(drawings):
    drawing = drawings["four_rules", "estimator"]
    weights = {node.cells[0].text: [cell.text for cell in node.cells[1:]]
               for node in drawing.scene.nodes if node.shape == "term"}
    assert weights == {"k if b": ["× w(b)", "× w(k)"], "v if b": ["× w(b)"], "v² if not b": ["× w(b)"],
                       "u²": ["× w(b)", "× w(u)"]}
    assert line(drawing, "u", "u²", "c") == "stopped" and line(drawing, "v", "v² if not b", "c") == "value"


def test_an_enumerated_mixture(drawings):
    drawing = drawings["gmm", "estimator"]
    assert line(drawing, "logits", "z") == "probability"
    assert line(drawing, "logits", "− log q(z)", "c") == line(drawing, "loc", "loc[z]") == "value"
    assert line(drawing, "z", "loc[z]") == "stopped"
    assert line(drawing, "xs", "log p(x | loc[z])", "c") == "plain"
    z = next(node for node in drawing.scene.nodes if node.name == "z")
    assert (z.badge.text, [(chip.text, chip.opened) for chip in z.chips]) == ("enum =", [("z 8", True)])
    assert drawing.scene.words == ["exact =", "z: 8 values", "50·8, not 8⁵⁰"]
    assert [f"{node.name} {node.second}" for node in drawing.scene.nodes if node.shape == "junction"] == ["Σ z, i"]


def test_filtering(drawings):
    drawing = drawings["hmm", "estimator"]
    alpha = next(node for node in drawing.scene.nodes if node.shape == "carry")
    assert (alpha.name, alpha.tint, [chip.text for chip in alpha.chips]) == ("α", "weight", ["z 16"])
    assert "30·16², not 16³⁰" in drawing.scene.words
    assert [one.style for one in drawing.scene.lines if one.back] == ["probability"]


def test_mixing_is_seen_where_the_region_ends(drawings):
    drawing = drawings["iwae", "estimator"]
    funnel = next(node for node in drawing.scene.nodes if node.shape == "junction")
    assert (funnel.name, funnel.second, funnel.region) == ("logsumexp", "i", None)
    circle = next(node for node in drawing.scene.nodes if node.shape == "plus")
    assert drawing.scene.region(circle.region).caption == "i in 0..5"
    assert set(styles(drawing)) == {"value", "plain"}


def test_rows_of_a_subsample(drawings):
    funnel = next(node for node in drawings["vae", "estimator"].scene.nodes if node.shape == "junction")
    assert funnel.badge.text == "subsample(64) ✓"
    assert "i in 64 of 4000" in {region.caption for region in drawings["vae", "estimator"].scene.regions}


def test_one_line_leaves_a_callee(drawings):
    drawing = drawings["cone", "ir"]
    captions = {region.id: region.caption for region in drawing.scene.regions}
    left = {captions[one.tail]: one.label for one in drawing.scene.lines if one.tail}
    assert left == {"blob  q": "logp(q)", "cone  p": "logp(p)"}
    assert [node.name for node in drawing.scene.nodes if node.shape == "given"] == ["z = 5.0"]
