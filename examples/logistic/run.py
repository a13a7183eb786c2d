"""Bayesian logistic regression on breast cancer: a full-rank guide against NUTS on the same program.

    python -m examples.logistic.run
"""
from __future__ import annotations

import numpy as np
from numpyro.diagnostics import effective_sample_size
from numpyro.handlers import condition
from numpyro.infer import MCMC, NUTS

from examples import data
from examples.story import Story


def main(argv=None):
    story = Story("logistic", __doc__, argv)
    tumors = data.breast_cancer()
    fit = story.fit("logistic", tumors, small=200)

    model = condition(story.program["diagnosis"].to_numpyro(features=tumors["features"]), {"benign": tumors["benign"]})
    warmup, draws = (100, 100) if story.small else (1000, 10_000)
    chain = MCMC(NUTS(model), num_warmup=warmup, num_samples=draws, progress_bar=False)
    chain.run(story.key(1))
    weight = np.asarray(chain.get_samples()["weight"], np.float64)

    mean, sd = weight.mean(0), weight.std(0)
    root = np.asarray(fit.params["root"])
    apart = (np.asarray(fit.params["mean"]) - mean) / sd
    story.say("furthest posterior mean from NUTS, in sd", np.abs(apart).max())
    story.say("least effective sample size of NUTS", effective_sample_size(weight[None]).min())
    story.say("sd of the guide over that of NUTS, least and most",
              np.array([f(np.sqrt((root ** 2).sum(1)) / sd) for f in (np.min, np.max)]))

    with story.plot("weights") as axes:
        places = np.arange(len(mean))
        axes.errorbar(places - 0.15, mean, sd, fmt="o", ms=3, label="NUTS")
        axes.errorbar(places + 0.15, fit.params["mean"], np.sqrt((root ** 2).sum(1)), fmt="o", ms=3, label="guide")
        axes.set(xlabel="measure (0: the constant)", ylabel="weight, ± sd")
        axes.legend()
    fit.plot().savefig(story.out / "history.png")
    return story.end()


if __name__ == "__main__":
    main()
