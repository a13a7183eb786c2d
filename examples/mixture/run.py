"""A Gaussian mixture of irises, its assignments summed out in a plate: the marginal likelihood in closed form.

    python -m examples.mixture.run
"""
from __future__ import annotations

import jax
import numpy as np
from scipy.special import logsumexp

from examples import data
from examples.story import Story


def kinds(params, x):
    """log p(kind, flower) in float64, [n, 3]."""
    weights, loc, scale = (np.asarray(params[name], np.float64) for name in ("weights", "loc", "scale"))
    apart = (x.astype(np.float64)[:, None] - loc) / scale
    return np.log(weights) - 0.5 * (apart ** 2 + np.log(2 * np.pi * scale ** 2)).sum(2)


def main(argv=None):
    story = Story("mixture", __doc__, argv)
    flowers = data.iris()
    x = flowers["features"]
    fit = story.fit("mixture", {"features": x}, small=100)
    likelihood = story.program["mixture"].objective
    value = float(likelihood(story.key(1), fit.params, features=x))
    closed = logsumexp(kinds(fit.params, x), axis=1).mean()
    story.say("log marginal likelihood of a flower", value)
    story.say("its error, relative to the closed form", value / closed - 1)

    def flops(rows):
        return jax.jit(likelihood).lower(story.key(1), fit.params, features=rows).compile().cost_analysis()["flops"]

    story.say("flops of twice the flowers, relative", flops(np.concatenate([x, x])) / flops(x))
    found = kinds(fit.params, x).argmax(1)
    table = np.array([[np.sum((found == k) & (flowers["species"] == s)) for s in range(3)] for k in range(3)])
    story.say("flowers of each kind found (rows) and species (columns)", table)

    with story.plot("kinds", (4, 4)) as axes:
        axes.scatter(x[:, 2], x[:, 3], c=found, s=15)
        axes.scatter(fit.params["loc"][:, 2], fit.params["loc"][:, 3], marker="+", c="black", s=120)
        axes.set(xlabel="length of a petal (standardized)", ylabel="width of a petal")
    return story.end()


if __name__ == "__main__":
    main()
