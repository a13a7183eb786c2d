"""The laws and the checker notice: each check removed in turn, each weight dropped in turn.

A mutant is the compiler with one thing wrong.  Each has a program that compiles to a biased estimate under it, and a z-test
that must then fail by far (|z| > CAUGHT) and pass without it; a removed check lets through what the checker refuses.  Seeds
are fixed.
"""
from dataclasses import replace

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.lax import stop_gradient

import pullback as pb
from pullback.backends.xla import contraction, sites
from pullback.compiler import pipeline
from pullback.compiler import rule as rules
from pullback.compiler.forward import Forward
from pullback.compiler.passes.points import Placing
from pullback.compiler.rule import Points
from pullback.testing import estimate
from tests.laws.exact import exact

CAUGHT = 8.0
SOUND = 4.5
SAMPLES = 5_000


def worst(text, params, rules=None, particles=1, answer=None, **data):
    """The largest |z| of value and gradient of a program."""
    value, gradient = answer or exact(text, params, **data)
    f = pb.loads(text)["f"].compile(rules=rules or {}, particles=particles)
    seen = estimate(f, params, most=SAMPLES, batch=SAMPLES, **data)
    return float(np.abs(seen.z(value, np.asarray(gradient))).max())


# ------------------------------------------------------------------ checks removed

STEP = "objective f(m: real):\n    x ~ normal(m, 1)\n    return 1.0 if x > 0 else 0.0\n"
UNIFORM = "objective f(b: real):\n    x ~ uniform(0, b)\n    return x^2\n"
POISSON = "objective f(r: real):\n    n ~ poisson(r)\n    return n^2\n"
SQUARED = "objective g(m: real):\n    x ~ normal(m, 1) by reparam\n    return x\n\nobjective f(m: real):\n    return exp(g(m))\n"
ROWS = "objective f(m: real, x: real[6]):\n    return exp(sum i in 0..6 by subsample(2): m * x[i])\n"
X = np.array([0.1, -0.4, 0.9, 0.3, -0.2, 0.6])
CHECKS = [
    ("reparam before a jump", "reparam", STEP, {"m": .3}, {}, "x", "smoothness", (.617911, [.381388])),
    ("reinforce on a moving edge", "reinforce", UNIFORM, {"b": 1.5}, {}, "x", "support", (.75, [1.])),
    ("the exponential of an expectation", None, SQUARED, {"m": .3}, {}, None, "bias", (np.exp(.3), [np.exp(.3)])),
    ("the exponential of some rows", None, ROWS, {"m": .8}, {"x": X}, None, "bias",
     (np.exp(.8 * X.sum()), [X.sum() * np.exp(.8 * X.sum())]))]


@pytest.mark.parametrize("name,rule,text,params,data,choice,code,answer", CHECKS, ids=[c[0] for c in CHECKS])
def test_check_removed(name, rule, text, params, data, choice, code, answer, monkeypatch, unoptimized):
    """The checker refuses the program; without the check it compiles, and its estimate is biased."""
    chosen = {choice: rule} if choice else {}
    with pytest.raises(pb.ProgramError) as error:
        pb.loads(text)["f"].compile(rules=chosen).specialize(params, **data)
    assert error.value.diagnostics[0].code == code
    if rule:
        monkeypatch.setattr(rules.find(rule), "admits", lambda self, box, facts: None)
    else:
        monkeypatch.setattr(pipeline, "check", lambda graph, allow_biased=False: graph)
    assert worst(text, params, chosen, answer=answer, **data) > CAUGHT


def test_enum_without_its_check(monkeypatch):
    """Without its check `enum` has no points to give: nothing is estimated."""
    with pytest.raises(pb.ProgramError) as error:
        pb.loads(POISSON)["f"].compile(rules={"n": "enum"}).specialize({"r": 2.3})
    assert error.value.diagnostics[0].code == "support"
    monkeypatch.setattr(rules.find("enum"), "admits", lambda self, box, facts: None)
    with pytest.raises(Exception):
        pb.loads(POISSON)["f"].compile(rules={"n": "enum"}).value_and_grad(jax.random.key(0), {"r": 2.3})


# ------------------------------------------------------------------ weights dropped

COIN = "objective f(p: real):\n    b ~ bernoulli(p) by reinforce{}\n    return (b + 0.5)^2\n"
TWO = """objective f(p: real):
    b ~ bernoulli(p) by reinforce(k = 3, baseline = loo)
    c ~ bernoulli(0.2 + p * b) by reinforce
    return (b + 2.0 * c)^2 * p
"""
MIXED = """objective f(p: real):
    for i in 0..3:
        b ~ bernoulli(p) by reinforce
        v[i] = b
    return sum(v)^2
"""
CARRIED = """objective f(p: real):
    s = 0.0
    for t in 0..3:
        b ~ bernoulli(p) by reinforce
        s = 0.5 * s + b
    return s^2
"""
FILTER = """objective f(p: real):
    z = 0
    r = 0.0
    for t in 0..4:
        b ~ bernoulli(0.2 + p * z) by enum
        z = b
        r = r + z * (t + 1.0)
    return r + z
"""
MINIBATCH = "objective f(m: real, x: real[6]):\n    return sum i in 0..6 by subsample(2): m^2 * x[i]\n"
CATEGORICAL = "objective f(l: real[3], a: real[3]):\n    k ~ categorical(logits = l) by reinforce{}\n    return a[k]\n"


def dropped(monkeypatch):
    """The weight of a site is 1."""
    before = sites.place_points

    def place(run, box):
        value, *weights = before(run, box)
        return value, *(jnp.zeros_like(w) if box["log"] else stop_gradient(w) for w in weights)
    monkeypatch.setattr(sites, "place_points", place)


def own_sample(monkeypatch):
    """Leave-one-out that leaves none out."""
    def centered(weight, axis):
        array, have = weight
        return (array - (array.mean(have.index(axis), keepdims=True) - 1), have) if axis in have else weight
    monkeypatch.setattr(contraction, "centered", centered)


def in_the_exponent(monkeypatch):
    """Centred before the exponential."""
    before = contraction.centered

    def centered(weight, axis):
        array, have = weight
        logs, _ = before((jnp.log(array) + 1, have), axis)
        return jnp.exp(logs - 1), have
    monkeypatch.setattr(contraction, "centered", centered)


def shared_along_particles(monkeypatch):
    """One draw for all particles."""
    before = sites.chosen

    def chosen(run, box, batch, event):
        choice = before(run, box, batch, event)
        shared = tuple(s or axis.kind == "particles" for s, axis in zip(choice.shared, batch))
        return type(choice)(**{**choice.__dict__, "shared": shared})
    monkeypatch.setattr(sites, "chosen", chosen)


def shared_along_k(monkeypatch):
    """One draw for all k."""
    def points(self, key, choice, state):
        value = stop_gradient(choice.sample(key, (1,)))
        values = jnp.broadcast_to(value, (self.k, *value.shape[1:]))
        score = choice.log_prob(values)
        return Points(values, log_weights=score - stop_gradient(score) - jnp.log(self.k))
    monkeypatch.setattr(rules.find("reinforce"), "points", points)


def ancestors_of_one_element(monkeypatch):
    """What mixes a plate is weighted as if it had only the last element's choice."""
    before = contraction.reduced

    def reduced(factor, axes, function):
        array, have = factor
        places = tuple(i for i, axis in enumerate(have) if axis in axes)
        if function is jnp.sum and places:
            return array[(slice(None),) * places[0] + (-1,)], tuple(a for a in have if a not in axes)
        return before(factor, axes, function)
    monkeypatch.setattr(contraction, "reduced", reduced)


def without_ancestors(monkeypatch):
    """A term has only the first of its ancestors."""
    before = Placing.weighted

    def weighted(self, box, *given):
        return before(self, box.but(inputs=tuple(
            replace(wire, ancestors=frozenset(sorted(wire.ancestors, key=str)[:1])) for wire in box.inputs)), *given)
    monkeypatch.setattr(Placing, "weighted", weighted)


def forgotten_past(monkeypatch):
    """No log weight is carried through a loop."""
    monkeypatch.setattr(Forward, "past_weights", lambda self, inner: {})


def undriven(monkeypatch):
    """α moves without the weight of what drives it."""
    before = Forward.contracted

    def contracted(self, values, entries, factors, summed, sums, work):
        kept = [entry for entry in entries if entry.wire.name.startswith("alpha")]
        return before(self, values, kept, factors, summed, sums, work)
    monkeypatch.setattr(Forward, "contracted", contracted)


def rows_alone(monkeypatch):
    """b rows count as b, not as n."""
    from pullback.compiler.passes import terms
    before = terms.Split.reduced

    def reduced(self, box, coefficient, sums):
        found = before(self, box, coefficient, sums)
        return found and [replace(term, coefficient=term.coefficient / 3) for term in found]
    monkeypatch.setattr(terms.Split, "reduced", reduced)


def half_score(monkeypatch):
    """A density that is left half out."""
    def points(self, key, choice, state):
        values = stop_gradient(choice.sample(key, (self.k,)))
        score = choice.log_prob(values) / 2
        return Points(values, log_weights=score - stop_gradient(score) - jnp.log(self.k))
    monkeypatch.setattr(rules.find("reinforce"), "points", points)


LOO = "(k = 3, baseline = loo)"
WEIGHTS = [
    ("a score", dropped, COIN.format(""), {"p": .3}, 1), ("k scores", dropped, COIN.format("(k = 3)"), {"p": .3}, 1),
    ("a probability", dropped, COIN.format("").replace("reinforce", "enum"), {"p": .3}, 1),
    ("half a density", half_score, COIN.format(""), {"p": .3}, 1),
    ("own sample in the baseline, k", own_sample, COIN.format(LOO), {"p": .3}, 1),
    ("own sample in the baseline, particles", own_sample, COIN.format("(baseline = loo)"), {"p": .3}, 3),
    ("noise shared along k", shared_along_k, TWO, {"p": .4}, 1),
    ("noise shared along particles", shared_along_particles, TWO.replace("(k = 3, ", "("), {"p": .4}, 3),
    ("one element of a mixed plate", ancestors_of_one_element, MIXED, {"p": .3}, 1),
    ("one ancestor of two", without_ancestors, TWO, {"p": .4}, 1),
    ("the past of a loop", forgotten_past, CARRIED, {"p": .3}, 1),
    ("what drives α", undriven, FILTER, {"p": .3}, 1),
    ("n / b", rows_alone, MINIBATCH, {"m": .8}, 1)]


@pytest.mark.parametrize("name,mutate,text,params,particles", WEIGHTS, ids=[w[0] for w in WEIGHTS])
def test_weight_dropped(name, mutate, text, params, particles, monkeypatch, unoptimized):
    """The z-test passes, and fails with the mutant."""
    data = {"x": X} if "x: real[6]" in text else {}
    answer = (params["m"] ** 2 * X.sum(), [2 * params["m"] * X.sum()]) if data else exact(text, params)
    assert worst(text, params, particles=particles, answer=answer, **data) < SOUND
    mutate(monkeypatch)
    try:
        assert worst(text, params, particles=particles, answer=answer, **data) > CAUGHT
    except (KeyError, pb.ProgramError):
        pass  # the mutant does not even run


def test_centred_in_the_exponent(monkeypatch, unoptimized):
    """Right to first order, so only the second derivatives tell."""
    exact_hessian = np.array([[.096518, .066572, -.163089], [.066572, -.247226, .180654], [-.163089, .180654, -.017565]])
    params, a = jnp.array([.3, -.2, 1.]), np.array([1., -2., .5])

    def off():
        f = pb.loads(CATEGORICAL.format("(k = 4, baseline = loo)"))["f"].compile()
        hessian = jax.jit(jax.vmap(jax.hessian(lambda key, l: f(key, {"l": l}, a=a), argnums=1), in_axes=(0, None)))
        seen = np.asarray(hessian(jax.random.split(jax.random.key(3), SAMPLES), params), np.float64)
        return np.abs((seen.mean(0) - exact_hessian) / (seen.std(0) / np.sqrt(SAMPLES) + 1e-5)).max()
    assert off() < SOUND
    in_the_exponent(monkeypatch)
    assert off() > CAUGHT
