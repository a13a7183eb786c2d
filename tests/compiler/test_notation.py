"""Graphs as text, and back."""
import math
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from pullback.compiler import distribution, ops as op, optimizer, rule
from pullback.compiler.ir import Ancestor, Axis, Box, Graph, Wire
from pullback.compiler.notation import read, show
from pullback.compiler.op import OPS
from pullback.compiler.pipeline import stages
from pullback.compiler.source import Source, Span
from pullback.compiler.type import BOOL, INT, REAL, TEXT, Array, Constraint, Params, symbol
from pullback.dsl.elaborate import fit_plan, load

ROOT = Path(__file__).parents[2]
distribution.library("pullback.stdlib.distributions")
rule.library("pullback.stdlib.rules")
optimizer.library("pullback.stdlib.optimizers")

PAGE = """\
elbo(mean: real[2], w: params, n.x: int(0..n + 1)[n]) {
  a: real = mean[0]
  b: real = n.x[n.x, 1..n - 1, .., :]
  k: int(2..3) = 2
  m: real[2, 2] = [[1.0, -2.5], [inf, 1e-06]]
  c: bool = lt(a, b)
  `odd name`: real = where(c, a, b)
  s: real[2] = sum[axis = 0](m)
  x: real ~ normal(a, b) by reinforce(k = 4, baseline = loo)  # q.x
  y: int(0..2) ~ bernoulli(logits = a)  # q.y
  p: positive ~ normal(a, b) onto positive by reparam  # q#2.p
  l: real = logp normal(x | a, b)  # p.x
  z: real[3] = plate[name = "q.i"] i: 3 (w, a) {
    v: real {k: 4, finite q.z: n} = mul(a, a)
    return v
  } by subsample(size = 2)
  f: real, ys: real[n] = scan[name = "t", carries = 1] t: 1..n (a, w) { |t: int(1..n), h: real|
    h1: real = tanh(h)
    return h1, h
  }
  r: real = branch[name = "if"](c, a) then {
    return a
  } otherwise {
    g: real = exp(a)
    return g
  }
  o: real = extern[function = $f, name = "f", assume = none](a)
  () = terms[coefficients = (1.0, 'n'), sums = ((axis(i: 3),), ())](l, r)
  return r
}"""


def test_a_page():
    graph = read(PAGE, {"f": math.sin})
    assert show(graph).replace("$sin", "$f") == PAGE
    assert graph.name == "elbo" and [box.op.name for box in graph.boxes][:4] == ["index", "index", "constant", "constant"]
    scan = next(box for box in graph.boxes if box.op is op.scan)
    assert scan.regions[0].inputs[2:] == scan.inputs[1:] and scan["start"] == 1
    assert graph.boxes[7].rule == rule.find("reinforce")(4, "loo")


def same(a, b):
    """Are two graphs the same, types, axes, ancestors, attributes and rules included?"""
    def wires(graph):
        return [(w.name, w.type, w.axes, [x.size for x in w.axes], w.ancestors) for w in graph.wires()]
    assert wires(a) == wires(b) and a.outputs == b.outputs and a.name == b.name
    for one, two in zip(a.walk(), b.walk(), strict=True):
        assert (one.op, one.inputs, one.outputs, one.rule) == (two.op, two.inputs, two.outputs, two.rule)
        assert dict(one.attributes) == dict(two.attributes)
        assert [r.inputs for r in one.regions] == [r.inputs for r in two.regions]


def there_and_back(graph):
    text = show(graph, ancestors=True, notes=True)
    again = read(text)
    assert show(again, ancestors=True, notes=True) == text
    same(graph, again)


# ------------------------------------------------------------------ every op, every kind of value

N = symbol("n")
SIZES = st.sampled_from([0, 1, 7, N, N + 1, 2 * N - 1])
WORDS = st.sampled_from(["x", "q.x", "elbo#2.t.x", "odd name", "θ", "by", "onto", "sum", "return", "x1"])
CONSTRAINTS = st.sampled_from([Constraint("positive"), Constraint("interval", (-1.0, N)), Constraint("simplex"), None])
TYPES = st.one_of(
    st.builds(lambda k, s: Array(k, tuple(s)), st.sampled_from(["real", "int", "bool", "complex"]), st.lists(SIZES, max_size=2)),
    st.builds(lambda s, c: Array("real", tuple(s), c), st.lists(SIZES, max_size=2), CONSTRAINTS),
    st.just(Array("int", (), Constraint("range", (0, N)))), st.just(Array("int", (3,), Constraint("natural"))),
    st.just(Params()), st.just(TEXT))
AXES = st.builds(Axis, st.sampled_from(["plate", "points", "finite", "perturbation", "particles"]), WORDS, SIZES,
                 st.none() | SIZES)
ANCESTORS = st.builds(Ancestor, WORDS, st.frozensets(AXES, max_size=2), st.booleans())
RULES = st.sampled_from([None, rule.find("reparam")(), rule.find("reinforce")(3, "loo"), rule.find("enum")(),
                         (rule.find("reparam")(), rule.find("reinforce")())])
LEAVES = st.one_of(st.none(), st.booleans(), st.integers(-5, 10**12), st.floats(allow_nan=False), st.text(max_size=6),
                   st.complex_numbers(allow_nan=False, max_magnitude=9), TYPES, AXES, ANCESTORS, CONSTRAINTS, st.just(N + 1),
                   st.sampled_from(distribution.find("bernoulli")))
VALUES = st.recursive(LEAVES, lambda v: st.lists(v, max_size=2) | st.lists(v, max_size=2).map(tuple)
                      | st.dictionaries(WORDS, v, max_size=2), max_leaves=4)
KEYS = st.sampled_from(["axis", "keepdims", "shape", "name", "axes", "path"])


@st.composite
def graphs(draw, record=None, depth=0, inputs=None, count=None):
    """A graph; each wire has a name of its own. `count`: a mutable counter of names."""
    count = count if count is not None else [0]

    def wire():
        count[0] += 1
        base = draw(WORDS)
        name = f"{base} {count[0]}" if " " in base else f"{base}{count[0]}"
        return Wire(name, draw(TYPES), tuple(draw(st.lists(AXES, max_size=1))), draw(st.frozensets(ANCESTORS, max_size=1)))
    inputs = inputs if inputs is not None else tuple(wire() for _ in range(3))
    known, boxes = list(inputs), []
    for _ in range(draw(st.integers(1, 3)) if record is None else 1):
        kind = record or draw(st.sampled_from(sorted(OPS.values(), key=lambda o: o.name)))
        boxes.append(draw(box_of(kind, known, wire, depth, count)))
        known += boxes[-1].outputs
    return Graph(inputs, tuple(boxes), tuple(draw(st.lists(st.sampled_from(known), max_size=2))),
                 draw(WORDS) if depth == 0 else draw(st.sampled_from(["", "then"])))


@st.composite
def box_of(draw, record, known, wire, depth, count):
    attributes = draw(st.dictionaries(KEYS, VALUES, max_size=2))
    inputs = tuple(draw(st.lists(st.sampled_from(known), min_size=1, max_size=3)))
    outputs, regions = tuple(wire() for _ in range(draw(st.integers(0, 2)))), ()
    if draw(st.booleans()):
        attributes["address"] = draw(st.sampled_from(["q.x", "elbo#2.t.x"]))
    if record is op.constant:
        attributes, inputs = {"value": draw(st.sampled_from([2, -1.5, True, math.inf, ((1, 2), (3, 4)), 1 + 2j]))}, ()
    elif record is op.index:
        attributes = {"pattern": tuple(["i"] * (len(inputs) - 1)) + draw(st.sampled_from(
            [(), ("all",), (("slice", 1, N - 1), 2), (("slice", None, 3), ("slice", N, None), ("slice", None, None))]))}
    elif record in (op.draw, op.density):
        attributes = {k: v for k, v in attributes.items() if k != "name"}
        found = draw(st.sampled_from([*distribution.find("normal"), *distribution.find("bernoulli")]))
        inputs = inputs[:1] * (len(found.fields) + (record is op.density))
        attributes |= {"distribution": found, "onto": draw(CONSTRAINTS)}
    elif record.kind == "control" and depth < 2:
        bound, outer = (), tuple(dict.fromkeys(inputs))
        if record in (op.plate, op.scan):
            start = draw(st.sampled_from([0, 1]))
            count[0] += 1
            bound = (Wire(f"i{count[0]}", Array("int", (), Constraint("range", (start, start + N)))),)
            attributes |= {"index": bound[0].name, "start": start, "size": N}
        if record is op.scan:
            attributes["carries"] = 1
            bound, inputs = (*bound, wire()), (draw(st.sampled_from(known)), *outer)
        elif record is op.branch:
            inputs = (known[0], *outer)
        else:
            inputs = outer
        regions = tuple(draw(graphs(None, depth + 1, (*bound, *outer), count)) for _ in range(2 if record is op.branch else 1))
    elif record.kind == "control":
        record = op.exp
    return Box(record, inputs, outputs, regions, attributes, draw(RULES))


QUICK = settings(max_examples=40, deadline=None, suppress_health_check=list(HealthCheck))


@given(graphs())
@QUICK
def test_any_graph(graph):
    there_and_back(graph)


@pytest.mark.parametrize("name", sorted(OPS))
def test_every_op(name):
    @given(graphs(OPS[name]))
    @settings(max_examples=2, deadline=None, suppress_health_check=list(HealthCheck), derandomize=True)
    def tried(graph):
        there_and_back(graph)
    tried()


@pytest.mark.parametrize("story, fit", [("cone", "noisy_cone"), ("hmm", "hmm"), ("mixture", "mixture")])
def test_every_stage_of_a_program(story, fit):
    path = ROOT / "examples" / story / f"{story}.pbk"
    program = load(Source(path.name, path.read_text()), library=ROOT / "stdlib", folder=path.parent)
    for graph in stages(fit_plan(program, fit).goal, particles=4).values():
        there_and_back(graph)


def test_spans_on_request():
    source = Source("cone.pbk", "model cone():\n    r = x^2\n")
    span = Span(source, 22, 25)
    x, r = Wire("x", REAL), Wire("r", REAL)
    graph = Graph((x,), (Box(op.square, (x,), (r,), span=span),), (r,))
    assert show(graph, spans=True) == "graph(x: real) {\n  r: real = square(x) @2:9\n  return r\n}"
    assert show(read(show(graph, spans=True))) == show(graph)


def test_a_region_with_inputs_of_its_own():
    x, y, v = Wire("x", REAL), Wire("y", REAL), Wire("v", REAL)
    call = Box(op.call, (x,), (v,), (Graph((y,), (), (y,)),), {"name": "f"})
    text = show(Graph((x,), (call,), (v,)))
    assert "{ ||y: real||" in text and show(read(text)) == text


@pytest.mark.parametrize("text, why", [
    ("graph(x: real) {\n  y: real = sinn(x)\n  return y\n}", "line 2: there is no op sinn"),
    ("graph(x: real) {\n  y: real = sin(z)\n  return y\n}", "line 2: there is no wire z"),
    ("graph(x: real) {\n  y: real ~ norml(x)\n  return y\n}", "line 2: there is no distribution norml"),
    ("graph(x: real) {\n  y: real = sin(x) by magic\n  return y\n}", "line 2: there is no rule magic"),
    ("graph(x: real) {\n  y: real 3\n  return y\n}", "line 2: = is due here"),
    ("graph() {\n  y: real = extern[function = $f]()\n  return y\n}", "`externs` has no f"),
])
def test_text_that_is_no_graph(text, why):
    with pytest.raises(ValueError) as problem:
        read(text)
    assert why in str(problem.value)


def test_types():
    for type in (REAL, INT, BOOL, Array("real", (N, 3)), Array("int", (2,), Constraint("range", (0, N + 1))),
                 Array("real", (N,), Constraint("simplex")), Array("int", (), Constraint("natural")),
                 Array("real", (), Constraint("natural")), Array("real", (), Constraint("interval", (-1, 1)))):
        x = Wire("x", type)
        assert read(show(Graph((x,), (), (x,)))).inputs[0].type == type
