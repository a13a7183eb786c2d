"""Optimizers by name: each goes down, takes schedules wherever it takes a number, and says what it can't be given."""
from dataclasses import dataclass
from typing import Any

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback.compiler import optimizer, schedule

optimizer.library("pullback.stdlib.optimizers")
pytestmark = pytest.mark.usefixtures("unoptimized")


class Bowl:
    """Σ (x − 1)² at x."""

    def __init__(self, params):
        self.value, self.gradient = self.value_and_grad(params)

    def __call__(self, params):
        return jnp.sum((params["x"] - 1.0) ** 2)

    def value_and_grad(self, params):
        return jax.value_and_grad(self)(params)


def after(made, steps, params=None):
    params = params or {"x": jnp.zeros(3)}

    def step(t, carry):
        return made.update(jax.random.key(0), *carry, Bowl(carry[1]), t, steps)
    return jax.jit(lambda params: jax.lax.fori_loop(0, steps, step, (made.init(params, steps), params))[1])(params)["x"]


@pytest.mark.parametrize("name", [name for name in optimizer.names() if not optimizer.find(name).texts])
def test_each_goes_down(name):
    recipe = optimizer.find(name)
    given = {"learning_rate": 0.1} if "learning_rate" in [o.name for o in recipe.options] else {}
    x = after(recipe(**given), 30)
    assert np.isfinite(x).all() and np.sum((x - 1) ** 2) < 3


@pytest.mark.parametrize("name", ["adam", "sm3", "sgd"])
def test_a_schedule_is_followed(name):
    """At a rate that falls to 0 at once nothing moves after the first step."""
    falls = schedule.Linear(0.1, 0.0, steps=2)
    assert np.allclose(after(optimizer.find(name)(falls), 1), after(optimizer.find(name)(falls), 9), atol=1e-6)


def test_a_schedule_stands_wherever_a_number_does():
    made = optimizer.find("adam")(0.1, b1=schedule.Linear(0.0, 0.9), clip=schedule.Constant(1e-9))
    assert np.isfinite(after(made, 5)).all()


def test_clip_bounds_the_gradient():
    assert np.allclose(after(optimizer.find("sgd")(1.0, clip=0.1), 1), 0.1 / 3 ** 0.5)
    assert np.allclose(after(optimizer.find("sgd")(1.0), 1), 2.0)


@pytest.mark.parametrize("arguments, named, says", [
    ((), {}, "needs `learning_rate`"), ((0.1,), {"rate": 1}, "no option `rate`"),
    ((0.1,), {"learning_rate": 1}, "given twice"), (range(20), {}, "at most")])
def test_what_does_not_fit_is_said(arguments, named, says):
    with pytest.raises(TypeError, match=says):
        optimizer.find("adam")(*arguments, **named)


def test_an_unknown_name_is_none():
    assert optimizer.find("adamm") is None and optimizer.find("../adam") is None


def test_ones_own_optimizer():
    @optimizer.optimizer
    @dataclass(frozen=True)
    class SignedStep:
        """Against the sign of the gradient."""
        size: float = 0.25

        def init(self, params: Any, total: int) -> Any:
            return ()

        def update(self, key, state, params, slope, step, total):
            return state, jax.tree.map(lambda x, g: x - self.size * jnp.sign(g), params, slope.gradient)
    try:
        assert np.allclose(after(optimizer.find("signed_step")(), 4), 1.0)
        assert optimizer.find("signed_step").usage() == "`signed_step(size = 0.25)`"
    finally:
        del optimizer.OPTIMIZERS["signed_step"]


def test_schedules():
    curves = {"linear": [1.0, 0.75, 0.5, 0.25, 0.0], "constant": [1.0] * 5,
              "cosine": [(1 + np.cos(np.pi * s)) / 2 for s in np.linspace(0, 1, 5)]}
    for name, values in curves.items():
        made = schedule.find(name)(1.0, 0.0)
        assert np.allclose([made.at(t, 5) for t in range(5)], values, atol=1e-6)
    assert np.allclose([schedule.Exponential(1.0, 0.01).at(t, 3) for t in range(5)], [1, 0.1, 0.01, 0.01, 0.01])
    assert np.allclose([schedule.Linear(1.0, 0.0, warmup=3).at(t, 6) for t in range(6)], [0.25, 0.5, 0.75, 1, 0.5, 0])
    with pytest.raises(ValueError):
        schedule.Exponential(1.0, -1.0)
