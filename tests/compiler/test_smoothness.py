"""What jumps downstream of a choice: in graphs, at boundaries, in JAX functions."""
import jax
import jax.numpy as jnp
import pytest

import pullback as pb
from pullback.compiler import distribution, ops as op, rule
from pullback.compiler.analyses import smoothness
from pullback.compiler.analyses.jaxprs import continuity
from pullback.compiler.analyses.thresholds import thresholds
from pullback.compiler.notation import read
from pullback.compiler.source import Source, Span
from pullback.compiler.type import Array, Params, symbol

distribution.library("pullback.stdlib.distributions")
rule.library("pullback.stdlib.rules")


def after(lines, externs={}, inputs=""):
    """The op that the choice `x` meets first among those that jump in it, in a graph that ends in these lines."""
    text = f"""f(m: real, s: real, n: int, v: real[3]{inputs}) {{
      zero: real = 0.0
      one: real = 1.0
      x: real ~ normal(m, s)  # q.x
      {lines}
      return r
    }}"""
    graph = read(text, externs)
    found = smoothness.jumps(graph)
    (drawn,) = [box for box in graph.walk() if box.get("address") == "q.x"]
    box = found[drawn.output]
    return box.op.name if box is not None else None


@pytest.mark.parametrize("lines, jumps", [
    ("r: real = exp(x)", None),
    ("r: real = floor(x)", "floor"),
    ("a: real = relu(x)\n r: real = abs(a)", None),
    ("c: bool = gt(x, zero)\n r: real = where(c, one, zero)", "gt"),
    ("c: bool = gt(x, zero)\n r: real = where(c, x, zero)", None),
    ("c: bool = lt(zero, x)\n a: real = mul(x, m)\n r: real = where(c, x, a)", None),
    ("c: bool = gt(x, zero)\n d: bool = not(c)\n r: real = where(d, zero, x)", None),
    ("c: bool = gt(x, zero)\n a: real = exp(x)\n b: real = sub(a, one)\n r: real = where(c, x, b)", None),
    ("c: bool = gt(x, one)\n r: real = where(c, x, zero)", "gt"),
    ("c: bool = gt(x, zero)\n a: real = where(c, x, zero)\n b: real = where(c, one, m)\n r: real = add(a, b)", "gt"),
    ("c: bool = gt(x, m)\n r: real = add(c)", "gt"),
    ("a: real = floor(x)\n r: real = exp(m)", None),                            # does not reach the objective
    ("a: real = floor(x)\n b: real = stop(a)\n r: real = mul(b, x)", None),     # its derivative is 0 by request
    ("a: real = stop(x)\n r: real = floor(a)", None),
    ("c: bool = gt(x, zero)\n i: int(0..2) = add(c)\n r: real = v[i]", "gt"),
    ("a: real[2] = stack(x, m)\n i: int(0..2) = argmax(a)\n r: real = a[i]", "argmax"),
    ("a: real[2] = stack(x, m)\n r: real = reduce[function = \"max\"](a)", None),
    ("a: real[2] = stack(x, m)\n i: int = reduce[function = \"argmax\"](a)\n r: real = v[i]", "reduce"),
    ("a: real[2] = stack(x, m)\n b: real[2] = sort(a)\n r: real = b[0]", None),
    ("c: bool = isnan(x)\n r: real = where(c, zero, x)", None),
    ("z: int ~ poisson(x)  # q.z\n r: real = add(z)", None),                    # a choice's weights are continuous
    ("c: bool = gt(x, zero)\n p: real = where(c, one, m)\n z: int ~ poisson(p)  # q.z\n r: real = add(z)", "gt"),
    ("c: bool = gt(x, zero)\n p: real = where(c, one, m)\n z: int ~ poisson(p)  # q.z\n r: real = add(m)", None),
])
def test_straight_lines(lines, jumps):
    assert after(lines) == jumps


def test_pieces_that_meet():
    huber = """a: real = abs(x)
      c: bool = lt(a, s)
      h: real = 0.5
      k: int(2..3) = 2
      b: real = pow(x, k)
      d: real = mul(h, b)
      e: real = mul(h, s)
      f: real = sub(a, e)
      g: real = mul(s, f)
      r: real = where(c, d, g)"""
    assert after(huber) is None
    assert after(huber.replace("0.5", "0.6")) == "lt"


REGIONS = [
    ("""c: bool = gt(x, zero)
        r: real = branch[name = "b"](c, x, zero) {
          return x
        } {
          return zero
        }""", None),
    ("""c: bool = gt(x, zero)
        r: real = branch[name = "b"](c, x, one) {
          return x
        } {
          return one
        }""", "gt"),
    ("""w: real[3] = plate[name = "i"] i: 3 (x, v) {
          e: real = v[i]
          c: bool = gt(x, e)
          g: real = where(c, one, e)
          return g
        }
        r: real = reduce[function = "sum"](w)""".replace("(x, v)", "(x, v, one)"), "gt"),
    ("""w: real[3] = plate[name = "i"] i: 3 (x, v) {
          e: real = v[i]
          c: bool = gt(x, e)
          g: real = where(c, x, e)
          return g
        }
        r: real = reduce[function = "sum"](w)""", None),
    ("""w: real[3], u: real[3] = plate[name = "i"] i: 3 (x) {
          e: real = floor(x)
          g: real = exp(x)
          return e, g
        }
        r: real = reduce[function = "sum"](u)""", None),
    ("""h: real = scan[name = "t", carries = 2] t: 9 (x, zero, m) { |t: int(0..9), a: real, b: real|
          c: real = floor(b)
          return m, a
        }
        r: real = add(h)""".replace("h: real = ", "h: real, k: real = ").replace("add(h)", "add(k)"), None),
    ("""h: real, k: real = scan[name = "t", carries = 2] t: 9 (x, zero, m) { |t: int(0..9), a: real, b: real|
          c: real = floor(a)
          return a, c
        }
        r: real = add(k)""", "floor"),
    ("""g: real, h: real, k: real = scan[name = "t", carries = 3] t: 9 (x, zero, zero) {
          |t: int(0..9), a: real, b: real, c: real|
          d: real = floor(b)
          return a, a, d
        }
        r: real = add(k)""".replace("{\n          |", "{ |"), "floor"),
    ("""r: real = call[name = "g"](x) {
          y: real = sign(x)
          return y
        }""", "sign"),
]


@pytest.mark.parametrize("lines, jumps", REGIONS)
def test_regions(lines, jumps):
    assert after(lines) == jumps


def test_a_choice_in_a_plate():
    inside = """xs: real[3] = plate[name = "i"] i: 3 (m, s) {
        y: real ~ normal(m, s)  # q.y
        return y
      }
      zs: real[3] = plate[name = "j"] j: 3 (xs) {
        e: real = xs[j]
        g: real = FLOOR(e)
        return g
      }
      t: real = reduce[function = "sum"](zs)
      r: real = mul(t, x)"""
    for name, jumps in (("floor", True), ("tanh", False)):
        graph = read(f"f(m: real, s: real) {{\n x: real = exp(m)\n {inside.replace('FLOOR', name)}\n return r\n}}")
        drawn = next(box for box in graph.walk() if box.op is op.draw)
        assert (smoothness.jumps(graph)[drawn.output] is not None) == jumps


@pytest.mark.parametrize("lines, jumps", [
    ("r: real = logp normal(x | m, s)", None),
    ("r: real = logp laplace(x | m, s)", None),
    ("r: real = logp exponential(x | s)", "density"),                                # ends at 0
    ("y: real = exp(x)\n r: real = logp exponential(y | s)", None),                  # never there
    ("y: real = sigmoid(x)\n r: real = logp beta(y | s, s)", None),
    ("r: real = logp uniform(m | x, s)", "density"),                                 # the edge passes m
    ("r: real = logp poisson(n | x)", None),
    ("y: real ~ uniform(x, s)  # q.y\n l: real = logp uniform(y | x, s)\n r: real = add(l, y)", None),   # moves along
    ("y: real ~ uniform(x, s)  # q.y\n l: real = logp uniform(y | m, x)\n r: real = add(l, y)", "density"),
])
def test_densities(lines, jumps):
    assert after(lines) == jumps


def test_a_density_in_a_plate_is_its_own():
    text = """f(m: real[3], s: real) {
      xs: real[3] = plate[name = "i"] i: 3 (m, s) {
        a: real = m[i]
        x: real ~ uniform(a, s)  # q.x
        return x
      }
      ls: real[3] = plate[name = "j"] j: 3 (m, s, xs) {
        b: real = m[j]
        y: real = xs[j]
        l: real = logp uniform(y | b, s)
        return l
      }
      r: real = reduce[function = "sum"](ls)
      return r
    }"""
    def jump(text):
        graph = read(text)
        return smoothness.jumps(graph)[next(box for box in graph.walk() if box.op is op.draw).output]
    assert jump(text) is None
    assert jump(text.replace("uniform(y | b, s)", "uniform(y | s, b)")) is not None


# ------------------------------------------------------------------ externs and networks


def test_externs():
    smooth = {"f": lambda x: jnp.where(x > 0, x, 0.0)}
    step = {"f": lambda x: jnp.where(x > 0, 1.0, 0.0)}
    line = 'r: real = extern[function = $f, name = "f", assume = none](x)'
    assert after(line, smooth) is None
    assert after(line, step) == "extern"
    assert after(line.replace("none", '"continuous"'), step) is None
    assert after(line, {"f": lambda x: float(x)}) == "extern"          # can't be looked into


def test_what_is_assumed_is_said():
    graph = read("""f(m: real) {
      x: real ~ normal(m, m)  # q.x
      y: real = extern[function = $f, name = "sim", assume = "continuous"](x)
      r: real = exp(y)
      return r
    }""", {"f": jnp.floor})
    drawn = graph.boxes[0]
    assert "`sim` is assumed" in smoothness.assumed(drawn, smoothness.jumps(graph))
    assert smoothness.jump(drawn, smoothness.jumps(graph)) is None


def test_symbolic_sizes_and_params_of_externs():
    tree = Params({"w": Array("real", (3, symbol("n")))})
    found = continuity(lambda p, x: jnp.tanh(p["w"] @ x), smoothness.concrete([
        Params({"w": Array("real", (3, 4))}), Array("real", (4,))]))
    assert found == (None, None) and tree == Params()
    assert continuity(lambda x: x @ x, smoothness.concrete([Array("real", (symbol("n"),))])) == (None,)


FUNCTIONS = {
    "relu": jax.nn.relu, "softplus": jax.nn.softplus, "elu": jax.nn.elu, "gelu": jax.nn.gelu, "celu": jax.nn.celu,
    "selu": jax.nn.selu, "silu": jax.nn.silu, "leaky_relu": jax.nn.leaky_relu, "hard_tanh": jax.nn.hard_tanh,
    "logsumexp": jax.nn.logsumexp, "softmax": jax.nn.softmax, "log_ndtr": jax.scipy.special.log_ndtr,
    "xlogy": lambda x: jax.scipy.special.xlogy(x, x), "logaddexp": lambda x: jnp.logaddexp(x, 2 * x),
    "huber": lambda x: jnp.where(jnp.abs(x) < 1.5, .5 * x**2, 1.5 * (jnp.abs(x) - .75)),
    "smoothstep": lambda x: jnp.where(x <= 0, 0., jnp.where(x >= 1, 1., x * x * (3 - 2 * x))),
    "clip": lambda x: jnp.clip(x, 0, 1), "sort": jnp.sort, "median": jnp.median, "norm": jnp.linalg.norm, "max": jnp.max,
    "scan": lambda x: jax.lax.scan(lambda c, t: (jnp.tanh(c + t), c), 0., x)[0],
    "fori": lambda x: jax.lax.fori_loop(0, 5, lambda i, c: c + x[i], 0.), "gradient": jax.grad(lambda x: jnp.sum(jnp.tanh(x))),
    "nan": lambda x: jnp.where(jnp.isnan(x), 0., x), "nan_to_num": jnp.nan_to_num,
    "solve": lambda x: jnp.linalg.solve(jnp.outer(x, x) + jnp.eye(3), x), "convolve": lambda x: jnp.convolve(x, x),
    "cholesky": lambda x: jnp.linalg.cholesky(jnp.outer(x, x) + jnp.eye(3)),
    "interp": lambda x: jnp.interp(x, jnp.arange(3.), jnp.arange(3.)**2),
    "straight through": lambda x: x + jax.lax.stop_gradient(jnp.round(x) - x),
    "step!": lambda x: jnp.where(x > 0, 1., 0.), "floor!": jnp.floor, "argmax!": lambda x: x[jnp.argmax(x)],
    "other elements!": lambda x: jnp.where(x > 0, jnp.sum(x), 0.), "int!": lambda x: x.astype(int).astype(float),
    "while!": lambda x: jax.lax.while_loop(lambda c: c < 3, lambda c: c * 2 + x[0]**2, x[1]),
    "cond!": lambda x: jax.lax.cond(x[0] > 0, lambda: x[1], lambda: x[2]), "mod!": lambda x: x % 1.0,
    "slope!": jax.grad(lambda x: jnp.sum(jax.nn.relu(x))), "order!": lambda x: x[jnp.argsort(x)[0]],
    "two!": lambda x: jnp.where((x > 0) & (x < 1), 1.0, 0.0), "wrong piece!": lambda x: jnp.where(x > 1, x, 0.),
}


@pytest.mark.parametrize("name", FUNCTIONS)
def test_jax_functions(name):
    (found,) = continuity(FUNCTIONS[name], [Array("real", (3,))])
    assert (found is not None) == name.endswith("!"), found


@pytest.mark.parametrize("name", ["exp", "relu", "softplus", "logsumexp", "floor", "argmax", "clip", "tanh", "sort", "gelu"])
def test_ops_and_their_jaxprs_agree(name):
    from pullback.compiler import ops
    record = ops.functions()[name]
    count = 3 if name == "clip" else 1
    (found, *_) = continuity(lambda *xs: record.lower({}, *xs), [Array("real", (3,))] * count)
    assert (found is not None) == (record.smoothness(0) == "jump")


# ------------------------------------------------------------------ what is said


PROGRAM = """model gate(m: real):
    k ~ normal(m, 1) by reparam
    if k > 0:
        y ~ normal(1, 1)
"""


def at(text):
    start = PROGRAM.index(text)
    return Span(Source("gate.pbk", PROGRAM), start, start + len(text))


def test_the_error():
    graph = read("""gate(m: real, one: real) {
      k: real ~ normal(m, one) by reparam  # q.k
      zero: real = 0.0
      c: bool = gt(k, zero)
      r: real = where(c, one, zero)
      return r
    }""")
    spans = {op.draw: at("k ~ normal(m, 1)"), op.gt: at("k > 0")}
    graph = graph.map(lambda box: box.but(span=spans.get(box.op)))
    said = smoothness.jump(graph.boxes[0], smoothness.jumps(graph), "`by reinforce` is unbiased here")
    assert str(said) == """\
error[smoothness]: `k` is drawn `by reparam`, but line 3 compares it: `k > 0`
 --> gate.pbk:2:5
  |
2 |     k ~ normal(m, 1) by reparam
  |     ^^^^^^^^^^^^^^^^ the gradient through `k` would silently miss the jump at line 3
 ::: gate.pbk:3:8
  |
3 |     if k > 0:
  |        ----- here
  = help: `by reinforce` is unbiased here"""


def test_a_threshold_that_a_parameter_moves():
    text = """f(theta: real, m: real) {
      one: real = 1.0
      zero: real = 0.0
      x: real ~ normal(m, one) by reinforce  # x
      c: bool = gt(x, theta)
      r: real = where(c, one, zero)
      return r
    }"""
    graph = read(text)
    theta, m = graph.inputs
    (said,) = thresholds(graph, [theta, m])
    assert said.message == "`theta` is differentiated, but what follows compares it with what is drawn"
    assert thresholds(graph, [m]) == []
    for smooth in (text.replace("where(c, one, zero)", "where(c, x, theta)"), text.replace("gt(x, theta)", "gt(x, zero)"),
                   text.replace("gt(x, theta)", "gt(m, theta)")):
        graph = read(smooth)
        assert thresholds(graph, graph.inputs) == []


@pytest.mark.parametrize("value", ["g(x)", "logp(h(x), {y = 0.3})"])
def test_jump_behind_a_summed_choice(value):
    """A number that sums a choice out is continuous in the choice's parameters: what jumps in it jumps in them."""
    text = ("objective g(x: real):\n    b ~ bernoulli(sigmoid(x)) by enum\n    return b\n\n"
            "model m(x: real):\n    b ~ bernoulli(sigmoid(x))\n    y ~ normal(b, 1)\n\n"
            "model h(x: real) = marginalize m(x) over b using enum\n\n"
            f"objective f(p: real):\n    x ~ normal(p, 1) by reparam\n    s = {value}\n    return 1.0 if s > 0.5 else 0.0\n")
    with pytest.raises(pb.ProgramError) as problem:
        pb.loads(text)["f"].compile()
    assert [d.code for d in problem.value.diagnostics] == ["smoothness"]
