"""An importance weighted autoencoder of 8×8 digits: the bounds of 1, 5 and 50 draws on held-out images.

    python -m examples.iwae.run
"""
from __future__ import annotations

import numpy as np

from examples import data
from examples.story import Story, estimates, network, sigmoid


def main(argv=None):
    story = Story("iwae", __doc__, argv)
    digits = data.binary_digits()
    fit = story.fit("iwae", {"images": digits["images"]}, small=100)
    test = digits["test_images"]
    bounds = {k: estimates(story.program["bound"].compile(k=k), story.key(k), fit.params, 5 if story.small else 50,
                           images=test) for k in (1, 5, 50)}
    for k, (mean, error) in bounds.items():
        story.say(f"bound of {k} draws, and its standard error", [mean, error])
    for less, more in ((1, 5), (5, 50)):
        rise = bounds[more][0] - bounds[less][0]
        story.say(f"rise from {less} to {more} draws, in standard errors",
                  rise / np.hypot(bounds[less][1], bounds[more][1]))
    codes = np.random.default_rng(story.seed).normal(size=(80, 8))
    story.picture("samples", sigmoid(network(fit.params["w"], codes)).reshape(-1, 8, 8), columns=10)
    return story.end()


if __name__ == "__main__":
    main()
