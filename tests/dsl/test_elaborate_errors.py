"""What is wrong with programs: each mistake has its code, its place and a help, and independent ones are told together."""
import pytest

import pullback as pb

from elaborating import load, the_one, wrong

MODELS = """
    from pullback.objectives import elbo
    model m():
        x ~ normal(0, 1)
        y ~ normal(x, 1)
    model q(a: real):
        x ~ normal(a, 1)
"""


@pytest.mark.parametrize("text, code, message, place", [
    # names
    ("model m():\n    x ~ normal(0, 1)\n    x ~ normal(0, 1)\n", "name", "`x` is a choice, and a choice is bound once", "3:5"),
    ("model m():\n    x ~ normal(0, 1)\n    x = 2\n", "name", "`x` is a choice", "3:5"),
    ("objective o(y: real): return z + y\n", "name", "nothing is called `z`", "1:30"),
    ("model m():\n    x ~ norml(0, 1)\n", "name", "nothing is called `norml`", "2:9"),
    ("model m():\n    x ~ normal(0, 1) by reinforc\n", "name", "there is no rule `reinforc`", "2:25"),
    ("objective o(x: real[n]):\n    for i in 0..n:\n        t = x[i]\n    return t\n", "name", "nothing above is called `t`", "4:12"),
    ("objective o(x: real):\n    y = z\n    z = x\n    return y\n", "name", "nothing above is called `z`", "2:9"),
    ("objective o(x: real[n]):\n    for i in 0..n:\n        w[i] = x[i]\n        w[i] = 1\n    return sum(w)\n", "name",
     "`w` is filled twice", "4:9"),
    ("objective o(t: real):\n    return {x = t}.y\n", "name", "the record has no `y`", "2:20"),
    ("model m():\n    for i in 0..3:\n        x ~ normal(0, 1)\n    x ~ normal(0, 1)\n", "name", "`x` is drawn twice in one trace", "4:5"),
    # kinds
    ("objective o(x: real):\n    y = x\n", "kind", "the objective `o` returns nothing", "1:1"),
    ("function f(x: real):\n    y ~ normal(0, 1)\n    return y\n", "kind", "a function makes no choices", "2:5"),
    ("model m():\n    k ~ poisson(2)\nobjective o(v: real): return logp(m(), {k = v})\n", "kind", "`k` is a choice of ints", "2:5"),
    ("model m():\n    k ~ poisson(2)\nobjective o(): return logp(m(), {k = 2.0})\n", "kind", "`k` is a choice of ints", "2:5"),
    ("model m():\n    x ~ 3\n", "kind", "after `~` stands a distribution or a model", "2:9"),
    ("model m(a: real):\n    x ~ normal(a, 1)\nmodel n():\n    t ~ m\n", "argument", "`m` lacks `a`", "4:9"),
    ("model m():\n    x: int ~ normal(0, 1)\n", "kind", "`x` is declared `int`, and `normal` draws reals", "2:5"),
    ("objective o(x: real): return x(3)\n", "kind", "can't be called", "1:30"),
    ("objective o(x: real[n]):\n    for i in 0..n:\n        return x[i]\n    return 1.0\n", "kind", "`return` can't stand in a loop", "3:9"),
    # types and sizes
    ("objective o(a: real[3], b: real[4]): return sum(a + b)\n", "size", "`real[3]` meets `real[4]`", "1:49"),
    ("objective o(a: real[n], b: real[m]): return sum(a * b)\n", "size", "nothing says that the sizes are equal", "1:49"),
    ("objective o(a: real[3]): return a\n", "type", "an objective returns one number", "1:33"),
    ("function f(x: real[n], y: real[n]): return sum(x * y)\nobjective o(a: real[2], b: real[3]): return f(a, b)\n", "size",
     "`y` of `f` is a `real[n]` with `n` = 2", "2:50"),
    ("objective o(): return sum(zeros(10^6, 10^6))\n", "size", "1,000,000,000,000 elements", "1:27"),
    ("network f: real[3] -> real[2] = dense(4) >> relu\n", "size", "its last layer gives a `real[4]`", "1:23"),
    ("objective o(x: real):\n    if x:\n        y = 1\n    else:\n        y = 2\n    return y\n", "type", "a condition is a bool", "2:8"),
    ("model m(s: real[3]):\n    x: real[4] ~ normal(s, 1)\n", "size", "declared `real[4]`", "2:5"),
    ("model m():\n    x ~ normal(0, -1)\n", "support", "`scale` of `normal` is positive", "2:19"),
    # known before the run
    ("objective o(x: real):\n    s = 0.0\n    for i in 0..x:\n        s = s + 1\n    return s\n", "static",
     "the end of a loop must be known before the run", "3:17"),
    ("objective o(x: real): return sum(zeros(x))\n", "static", "`shape` of `zeros`", "1:40"),
    ("scale = zeros(3)\nobjective o(): return sum(scale)\n", "static", "the constant `scale`", "1:9"),
    # indices
    ("objective o(y: real[n]): return sum t in 0..n: y[t - 1]\n", "index", "`y[t - 1]` at t = 0 reads `y[-1]`", "1:48"),
    ("objective o(y: real[n]): return sum t in 0..n: y[t + 1]\n", "index", "`y[t + 1]` at t = n - 1 reads `y[n]`", "1:48"),
    ("objective o(y: real[3]): return y[3]\n", "index", "index 3 is outside of 0..3", "1:33"),
    ("model m(n: int):\n    for t in 0..n:\n        z[t] ~ normal(z[t - 1], 1)\n", "index", "reads `z[-1]`, which nothing fills", "3:23"),
    ("model m(n: int):\n    for t in 1..n:\n        z[t] ~ normal(0, 1)\n", "index", "`z[0]` is never filled", "1:1"),
    # recursion
    ("function f(x: real): return f(x)\n", "recursion", "`f` calls itself", "1:29"),
    ("a = b + 1\nb = a\nobjective o(): return 1.0\n", "recursion", "is defined by itself", None),
    # arguments
    ("objective o(): return logp(normal(0), 1.0)\n", None, None, None),
    ("objective o(): return logp(normal(0, 1, 2), 1.0)\n", "argument", "`normal` is given 3 parameters", "1:28"),
    ("objective o(): return logp(bernoulli(probs = 0.5, logits = 0), 1)\n", "argument", "these are not the parameters", "1:28"),
    ("function f(x: real): return x\nobjective o(): return f(1, 2)\n", "argument", "`f` takes 1 argument, and 2 are given", "2:28"),
    ("function f(x: real): return x\nobjective o(): return f(z = 1)\n", "argument", "`f` has no argument `z`", "2:25"),
    ("model m():\n    x ~ normal(0, 1) by reinforce(kk = 2)\n", "argument", "`reinforce` has no option `kk`", "2:35"),
    # densities
    ("model m():\n    x ~ flat(positive)\nobjective o():\n    t ~ m()\n    return t.x\n", "density", "`flat` can't be drawn from", "2:5"),
    # not there yet
    ("model m():\n    x ~ normal(0, 1) by spsa\n", "pending", "the rule `spsa`", "2:25"),
    ("objective o(): return argmin v from 0.0: v^2\n", "pending", "`argmin`", "1:23"),
    ("box Alice: -> n\n", "name", "nothing above is called `n`", "1:15"),
    # addresses
    ("model m():\n    x ~ normal(0, 1)\nobjective o():\n    t ~ m() with {t.y: enum}\n    return t.x\n", "address",
     "no choice is called `t.y`", "4:19"),
])
def test_one_mistake(text, code, message, place):
    if code is None:
        assert load(text)
        return
    found = the_one(text, code)
    assert message in found.message
    assert place is None or f"{found.line}:{found.column}" == place


def test_independent_mistakes_are_told_together():
    found = wrong("""
        model m():
            x ~ normal(0, -1)
            y ~ norml(0, 1)
            z ~ normal(mean = 3)
            w ~ normal(x, 1) by shift
        objective o(a: real[2], b: real[3]):
            c = sum(a + b)
            return a[5]
    """)
    assert [d.code for d in found] == ["name", "size", "index"] or len(found) >= 3


def test_what_depends_on_a_mistake_is_not_told():
    assert [d.message for d in wrong("""
        objective o(a: real[2], b: real[3]):
            c = a + b
            d = c * 2
            return sum(d)
    """)] == ["`real[2]` meets `real[3]` in `+`: arrays meet only in equal shapes"]


def test_a_trace_must_cover_the_choices():
    lacks = the_one(MODELS + "    objective o(a: real): return logp(m(), {x = a})\n", "trace")
    assert lacks.message == "the trace for `m` lacks `y`" and "`m` chooses `x` and `y`" in lacks.help
    more = the_one(MODELS + "    objective o(a: real): return logp(m(), {x = a, y = 1, z = 2})\n", "trace")
    assert more.message == "the trace for `m` has `z`, which `m` does not choose"


def test_a_mistake_in_the_library_is_shown_at_the_users_call():
    found = the_one(MODELS + "    objective o(a: real): return elbo(m(), q(a), {z = 1.0})\n", "trace")
    assert found.file == "program.pbk" and found.notes[0][0].source.name.endswith("elbo.pbk")
    assert found.message == "the trace for `m` lacks `y` and has `z`, which `m` does not choose"


def test_a_library_objective_wants_its_import():
    assert the_one("objective o(): return elbo(1)\n", "name").help == "`from pullback.objectives import elbo` at the top"


@pytest.mark.parametrize("clauses, code, message", [
    ("maximize -a^2\n        over a: real, b: real", "unused", "`b` stands under `over`"),
    ("maximize -a^2\n        over a: real\n        using adm(0.1)", "name", "there is no optimizer `adm`"),
    ("over a: real", "syntax", "has no goal"),
    ("maximize -a^2\n        over a: int", "type", "only reals can be optimized"),
    ("maximize -a^2\n        over a: real = zeros(2)", "size", "its start is"),
    ("maximize -a^2\n        over a: real\n        using adam(0.1) for c", "name", "`c` does not stand under `over`"),
    ("maximize -a^2\n        over a: real\n        rollout 3", "pending", "`rollout`"),
    ("maximize -a^2\n        over a: real\n        steps 0", "argument", "`steps` is a positive number"),
    ("maximize zeros(2) * a\n        over a: real", "type", "an objective returns one number"),
])
def test_fits(clauses, code, message):
    assert message in the_one(f"fit f:\n        {clauses}\n".replace("        ", "    "), code).message


def test_sizes_of_the_data_are_checked_against_the_loops():
    found = the_one("""
        model m(n: int):
            for i in 0..n:
                y ~ normal(0, 1)
        objective o(y: real[k]):
            return logp(m(5), {y})
    """, "size")
    assert found.message == "`m` chooses 5 elements of `y`, and the trace gives a `real[k]`"


@pytest.mark.parametrize("line, code", [
    ("from ..secret import x", "syntax"), ("from models.none import x", "file"), ("from pullback.none import x", "name"),
    ("from pullback.objectives import elb", "name"), ("from link import x", "file"), ("from a import x", "recursion")])
def test_imports_stay_inside(tmp_path, line, code):
    folder = tmp_path / "program"
    folder.mkdir()
    (tmp_path / "outside.pbk").write_text("x = 1\n")
    (folder / "link.pbk").symlink_to(tmp_path / "outside.pbk")
    (folder / "a.pbk").write_text("from b import x\n")
    (folder / "b.pbk").write_text("from a import x\n")
    assert code in {d.code for d in wrong(line + "\n", folder=folder)}


def test_nothing_is_nested_without_end():
    deep = "(" * 150 + "x" + ")" * 150
    assert load(f"objective o(x: real): return {deep}\n")
    chain = "".join(f"function f{i}(x: real): return f{i + 1}(x)\n" for i in range(80)) + "function f80(x: real): return x\n"
    assert {d.code for d in wrong(chain)} == {"cost"}


def test_a_fit_tells_all_its_mistakes():
    assert sorted(d.code for d in wrong("""
        fit f:
            maximize zz - a^2
            over a: real = zeros(3), b: real
            using adm(0.1)
            rollout 4
    """)) == ["name", "name", "pending", "size"]


def test_a_name_is_missed_once(tmp_path):
    """Also where what misses it is reached in several ways."""
    text = ("from pullback.objectives import elbo\n\nmodel m(a: real):\n    x ~ normall(a, 1)\n    y ~ normal(x, 1)\n\n"
            "fit g:\n    maximize elbo(m(0.0), m(a), {y = 1.0})\n    over a: real\n    using adam(0.1)\n    steps 3\n")
    with pytest.raises(pb.ProgramError) as problem:
        pb.loads(text)
    assert [d.message for d in problem.value.diagnostics] == ["nothing is called `normall`"]
