"""Graphs of programs: models, objectives, records, functions, networks, externs."""
import jax.numpy as jnp
import pytest

from pullback.compiler.diagnostic import ProgramError
from pullback.compiler.notation import read, show
from pullback.dsl import elaborate
from elaborating import lines, load, model, objective

CONE = """
    from pullback.objectives import elbo
    model cone():
        x ~ normal(0, 10)
        y ~ normal(0, 10)
        r = x^2 + y^2
        z ~ normal(r, 0.1 + r / 100)

    model blob(mean: real[2], log_sd: real[2]):
        x ~ normal(mean[0], exp(log_sd[0])) by reparam
        y ~ normal(mean[1], exp(log_sd[1])) by reparam

    fit noisy_cone:
        maximize elbo(cone(), blob(mean, log_sd), {z = 5.0})
        over mean: real[2] = zeros(2), log_sd: real[2] = ones(2)
        using adam(0.01)
        particles 64
        steps 5000
"""


def test_the_cone():
    plan = elaborate.fit_plan(load(CONE), "noisy_cone")
    text = lines(show(plan.goal))
    assert "t.x: real, t.y: real = call[name = \"blob\", kind = \"model\"](mean, log_sd) blob {" in text
    assert "x: real ~ normal(mean_0, exp) by reparam  # elbo.t.x" in text
    assert "logp_z: real = logp normal(z | r, add)  # elbo.cone.z" in text
    assert text[0] == "noisy_cone(mean: real[2], log_sd: real[2]) {"


def test_a_fit_says_everything():
    plan = elaborate.fit_plan(load(CONE), "noisy_cone")
    assert plan.maximize and plan.particles == 64 and plan.steps == 5000 and not plan.allow_biased
    assert [use.optimizer.name for use in plan.optimizers] == ["adam"]
    assert show(plan.over["mean"].start) == "mean() {\n  zeros: real[2] = zeros[shape = (2,)]()\n  return zeros\n}"


def test_a_record_splices_and_overrides():
    text = objective("""
        model m():
            a ~ normal(0, 1)
            b ~ normal(a, 1)
        objective o(x: real, y: real):
            t = {a = x, b = x}
            return logp(m(), {t, b = y})
    """)
    assert "logp_a: real = logp normal(x | constant, constant1)  # m.a" in lines(text)
    assert "logp_b: real = logp normal(y | x, constant1)  # m.b" in lines(text)


def test_the_value_of_a_submodel():
    text = model("""
        model part(a: real) -> real:
            x ~ normal(a, 1)
            return x^2
        model m():
            t ~ part(1.0)
            y ~ normal(value(t) + t.x, 1)
            z ~ normal(t, 1)
    """)
    assert "t.x: real, part: real = call[name = \"part\", kind = \"model\"]() part {" in lines(text)
    assert "add: real = add(part, t.x)" in lines(text)
    assert "z: real ~ normal(part, constant2)  # z" in lines(text)


def test_nested_traces():
    text = objective("""
        model part(a: real):
            x ~ normal(a, 1)
        model m():
            t ~ part(1.0)
            y ~ normal(t.x, 1)
        objective o(v: real):
            return logp(m(), {t = {x = v}, y = 2})
    """)
    assert "logp_x1: real = logp normal(v | constant, constant)  # m.t.x" in lines(text)


def test_functions_are_calls_and_known_numbers_are_folded():
    text = objective("""
        function softclip(x: real, c: real) -> real: return c * tanh(x / c)
        objective o(x: real):
            return softclip(x, 2) + log(10) * 2^3
    """)
    assert "softclip: real = call[name = \"softclip\", kind = \"function\"](x) softclip {" in lines(text)
    assert "constant1: real = 18.420680743952367" in lines(text)


@pytest.mark.parametrize("expression, value", [
    ("7 // 2", "3"), ("-7 // 2", "-4"), ("-7 % 3", "2"), ("7 / 2", "3.5"), ("2^3^2", "512"), ("-2^2", "-4"),
    ("2 + 3 * 4", "14"), ("2.0^-1", "0.5"), ("(1 if 2 < 3 else 0)", "1")])
def test_numbers(expression, value):
    assert f"{value}\n" in objective(f"objective o(): return {expression} + 0")\
        or f"{float(value)}\n" in objective(f"objective o(): return {expression} + 0")


def test_a_network():
    text = objective("""
        network net: real[3] -> real[2] = dense(5) >> relu >> dense(2)
        objective o(w: params, x: real[n, 3]):
            return sum(net(w, x))
    """)
    assert "net: real[n, 2] = network[network = $net, name = \"net\"](w, x)" in lines(text)


def test_a_network_has_its_own_start():
    plan = elaborate.fit_plan(load("""
        network net: real[3] -> real[2] = dense(5) >> relu >> dense(2)
        fit f:
            minimize sum(net(w, ones(3))^2)
            over w: params = net.init
    """), "f")
    import jax
    network = plan.over["w"].start
    w = network.init(jax.random.key(0))
    assert w.keys() == {"0", "2"} and w["0"]["weight"].shape == (5, 3)
    assert network.apply(w, jnp.ones((7, 4, 3))).shape == (7, 4, 2) and network.smooth == "continuous"


def test_an_extern_tells_its_shape():
    text = """
        extern f(w: params, z: real[d]) -> real[p] assume continuous
        objective o(w: params, z: real[3]):
            return sum(f(w, z))
    """
    assert "f: real[p] = extern[function = none, name = \"f\", assume = (\"continuous\",)](w, z)" in lines(objective(text))
    program = load(text, f=lambda w, z: jnp.concatenate([z, w["a"]]))
    from pullback.compiler.type import Array
    graph = elaborate.objective_graph(program, "o", shapes={"w": {"a": Array("real", (4,))}})
    assert "f: real[7]" in show(graph)


def test_a_missing_extern_is_a_warning():
    program = load("extern f(x: real) -> real\nobjective o(x: real): return f(x)")
    assert [d.severity for d in program.warnings] == ["warning"]


def test_objectives_with_models_wait_for_them():
    program = load("""
        from pullback.objectives import elbo
        model m():
            x ~ normal(0, 1)
            y ~ normal(x, 1)
        model q(a: real):
            x ~ normal(a, 1)
        objective mine(p: model, q: model, data: trace):
            t ~ q
            return logp(p, {t, data}) - logp(q, t)
    """)
    assert program.pending == {"mine": "`p`, a model"}
    from pullback.compiler.type import REAL
    graph = elaborate.objective_graph(program, "mine", {"p": "m", "q": ("q", {"a": 0.5})}, shapes={"data": {"y": REAL}})
    assert lines(show(graph))[0] == "mine(data.y: real) {"


def test_sizes_are_symbols_until_they_are_bound():
    text = "objective o(x: real[n, n + 1], k: int): return sum(x) + sum i in 0..k: i"
    assert lines(objective(text))[0] == "o(x: real[n, n + 1]) {"
    assert "i: 4" in objective(text, sizes={"k": 4}) and "real[2, 3]" in objective(text, sizes={"n": 2})
    assert "i: 4" in objective(text, arguments={"k": 4})


def test_an_int_that_no_size_needs_is_data():
    text = "objective o(x: real[n], k: int, j: int): return x[k] + sum(zeros(j))"
    assert lines(objective(text))[0] == "o(x: real[n], k: int) {"


def test_a_constant_of_the_program():
    text = "scale: positive = 2 * 3\nnames = [1, 2, 3]\nobjective o(x: real): return x * scale + names[1]"
    assert "constant: real = 6.0" in lines(objective(text)) and "constant1: int(2..3) = 2" in lines(objective(text))


def test_with_gives_rules_by_address():
    text = objective("""
        from pullback.objectives import elbo
        model m():
            k ~ bernoulli(0.5)
            z ~ normal(k, 1)
            y ~ normal(z, 1)
        model guide(a: real):
            k ~ bernoulli(0.3)
            z ~ normal(a, 1)
        objective o(a: real):
            return elbo(m(), guide(a), {y = 1.0}) with {q.k: enum, guide.z: reinforce(k = 4)}
    """)
    assert "k: int(0..2) ~ bernoulli(constant) by enum  # elbo.t.k" in lines(text)
    assert any("by reinforce(k = 4" in line and "# elbo.t.z" in line for line in lines(text))


def test_rules_from_outside_win():
    program = load("model m():\n    x ~ normal(0, 1) by reparam\nobjective o():\n    t ~ m()\n    return t.x^2")
    graph = elaborate.with_rules(elaborate.objective_graph(program, "o"), {"m.x": "reinforce(k = 2)"})
    assert "by reinforce(k = 2" in show(graph)
    with pytest.raises(ProgramError, match="no choice is called `m.y`"):
        elaborate.with_rules(graph, {"m.y": "enum"})


def test_ambiguous_addresses_are_listed():
    program = load("""
        model m():
            x ~ normal(0, 1)
        objective o():
            s ~ m()
            t ~ m()
            return s.x + t.x
    """)
    graph = elaborate.objective_graph(program, "o")
    with pytest.raises(ProgramError, match="`x` means several choices: `s.x`, `t.x`"):
        elaborate.with_rules(graph, {"x": "reparam"})
    assert show(elaborate.with_rules(graph, {"t.x": "reparam"})).count("by reparam") == 1


def test_a_joint_choice():
    text = model("""
        model m(a: real[3], L: cholesky[3]):
            {mu, phi, s} ~ multivariate_normal(a, scale_tril = L) onto {mu: real, phi: interval(-1, 1), s: positive}
            y ~ normal(mu + phi, s)
    """)
    assert "phi: interval(-1, 1) = mu_phi_s[1]" in lines(text)
    assert "y: real ~ normal(add, s)  # y" in lines(text)


def test_flat_has_no_term():
    text = objective("""
        model m():
            theta ~ flat(positive)
            y ~ normal(theta, 1)
            factor -theta
        objective o(theta: positive):
            return logp(m(), {theta, y = 1.0})
    """)
    assert text.count("logp ") == 1 and "factor: real = factor(neg)  # m" in lines(text)


def test_marginalize_is_a_box():
    text = objective("""
        from pullback.objectives import mle
        model mixture(n: int, w: simplex[k], mu: real[k]):
            for i in 0..n:
                c ~ categorical(w)
                x[i] ~ normal(mu[c], 1)
        model data(n: int, w: simplex[k], mu: real[k]) = marginalize mixture(n, w, mu) over c using enum
        objective o(w: simplex[k], mu: real[k], x: real[n]):
            return mle(data(n, w, mu), {x})
    """)
    assert "c: int(0..k) ~ categorical(w) by enum  # mle.data.c" in lines(text)
    assert any(line.startswith("logp_data1: real = marginal[over = (\"c\",)") for line in lines(text))


def test_combine_and_reductions():
    text = lines(objective("""
        objective o(x: real[n, m]):
            return combine:
                main: sum i in 0..n, j in 0..m: x[i, j]
                side: 0.5 * logsumexp i in 0..n: x[i, 0]
    """))
    assert "combine: real = combine[terms = (\"main\", \"side\")](reduce1, mul)" in text
    assert text.count("reduce: real[m] = reduce[function = \"sum\"](plate)") == 1


def test_subsample_stands_on_the_plate():
    text = objective("objective o(x: real[n]): return mean i in 0..n by subsample(64): x[i]")
    assert "} by subsample(size = 64)" in lines(text)


def test_imports_of_files(tmp_path):
    (tmp_path / "models").mkdir()
    (tmp_path / "models" / "cone.pbk").write_text("model cone(s: real):\n    x ~ normal(0, s)\n")
    program = load("from models.cone import cone\nobjective o(v: real): return logp(cone(2.0), {x = v})", folder=tmp_path)
    assert "# cone.x" in show(elaborate.objective_graph(program, "o"))


def test_library_objectives():
    for name in ("elbo", "iwelbo", "map", "mle", "policy_gradient"):
        program = load(f"from pullback.objectives import {name}\nobjective o(x: real): return x")
        assert program.module.imported[name].module.program.doc


def test_policy_gradient():
    text = objective("""
        from pullback.objectives import policy_gradient
        model pick(logits: real[4]):
            a ~ categorical(logits = logits)
            return a
        function reward(a: int) -> real: return a^2 / 2
        objective o(logits: real[4]):
            return policy_gradient(pick(logits), reward)
    """)
    assert "a: int(0..4) ~ categorical(logits = logits)  # policy_gradient.t.a" in lines(text)


def test_text_round_trips():
    graph = elaborate.fit_plan(load(CONE), "noisy_cone").goal
    assert show(read(show(graph))) == show(graph)


def test_a_model_without_a_draw_has_a_density():
    text = model("""
        model m():
            theta ~ flat(positive)
            b: real[2] ~ normal(theta, 1)
            factor -theta
    """, mode="density")
    assert lines(text)[0] == "m(theta: positive, b: real[2]) {"
