"""A variational autoencoder of 5,000 MNIST digits: fit, test ELBO, reconstructions, samples.

    python -m examples.vae.run
"""
from __future__ import annotations

import numpy as np

from examples import data
from examples.story import Story, estimates, network, sigmoid


def main(argv=None):
    story = Story("vae", __doc__, argv)
    digits = data.mnist()
    fit = story.fit("vae", {"images": digits["images"]}, small=50)
    test = digits["test_images"]
    bound = story.program["bound"].compile()
    mean, error = estimates(bound, story.key(1), fit.params, 2 if story.small else 20, images=test)
    story.say("test ELBO", mean)
    story.say("its standard error over draws", error)

    first = test[:40]
    seen = sigmoid(network(fit.params["w"], network(fit.params["v"], first)[:, :10]))
    pairs = np.stack([first.reshape(4, 10, 784), seen.reshape(4, 10, 784)], 1)
    story.picture("reconstructions", pairs.reshape(-1, 28, 28), columns=10)
    codes = np.random.default_rng(story.seed).normal(size=(80, 10))
    story.picture("samples", sigmoid(network(fit.params["w"], codes)).reshape(-1, 28, 28), columns=10)
    fit.plot().savefig(story.out / "history.png")
    return story.end()


if __name__ == "__main__":
    main()
