"""The Nile's level as a random walk seen through noise, against Kalman's filter; compile time at growing lengths.

    python -m examples.state_space.run
"""
from __future__ import annotations

from time import perf_counter

import jax
import numpy as np

from examples import data
from examples.story import Story, estimates


def kalman(drift, noise, flow):
    """The log likelihood of the flow, in float64."""
    mean, variance, total = 9.0, 25.0, 0.0
    for y in flow.astype(np.float64):
        spread = variance + noise ** 2
        total -= 0.5 * ((y - mean) ** 2 / spread + np.log(2 * np.pi * spread))
        gain = variance / spread
        mean, variance = mean + gain * (y - mean), (1 - gain) * variance + drift ** 2
    return total


def compile_seconds(objective, key, n):
    """Tracing and compiling value and gradient for a series of n years."""
    params = {"drift": np.float32(1), "noise": np.float32(1), "center": np.zeros(n, np.float32),
              "keep": np.zeros(n, np.float32), "sd": np.ones(n, np.float32)}
    began = perf_counter()
    jax.jit(objective.value_and_grad).lower(key, params, flow=np.zeros(n, np.float32)).compile()
    return perf_counter() - began


def main(argv=None):
    story = Story("state_space", __doc__, argv)
    nile = data.nile()
    flow = nile["flow"] / 100
    fit = story.fit("state_space", {"flow": flow}, small=100)
    elbo = story.program["state_space"].objective
    mean, error = estimates(elbo, story.key(1), fit.params, 20 if story.small else 200, flow=flow)
    story.say("ELBO", mean)
    story.say("its standard error", error)
    drift, noise = float(fit.params["drift"]), float(fit.params["noise"])
    story.say("log likelihood by Kalman's filter at the same drift and noise", kalman(drift, noise, flow))
    story.say("drift", drift)
    story.say("noise", noise)
    lengths = (100, 1000) if story.small else (100, 1000, 10_000)
    story.say(f"seconds to compile, {lengths} years", [compile_seconds(elbo, story.key(), n) for n in lengths])

    center, variance = np.asarray(fit.params["center"]), [np.asarray(fit.params["sd"][0]) ** 2]
    for keep, sd in zip(fit.params["keep"][1:], fit.params["sd"][1:]):
        variance.append(keep ** 2 * variance[-1] + sd ** 2)
    band = 2 * np.sqrt(variance)
    with story.plot("level") as axes:
        axes.plot(nile["year"], flow, "o", ms=3, label="flow")
        axes.plot(nile["year"], center, label="level, ± 2 sd")
        axes.fill_between(nile["year"], center - band, center + band, alpha=0.2)
        axes.set(ylabel="10¹⁰ m³ a year")
        axes.legend()
    return story.end()


if __name__ == "__main__":
    main()
