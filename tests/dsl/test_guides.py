"""Guides under `over`: their laws by the model's supports, their arguments as the fit's parameters."""
import jax
import numpy as np
import pytest

import pullback as pb

TEXT = """
from pullback.objectives import elbo

model schools(sigma: real[n]):
    mu ~ normal(0, 5)
    tau ~ half_cauchy(5)
    for i in 0..n:
        theta[i] ~ normal(mu, tau)
        y[i] ~ normal(theta[i], sigma[i])

model finite():
    k ~ categorical([0.2, 0.3, 0.5])
    b ~ bernoulli(0.3)
    w ~ dirichlet([1.0, 2.0, 3.0])
    u ~ uniform(-1, 2)
    y ~ normal(k + b + w[0] + u, 1)

model line():
    a ~ normal(0, 1)
    b ~ normal(0, 1)
    y ~ normal(a + b, 0.5)

model mine(m: real = 0.5, s: positive = 2.0):
    a ~ normal(m, s)
    b ~ normal(0, 1)

fit f:
    given sigma: real[n], y: real[n]
    maximize elbo(schools(sigma), q, {y})
    over q: model = KIND(schools(sigma), {y})
    using adam(0.1)
    particles 4
    steps 3

fit g:
    maximize elbo(MODEL, q, {y = 1.3})
    over q: model = GUIDE
    using adam(0.03)
    particles 16
    steps STEPS
"""


def program(kind="mean_field", model="line()", guide="mine()", steps="3"):
    return pb.loads(TEXT.replace("KIND", kind).replace("MODEL", model).replace("GUIDE", guide).replace("STEPS", steps))


@pytest.mark.parametrize("kind,shapes", [
    ("mean_field", {"mu_loc": (), "mu_log_scale": (), "tau_loc": (), "tau_log_scale": (), "theta_loc": (3,), "theta_log_scale": (3,)}),
    ("full_rank", {"loc": (5,), "scale": (5, 5)})])
def test_a_loop_and_a_positive_scale(kind, shapes):
    data = {"sigma": np.ones(3), "y": np.array([1., 2., 3.])}
    fitted = program(kind)["f"].run(0, data, progress=False)
    assert {name: np.shape(value) for name, value in fitted.params["q"].items()} == shapes
    assert np.isfinite(fitted.history["objective"]).all()
    if kind == "full_rank":
        assert (np.diag(fitted.params["q"]["scale"]) > 0).all() and np.allclose(np.triu(fitted.params["q"]["scale"], 1), 0)


def test_supports():
    """Coins and finite choices by logits, a simplex by its unconstrained vector, an interval by its ends."""
    fitted = program(model="finite()", guide="mean_field(finite(), {y = 1.3})")["g"].run(0, progress=False)
    shapes = {name: np.shape(value) for name, value in fitted.params["q"].items()}
    assert shapes == {"k_logits": (3,), "b_logits": (), "w_loc": (2,), "w_log_scale": (2,), "u_loc": (), "u_log_scale": ()}


def test_full_rank_is_exact_for_a_gaussian():
    """The posterior of two normals given their noisy sum: correlated, and the bound is the evidence."""
    fitted = program(guide="full_rank(line(), {y = 1.3})", steps="600")["g"].run(0, progress=False)
    scale = np.asarray(fitted.params["q"]["scale"])
    exact = np.linalg.inv(np.eye(2) + np.ones((2, 2)) / .25)
    evidence = -1.3 ** 2 / (2 * 2.25) - np.log(2 * np.pi * 2.25) / 2
    assert np.allclose(scale @ scale.T, exact, atol=.06)
    assert abs(np.mean(fitted.history["objective"][-100:]) - evidence) < .05


def test_a_model_of_ones_own():
    """What is left at its default is optimized, within its type; what is given stays."""
    at = program()["g"].at(0)
    assert np.allclose([at["q"]["m"], at["q"]["s"]], [.5, 2.])
    fitted = program(guide="mine(m = 0.1)")["g"].run(0, progress=False)
    assert set(fitted.params["q"]) == {"s"} and fitted.params["q"]["s"] > 0


@pytest.mark.parametrize("guide,code,says", [
    ("mine(m = 0.1, s = 1.0)", "unused", "left at its default"), ("mean_field(line(), {a = 0.1, b = 0.2, y = 1.3})", "trace", "nothing open"),
    ("full_rank(finite(), {y = 1.3})", "support", "`k`"), ("3", "kind", "a guide is a model")])
def test_refused(guide, code, says):
    with pytest.raises(pb.ProgramError) as error:
        program(guide=guide)
    assert error.value.diagnostics[0].code == code and says in str(error.value)


def test_fields_of_one_record_stay_apart():
    f = pb.loads("objective f(w: params): return w.a - 2 * w.b\n")["f"].compile()
    assert np.isclose(f(jax.random.key(0), {"w": {"a": 1.0, "b": 3.0}}), -5.0)
