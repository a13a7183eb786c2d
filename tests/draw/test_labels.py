"""What a program says can't break a picture: it is escaped in one place and cut to length in one place."""
import re
import warnings
from xml.etree import ElementTree

import pytest

from pullback.backends.draw import Remark, draw, page
from pullback.backends.draw.expression import express, raised
from pullback.backends.draw.labels import clip, escape, tip, wrap
from pullback.backends.draw.render import available
from pullback.compiler import ops as op
from pullback.compiler.ir import Box, Wire
from pullback.compiler.type import INT, REAL, Array

needs_graphviz = pytest.mark.skipif(not available(), reason="no Graphviz here")
NASTY = ["<script>alert(1)</script>", "a & b &lt; c &#60;", "say \"it\" and 'that'", "two\nlines\tand\r\nmore", "emoji 🎲🧠",
         "a\\b\\N\\G\\l", "x" * 10_000, "]; node [image=\"/etc/passwd\"", "<B>bold</B>",
         "\x00\x07\x1b\ud800", "-->", "{a|b}", "%n", ""]


@pytest.mark.parametrize("text, width, cut", [
    ("mean", 20, "mean"),
    ("normal(mean[0], exp(log_sd[0]))", 24, "normal(mean[0], …)"),
    ("categorical(move[state[t - 1]])", 20, "categorical(move[…])"),
    ("x" * 30, 10, "x" * 9 + "…"),
    ("(((((((((((", 5, "…")])
def test_clip(text, width, cut):
    assert clip(text, width) == cut and len(cut) <= width


@pytest.mark.parametrize("text", NASTY)
@pytest.mark.parametrize("width", [1, 2, 5, 20, 28])
def test_clip_keeps_its_width(text, width):
    assert len(clip(text, width)) <= width


def test_wrap():
    assert wrap("step 2 divides by zero; check the denominator", 28, 2) == ["step 2 divides by zero;", "check the denominator"]
    assert len(wrap("word " * 100, 28, 2)) == 2 and max(map(len, wrap("word " * 100, 28, 2))) <= 28


@pytest.mark.parametrize("text", NASTY)
def test_escaped_text_is_text(text):
    shown = ElementTree.fromstring(f"<p>{escape(text)}</p>")
    assert len(shown) == 0
    assert not re.search(r'[<>"\\]', tip([text]))


@needs_graphviz
@pytest.mark.parametrize("text", NASTY)
def test_no_text_breaks_a_picture(text, maker):
    m = maker(f"objective f(x: real):\n    {text}")
    x = Wire(text or "_", REAL)
    y = m.do("mul", x, m.constant(2.0), out="y")
    z = m.draw(text or "_", maker.find("normal"), y, m.constant(1.0), rule=maker.rule("reparam"))
    graph = m.graph(text, (x,), m.do("add", z, y))
    drawing = draw(graph, "checked")
    source = draw(graph, "source", source=m.source)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        for one in (drawing, source):
            for svg in (one.svg(), one.svg(page=True)):
                root = ElementTree.fromstring(svg)
                assert not list(root.iter("{http://www.w3.org/2000/svg}image"))
                assert not list(root.iter("{http://www.w3.org/2000/svg}script"))
    whole = page({"source": source, "checked": drawing})
    assert whole.count("<script>") == 1 and "alert(1)</script>" not in whole


@needs_graphviz
@pytest.mark.parametrize("text", NASTY)
def test_no_criticism_breaks_a_picture(text, programs_of_text):
    drawing = draw(programs_of_text, "checked", parameters=("system",), criticisms=[Remark("reply", "draft", text)])
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        ElementTree.fromstring(drawing.svg())


# ------------------------------------------------------------------ expressions

def text(name, *inputs, type=REAL, **attributes):
    """The text of a box on wires that are called as given."""
    wires = {one: Wire(one, type) for one in inputs}
    return express(Box(op.OPS[name], tuple(wires.values()), (Wire("y", REAL),), attributes=attributes),
                   lambda wire: (wire.name, 7 if wire.name.isalnum() else 3))[0]


def test_expressions():
    assert text("add", "a", "b") == "a + b"
    assert text("sub", "a", "b + c") == "a − (b + c)"
    assert text("mul", "a", "b + c") == "a · (b + c)"
    assert text("div", "a", "b") == "a / b"
    assert text("pow", "x", "2") == "x²" and text("pow", "a + b", "2") == "(a + b)²"
    assert text("neg", "a + b") == "− (a + b)"
    assert text("index", "x", pattern=(0, ("slice", None, 3))) == "x[0, ..3]"
    assert text("index", "x", "i", pattern=("i",), type=INT) == "x[i]"
    assert text("logsumexp", "w") == "logsumexp(w)"
    assert text("where", "c", "a", "b") == "a if c else b"
    assert text("constant", value=0.5) == "0.5" and text("constant", value=-2) == "−2"
    assert text("zeros", shape=(2, 3)) == "zeros(2, 3)"


def test_a_condition_on_a_bit_is_the_bit():
    from pullback.compiler.type import Constraint
    bit = Array("int", (), Constraint("range", (0, 2)))
    box = Box(op.ne, (Wire("b", bit), Wire("0", INT)), (Wire("c", Array("bool")),))
    assert express(box, lambda wire: (wire.name, 7))[0] == "b"


def test_raised():
    assert (raised("50"), raised("n"), raised("n·m")) == ("⁵⁰", "ⁿ", "^(n·m)")
