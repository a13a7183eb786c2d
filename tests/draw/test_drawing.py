"""A drawing can be saved, shown and read, with Graphviz and without."""
import os
import re
import stat
import subprocess
import sys

import networkx
import pytest

from pullback.backends.draw import NoRenderer, Remark, draw, draw_jaxpr, draw_plates, page
from pullback.backends.draw import render as rendering
from pullback.compiler.pipeline import stages

needs_graphviz = pytest.mark.skipif(not rendering.available(), reason="no Graphviz here")


@pytest.fixture(scope="module")
def graphs(programs):
    return stages(programs["cone"], particles=64)


@pytest.fixture
def nothing(monkeypatch):
    """A machine without Graphviz."""
    monkeypatch.setattr(rendering.shutil, "which", lambda name: None)
    monkeypatch.setitem(sys.modules, "pygraphviz", None)


@needs_graphviz
@pytest.mark.parametrize("ending, start", [
    ("svg", b"<svg"), ("png", b"\x89PNG"), ("pdf", b"%PDF"), ("html", b"<!doctype html>"), ("dot", b"digraph")])
def test_save(graphs, tmp_path, ending, start):
    path = draw(graphs, "estimator").save(tmp_path / f"x.{ending}")
    assert path.read_bytes().startswith(start)


def test_another_ending_is_refused(graphs, tmp_path):
    with pytest.raises(ValueError, match="not .*jpg"):
        draw(graphs, "ir").save(tmp_path / "x.jpg")


def test_without_graphviz_there_is_the_dot_text(graphs, tmp_path, nothing):
    drawing = draw(graphs, "estimator")
    assert drawing.dot.startswith("digraph")
    assert drawing._repr_svg_() is None
    assert "pip install" in drawing._repr_html_() and "digraph" in drawing._repr_html_()
    for ending in ("svg", "png"):
        with pytest.raises(NoRenderer, match="pip install 'pullback.draw.'.*x.dot"):
            drawing.save(tmp_path / f"x.{ending}")
        assert (tmp_path / "x.dot").read_text() == drawing.dot
    assert drawing.save(tmp_path / "y.dot").read_text() == drawing.dot
    assert "pip install" in drawing.save(tmp_path / "y.html").read_text()


def test_the_systems_dot_comes_first(graphs, tmp_path, monkeypatch):
    program = tmp_path / "dot"
    program.write_text("#!/bin/sh\ncat > /dev/null\necho '<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"7pt\"></svg>'\n")
    program.chmod(program.stat().st_mode | stat.S_IEXEC)
    monkeypatch.setenv("PATH", f"{tmp_path}{os.pathsep}{os.environ['PATH']}")
    assert 'width="7pt"' in draw(graphs, "ir").svg()


@needs_graphviz
def test_in_a_notebook(graphs):
    drawing = draw(graphs, "ir")
    assert "<svg" in drawing._repr_html_() and drawing._repr_svg_().startswith("<svg")
    assert "9 boxes" in repr(drawing)


def test_str_is_the_graph_and_the_source_its_text(graphs):
    assert str(draw(graphs, "ir")).startswith("cone_elbo(mean: real[2], log_sd: real[2]) {")
    assert str(draw(graphs, "source")).startswith("model cone():\n    x ~ normal(0, 10)")


def test_as_a_networkx_graph(graphs):
    graph = draw(graphs, "estimator").to_networkx()
    assert isinstance(graph, networkx.MultiDiGraph) and networkx.is_directed_acyclic_graph(graph)
    names = {data["name"]: node for node, data in graph.nodes(data=True) if data["name"]}
    assert graph.nodes[names["x"]]["rule"] == "reparam ✓"
    assert networkx.has_path(graph, names["mean"], names["cone_elbo"])


def test_an_unknown_stage_or_direction(graphs):
    with pytest.raises(ValueError, match="no stage 'estimate'"):
        draw(graphs, "estimate")
    with pytest.raises(ValueError, match="no direction 'north'"):
        draw(graphs, "ir", direction="north").dot


def test_directions(graphs):
    assert "rankdir=LR" in draw(graphs, "estimator", direction="right").dot


def test_no_order_comes_from_a_hash(programs):
    code = ("import importlib.util as u, sys; s = u.spec_from_file_location('c', sys.argv[1]); c = u.module_from_spec(s); "
            "s.loader.exec_module(c); from pullback.backends.draw import draw; sys.stdout.write(draw(c.gmm(), 'ir').dot)")
    here = os.path.join(os.path.dirname(__file__), "conftest.py")
    for seed in ("1", "2"):
        if seed != os.environ.get("PYTHONHASHSEED"):
            found = subprocess.run([sys.executable, "-c", code, here], env={**os.environ, "PYTHONHASHSEED": seed}, check=True,
                                   capture_output=True, text=True).stdout
            assert found == draw(programs["gmm"], "ir").dot
            return


# ------------------------------------------------------------------ other pictures

def test_a_run_of_a_text_program(programs_of_text):
    remarks = [Remark("draft", "system", "state the rule"), Remark("reply", "system", "ask for units"),
               Remark("judge", "reply", "step 2 divides by zero; check the denominator")]
    drawing = draw(programs_of_text, "checked", parameters=("system",), criticisms=remarks, score="0.4")
    kinds = [node.shape for node in drawing.scene.nodes]
    assert kinds.count("note") == 3 and kinds.count("copy") == 1
    assert sum(line.style == "criticism" for line in drawing.scene.lines) == 7
    assert {line.style for line in drawing.scene.lines} == {"plain", "criticism"}
    assert drawing.scene.words == ["words heuristic"]
    assert {node.tint for node in drawing.scene.nodes if node.badge} == {"words"}


def test_a_plate_diagram(programs):
    drawing = draw_plates(programs["hmm"])
    shapes = [(node.name, node.shape) for node in drawing.scene.nodes if node.shape.startswith("plate")]
    assert shapes == [("z", "plate-choice"), ("z[t]", "plate-choice"), ("x", "plate-given")]
    assert ("z ~ categorical(transition[0])", "int(0..16)") in drawing.scene.table
    assert "log p" not in drawing.dot and "enum" not in drawing.dot


def test_a_jaxpr_has_a_box_for_each_box(graphs):
    import jax
    import jax.numpy as jnp

    from pullback.backends.xla.lower import evaluate
    graph = graphs["estimator"]
    params = {"mean": jnp.zeros(2), "log_sd": jnp.ones(2)}
    closed = jax.make_jaxpr(jax.grad(lambda params, key: evaluate(graph, params, key)[0]))(params, jax.random.key(0))
    drawing = draw_jaxpr(closed, graph, inputs=("log_sd", "mean", "key"))
    names = {node.name: node for node in drawing.scene.nodes}
    assert {"x ~ normal", "y ~ normal", "r = x² + y²", "log p(z)", "log_sd", "mean"} <= set(names)
    assert len([node for node in drawing.scene.nodes if node.shape == "fold"]) <= len(graph.boxes) + 1
    numbers = {f"box-{box.number}" for box in graph.walk()}
    assert {node.id for node in drawing.scene.nodes if node.shape == "fold"} <= numbers | {"box-rest"}
    assert any("mul" in line for line in names["x ~ normal"].tip)


@needs_graphviz
def test_a_page_holds_all_stages_and_links_their_lines(graphs):
    whole = page({stage: draw(graphs, stage) for stage in ("source", "ir", "checked", "estimator")})
    for stage in ("ir", "checked", "estimator"):
        assert whole.count(f'id="{stage}-box-4"') == 1
    assert 'id="line-8"' in whole and whole.count("line-8") >= 4
    assert "prefers-color-scheme" in whole and "http" not in whole.replace("http://www.w3.org", "")
    anchors = re.findall(r'id="(line-\d+)"', whole)
    assert len(anchors) == len(set(anchors)) == 13
