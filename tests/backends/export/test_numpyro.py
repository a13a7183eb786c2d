"""Models as NumPyro's: the same addresses, the same density, and NUTS runs."""
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from numpyro.handlers import condition, seed, substitute, trace
from numpyro.infer import MCMC, NUTS, Predictive
from numpyro.infer.util import log_density

import pullback as pb

pytestmark = pytest.mark.usefixtures("unoptimized")

PROGRAM = """
model diagnosis(features: real[n, d]):
    weight: real[d] ~ normal(0, 1)
    benign: int[n] ~ bernoulli(logits = features @ weight)

model schools(n: int):
    mu ~ normal(0, 5)
    tau ~ normal(0, 1) onto positive
    for i in 0..n, j in 0..2:
        theta: real[3] ~ normal(mu, tau)

model river(n: int):
    level[0] ~ normal(9, 5)
    for t in 1..n:
        level[t] ~ normal(level[t - 1], 1.0)
    for t in 0..n:
        flow[t] ~ normal(level[t], 0.5)

model walks(n: int):
    for i in 0..3:
        x[0] ~ normal(i, 1)
        for t in 1..n:
            x[t] ~ normal(0.5 * x[t - 1], 1.0)
        last ~ normal(x[n - 1], 0.1)

model maybe():
    k ~ bernoulli(0.3)
    if k == 1:
        x ~ normal(5, 1)
    else:
        x ~ normal(-5, 2)
        v: real[2] ~ normal(x, 1)
    y ~ normal(x, 1.0)

model inner(s: positive):
    x ~ normal(0, s)

model outer():
    a ~ inner(1.0)
    b ~ inner(2.0)
    y ~ multivariate_normal([a.x, b.x], scale_tril = eye(2))

model weighted():
    x ~ flat(real)
    factor -x^2
"""
ARGUMENTS = {"diagnosis": {"features": np.arange(12.0).reshape(4, 3) / 10}, "schools": {"n": 4}, "river": {"n": 6}, "maybe": {},
             "outer": {}}


@pytest.fixture(scope="module")
def program():
    return pb.loads(PROGRAM, name="models")


def density(model, values):
    """NumPyro's log density with these sites observed, the rest drawn by a fixed key."""
    return float(log_density(seed(model, jax.random.key(0)), (), values, {})[0])


def flat(tree, path=""):
    for name, value in tree.items():
        if isinstance(value, dict):
            yield from flat(value, f"{path}{name}.")
        else:
            yield f"{path}{name}", value


@pytest.mark.parametrize("name", ARGUMENTS)
def test_density_and_addresses(program, name):
    model, arguments = program[name], ARGUMENTS[name]
    drawn = model.sample(jax.random.key(1), **arguments)
    exported = model.to_numpyro(**arguments)
    found = trace(seed(exported, jax.random.key(0))).get_trace()
    values = dict(flat(drawn))
    assert {address: value.shape for address, value in values.items()} == {
        address: jnp.shape(found[address]["value"]) for address in values}
    assert density(exported, values) == pytest.approx(float(model.logp(drawn, **arguments)), rel=1e-5)


def test_plates_are_plates(program):
    found = trace(seed(program["schools"].to_numpyro(n=4), jax.random.key(0))).get_trace()
    assert [frame.size for frame in found["theta"]["cond_indep_stack"]][::-1] in ([4, 2, 3], [3, 2, 4])
    assert found["theta"]["value"].shape == (4, 2, 3) and found["tau"]["value"] > 0


def test_scans_are_in_pieces_and_whole(program):
    model = program["river"].to_numpyro(n=6)
    found = trace(seed(model, jax.random.key(0))).get_trace()
    assert {name: site["type"] for name, site in found.items() if site["type"] in ("sample", "deterministic")} == {
        "level[0]": "sample", "level[1..6]": "sample", "level": "deterministic", "flow": "sample"}
    whole = jnp.concatenate([found["level[0]"]["value"][None], found["level[1..6]"]["value"]])
    assert (found["level"]["value"] == whole).all()


def test_a_scan_in_a_plate(program):
    found = trace(seed(program["walks"].to_numpyro(n=4), jax.random.key(0))).get_trace()
    assert found["x"]["value"].shape == (3, 4) and found["last"]["value"].shape == (3,)
    assert found["last"]["type"] == "sample" and found["x"]["type"] == "deterministic"


def test_a_branch_is_masked(program):
    """What is not taken adds nothing: the density is the same whatever it is worth."""
    model = program["maybe"].to_numpyro()
    sites = trace(seed(model, jax.random.key(0))).get_trace()
    values = {name: site["value"] for name, site in sites.items() if site["type"] == "sample"}
    assert set(values) == {"k", "x[if]", "x[else]", "v", "y"}
    for taken in (0, 1):
        both = [float(log_density(substitute(seed(model, jax.random.key(0)), {**values, "k": jnp.array(taken), "v": v},
                                              ), (), {}, {})[0])
                for v in (jnp.zeros(2), jnp.full(2, 50.0))]
        assert (both[0] == pytest.approx(both[1])) == (taken == 1)


def test_nuts_finds_the_posterior(program):
    """x ~ N(0, 1), three of four benign: against a fine grid."""
    features = np.array([[1.0], [1.0], [1.0], [1.0]])
    benign = np.array([1, 1, 1, 0])
    chain = MCMC(NUTS(condition(program["diagnosis"].to_numpyro(features=features), {"benign": benign})), num_warmup=100,
                 num_samples=800, progress_bar=False)
    chain.run(jax.random.key(0))
    grid = np.linspace(-6, 6, 2001)
    weight = np.exp(-grid ** 2 / 2 + 3 * grid - 4 * np.log1p(np.exp(grid)))
    mean = (grid * weight).sum() / weight.sum()
    assert chain.get_samples()["weight"].mean() == pytest.approx(mean, abs=0.15)


def test_predictive(program):
    draws = Predictive(program["river"].to_numpyro(n=5), num_samples=7)(jax.random.key(0))
    assert draws["flow"].shape == (7, 5) and draws["level"].shape == (7, 5)


def test_unnormalized_models_say_so(program):
    with pytest.raises((pb.ProgramError, pb.ArgumentError)):
        program["weighted"].to_numpyro()


def test_unknown_addresses(program):
    with pytest.raises(pb.ArgumentError, match="did you mean `level`"):
        seed(program["river"].to_numpyro(n=5), 0)(levl=np.zeros(5))
