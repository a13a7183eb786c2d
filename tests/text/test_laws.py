"""Words obey the chain rule: with an engine whose feedback is the exact derivative, the way back equals `jax.grad`."""
from __future__ import annotations

import random

import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numbers_engine import FUNCTIONS, compiled, slope, weight

START = {"a": 0.7, "b": -1.2, "c": 0.4}


def texts(values):
    return {name: repr(value) for name, value in values.items()}


def random_program(seed: int):
    """A random acyclic program of replies, several verifiers and a smooth function of them; and the same in JAX."""
    chance = random.Random(seed)
    names, lines, steps = list(START), [], []
    for at in range(chance.randint(3, 7)):
        function = chance.choice(list(FUNCTIONS))
        given = [chance.choice(names) for _ in FUNCTIONS[function][1]]
        lines.append(f"    n{at} ~ llm(\"{function}\", {', '.join(given)})")
        steps.append((f"n{at}", function, given))
        names.append(f"n{at}")
    read = [names[-1], *chance.sample(names, 2)]
    lines += [f"    v{at} = value({name}) by words(way)" for at, name in enumerate(read)]
    ends = chance.choice(["sin(v0) * v1 + 0.3 * v2", "v0 * v1 * v2 - v0", "exp(0.5 * v0) - v1 + cos(v2)"])
    text = "objective o(a: text, b: text, c: text):\n" + "\n".join(lines) + f"\n    return {ends}\n"

    def f(values):
        known = dict(values)
        for name, function, given in steps:
            known[name] = FUNCTIONS[function][0](*(known[one] for one in given))
        v = {f"v{at}": known[name] for at, name in enumerate(read)}
        return eval(ends, {"sin": jnp.sin, "cos": jnp.cos, "exp": jnp.exp}, v)
    reads = {one for _, _, given in steps for one in given} | set(read)
    return text, f, reads


@pytest.mark.parametrize("seed", range(12))
def test_random_programs(seed):
    """Chains, diamonds, texts read twice by one reply, several verifiers of one text."""
    text, f, reads = random_program(seed)
    params = {name: value for name, value in START.items() if name in live(text)}
    value, said = compiled(text).value_and_grad(0, texts(params), **texts({n: v for n, v in START.items() if n not in params}))
    exact, slopes = jax.value_and_grad(lambda p: f({**START, **p}))(params)
    np.testing.assert_allclose(value, exact, rtol=1e-5, atol=1e-6)
    for name in params:
        np.testing.assert_allclose(slope(said[name]), slopes[name], rtol=2e-5, atol=2e-5, err_msg=f"{name} of\n{text}")


def live(text: str) -> set[str]:
    """The parameters that something verified depends on."""
    lines = [line.strip() for line in text.splitlines()]
    wanted = {line.split("value(")[1].split(")")[0] for line in lines if "value(" in line}
    for line in reversed(lines):
        if "~" in line and line.split(" ~ ")[0] in wanted:
            wanted |= set(line.split('", ')[1].rstrip(")").split(", "))
    return wanted


def test_plates_and_means():
    text = """
    objective one(a: text, x: text):
        n ~ llm("mul", a, x)
        m ~ llm("sin", n)
        return value(m) by words(way)

    objective o(a: text, xs: text[n]):
        return mean i in 0..n: one(a, xs[i])^2
    """
    xs = jnp.array([0.3, -0.8, 1.4])
    inside = text.replace("one(a, xs[i])^2", "one(a, xs[i])").replace(
        "return value(m) by words(way)", "v = value(m) by words(way)\n        return v^2")
    exact, slopes = jax.value_and_grad(lambda a: jnp.mean(jnp.sin(a * xs) ** 2))(0.7)
    for program in (text, inside):  # at temperature 0 nothing is drawn: the square of an expectation is exact
        value, said = compiled(program).value_and_grad(0, {"a": "0.7"}, xs=[repr(float(x)) for x in xs])
        np.testing.assert_allclose([value, slope(said["a"])], [exact, slopes], rtol=1e-5)
        assert [item.source[:2] for item in said["a"]] == [("i", 0), ("i", 1), ("i", 2)]


@pytest.mark.parametrize("flags", [[1.0, -1.0, 1.0], [-1.0, -1.0, -1.0]])
def test_branches_ask_for_the_rows_taken(flags):
    text = """
    objective one(a: text, b: text, flag: real):
        if flag > 0.0:
            n ~ llm("sin", a)
        else:
            n ~ llm("mul", a, b)
        return value(n) by words(way)

    objective o(a: text, b: text, flags: real[n]):
        return sum i in 0..n: one(a, b, flags[i])
    """
    g = compiled(text)
    value, said = g.value_and_grad(0, texts({"a": 0.7, "b": -1.2}), flags=flags)

    def f(a, b):
        return sum(jnp.sin(a) if flag > 0 else a * b for flag in flags)
    np.testing.assert_allclose(value, f(0.7, -1.2), rtol=1e-5)
    np.testing.assert_allclose([slope(said["a"]), slope(said["b"])], jax.grad(f, (0, 1))(0.7, -1.2), rtol=1e-5, atol=1e-6)
    assert g.account.roles["forward"].replies + g.account.roles["forward"].kept == len(flags)
    assert len(said["b"]) == sum(flag < 0 for flag in flags)


def test_loops():
    text = """
    objective o(a: text, b: text):
        draft = a
        for t in 0..3:
            turned ~ llm("sin", draft)
            next ~ llm("mul", turned, b)
            draft = next
        return value(draft) by words(way)
    """
    _, said = compiled(text).value_and_grad(0, texts({"a": 0.7, "b": -1.2}))

    def f(a, b):
        for _ in range(3):
            a = jnp.sin(a) * b
        return a
    np.testing.assert_allclose([slope(said["a"]), slope(said["b"])], jax.grad(f, (0, 1))(0.7, -1.2), rtol=1e-5)
    assert len(said["b"]) == 3


CHOICE = """
objective o(a: text, l: real[2], cut: real):
    s ~ choice(["sin", "mul"], logits = l) by RULE
    n ~ llm(s, a, a)
    v = value(n) by words(way)
    return sin(v - cut)
"""


def choice(a, l, cut):
    return jax.nn.softmax(l) @ jnp.sin(jnp.stack([jnp.sin(a), a * a]) - cut)


def test_enum_mixes_words_and_numbers(monkeypatch):
    monkeypatch.setitem(FUNCTIONS, "sin", (lambda x, *rest: jnp.sin(x), (lambda x, *rest: np.cos(x), lambda x, *rest: 0.0)))
    l = jnp.array([0.4, -0.3])
    value, said = compiled(CHOICE.replace("RULE", "enum")).value_and_grad(0, {"a": "0.7", "l": l, "cut": 0.2})
    exact, (a, l_, cut) = jax.value_and_grad(choice, (0, 1, 2))(0.7, l, 0.2)
    np.testing.assert_allclose(value, exact, rtol=1e-5)
    np.testing.assert_allclose(slope(said["a"]), a, rtol=1e-4)
    np.testing.assert_allclose(said["l"], l_, rtol=1e-5)
    np.testing.assert_allclose(said["cut"], cut, rtol=1e-5)


def test_reinforce_weights_are_unbiased():
    """A z-test of the words' slope and the logits' against the exact ones: 5 standard errors, false alarm below 1e-5."""
    text = CHOICE.replace("RULE", "reinforce(k = 2)").replace('"sin", "mul"', '"cos", "half"').replace("llm(s, a, a)", "llm(s, a)")
    g, l, found = compiled(text, particles=16), jnp.array([0.4, -0.3]), []
    for key in range(40):
        _, said = g.value_and_grad(key, {"a": "0.7", "l": l, "cut": 0.2})
        found.append([slope(said["a"]), *np.asarray(said["l"])])
    exact = jax.grad(lambda a, l: jax.nn.softmax(l) @ jnp.sin(jnp.stack([jnp.cos(a), 0.5 * a]) - 0.2), (0, 1))(0.7, l)
    found, exact = np.array(found), np.array([exact[0], *exact[1]])
    error = found.std(axis=0, ddof=1) / len(found) ** 0.5
    assert (abs(found.mean(axis=0) - exact) < 5 * error + 1e-6).all(), (found.mean(axis=0), exact, error)
    assert (error < 0.3 * abs(exact)).all(), "the test could not see a bias"


@pytest.mark.parametrize("end, c", [("3.0 * v", 3.0), ("-0.25 * v", -0.25), ("sin(v)", float(np.cos(0.7))), ("exp(-v)", -float(np.exp(-0.7)))])
def test_weight_is_the_size_of_the_slope_and_way_its_sign(end, c):
    text = f"objective o(a: text):\n    v = value(a) by words(way)\n    return {end}\n"
    _, said = compiled(text).value_and_grad(0, {"a": "0.7"})
    assert len(said["a"]) == 1
    np.testing.assert_allclose(said["a"][0].weight, abs(c), rtol=1e-5)
    assert float(said["a"][0].text) == np.sign(c) and said["a"][0].score == pytest.approx(0.7)


@pytest.mark.parametrize("value, sign, said", [(1.0, "", 0), (0.0, "", 1), (1.0, "-", 1), (0.0, "-", 0), (0.5, "-", 1)])
def test_nothing_is_said_at_a_bound(value, sign, said):
    import pullback as pb
    text = f"extern right(reply: text) -> unit\nobjective o(a: text):\n    v = right(a)\n    return {sign}v\n"
    g = pb.loads(text, right=lambda reply: value)["o"].compile()
    assert len(g.value_and_grad(0, {"a": "x"})[1]["a"]) == said


def test_backward_twice_changes_nothing():
    from pullback.compiler.criticism import merge
    text, _, _ = random_program(3)
    params = {name: value for name, value in START.items() if name in live(text)}
    rest = texts({n: v for n, v in START.items() if n not in params})
    g = compiled(text)
    first, second = (g.value_and_grad(0, texts(params), **rest)[1] for _ in range(2))
    for name in params:
        assert first[name] == second[name] == merge(first[name], second[name])


def test_a_program_without_texts_loads_no_engine():
    import subprocess
    import sys
    code = ("import jax, sys, pullback as pb\np = pb.loads('objective o(x: real):\\n    z ~ normal(x, 1)\\n    return z^2\\n')\n"
            "p['o'].compile().value_and_grad(jax.random.key(0), {'x': 1.0})\n"
            "assert not [m for m in sys.modules if m.startswith('pullback.backends.text') or m == 'httpx']")
    subprocess.run([sys.executable, "-c", code], check=True)


def test_weight_of_a_total():
    """The weights of a mean of n verifiers are 1/n each, of a sum 1."""
    for word, each in (("mean", 0.25), ("sum", 1.0)):
        text = f"objective o(a: text, xs: text[n]):\n    return {word} i in 0..n: one(a, xs[i])\n" \
               "objective one(a: text, x: text):\n    n ~ llm(\"mul\", a, x)\n    return value(n) by words(way)\n"
        _, said = compiled(text).value_and_grad(0, {"a": "2.0"}, xs=["1.0", "2.0", "3.0", "4.0"])
        assert [item.weight for item in said["a"]] == pytest.approx([each] * 4)
        assert weight(said["a"]) == pytest.approx(4 * each)


def test_every_text_of_an_array_is_told():
    text = """
extern size(x: text) -> real
objective o(a: text, b: text, q: text[n]):
    parts = [a, b, "c"]
    rest = ["{a} {q[i]}" for i in 0..n]
    return size(join(parts, " ")) + 2.0 * size(join(rest))
"""
    import pullback as pb
    _, said = pb.loads(text, size=len)["o"].compile().value_and_grad(0, {"a": "x", "b": "y"}, q=["1", "2", "3"])
    assert [item.weight for item in said["b"]] == [1.0]
    assert sorted(item.weight for item in said["a"]) == [1.0, 2.0, 2.0, 2.0], "once as a part, once by each element of the rest"


def test_stop_ends_what_is_said():
    import pullback as pb
    text = "extern size(x: text) -> real\nobjective o(a: text):\n    return size(stop(a)) + 2.0 * size(\"{a}!\")\n"
    value, said = pb.loads(text, size=len)["o"].compile().value_and_grad(0, {"a": "xy"})
    assert float(value) == 8.0 and [item.weight for item in said["a"]] == [2.0]


def test_draws_above_temperature_0_are_one_a_particle():
    import pullback as pb
    text = "objective o(a: text):\n    n ~ llm(a, temperature = 1.0)\n    return number(n)\n"
    engine = pb.engines.scripted(lambda request: str(request.seed % 7))
    g = pb.loads(text)["o"].compile(engine=engine, particles=5)
    assert float(g(3, {"a": "x"})) == pytest.approx(np.mean([request.seed % 7 for request in engine.log]))
    assert len({request.seed for request in engine.log}) == 5 == g.plan(over=()).most


def test_enum_of_a_reply_is_the_engines_probabilities():
    """E f = Σ p f with p the renormalized probabilities of the options, and their logits are criticized by |∂ E f/∂ logit|."""
    import pullback as pb
    text = """
objective o(a: text, w: real[3]):
    y: one_of("x", "yy", "zzz") ~ llm(a, temperature = 2.0) by enum
    return w[0] if y == "x" else w[1] if y == "yy" else w[2]
"""
    logs = {"x": -0.5, "yy": -1.5, "zzz": -2.5}
    engine = pb.engines.scripted(lambda r: {"value": r.user} if r.role == "critic" else logs)
    w = jnp.array([1.0, -2.0, 0.5])
    value, said = pb.loads(text)["o"].compile(engine=engine).value_and_grad(0, {"a": "go", "w": w})
    logits = jnp.array(list(logs.values())) / 2
    p = jax.nn.softmax(logits)
    np.testing.assert_allclose([value, *said["w"]], [p @ w, *p], rtol=1e-5)
    (one,) = said["a"]
    assert one.weight == pytest.approx(float(abs(p * (w - p @ w)).sum()), rel=1e-4)
    assert "'x' should be more likely" in one.text and "'yy' should be less likely" in one.text
