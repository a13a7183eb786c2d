"""Programs from Python: loaded, compiled, called, drawn from, fitted."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest

import pullback as pb

pytestmark = pytest.mark.usefixtures("unoptimized")

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
    steps 40
"""

LINE = """
from pullback.objectives import elbo

model line(x: real[n], a: real, k: int):
    w: real[k] ~ normal(0, 1)
    y ~ normal(a * x + sum(w), 1.0)

objective loss(a: real, b: positive, x: real[n], y: real[n]):
    return mean i in 0..n: (a * x[i] + b - y[i])^2

objective powers(a: real, k: int):
    return sum i in 0..k: a^(i + 1)

fit least:
    given x: real[n], y: real[n]
    minimize loss(a, b, x, y)
    over a: real, b: positive = 1.0
    using adam(0.1) for a, sgd(linear(0.1, 0.01)) for b
    steps 200
"""


@pytest.fixture(scope="module")
def cone():
    return pb.loads(CONE, name="cone")


@pytest.fixture(scope="module")
def line():
    return pb.loads(LINE, name="line")


@pytest.fixture(scope="module")
def points():
    x = np.linspace(-1, 1, 20).astype(np.float32)
    return {"x": x, "y": 2 * x + 0.5}


# ---------------------------------------------------------------- programs


def test_declarations_by_kind_and_by_name(cone):
    assert list(cone.models) == ["cone", "blob"] and list(cone.fits) == ["noisy_cone"] and not cone.objectives
    assert isinstance(cone["cone"], pb.Model) and isinstance(cone["elbo"], pb.Objective)
    assert "cone" in cone and "con" not in cone and list(cone) == ["cone", "blob", "noisy_cone"]
    with pytest.raises(KeyError, match="did you mean `cone`"):
        cone["con"]
    with pytest.raises(TypeError):
        cone.models["x"] = 1


def test_mistakes_are_program_errors():
    with pytest.raises(pb.ProgramError) as error:
        pb.loads("model m():\n    x ~ norml(0, 1)\n\nfit f:\n    maximize 1.0 * a\n    over a: real\n    using adm(0.1)\n")
    assert isinstance(error.value, ValueError)
    assert {d.code for d in error.value.diagnostics} == {"name"} and len(error.value.diagnostics) == 2
    assert "program:2:9" in str(error.value) and error.value.diagnostics[0].line == 2


@pytest.mark.parametrize("make", [lambda path: None, lambda path: path.write_bytes(b"\xff\xfe\xff"), lambda path: path.mkdir()])
def test_a_file_that_can_not_be_read(tmp_path, make):
    make(tmp_path / "p.pbk")
    with pytest.raises(pb.ProgramError) as error:
        pb.load(tmp_path / "p.pbk")
    assert [d.code for d in error.value.diagnostics] == ["file"]


def test_load_finds_programs_beside_it(tmp_path):
    (tmp_path / "parts").mkdir()
    (tmp_path / "parts" / "m.pbk").write_text("model m():\n    x ~ normal(0, 1)\n")
    (tmp_path / "p.pbk").write_text("from parts.m import m\n\nmodel two():\n    a ~ m()\n    b ~ m()\n")
    program = pb.load(tmp_path / "p.pbk")
    assert set(program["two"].sample(jax.random.key(0))) == {"a", "b"}
    assert isinstance(program["m"], pb.Model)


def test_externs_are_what_the_caller_passes():
    text = "extern f(x: real) -> real\n\nobjective o(a: real):\n    return f(a)\n"
    assert float(pb.loads(text, f=jnp.sin)["o"].compile()(0, {"a": 1.0})) == pytest.approx(np.sin(1.0))
    assert [d.code for d in pb.loads(text).warnings] == ["pending"]
    with pytest.raises(pb.ArgumentError, match="declares no extern `g`"):
        pb.loads(text, g=jnp.sin)


# ---------------------------------------------------------------- objectives


def test_an_objective_is_a_jax_function(cone):
    f = cone["noisy_cone"].objective
    params = {"mean": jnp.array([2.0, 0.5]), "log_sd": jnp.array([-1.0, -1.0])}
    key = jax.random.key(0)
    value, grads = f.value_and_grad(key, params)
    assert value == f(key, params) and jax.tree.structure(grads) == jax.tree.structure(params)
    same = jax.grad(f, argnums=1)(key, params)
    assert all(np.allclose(a, b, rtol=1e-5) for a, b in zip(jax.tree.leaves(grads), jax.tree.leaves(same)))
    assert np.allclose(jax.jit(f)(key, params), value, rtol=1e-5)
    assert jax.vmap(f, (0, None))(jax.random.split(key, 3), params).shape == (3,)


def test_what_compile_is_given(cone):
    f = cone["noisy_cone"].compile(particles=8)
    assert f.particles == 8 and f.ledger.unbiased
    with pytest.raises(pb.ArgumentError, match="needs `p: model` and `q: model`"):
        cone["elbo"].compile()
    with pytest.raises(pb.ArgumentError, match="has no argument `r`"):
        cone["elbo"].compile(r=1)


def test_rules_from_outside(cone):
    f = cone["noisy_cone"].compile(particles=4, rules={"q.x": "reinforce(k = 2)"})
    assert {row.address: row.rule for row in f.ledger.rows}["x"].startswith("reinforce")
    with pytest.raises(pb.ProgramError, match="no choice is called"):
        cone["noisy_cone"].compile(rules={"q.u": "enum"}).stages()


def test_static_ints(line):
    f = line["powers"].compile()
    assert [float(f(0, {"a": 2.0}, k=k)) for k in (1, 3)] == [2.0, 14.0]
    assert float(line["powers"].compile(k=2)(0, {"a": 2.0})) == 6.0
    for k, says in [({}, "needs `k: int`"), ({"k": 1.5}, "was given 1.5")]:
        with pytest.raises(pb.ArgumentError, match=says):
            f(0, {"a": 2.0}, **k)
    with pytest.raises(pb.ArgumentError, match="must be known before the run"):
        jax.jit(lambda k: f(0, {"a": 2.0}, k=k))(3)


@pytest.mark.parametrize("change, says", [
    ({"y": None}, "needs `y: real"), ({"y": np.zeros(3, np.float32)}, "n = 20"), ({"x": np.zeros((20, 2), np.float32)}, "dimension"),
    ({"z": 1.0}, "has no argument `z`"), ({"a": 1.0}, "both among")])
def test_arguments_that_do_not_fit(line, points, change, says):
    data = {name: value for name, value in {**points, **change}.items() if value is not None}
    with pytest.raises(pb.ArgumentError, match=says):
        line["loss"].compile()(0, {"a": 0.0, "b": 1.0}, **data)


def test_stages_are_drawn(cone):
    f = cone["noisy_cone"].objective
    for stage in ("source", "ir", "checked", "estimator", "jaxpr"):
        assert f.graph(stage, {"mean": jnp.zeros(2), "log_sd": jnp.zeros(2)}).stage == stage
    with pytest.raises(pb.ArgumentError, match="did you mean `estimator`"):
        f.graph("estimater")
    assert "normal" in str(f.graph("ir"))
    assert {"key", "mean", "log_sd"} <= {node.name for node in f.graph("jaxpr").scene.nodes}


# ---------------------------------------------------------------- models


def test_sample_and_logp(cone):
    model = cone["cone"]
    trace = model.sample(jax.random.key(1))
    x, y, z = (float(trace[name]) for name in "xyz")
    r = x * x + y * y
    expected = sum(-0.5 * ((v - m) / s) ** 2 - np.log(s) - 0.5 * np.log(2 * np.pi)
                   for v, m, s in [(x, 0, 10), (y, 0, 10), (z, r, 0.1 + r / 100)])
    assert float(model.logp(trace)) == pytest.approx(expected, rel=1e-4)
    assert jax.grad(model.logp)(trace)["z"].shape == ()
    assert {address: shape for address, (_, shape, _) in model.addresses().items()} == {"x": (), "y": (), "z": ()}
    with pytest.raises(pb.ArgumentError, match="lacks `y`, `z`"):
        model.logp({"x": 1.0})
    with pytest.raises(pb.ArgumentError, match="has `u`"):
        model.logp({**trace, "u": 1.0})


def test_a_model_with_arguments(line):
    model = line["line"]
    trace = model.sample(jax.random.key(0), x=np.zeros(5), a=1.0, k=3)
    assert trace["w"].shape == (3,) and trace["y"].shape == (5,)
    assert np.isfinite(model.logp(trace, x=np.zeros(5), a=1.0, k=3))
    with pytest.raises(pb.ArgumentError, match="has no argument `b`"):
        model(b=1)


# ---------------------------------------------------------------- fits


def test_a_fit_runs(cone):
    fit = cone["noisy_cone"].run(0, progress=False)
    assert set(fit.params) == {"mean", "log_sd"} and len(fit.history["objective"]) == 40
    assert fit.history["objective"][-1] > fit.history["objective"][0]
    posterior = fit.posterior(jax.random.key(1), draws=20)["posterior"]
    assert posterior["x"].shape == (1, 20)
    assert fit.posterior(jax.random.key(1), draws=20, of="blob")["posterior"]["y"].shape == (1, 20)
    with pytest.raises(pb.ArgumentError, match="draws no model `g`"):
        fit.posterior(jax.random.key(1), of="g")


def test_least_squares(line, points):
    fit = line["least"].run(jax.random.key(0), data=points, progress=False)
    assert fit.params["a"] == pytest.approx(2.0, abs=0.05) and fit.params["b"] == pytest.approx(0.5, abs=0.05)
    assert len(line["least"].run(0, data=points, progress=False, steps=3).history["step"]) == 3
    further = line["least"].run(0, data=points, init={"a": 5.0}, progress=False, steps=1)
    assert further.history["objective"][0] > fit.history["objective"][-1]


@pytest.mark.parametrize("data, options, says", [
    ({}, {}, "needs `x: real"), ({"x": np.zeros(3), "y": np.array([0.0, np.nan, 1.0])}, {}, "`y` has NaN"),
    ({"x": np.zeros(3), "y": np.zeros(4)}, {}, "n = 3"), ({"x": np.zeros(3), "y": np.zeros(3)}, {"step": 3}, "did you mean `steps`"),
    ({"x": np.zeros(3), "y": np.zeros(3)}, {"init": {"c": 1.0}}, "not over")])
def test_what_a_run_refuses(line, data, options, says):
    with pytest.raises(pb.ArgumentError, match=says):
        line["least"].run(0, data=data, progress=False, **options)


def test_layout_and_steps_do_not_change_what_is_resumed(tmp_path, points):
    run = {"data": points, "progress": False, "checkpoint": tmp_path}
    pb.loads(LINE)["least"].run(0, steps=5, **run)
    same = pb.loads("# a comment\n" + LINE.replace("steps 200", "steps 9"))["least"]
    assert len(same.run(0, resume=True, **run).history["step"]) == 9
    other = pb.loads(LINE.replace("^2", "^4"))["least"]
    with pytest.raises(pb.FitError, match="another program") as error:
        other.run(0, resume=True, **run)
    assert [d.code for d in error.value.diagnostics] == ["checkpoint"]


def test_a_step_that_is_not_finite_names_the_line():
    text = "objective o(a: real):\n    b = a - 1\n    c = log(b)\n    return c * 2\n\nfit f:\n    minimize o(a)\n" \
           "    over a: real = 1.05\n    using sgd(0.001)\n    steps 100\n"
    with pytest.raises(pb.FitError) as error:
        pb.loads(text, name="o.pbk")["f"].run(0, progress=False)
    (found,) = error.value.diagnostics
    assert found.code == "step" and found.line == 3 and "log(b)" in found.label
    assert 0 < error.value.step < 100 and np.isfinite(error.value.fit.params["a"])


def test_a_derivative_that_is_not_finite_names_the_line():
    text = "objective o(a: real):\n    b = a * 2\n    return sqrt(b) + b\n\nfit f:\n    minimize o(a)\n" \
           "    over a: real = 0.0\n    using sgd(0.1)\n    steps 10\n"
    with pytest.raises(pb.FitError) as error:
        pb.loads(text, name="o.pbk")["f"].run(0, progress=False)
    (found,) = error.value.diagnostics
    assert found.code == "step" and found.line == 3 and error.value.step == 0


def test_estimates_have_standard_errors(cone):
    params = {"mean": jnp.array([2.0, 1.0]), "log_sd": jnp.array([-3.0, -3.0])}
    found = cone["noisy_cone"].estimate(0, params=params, draws=50)
    f = cone["noisy_cone"].objective
    values, grads = jax.vmap(f.value_and_grad, (0, None))(jax.random.split(jax.random.key(0), 50), params)
    assert found.value == pytest.approx(float(values.mean()), rel=1e-4)
    assert found.error == pytest.approx(float(values.std(ddof=1)) / 50 ** 0.5, rel=1e-3)
    norm, error = found.gradients["mean"]
    assert norm == pytest.approx(float(jnp.linalg.norm(grads["mean"].mean(0))), rel=1e-3)
    assert error == pytest.approx(float(grads["mean"].var(0, ddof=1).sum() / 50) ** 0.5, rel=1e-3)


NET = """network net: real[3] -> real[4] = dense(5) >> relu >> dense(4)

objective loss(w: params, xs: real[n, 3], ys: int[n]):
    return mean i in 0..n: cross_entropy(net(w, xs[i]), ys[i])
"""


def test_a_network_is_a_function():
    net, x = pb.loads(NET)["net"], jnp.arange(6.0).reshape(2, 3)
    w = net.init(jax.random.key(0))
    hidden = jax.nn.relu(x @ w["0"]["weight"].T + w["0"]["bias"])
    assert np.allclose(jax.jit(net)(w, x), hidden @ w["2"]["weight"].T + w["2"]["bias"], atol=1e-6)
    for params, given in ((w, jnp.ones(4)), ({"0": w["0"]}, x), ({**w, "2": w["0"]}, x)):
        with pytest.raises(pb.ArgumentError, match="`.*net`"):
            net(params, given)


def test_cross_entropy_is_optaxs():
    import optax
    program, x, y = pb.loads(NET), jnp.arange(6.0).reshape(2, 3), jnp.array([1, 3])
    net, f = program["net"], program["loss"].compile()
    w = net.init(jax.random.key(0))
    by_hand = lambda w: optax.softmax_cross_entropy_with_integer_labels(net(w, x), y).mean()
    value, gradient = f.value_and_grad(jax.random.key(1), {"w": w}, xs=x, ys=y)
    assert np.allclose(value, by_hand(w), rtol=1e-6)
    assert all(map(lambda a, b: np.allclose(a, b, atol=1e-6), *map(jax.tree.leaves, (gradient["w"], jax.grad(by_hand)(w)))))
    soft = pb.loads("objective f(l: real[n, 4], p: real[n, 4]):\n    return sum(cross_entropy(l, p))\n")["f"].compile()
    p = jax.nn.softmax(jnp.arange(8.0).reshape(2, 4)).at[0, 0].set(0.0)
    assert np.allclose(soft(jax.random.key(0), {"l": net(w, x)}, p=p), optax.softmax_cross_entropy(net(w, x), p).sum(), rtol=1e-6)
    assert np.isnan(f(jax.random.key(1), {"w": w}, xs=x, ys=jnp.array([1, 4])))
