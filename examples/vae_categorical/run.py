"""One objective, two estimators: a categorical code summed out, and sampled with leave-one-out.

    python -m examples.vae_categorical.run
"""
from __future__ import annotations

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from examples import data
from examples.story import Story, network, sigmoid


def gradients(objective, key, params, draws, **given):
    """Mean and variance of the gradient, coordinate by coordinate, in float64."""
    total = squares = 0.0
    for k in jax.random.split(key, draws):
        flat = np.asarray(ravel_pytree(objective.value_and_grad(k, params, **given)[1])[0], np.float64)
        total, squares = total + flat, squares + flat ** 2
    return total / draws, (squares - total ** 2 / draws) / (draws - 1)


def main(argv=None):
    story = Story("vae_categorical", __doc__, argv)
    digits = data.mnist()
    bound = story.program["bound"]
    exact = bound.compile(rules={"kind": "enum"})
    sampled = bound.compile(rules={"kind": "reinforce(k = 4, baseline = loo)"})
    for name in ("sampled", "summed"):
        fit = story.fit(name, {"images": digits["images"]}, small=50)
        story.say(f"test ELBO, {name}", exact(story.key(1), fit.params, images=digits["test_images"]))

    batch = digits["images"][:64]
    right, none = gradients(exact, story.key(2), fit.params, 3, images=batch)
    mean, variance = gradients(sampled, story.key(2), fit.params, 20 if story.small else 400, images=batch)
    draws = 20 if story.small else 400
    story.say("norm of the gradient", np.linalg.norm(right))
    story.say("variance of the gradient, enum", none.sum())
    story.say("variance of the gradient, reinforce", variance.sum())
    story.say("mean of reinforce along the gradient, relative", mean @ right / (right @ right))
    story.say("its standard error", np.sqrt(variance @ right ** 2 / draws) / (right @ right))

    kinds = sigmoid(network(fit.params["w"], np.eye(20)))
    story.picture("kinds", kinds.reshape(-1, 28, 28), columns=10)
    return story.end()


if __name__ == "__main__":
    main()
