"""Calm and rough times in the growth of the USA's product: a hidden Markov model, its state summed out in a scan.

    python -m examples.hmm.run
"""
from __future__ import annotations

import numpy as np
from scipy.special import log_softmax

from examples import data
from examples.story import Story


def forward(params, y):
    """log p(state, growth so far) at each time, in float64, [n, 2]; with the log densities that make it."""
    first, move, loc, scale = (np.asarray(params[name], np.float64) for name in ("first", "move", "loc", "scale"))
    move = log_softmax(move, axis=1)
    seen = -0.5 * ((y.astype(np.float64)[:, None] - loc) / scale) ** 2 - np.log(scale * np.sqrt(2 * np.pi))
    alpha = [log_softmax(first) + seen[0]]
    for row in seen[1:]:
        alpha.append(np.logaddexp.reduce(alpha[-1][:, None] + move) + row)
    return np.array(alpha), move, seen


def smoothed(params, y):
    """The probability of each state at each time given the whole series, [n, 2]."""
    alpha, move, seen = forward(params, y)
    beta = [np.zeros(2)]
    for row in seen[:0:-1]:
        beta.append(np.logaddexp.reduce(move + row + beta[-1], axis=1))
    joint = alpha + np.array(beta[::-1])
    return np.exp(joint - np.logaddexp.reduce(joint, axis=1, keepdims=True))


def main(argv=None):
    story = Story("hmm", __doc__, argv)
    series = data.growth()
    fit = story.fit("hmm", {"growth": series["growth"]}, small=100)
    likelihood = story.program["hmm"].objective
    for y in (series["growth"], np.resize(series["growth"], 10_000)):
        value = float(likelihood(story.key(1), fit.params, growth=y))
        story.say(f"log likelihood a quarter, {len(y)} quarters", value)
        story.say(f"its error, relative to a float64 forward algorithm, {len(y)} quarters",
                  value * len(y) / np.logaddexp.reduce(forward(fit.params, y)[0][-1]) - 1)
    rough = int(np.argmax(fit.params["scale"]))
    story.say("sd of growth in rough and in calm times", np.asarray(fit.params["scale"])[[rough, 1 - rough]])
    chance = smoothed(fit.params, series["growth"])[:, rough]
    story.say("share of rough quarters before and since 1984",
              np.array([chance[series["date"] < 1984].mean(), chance[series["date"] >= 1984].mean()]))

    with story.plot("times") as axes:
        axes.plot(series["date"], series["growth"], lw=0.8)
        axes.fill_between(series["date"], 4 * chance - 2, -2, alpha=0.2, label="probability of rough times (0 to 1)")
        axes.set(ylabel="growth, % a quarter")
        axes.legend()
    return story.end()


if __name__ == "__main__":
    main()
