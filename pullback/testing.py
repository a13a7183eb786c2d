"""The laws as functions: what must hold of every rule, for ours and for yours.

    check_rule(MyRule(), on=["normal", "bernoulli"])

draws a choice by the rule alone, in a plate (summed, and mixed), in a scan, in a branch and in a nested call, and compares the
mean of value and gradient with moments by quadrature or enumeration.  A law is a z-test: the false-alarm rate of all tests of
a run together is `ALARM` (Bonferroni), and samples are drawn until the standard error of every coordinate of the gradient is at
most 2 % of its exact norm, or `MOST` of them are.
"""
from __future__ import annotations

import math
from dataclasses import dataclass
from statistics import NormalDist
from typing import Any, Mapping, Sequence

import numpy as np

ALARM = 1e-3      # of a family of tests, together
MOST = 40_000     # samples of one test
BATCH = 10_000


@dataclass(frozen=True)
class Estimate:
    """Means over many keys, with their standard errors; gradients are flat float64 vectors."""

    value: float
    value_error: float
    gradient: np.ndarray
    gradient_error: np.ndarray
    count: int

    def z(self, value: float, gradient: np.ndarray, slack: float = 2e-4) -> np.ndarray:
        """The z-scores of value and gradient against what is exact (`slack`: rounding, relative)."""
        scale = max(1.0, abs(value))
        norm = max(1.0, float(np.linalg.norm(gradient)))
        return np.concatenate([[(self.value - value) / (self.value_error + slack * scale)],
                               (self.gradient - gradient) / (self.gradient_error + slack * norm)])


def estimate(f: Any, params: Mapping[str, Any], *, seed: int = 0, relative: float = 0.02, most: int = MOST,
             batch: int = BATCH, **data: Any) -> Estimate:
    """Run a compiled objective under many keys, in batches, until its gradient is known well enough."""
    import jax
    from jax.flatten_util import ravel_pytree
    params = jax.tree.map(lambda x: np.asarray(x, np.result_type(float)), params)

    def one(key: Any) -> Any:
        value, gradient = f.value_and_grad(key, params, **data)
        return value, ravel_pytree(gradient)[0]
    run = jax.jit(jax.vmap(one))
    values, gradients = [], []
    key = jax.random.key(seed)
    for number in range(math.ceil(most / batch)):
        v, g = run(jax.random.split(jax.random.fold_in(key, number), batch))
        values.append(np.asarray(v, np.float64)), gradients.append(np.asarray(g, np.float64))
        v, g = np.concatenate(values), np.concatenate(gradients)
        error = g.std(0) / math.sqrt(len(g))
        if (error <= relative * np.linalg.norm(g.mean(0))).all():
            break
    return Estimate(float(v.mean()), float(v.std() / math.sqrt(len(v))), g.mean(0), error, len(v))


def threshold(tests: int, alarm: float = ALARM) -> float:
    """The |z| that all of so many tests stay below with probability 1 − alarm."""
    return NormalDist().inv_cdf(1 - alarm / (2 * max(tests, 1)))


# ------------------------------------------------------------------ the choices that rules are tried on

CASES: dict[str, dict[str, float]] = {
    "normal": {"loc": 0.4, "scale": 0.8}, "laplace": {"loc": 0.4, "scale": 0.6}, "logistic": {"loc": 0.3, "scale": 0.5},
    "exponential": {"rate": 1.3}, "gamma": {"concentration": 2.3, "rate": 1.7}, "beta": {"concentration1": 2.3,
                                                                                      "concentration0": 1.7},
    "log_normal": {"loc": 0.1, "scale": 0.4}, "uniform": {"low": -0.2, "high": 1.1}, "bernoulli": {"probs": 0.35},
    "poisson": {"rate": 1.6}, "geometric": {"probs": 0.55}}

PLACES: dict[str, str] = {
    "alone": "    x ~ {choice}\n    return x^2 + x\n",
    "plate": "    for i in 0..3:\n        x ~ {choice}\n        v[i] = (x^2 + x) * (i + 1)\n    return sum(v)\n",
    "mixed plate": "    for i in 0..3:\n        x ~ {choice}\n        v[i] = x\n    return sum(v)^2\n",
    "scan": "    s = 0.0\n    total = 0.0\n    for t in 0..3:\n        x ~ {choice}\n        total = total + s * x\n"
            "        s = 0.5 * s + x\n    return s^2 + total\n",
    "branch": "    b ~ bernoulli(0.4) by enum\n    if b:\n        x ~ {choice}\n        v = x^2 + x\n    else:\n        v = 1.0\n"
              "    return v\n",
    "call": "    return 2 * inner({names}) - 1\n",
}


def expected(place: str, m: float, q: float) -> float:
    """The exact value in a place, from E x = m and E x² = q of independent draws."""
    v = q - m * m
    match place:
        case "alone":
            return q + m
        case "plate":
            return 6 * (q + m)
        case "mixed plate":
            return 3 * v + 9 * m * m
        case "scan":
            end = v * (1 + 0.25 + 0.0625) + (m * 1.75) ** 2
            return end + m * m * (1 + 1.5)
        case "branch":
            return 0.4 * (q + m) + 0.6
        case "call":
            return 2 * (q + m) - 1
    raise KeyError(place)


def moments(name: str, parameters: Sequence[float]) -> tuple[float, float]:
    """E x and E x² of a distribution, by summation or by quadrature on a fine grid (float64)."""
    p = dict(zip(CASES[name], parameters))
    match name:
        case "bernoulli":
            return p["probs"], p["probs"]
        case "poisson":
            return p["rate"], p["rate"] + p["rate"] ** 2
        case "geometric":
            m = (1 - p["probs"]) / p["probs"]
            return m, (1 - p["probs"]) / p["probs"] ** 2 + m * m
        case "normal":
            return p["loc"], p["loc"] ** 2 + p["scale"] ** 2
        case "laplace":
            return p["loc"], p["loc"] ** 2 + 2 * p["scale"] ** 2
        case "logistic":
            return p["loc"], p["loc"] ** 2 + (p["scale"] * math.pi) ** 2 / 3
        case "exponential":
            return 1 / p["rate"], 2 / p["rate"] ** 2
        case "gamma":
            a, b = p["concentration"], p["rate"]
            return a / b, a * (a + 1) / b ** 2
        case "beta":
            a, b = p["concentration1"], p["concentration0"]
            return a / (a + b), a * (a + 1) / ((a + b) * (a + b + 1))
        case "log_normal":
            return math.exp(p["loc"] + p["scale"] ** 2 / 2), math.exp(2 * p["loc"] + 2 * p["scale"] ** 2)
        case "uniform":
            low, high = p["low"], p["high"]
            return (low + high) / 2, (low * low + low * high + high * high) / 3
    raise KeyError(f"no moments are known for {name}; the laws are tried on {', '.join(CASES)}")


def law(name: str, place: str) -> tuple[str, float, np.ndarray, dict[str, float]]:
    """A program with one choice in a place, its exact value and gradient, and the parameters."""
    parameters = CASES[name]
    names = ", ".join(parameters)
    choice = f"{name}({', '.join(f'{n} = {n}' for n in parameters)})"
    types = ", ".join(f"{n}: real" for n in parameters)
    text = f"objective inner({types}):\n" + PLACES["alone"].format(choice=choice)
    text += f"\nobjective f({types}):\n" + PLACES[place].format(choice=choice, names=names)

    def value(at: Sequence[float]) -> float:
        return expected(place, *moments(name, at))
    start, h = np.array(list(parameters.values())), 1e-5
    gradient = np.array([(value(start + h * e) - value(start - h * e)) / (2 * h) for e in np.eye(len(start))])
    order = np.argsort(list(parameters))  # JAX flattens a dict by its sorted names
    return text, value(start), gradient[order], dict(parameters)


def check_rule(rule: Any, on: Sequence[str] = ("normal", "bernoulli"), places: Sequence[str] = tuple(PLACES), *,
               particles: Sequence[int] = (1, 3), seed: int = 0, most: int = MOST,
               alarm: float = ALARM) -> list[tuple[str, str, float]]:
    """Try a rule on every distribution, in every place; the worst |z| of each, or `AssertionError` with all that fail.

    A rule that the checker refuses for a distribution is not a failure of a law: it raises `pb.ProgramError` as a program
    would.  rule: a rule object, or its text (`"reinforce(k = 4)"`).
    """
    import pullback as pb
    found, failed = [], []
    limit = threshold(len(on) * len(places) * len(particles) * 3, alarm)
    for name in on:
        for place in places:
            for p in particles:
                text, value, gradient, params = law(name, place)
                f = pb.loads(text, name=f"{name}-{place}")["f"].compile(rules={"x": rule}, particles=p)
                seen = estimate(f, params, seed=seed, most=most)
                worst = float(np.abs(seen.z(value, gradient)).max())
                found.append((name, f"{place}, particles {p}", worst))
                if not worst < limit:
                    failed.append(f"{name} in {place}, particles {p}: |z| = {worst:.1f}; value {seen.value:.5g} for {value:.5g}, "
                                  f"gradient {seen.gradient} for {gradient}")
    assert not failed, f"{rule}: beyond |z| = {limit:.1f}:\n" + "\n".join(failed)
    return found
