"""Rules that join the derivatives of a `mean`, a `sum` or a `combine`, against per-example JAX by hand, to rounding."""
from dataclasses import dataclass

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from jax.flatten_util import ravel_pytree

import pullback as pb

KEY = jax.random.key(0)
DATA = np.random.default_rng(3)
XS, YS = DATA.normal(size=(6, 3)), DATA.normal(size=6)
W = {"w": DATA.normal(size=3), "b": np.array(0.4)}


@pytest.fixture(autouse=True)
def double():
    with jax.enable_x64(True):
        yield


@pb.rule("middle")
@dataclass(frozen=True)
class Middle:
    """The median of the elements' derivatives, coordinate by coordinate."""

    bias = pb.Bias.biased

    def pull(self, key, inputs, output, cotangent, state):
        return jax.tree.map(lambda g: jnp.median(g, 0, keepdims=True) * len(g), cotangent), state


def gradient(text: str, params=W, name: str = "f", particles: int = 1, key=KEY, **data):
    return pb.loads(text)[name].compile(particles=particles).value_and_grad(key, params, **data)[1]


def same(a, b) -> None:
    jax.tree.map(lambda x, y: np.testing.assert_allclose(x, y, rtol=1e-12, atol=1e-12), a, b)


def each(loss, params, *rows):
    """The derivatives of the elements, and their norms over all parameters."""
    found = jax.vmap(jax.grad(loss), (None, *[0] * len(rows)))(params, *rows)
    return found, jnp.sqrt(sum(jnp.sum(g.reshape(len(g), -1) ** 2, 1) for g in jax.tree.leaves(found)))


def scaled(factor, found):
    return jax.tree.map(lambda g: jnp.einsum("i,i...->i...", factor, g), found)


def middle(norms) -> float:
    """A length that half of them exceed."""
    return round(float(jnp.median(norms)), 2)


def square(params, x, y):
    return (x @ params["w"] + params["b"] - y) ** 2


LINE = """objective f(w: real[d], b: real, xs: real[n, d], ys: real[n]) allow biased:
    return b^2 + 0.5 * ({junction}: (xs[i] @ w + b - ys[i])^2)
"""


@pytest.mark.parametrize("junction, whole", [("mean i in 0..n", jnp.mean), ("sum i in 0..n", jnp.sum)])
def test_clip_norm(junction, whole):
    grads, norms = each(lambda *a: 0.5 * square(*a), W, XS, YS)
    c = middle(norms)
    found = gradient(LINE.format(junction=f"{junction} by clip_norm({c})"), xs=XS, ys=YS)
    expected = jax.tree.map(lambda g: whole(g, 0), scaled(jnp.minimum(1, c / norms), grads))
    same(found, {**expected, "b": expected["b"] + 2 * W["b"]})


def test_rules_follow_each_other_and_a_user_writes_one():
    grads, norms = each(lambda *a: 0.5 * square(*a), W, XS, YS)
    c = middle(norms)
    found = gradient(LINE.format(junction=f"mean i in 0..n by clip_norm({c}), middle"), xs=XS, ys=YS)
    expected = jax.tree.map(lambda g: jnp.median(g, 0), scaled(jnp.minimum(1, c / norms), grads))
    same(found, {**expected, "b": expected["b"] + 2 * W["b"]})
    other = gradient(LINE.format(junction=f"mean i in 0..n by middle, clip_norm({c})"), xs=XS, ys=YS)
    assert abs(other["w"] - found["w"]).max() > 1e-3


def test_orthogonal_terms():
    text = """objective f(w: real[d], b: real) allow biased:
    h = w * w
    return b^3 + combine by orthogonal{onto}:
        main: sum(h) * b
        side by clip_norm(0.5): sum(exp(w)) + sum(h)^2
        last: b * w[0]
"""
    terms = (lambda p: jnp.sum(p["w"] ** 2) * p["b"], lambda p: jnp.sum(jnp.exp(p["w"])) + jnp.sum(p["w"] ** 2) ** 2,
             lambda p: p["b"] * p["w"][0])
    a, b, c = (ravel_pytree(jax.grad(term)(W))[0] for term in terms)
    b = b * 0.5 / jnp.linalg.norm(b)
    for onto, main, others in (("", a, (b, c)), ("(onto = last)", c, (a, b))):
        total = main + sum(g - (g @ main) / (main @ main) * main for g in others)
        expected = ravel_pytree(W)[1](total)
        same(gradient(text.format(onto=onto)), {**expected, "b": expected["b"] + 3 * W["b"] ** 2})


def test_a_term_without_a_derivative_takes_nothing_away():
    text = """objective f(w: real, b: real) allow biased:
    return combine by orthogonal:
        main: stop(w)
        side: w * b
"""
    same(gradient(text, {"w": 2.0, "b": 3.0}), {"w": 3.0, "b": 2.0})


def test_networks_and_what_is_shared_by_the_elements():
    text = """network net: real[3] -> real[2] = dense(4) >> tanh >> dense(2)

objective f(w: params, c: real, xs: real[n, 3], ys: int[n]) allow biased:
    s = exp(c)
    return s * (mean i in 0..n by clip_norm(2.0): cross_entropy(s * net(w, xs[i]), ys[i]))
"""
    program = pb.loads(text)
    ys = np.array([0, 1, 1, 0, 1, 0])
    params = {"w": program["net"].init(KEY), "c": jnp.asarray(0.2)}
    compiled = program["f"].compile()
    found = compiled.value_and_grad(KEY, params, xs=XS, ys=ys)[1]

    def logits(p, x):
        return jnp.exp(p["c"]) * program["net"](p["w"], x)

    def loss(p, x, y, s):
        return -s * jax.nn.log_softmax(logits(p, x))[y]
    s = jnp.exp(params["c"])
    grads, norms = each(lambda p, x, y: loss(p, x, y, s), params, XS, ys)
    assert 0 < jnp.sum(norms > 2) < len(norms)
    expected = jax.tree.map(lambda g: jnp.mean(g, 0), scaled(jnp.minimum(1, 2 / norms), grads))
    outside = s * jnp.mean(jax.vmap(loss, (None, 0, 0, None))(params, XS, ys, 1.0))
    same(found, {**expected, "c": expected["c"] + outside})


def test_a_junction_in_a_loop_stands_there_for_each_element():
    text = """objective f(w: real[d], b: real, xs: real[n, d], ys: real[n]) allow biased:
    return mean i in 0..n by clip_norm(1.0): combine by orthogonal:
        main: (xs[i] @ w + b - ys[i])^2
        side: sum(w^3) * ys[i]
"""
    main = jax.vmap(jax.grad(square), (None, 0, 0))(W, XS, YS)
    side = jax.vmap(jax.grad(lambda p, y: jnp.sum(p["w"] ** 3) * y), (None, 0))(W, YS)

    def projected(a, b):
        a, back = ravel_pytree(a)
        b = ravel_pytree(b)[0]
        total = a + b - (a @ b) / (a @ a) * a
        return back(total * jnp.minimum(1, 1 / jnp.linalg.norm(total)))
    same(gradient(text, xs=XS, ys=YS), jax.tree.map(lambda g: jnp.mean(g, 0), jax.vmap(projected)(main, side)))
    both = """objective f(w: real[d], b: real, xs: real[n, d]) allow biased:
    return mean i in 0..n, j in 0..d by clip_norm(1.0): (xs[i, j] * w[j] + b)^2
"""
    columns = np.indices(XS.shape)[1].ravel()
    grads, norms = each(
        lambda p, x, j: (x * p["w"][j] + p["b"]) ** 2, W, XS.ravel(), columns)
    same(gradient(both, xs=XS), jax.tree.map(lambda g: jnp.mean(g, 0), scaled(jnp.minimum(1, 1 / norms), grads)))


def test_an_element_that_reads_its_own_entry_or_all_of_them():
    text = """objective f(w: real[n], b: real, ys: real[n]) allow biased:
    return mean i in 0..n by clip_norm(0.5): (w[i] - ys[i] * b)^2
"""
    params = {"w": DATA.normal(size=6), "b": np.array(0.4)}
    grads, norms = each(lambda p, i, y: (p["w"][i] - y * p["b"]) ** 2, params, np.arange(6), YS)
    same(gradient(text, params, ys=YS), jax.tree.map(lambda g: jnp.mean(g, 0), scaled(jnp.minimum(1, 0.5 / norms), grads)))
    whole = """objective f(w: real, ys: real[n]) allow biased:
    s = sum i in 0..n: exp(w * ys[i])
    return mean i in 0..n by clip_norm(2.0): (s - ys[i])^2
"""
    grads, norms = each(lambda p, y: (jnp.sum(jnp.exp(p["w"] * YS)) - y) ** 2, {"w": 0.3}, YS)
    same(gradient(whole, {"w": 0.3}, ys=YS), {"w": jnp.mean(jnp.clip(grads["w"], -2, 2))})
    whole = """objective f(w: real, ys: real[n]) allow biased:
    m = [exp(w * ys[i]) for i in 0..n]
    return mean i in 0..n by clip_norm(0.5): (m[i] - sum(m))^2
"""
    with pytest.raises(pb.ProgramError, match=r"error.pending.*each element of a loop reads a whole array"):
        gradient(whole, {"w": 0.3}, ys=YS)


CHOICE = """objective f(w: real[2], b: real, ys: real[n]) allow biased:
    return {junction}: term(w, b, ys[i])

objective term(w: real[2], b: real, y: real):
    k ~ bernoulli(logits = w[0] * y) by {rule}
    z ~ normal(w[1] + k, 1) by reparam
    return (z - y)^2 + b * k * y
"""


def test_scores_are_part_of_an_elements_derivative():
    """With the choice summed out, each element's derivative is that of its own objective; a rule that never bites changes none."""
    w = {"w": np.array([0.3, -0.2]), "b": np.array(0.7)}
    rule = "reinforce(k = 4, baseline = loo)"
    plain = gradient(CHOICE.format(junction="mean i in 0..n", rule=rule), w, particles=3, ys=YS)
    loose = gradient(CHOICE.format(junction="mean i in 0..n by clip_norm(1000)", rule=rule), w, particles=3, ys=YS)
    same(loose, plain)
    exact = """objective f(w: real, ys: real[n]) allow biased:
    return {junction}: term(w, ys[i])

objective term(w: real, y: real):
    k ~ bernoulli(logits = w * y) by enum
    return (k - y)^2 + w * k
"""
    found = gradient(exact.format(junction="mean i in 0..n by clip_norm(0.4)"), {"w": 0.3}, ys=YS)

    def mean(p, y):
        q = jax.nn.sigmoid(p["w"] * y)
        return q * ((1 - y) ** 2 + p["w"]) + (1 - q) * y ** 2
    grads, norms = each(mean, {"w": 0.3}, YS)
    assert 0 < jnp.sum(norms > 0.4) < len(norms)
    same(found, {"w": jnp.mean(jnp.clip(grads["w"], -0.4, 0.4))})


def test_rows_that_are_drawn():
    plain, loose = (gradient(LINE.format(junction=f"sum i in 0..n by subsample(4){rule}"), xs=XS, ys=YS) for rule in ("", ", clip_norm(1000)"))
    same(loose, plain)
    tight = gradient(LINE.format(junction="mean i in 0..n by subsample(4), clip_norm(0.01)"), xs=XS, ys=YS)
    assert jnp.sqrt(jnp.sum(tight["w"] ** 2) + (tight["b"] - 2 * W["b"]) ** 2) <= 0.01 + 1e-12


def test_the_ledger_and_what_is_refused():
    text = LINE.format(junction="mean i in 0..n by clip_norm(0.7)")
    ledger = pb.loads(text)["f"].compile().ledger
    assert not ledger.unbiased and [(row.address, row.rule, row.verdict) for row in ledger.rows] == [("i", "clip_norm(0.7)", "biased")]
    with pytest.raises(pb.ProgramError, match="clip_norm.*is biased"):
        pb.loads(text.replace(" allow biased", ""))
