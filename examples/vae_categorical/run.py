"""One objective, two estimators: a categorical code summed out, and sampled with leave-one-out.

    python -m examples.vae_categorical.run
"""
from __future__ import annotations

import jax
import numpy as np
from jax.flatten_util import ravel_pytree

from examples import data
from examples.story import Story, network, sigmoid


def gradient(objective, key, params, **given):
    return np.asarray(ravel_pytree(objective.value_and_grad(key, params, **given)[1])[0], np.float64)


def spread(objective, key, params, along, draws, **given):
    """Of several gradients: the sum of the coordinates' variances, and each one's share along a direction."""
    total = squares = 0.0
    shares = []
    for k in jax.random.split(key, draws):
        flat = gradient(objective, k, params, **given)
        total, squares = total + flat, squares + flat ** 2
        shares.append(flat @ along / (along @ along))
    return np.sum(squares - total ** 2 / draws) / (draws - 1), np.array(shares)


def main(argv=None):
    story = Story("vae_categorical", __doc__, argv)
    digits = data.mnist()
    bound = story.program["bound"]
    exact = bound.compile(rules={"kind": "enum"})
    sampled = bound.compile(rules={"kind": "reinforce(k = 4, baseline = loo)"})
    for name in ("sampled", "summed"):
        fit = story.fit(name, {"images": digits["images"]}, small=50)
        story.say(f"test ELBO, {name}", exact(story.key(1), fit.params, images=digits["test_images"]))

    batch, draws = digits["images"][:64], 20 if story.small else 400
    right = gradient(exact, story.key(2), fit.params, images=batch)
    story.say("norm of the gradient", np.linalg.norm(right))
    for name, objective in (("enum", exact), ("reinforce", sampled)):
        variance, shares = spread(objective, story.key(3), fit.params, right, draws, images=batch)
        story.say(f"variance of the gradient, {name}", variance)
    story.say("mean of reinforce along the gradient, relative", shares.mean())
    story.say("its standard error", shares.std(ddof=1) / draws ** 0.5)

    kinds = sigmoid(network(fit.params["w"], np.eye(20)))
    story.picture("kinds", kinds.reshape(-1, 28, 28), columns=10)
    return story.end()


if __name__ == "__main__":
    main()
