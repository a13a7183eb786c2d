"""Supports: moving ones, finite ones, a guide's against its model's."""
import math

import pytest

from pullback.compiler import distribution, ops as op, rule
from pullback.compiler.analyses.ranges import Region, Values, contained, region, support_size
from pullback.compiler.analyses.support import carriers, mass, moves
from pullback.compiler.distribution import Support
from pullback.compiler.notation import read
from pullback.compiler.source import Source, Span
from pullback.compiler.type import Constraint

distribution.library("pullback.stdlib.distributions")
rule.library("pullback.stdlib.rules")


def graph(lines, inputs="m: real, s: real, n: int, v: real[3]"):
    return read(f"f({inputs}) {{\n{lines}\nreturn r\n}}")


def drawn(found, address="q.x"):
    return next(box for box in found.walk() if box.op is op.draw and box.get("address") == address)


# ------------------------------------------------------------------ supports that move


@pytest.mark.parametrize("lines, field", [
    ("x: real ~ uniform(m, s)  # q.x\n r: real = exp(x)", "low"),
    ("a: real = 0.0\n x: real ~ uniform(a, s)  # q.x\n r: real = exp(x)", "high"),
    ("a: real = 0.0\n b: real = 1.0\n x: real ~ uniform(a, b)  # q.x\n r: real = exp(x)", None),
    ("a: real = stop(m)\n b: real = stop(s)\n x: real ~ uniform(a, b)  # q.x\n r: real = exp(x)", None),
    ("x: real ~ normal(m, s)  # q.x\n r: real = exp(x)", None),
    ("x: real ~ pareto(s, m)  # q.x\n r: real = exp(x)", "scale"),
    ("a: real = 0.0\n b: real = 1.0\n y: real ~ normal(m, b)  # q.y\n x: real ~ uniform(a, y)  # q.x\n r: real = exp(x)",
     "high"),
    ("a: real = 0.0\n b: real = 1.0\n y: real ~ normal(a, b)  # q.y\n x: real ~ uniform(a, y)  # q.x\n r: real = exp(x)",
     None),
    ("a: real = 0.0\n b: real = add(n)\n x: real ~ uniform(a, b)  # q.x\n r: real = exp(x)", None),
])
def test_moving_supports(lines, field):
    found = graph(lines)
    said = moves(found, drawn(found))
    assert (said is None) == (field is None)
    if said is not None:
        assert f"`{field}` of" in said.message and said.code == "support"


def test_what_a_loop_carries():
    found = graph("""a: real = 0.0
      h: real = scan[name = "t", carries = 1] t: 5 (a, m) { |t: int(0..5), c: real|
        d: real = add(c, m)
        return d
      }
      x: real ~ uniform(a, h)  # q.x
      r: real = exp(x)""")
    assert {"h", "c", "d"} <= {wire.name for wire in carriers(found)}
    assert moves(found, drawn(found)) is not None
    still = graph("""a: real = 0.0
      h: real = scan[name = "t", carries = 1] t: 5 (a, m) { |t: int(0..5), c: real|
        d: real = add(c, a)
        return d
      }
      r: real = exp(h)""".replace("(a, m)", "(a, a)"))
    assert "h" not in {wire.name for wire in carriers(still)}


# ------------------------------------------------------------------ sizes


@pytest.mark.parametrize("line, size", [
    ("x: int(0..3) ~ categorical(v)  # q.x", 3), ("x: int(0..2) ~ bernoulli(m)  # q.x", 2),
    ("k: int(4..5) = 4\n x: int(0..5) ~ binomial(k, m)  # q.x", 5), ("x: int ~ binomial(n, m)  # q.x", None),
    ("x: int ~ poisson(m)  # q.x", None), ("x: real ~ normal(m, s)  # q.x", None),
])
def test_sizes_of_supports(line, size):
    assert support_size(drawn(graph(f"{line}\n r: real = exp(m)"))) == size


# ------------------------------------------------------------------ guide and model


def said(guide, model, guided=True):
    """What is said of a choice drawn from `guide` and given the density `model`, its own density read too or not."""
    kind = distribution.find(guide.split("(")[0])[0].kind
    own = f"l: real = logp {guide.replace('(', '(x | ', 1)}" if guided else "l: real = 0.0"
    lines = f"""x: {kind} ~ {guide}  # q.x
      {own}  # q.x
      p: real = logp {model.replace('(', '(x | ', 1)}  # p.x
      r: real = sub(p, l)"""
    return [problem.message for problem in mass(graph(lines.replace(" = 0.0  # q.x", " = 0.0")))]


@pytest.mark.parametrize("guide, model, guided, words", [
    ("normal(m, s)", "normal(s, s)", True, None),
    ("normal(m, s)", "exponential(s)", True, "`x` is drawn from all reals, but its density `exponential` is 0 outside of"),
    ("normal(m, s)", "exponential(s)", False, "is 0 outside of the positive reals"),
    ("exponential(s)", "normal(m, s)", True, "`x` of the guide never leaves the positive reals"),
    ("exponential(s)", "normal(m, s)", False, None),
    ("beta(m, s)", "exponential(s)", True, "the reals from 0 to 1"),
    ("gamma(m, s)", "log_normal(m, s)", True, None),
    ("normal(m, s) onto positive", "gamma(m, s)", True, None),
    ("normal(m, s) onto unit", "gamma(m, s)", True, "never leaves"),
    ("normal(m, s) onto interval(-1, 1)", "uniform(m, s)", True, None),          # not known before the run
    ("uniform(m, s)", "beta(m, s)", True, None),
    ("categorical(v)", "bernoulli(m)", True, "the ints 0..3, but its density `bernoulli` is 0 outside of the ints 0..2"),
    ("bernoulli(m)", "categorical(v)", True, "never leaves"),
    ("poisson(m)", "bernoulli(m)", True, "0, 1, 2, …"),
    ("bernoulli(m)", "poisson(m)", False, None),
    ("poisson(m)", "geometric(m)", True, None),
])
def test_mass(guide, model, guided, words):
    found = said(guide, model, guided)
    assert (found == []) == (words is None), found
    if words is not None:
        assert words in found[0] and len(found) == 1


def test_mass_in_plates():
    text = """xs: real[3] = plate[name = "i"] i: 3 (m, s) {
        x: real ~ normal(m, s)  # q.x
        return x
      }
      ls: real[3] = plate[name = "j"] j: 3 (m, s, xs) {
        y: real = xs[j]
        l: real = logp exponential(y | s)
        return l
      }
      r: real = reduce[function = "sum"](ls)"""
    (problem,) = mass(graph(text))
    assert problem.code == "support"


PROGRAM = "model p():\n    x ~ exponential(1)\n\nmodel q(m: real):\n    x ~ normal(m, 1)\n"


def test_both_lines_are_named():
    found = graph("x: real ~ normal(m, s)  # q.x\n r: real = logp exponential(x | s)  # p.x")
    source = Source("mass.pbk", PROGRAM)
    spans = {op.draw: Span(source, PROGRAM.index("x ~ n"), PROGRAM.index("x ~ n") + 16),
             op.density: Span(source, PROGRAM.index("x ~ e"), PROGRAM.index("x ~ e") + 18)}
    (problem,) = mass(found.map(lambda box: box.but(span=spans.get(box.op))))
    assert str(problem) == """\
error[support]: `x` is drawn from all reals, but its density `exponential` is 0 outside of the positive reals
 --> mass.pbk:5:5
  |
5 |     x ~ normal(m, 1)
  |     ^^^^^^^^^^^^^^^^ `normal` draws values whose log density is −∞
 ::: mass.pbk:2:5
  |
2 |     x ~ exponential(1)
  |     ------------------ `exponential` has mass on the positive reals only
  = help: draw it `onto positive`, or from a distribution on the positive reals"""


# ------------------------------------------------------------------ sets and bounds


def test_sets():
    reals, positive, unit = region(Support("real")), region(Support("positive")), region(Constraint("unit"))
    assert contained(unit, positive) and contained(positive, reals) and contained(reals, unit) is False
    assert contained(region(Support("interval")), unit) is None
    assert contained(region(Support("simplex")), reals) and contained(reals, region(Support("simplex"))) is False
    assert contained(region(Support("corr_cholesky")), region(Support("cholesky")))
    assert region(Constraint("range", (0, 3))) == Region("ints", 0, 2)


@pytest.mark.parametrize("lines, low, high", [
    ("r: real = exp(m)", 0, math.inf), ("r: real = sigmoid(m)", 0, 1), ("r: real = tanh(m)", -1, 1),
    ("a: real = sigmoid(m)\n b: real = 2.0\n r: real = mul(a, b)", 0, 2),
    ("a: real = exp(m)\n b: real = 1.0\n r: real = add(a, b)", 1, math.inf),
    ("a: real = softplus(m)\n r: real = neg(a)", -math.inf, 0),
    ("a: real = exp(m)\n b: real = exp(s)\n r: real = div(a, b)", 0, math.inf),
    ("k: int(2..3) = 2\n r: real = pow(m, k)", 0, math.inf), ("a: real[3] = exp(v)\n r: real = a[0]", 0, math.inf),
    ("r: real = add(m, s)", -math.inf, math.inf), ("a: real = -2.0\n b: real = 3.0\n r: real = clip(m, a, b)", -2, 3),
])
def test_bounds(lines, low, high):
    found = graph(lines)
    assert Values(found).bounds(found.outputs[0]) == (low, high)
