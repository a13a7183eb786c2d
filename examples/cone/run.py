"""The noisy cone: fit a Gaussian guide to what explains a height of 5.

    python -m examples.cone.run
"""
from __future__ import annotations

import numpy as np

from examples.story import Story, estimates


def log_evidence(z: float) -> float:
    """log p(z) by quadrature: r = x² + y² has the density exp(−r / 200) / 200."""
    r = np.linspace(0, 4 * z + 20, 200_001)
    sd = 0.1 + r / 100
    return float(np.log(np.trapezoid(np.exp(-r / 200 - 0.5 * ((z - r) / sd) ** 2) / (200 * sd * np.sqrt(2 * np.pi)), r)))


def main(argv=None):
    story = Story("cone", __doc__, argv)
    fit = story.fit("noisy_cone", {}, small=200)
    elbo = story.program["noisy_cone"].objective
    mean, error = estimates(elbo, story.key(1), fit.params, 20 if story.small else 400)
    story.say("ELBO", mean)
    story.say("its standard error", error)
    story.say("log p(z = 5) by quadrature", log_evidence(5.0))

    (mx, my), (sx, sy) = fit.params["mean"], np.exp(fit.params["log_sd"])
    turn = np.linspace(0, 2 * np.pi, 400)
    with story.plot("cone", (4, 4)) as axes:
        axes.plot(5 ** 0.5 * np.cos(turn), 5 ** 0.5 * np.sin(turn), label="x² + y² = 5")
        axes.plot(mx + 2 * sx * np.cos(turn), my + 2 * sy * np.sin(turn), label="guide, 2 sd")
        axes.set(xlabel="x", ylabel="y", aspect="equal")
        axes.legend()
    fit.plot().savefig(story.out / "history.png")
    return story.end()


if __name__ == "__main__":
    main()
