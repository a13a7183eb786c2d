"""Programs with exact answers: value and gradient under every admissible rule, by z-test.

The family-wise false-alarm rate is `ALARM` (1e-3); up to 12,000 samples a test, fewer where the gradient is known to 2 % of its
norm before.

The closed forms are those of the literature on gradient estimation (Mohamed et al., 2020; Lew et al., 2023; Becker et al.,
2024); the numbers were computed by quadrature or summation, independently of this compiler.
"""
import jax
import numpy as np
import pytest

import pullback as pb
from pullback.testing import estimate, threshold

SQUARE = "objective f(m: real, s: real):\n    x ~ normal(m, s)\n    return x^2\n"
ADEV = "objective f(p: real):\n    b ~ bernoulli(p)\n    if b:\n        v = 0.0\n    else:\n        v = -p / 2\n    return v\n"
TABLE = "objective f(l: real[3], a: real[3]):\n    k ~ categorical(logits = l)\n    return a[k]\n"
POISSON = "objective f(r: real):\n    n ~ poisson(r)\n    return n^2\n"
SOME = "objective f(r: real):\n    n ~ poisson(r)\n    return 1.0 if n >= 1 else 0.0\n"
STEP = "objective f(m: real):\n    x ~ normal(m, 1)\n    return 1.0 if x > 0 else 0.0\n"
EXPONENTIAL = "objective f(r: real):\n    x ~ exponential(r)\n    return x\n"
GAMMA = "objective f(a: real, b: real):\n    x ~ gamma(a, b)\n    return x\n"
LOG_GAMMA = "objective f(a: real, b: real):\n    x ~ gamma(a, b)\n    return log(x)\n"
BETA = "objective f(a: real, b: real):\n    x ~ beta(a, b)\n    return x\n"
GEOMETRIC = "objective f(p: real):\n    g ~ geometric(p)\n    return g + 1.0\n"
UNIFORM = "objective f(b: real):\n    x ~ uniform(0, b)\n    return x^2\n"
CHAIN = """objective f(m: real, p: real):
    b1 ~ bernoulli(p)
    x ~ normal(b1 * m, 1)
    b2 ~ bernoulli(sigmoid(x))
    return b1 + 2.0 * b2
"""
DIAMOND = """objective f(p: real):
    a ~ bernoulli(p)
    u ~ normal(a, 1)
    v ~ normal(-a, 1)
    return u * v
"""
PLATE = """objective f(c: real[4], p: real[4]):
    for i in 0..4:
        b ~ bernoulli(p[i])
        v[i] = c[i] * b
    return sum(v)
"""
WALK = """objective f(th: real):
    x = 0.0
    for t in 0..50:
        y ~ normal(x + th, 1)
        x = y
    return x^2
"""
BRANCH = """objective f(m: real, p: real, r: real):
    b ~ bernoulli(p)
    if b:
        x ~ normal(m, 1)
        v = x
    else:
        y ~ exponential(r)
        v = y
    return v
"""
GAUSSIAN = """model joint():
    mu ~ normal(0, 1)
    y ~ normal(mu, 0.7)

model guide(lv: real, m: real):
    mu ~ normal(m, exp(0.5 * lv))

objective f(lv: real, m: real):
    t ~ guide(lv, m)
    return logp(joint(), {t, y = 1.3}) - logp(guide(lv, m), t)
"""
IWELBO = GAUSSIAN.replace("    t ~ guide(lv, m)\n    return logp(joint(), {t, y = 1.3}) - logp(guide(lv, m), t)", """    for i in 0..2:
        t ~ guide(lv, m)
        w[i] = logp(joint(), {t, y = 1.3}) - logp(guide(lv, m), t)
    return logsumexp(w) - log(2)""")
COINS = """objective f(p: real):
    s = 0
    for t in 0..3:
        b ~ bernoulli(p)
        s = s + b
    return s + 0.0
"""
NESTED = """objective g(p: real):
    b ~ bernoulli(p)
    s = 0.0
    if b:
        for t in 0..2:
            c ~ bernoulli(p)
            s = s + c
    return s

objective f(p: real):
    for i in 0..2:
        v[i] = g(p)
    return sum(v)
"""
TWICE = "objective g(m: real, s: real):\n    x ~ normal(m, s)\n    return x^2\n\nobjective f(m: real, s: real):\n    return g(m, s) * g(m, s)\n"

SCORES = ["reinforce", "reinforce(k = 3)", "reinforce(k = 3, baseline = loo)"]
CASES = [
    ("square", SQUARE, {"m": .3, "s": 1.7}, {}, 2.98, [.6, 3.4], ["x"], ["reparam", *SCORES, None]),
    ("step", STEP, {"m": .3}, {}, .617911, [.381388], ["x"], [*SCORES, None]),
    ("adev", ADEV, {"p": .3}, {}, -.105, [-.2], ["b"], ["enum", *SCORES, None]),
    ("table", TABLE, {"l": np.array([.3, -.2, 1.])}, {"a": np.array([1., -2., .5])}, .219269, [.215655, -.371809, .156154],
     ["k"], ["enum", *SCORES, None]),
    ("poisson", POISSON, {"r": 2.3}, {}, 7.59, [5.6], ["n"], [*SCORES, None]),
    ("some", SOME, {"r": 2.3}, {}, .899741, [.100259], ["n"], [*SCORES, None]),
    ("exponential", EXPONENTIAL, {"r": 1.3}, {}, .769231, [-.591716], ["x"], ["reparam", *SCORES]),
    ("gamma", GAMMA, {"a": 2.3, "b": .7}, {}, 3.285714, [1.428571, -4.693878], ["x"], ["reparam", *SCORES]),
    ("log gamma", LOG_GAMMA, {"a": 2.3, "b": .7}, {}, .956715, [.542537, -1.428571], ["x"], ["reparam", *SCORES]),
    ("beta", BETA, {"a": 2.3, "b": .7}, {}, .766667, [.077778, -.255556], ["x"], ["reparam", *SCORES]),
    ("geometric", GEOMETRIC, {"p": .4}, {}, 2.5, [-6.25], ["g"], [*SCORES, None]),
    ("uniform", UNIFORM, {"b": 1.5}, {}, .75, [1.], ["x"], ["reparam", None]),
    ("chain", CHAIN, {"m": 1.2, "p": .4}, {}, 1.584982, [.133428, 1.462455], ["b1", "b2"], ["enum", *SCORES, None]),
    ("diamond", DIAMOND, {"p": .35}, {}, -.35, [-1.], ["a"], ["enum", *SCORES, None]),
    ("plate", PLATE, {"p": np.array([.3, .4, .5, .6])}, {"c": np.array([1., 2., -1., .5])}, .9, [1., 2., -1., .5], ["b"],
     ["enum", *SCORES, None]),
    ("walk", WALK, {"th": .1}, {}, 75., [500.], ["y"], ["reparam", "reinforce(k = 3, baseline = loo)", None]),
    ("branch", BRANCH, {"m": 1.2, "p": .4, "r": 2.}, {}, .78, [.4, .7, -.15], ["b"], ["enum", *SCORES, None]),
    ("gaussian", GAUSSIAN, {"lv": -.6, "m": .2}, {}, -2.451375, [-.334417, 2.044898], ["t.mu"], ["reparam", *SCORES, None]),
    ("iwelbo", IWELBO, {"lv": -.6, "m": .2}, {}, -2.0195, [.0581365, 1.088743], ["t.mu"], ["reparam", *SCORES, None]),
    ("coins", COINS, {"p": .3}, {}, .9, [3.], ["b"], ["enum", *SCORES, None]),
    ("nested", NESTED, {"p": .3}, {}, .36, [2.4], ["b"], ["enum", *SCORES, None]),
    ("twice", TWICE, {"m": .3, "s": 1.7}, {}, 8.8804, [3.576, 20.264], ["g.x", "g#2.x"], ["reparam", None]),
]
TESTS = [(name, rule, p) for name, *_, rules in CASES for rule in rules for p in ((1, 3) if rule is None else (1,))]
SAMPLES = 12_000
LIMIT = threshold(4 * len(TESTS))


@pytest.mark.parametrize("name,rule,particles", TESTS, ids=lambda x: str(x))
def test_closed_form(name, rule, particles):
    _, text, params, data, value, gradient, choices, _ = next(case for case in CASES if case[0] == name)
    program = pb.loads(text, name=name)
    f = program["f"].compile(particles=particles, rules={c: rule for c in choices} if rule else {})
    seen = estimate(f, params, most=SAMPLES, batch=4_000, **data)
    z = seen.z(value, np.array(gradient), slack=5e-4)
    assert np.abs(z).max() < LIMIT, (z, seen)


def test_hessian_of_a_categorical():
    """Second derivatives by enum to rounding, by scores to a z-test."""
    exact = np.array([[.096518, .066572, -.163089], [.066572, -.247226, .180654], [-.163089, .180654, -.017565]])
    params, a = {"l": np.array([.3, -.2, 1.])}, np.array([1., -2., .5])
    for rule, count in (("enum", 1), ("reinforce", 20_000), ("reinforce(k = 4, baseline = loo)", 10_000)):
        f = pb.loads(TABLE)["f"].compile(rules={"k": rule})
        hessian = jax.jit(jax.vmap(jax.hessian(lambda key, l: f(key, {"l": l}, a=a), argnums=1), in_axes=(0, None)))
        seen = np.asarray(hessian(jax.random.split(jax.random.key(3), count), params["l"]), np.float64)
        error = seen.std(0) / np.sqrt(count) + 1e-5
        assert (np.abs(seen.mean(0) - exact) < LIMIT * error).all(), (rule, seen.mean(0))


def test_rao_blackwell():
    """The deviation of one element's gradient does not grow with the plate."""
    for n in (3, 50):
        text = PLATE.replace("4", str(n))
        f = pb.loads(text)["f"].compile(rules={"b": "reinforce"})
        seen = estimate(f, {"p": np.full(n, .3)}, c=np.ones(n), most=20_000, batch=20_000, relative=0)
        assert abs(seen.gradient_error[0] * np.sqrt(seen.count) - 1.527525) < .03


@pytest.mark.parametrize("p", [0.0, 0.5, 1.0])
def test_enum_at_the_ends(p):
    """At p = 0 and 1 value and derivative are finite and right."""
    f = pb.loads("objective f(p: real):\n    b ~ bernoulli(p) by enum\n    return (b - 0.3)^2\n")["f"].compile()
    value, gradient = f.value_and_grad(jax.random.key(0), {"p": p})
    assert np.allclose(value, p * .49 + (1 - p) * .09, atol=1e-6) and np.allclose(gradient["p"], .4, atol=1e-6)


def test_enum_at_logits_zero():
    f = pb.loads("objective f(t: real):\n    b ~ bernoulli(logits = t) by enum\n    return (b - 0.3)^2\n")["f"].compile()
    value, gradient = f.value_and_grad(jax.random.key(0), {"t": 0.0})
    assert np.allclose(gradient["t"], .1, atol=1e-6)


@pytest.mark.parametrize("text,rule,code", [
    (STEP, "reparam", "smoothness"), (UNIFORM, "reinforce", "support"), (POISSON, "enum", "support"),
    (ADEV, "reparam", "smoothness"),
    ("objective g(m: real):\n    x ~ normal(m, 1)\n    return x^2\n\nobjective f(m: real):\n    return log(g(m))\n", None, "bias"),
    ("objective g(m: real):\n    x ~ normal(m, 1)\n    return x^2\n\nobjective f(m: real):\n    v = g(m)\n    return v * v\n", None,
     "bias")])
def test_refused(text, rule, code):
    """What would be biased, or silently 0, does not compile."""
    choice = {"STEP": "x"}.get(text, "x" if " x ~" in text else "n" if " n ~" in text else "b")
    with pytest.raises(pb.ProgramError) as error:
        pb.loads(text)["f"].compile(rules={choice: rule} if rule else {}).specialize({
            n: 0.4 for n in ("b", "m", "p", "r") if f"{n}: real" in text.split("objective f")[1].split(")")[0]})
    assert error.value.diagnostics[0].code == code
