"""Policy gradient in a 5×5 world with walls: success from every cell, three seeds.

    python -m examples.gridworld.run
"""
from __future__ import annotations

import numpy as np
from scipy.special import softmax

from examples.gridworld.world import GOAL, arrows, moves
from examples.story import Story


def success(policy, steps=30):
    """From each cell, the probability to stand on the goal after so many steps of the stochastic policy."""
    chain = np.zeros((25, 25))
    for cell, chances in enumerate(softmax(np.asarray(policy, np.float64), axis=1)):
        np.add.at(chain[cell], moves()[cell], chances)
    return np.linalg.matrix_power(chain, steps)[:, GOAL]


def main(argv=None):
    story = Story("gridworld", __doc__, argv)
    least = []
    for seed in range(1 if story.small else 3):
        fit = story.fit("gridworld", {}, small=20, key=story.key(seed))
        least.append(success(fit.params["policy"]).min())
    story.say("least success from any cell, by seeds", least)
    print(arrows(np.asarray(fit.params["policy"])))
    story.program["gridworld"].objective.graph("estimator").save(story.out / "estimator.svg")
    fit.plot().savefig(story.out / "history.png")
    return story.end()


if __name__ == "__main__":
    main()
