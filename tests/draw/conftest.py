"""Small programs as graphs, made by hand: what drawings are tested on."""
import types

import pytest

from pullback.compiler import ops as op
from pullback.compiler import rule as rules
from pullback.compiler.ir import Box, Graph, Names, Wire
from pullback.compiler.source import Source, Span
from pullback.compiler.type import INT, REAL, TEXT, Array, Constraint, Params

rules.library("pullback.stdlib.rules")


def find(name, parameter=None):
    from pullback.stdlib.distributions import find as records
    found = records(name)
    return next(d for d in found if parameter is None or any(f.name == parameter for f in d.fields))


def rule(name, *options, **named):
    return rules.find(name)(*options, **named)


class Maker:
    """Boxes one after another; `inside()` makes those of a region, which captures what it reads."""

    def __init__(self, text="", names=None):
        self.boxes, self.names, self.bound = [], names or Names(), ()
        self.source = text if isinstance(text, Source) else Source("program.pbk", text)

    def wire(self, base, type=REAL):
        return Wire(self.names.fresh(base), type)

    def span(self, words):
        at = self.source.text.find(words) if words else -1
        return Span(self.source, at, at + len(words)) if at >= 0 else None

    def do(self, what, *inputs, out=None, type=None, at="", rule=None, regions=(), **attributes):
        what = op.OPS[what]
        if type is None:
            type = what.infer(tuple(w.type for w in inputs), attributes)[0]
        types_ = type if isinstance(type, tuple) else (type,)
        names = (out or what.name).split()
        outputs = tuple(self.wire(name, t) for name, t in zip(names, types_))
        self.boxes.append(Box(what, inputs, outputs, regions=regions, attributes=attributes, rule=rule, span=self.span(at)))
        return outputs[0] if len(outputs) == 1 else outputs

    def constant(self, value):
        return self.do("constant", value=value)

    def draw(self, address, distribution, *parameters, at="", rule=None, onto=None):
        return self.do("draw", *parameters, out=address.rpartition(".")[2], at=at, rule=rule, distribution=distribution,
                       address=address, onto=onto)

    def density(self, address, distribution, value, *parameters, at=""):
        return self.do("density", value, *parameters, out="lp_" + address.rpartition(".")[2], at=at,
                       distribution=distribution, address=address, onto=None)

    def inside(self, *bound):
        inner = Maker(self.source, self.names)
        inner.bound = bound
        return inner

    def region(self, *outputs):
        made = {*self.bound, *(w for box in self.boxes for w in box.outputs)}
        free = dict.fromkeys(w for wires in (*(box.inputs for box in self.boxes), outputs) for w in wires if w not in made)
        return Graph((*self.bound, *free), tuple(self.boxes), outputs)

    def captured(self, *regions):
        return tuple(dict.fromkeys(w for region in regions for w in region.inputs if w not in self.bound))

    def call(self, inner, name, kind, *outputs, out="", address=None):
        region = inner.region(*outputs)
        return self.do("call", *region.inputs, regions=(region,), type=tuple(w.type for w in outputs), name=name, kind=kind,
                       out=out or " ".join(w.name for w in outputs), address=address or name)

    def plate(self, inner, index, size, *outputs, rule=None, at=""):
        region = inner.region(*outputs)
        captured = region.inputs[1:]
        types_ = tuple(Array(w.type.kind, (size, *w.type.shape), w.type.constraint) for w in outputs)
        return self.do("plate", *captured, regions=(region,), type=types_, out=" ".join(w.name + "s" for w in outputs),
                       index=index, name=self.names.fresh("loop." + index), start=0, size=size, share=None, rule=rule, at=at)

    def scan(self, inner, index, size, initial, carried, *outputs, at="", start=0):
        """`carried`: the next values of the carries, which are bound after the index."""
        region = inner.region(*carried, *outputs)
        captured = region.inputs[1 + len(initial):]
        types_ = tuple(w.type for w in inner.bound[1:]) + tuple(
            Array(w.type.kind, (size, *w.type.shape), w.type.constraint) for w in outputs)
        names = " ".join(w.name + "_out" for w in (*carried, *outputs))
        return self.do("scan", *initial, *captured, regions=(region,), type=types_, out=names, index=index,
                       name="loop." + index, start=start, size=size, carries=len(initial), at=at)

    def graph(self, name, inputs, *outputs):
        return Graph(tuple(inputs), tuple(self.boxes), outputs, name).numbered()


def finite(k):
    return Array("int", (), Constraint("range", (0, k)))


def real(*shape):
    return Array("real", shape)


# ------------------------------------------------------------------ programs

CONE = '''model cone():
    x ~ normal(0, 10)
    y ~ normal(0, 10)
    r = x^2 + y^2
    z ~ normal(r, 0.1 + r / 100)

model blob(mean: real[2], log_sd: real[2]):
    x ~ normal(mean[0], exp(log_sd[0])) by reparam
    y ~ normal(mean[1], exp(log_sd[1])) by reparam

objective cone_elbo(mean: real[2], log_sd: real[2]):
    t ~ blob(mean, log_sd)
    return logp(cone(), {t, z = 5.0}) - logp(blob(mean, log_sd), t)
'''


def cone():
    m = Maker(CONE)
    normal = find("normal")
    mean, log_sd = m.wire("mean", real(2)), m.wire("log_sd", real(2))

    def parameters(inner, i):
        return (inner.do("index", mean, pattern=(i,)),
                inner.do("exp", inner.do("index", log_sd, pattern=(i,))))
    q = m.inside()
    x = q.draw("q.x", normal, *parameters(q, 0), at="x ~ normal(mean[0], exp(log_sd[0])) by reparam", rule=rule("reparam"))
    y = q.draw("q.y", normal, *parameters(q, 1), at="y ~ normal(mean[1], exp(log_sd[1])) by reparam", rule=rule("reparam"))
    x, y = m.call(q, "blob", "model", x, y, out="x y", address="q")
    p = m.inside()
    lx = p.density("p.x", normal, x, p.constant(0), p.constant(10), at="x ~ normal(0, 10)")
    ly = p.density("p.y", normal, y, p.constant(0), p.constant(10), at="y ~ normal(0, 10)")
    two = p.constant(2)
    r = p.do("add", p.do("pow", x, two), p.do("pow", y, two), out="r", at="r = x^2 + y^2")
    lz = p.density("p.z", normal, p.constant(5.0), r, p.do("add", p.constant(0.1), p.do("div", r, p.constant(100))),
                   at="z ~ normal(r, 0.1 + r / 100)")
    lp = m.call(p, "cone", "logp", p.do("add", lx, ly, lz), out="logp_p", address="p")
    g = m.inside()
    qx = g.density("q.x", normal, x, *parameters(g, 0), at="x ~ normal(mean[0], exp(log_sd[0])) by reparam")
    qy = g.density("q.y", normal, y, *parameters(g, 1), at="y ~ normal(mean[1], exp(log_sd[1])) by reparam")
    lq = m.call(g, "blob", "logp", g.do("add", qx, qy), out="logp_q", address="q")
    elbo = m.do("sub", lp, lq, at="return logp(cone(), {t, z = 5.0}) - logp(blob(mean, log_sd), t)")
    return m.graph("cone_elbo", (mean, log_sd), elbo)


def four_rules():
    """Four choices under four rules, and a branch."""
    m = Maker()
    theta = m.wire("theta", real(3))

    def at(i):
        return m.do("index", theta, pattern=(i,))
    v = m.draw("v", find("normal"), m.do("sin", at(0)), m.constant(1.0), rule=rule("reparam"))
    k = m.draw("k", find("poisson"), m.do("exp", at(1)), rule=rule("reinforce", 4, "loo"))
    b = m.draw("b", find("bernoulli", "probs"), at(0), rule=rule("enum"))
    u = m.draw("u", find("gamma"), m.do("add", b, m.constant(1.0)), at(2), rule=rule("reinforce"))
    yes, no = m.inside(), m.inside()
    a = yes.region(yes.do("add", k, v))
    c = no.region(no.do("pow", v, no.constant(2)))
    chosen = m.do("branch", b, *m.captured(a, c), regions=(a, c), type=REAL, out="f", name="if")
    value = m.do("add", chosen, m.do("pow", u, m.constant(2)))
    return m.graph("mix", (theta,), value)


def gmm(n=50, k=8):
    m = Maker()
    logits, loc, xs = m.wire("logits", real(k)), m.wire("loc", real(k)), m.wire("xs", real(n))
    categorical, normal = find("categorical", "logits"), find("normal")
    i = m.wire("i", INT)
    q = m.inside(i)
    z = q.draw("q.z", categorical, logits, rule=rule("enum"))
    zs = m.plate(q, "i", n, z)
    zero = m.constant(tuple([0.0] * k))
    j = m.wire("i", INT)
    p = m.inside(j)
    zj = p.do("index", zs, j, pattern=("i",), out="z")
    lz = p.density("p.z", categorical, zj, zero)
    mu = p.do("index", loc, zj, pattern=("i",), out="index")
    lx = p.density("p.x", normal, p.do("index", xs, j, pattern=("i",)), mu, p.constant(1.0))
    lq = p.density("q.z", categorical, zj, logits)
    total = p.do("sub", p.do("add", lz, lx), lq)
    terms = m.plate(p, "i", n, total)
    return m.graph("gmm_elbo", (logits, loc, xs), m.do("reduce", terms, function="sum", out="sum"))


class Net(types.SimpleNamespace):
    def apply(self, w, x):
        return x


def vae(n=4000):
    m = Maker()
    v, w, images = m.wire("v", Params()), m.wire("w", Params()), m.wire("images", Array("int", (n, 784)))
    normal, bernoulli = find("normal"), find("bernoulli", "logits")
    i = m.wire("i", INT)
    e = m.inside(i)
    image = e.do("index", images, i, pattern=("i",))
    h = e.do("network", v, image, type=real(20), out="h", name="encoder", network=Net())
    j = e.wire("d", INT)
    z = e.inside(j)
    half = e.do("index", h, pattern=(("slice", None, 10),))
    rest = e.do("softplus", e.do("index", h, pattern=(("slice", 10, None),)))
    zd = z.draw("q.z", normal, z.do("index", half, j, pattern=("i",)), z.do("index", rest, j, pattern=("i",)),
                rule=rule("reparam"))
    zs = e.plate(z, "d", 10, zd)
    logits = e.do("network", w, zs, type=real(784), out="network", name="decoder", network=Net())
    a = e.wire("d", INT)
    pz = e.inside(a)
    zero, one = pz.constant(0.0), pz.constant(1.0)
    each = pz.density("p.z", normal, pz.do("index", zs, a, pattern=("i",)), zero, one)
    lz = e.do("reduce", e.plate(pz, "d", 10, each), function="sum")
    c = e.wire("p", INT)
    px = e.inside(c)
    lx = e.do("reduce", e.plate(px, "p", 784, px.density(
        "p.image", bernoulli, px.do("index", image, c, pattern=("i",)), px.do("index", logits, c, pattern=("i",)))),
        function="sum")
    d = e.wire("d", INT)
    qz = e.inside(d)
    lq = e.do("reduce", e.plate(qz, "d", 10, qz.density(
        "q.z", normal, qz.do("index", zs, d, pattern=("i",)), qz.do("index", half, d, pattern=("i",)),
        qz.do("index", rest, d, pattern=("i",)))), function="sum")
    total = e.do("sub", e.do("add", lz, lx), lq)
    each = m.plate(e, "i", n, total, rule=rule("subsample", 64))
    return m.graph("vae", (v, w, images), m.do("reduce", each, function="mean", out="mean"))


def hmm(steps=30, k=16):
    m = Maker()
    logits, xs = m.wire("transition", real(k, k)), m.wire("xs", real(steps))
    loc = m.wire("loc", real(k))
    categorical, normal = find("categorical", "logits"), find("normal")
    z0 = m.draw("z", categorical, m.do("index", logits, pattern=(0,)), rule=rule("enum"))
    t, before, total = m.wire("t", INT), m.wire("z", finite(k)), m.wire("total", REAL)
    s = m.inside(t, before, total)
    z = s.draw("z[t]", categorical, s.do("index", logits, before, pattern=("i",)), rule=rule("enum"))
    cost = s.density("x", normal, s.do("index", xs, t, pattern=("i",)), s.do("index", loc, z, pattern=("i",)), s.constant(1.0))
    after = s.do("add", total, cost)
    _, final = m.scan(s, "t", steps, (z0, m.constant(0.0)), (z, after))
    return m.graph("hmm_cost", (logits, loc, xs), final)


def policy(steps=30):
    m = Maker()
    w, start = m.wire("w", Params()), m.wire("start", Array("int", (64,)))
    t, state, total = m.wire("t", INT), m.wire("s", Array("int", (64,))), m.wire("total", REAL)
    s = m.inside(t, state, total)
    logits = s.do("network", w, state, type=real(4), out="logits", name="policy net", network=Net())
    a = s.draw("a[t]", find("categorical", "logits"), logits, rule=rule("reinforce"))
    after = s.do("extern", state, a, type=Array("int", (64,)), out="s", name="step", function=lambda s, a: s)
    r = s.do("extern", state, a, type=REAL, out="r", name="reward", function=lambda s, a: 0.0)
    _, final = m.scan(s, "t", steps, (start, m.constant(0.0)), (after, s.do("add", total, r)))
    return m.graph("policy_return", (w, start), final)


def iwae(k=5):
    m = Maker()
    mean, log_sd, x = m.wire("mean"), m.wire("log_sd"), m.wire("x")
    normal = find("normal")
    i = m.wire("i", INT)
    b = m.inside(i)
    z = b.draw("z", normal, mean, b.do("exp", log_sd), rule=rule("reparam"))
    w = b.do("sub", b.do("add", b.density("p.z", normal, z, b.constant(0.0), b.constant(1.0)),
                         b.density("p.x", normal, x, z, b.constant(1.0))),
             b.density("z", normal, z, mean, b.do("exp", log_sd)), out="w")
    ws = m.plate(b, "i", k, w)
    value = m.do("sub", m.do("logsumexp", ws, out="logsumexp", axis=0), m.do("log", m.constant(float(k))))
    return m.graph("iwelbo", (mean, log_sd, x), value)


class Critique:
    """A rule of texts, as the drawing sees one."""

    name, through, bias = "critique", "words", rules.Bias.heuristic


def solve():
    """A text program: draft, reply, judge."""
    m = Maker()
    system, question, answer = (m.wire(name, TEXT) for name in ("system", "question", "answer"))
    llm = types.SimpleNamespace(name="llm", fields=(), kind="text", reparameterized=frozenset())

    def say(name, *inputs):
        return m.do("draw", *inputs, out=name, type=TEXT, rule=Critique(), distribution=llm, address=name,
                    verdict="heuristic")
    draft = say("draft", system, question)
    reply = say("reply", system, draft)
    score = m.do("extern", reply, answer, type=REAL, out="extern", rule=Critique(), name="judge", verdict="heuristic",
                 function=lambda reply, answer: 0.4)
    return m.graph("solve", (system, question, answer), score)


PROGRAMS = {f.__name__: f for f in (cone, four_rules, gmm, vae, hmm, policy, iwae)}


@pytest.fixture(scope="session")
def programs():
    return {name: make() for name, make in PROGRAMS.items()}


@pytest.fixture(scope="session")
def programs_of_text():
    return solve()


@pytest.fixture(scope="session")
def maker():
    """`Maker`, with the look-ups that it needs."""
    Maker.find, Maker.rule = staticmethod(find), staticmethod(rule)
    return Maker
