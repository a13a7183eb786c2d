"""Attend, infer, repeat: count and find 0, 1 or 2 digits on a canvas, three seeds.

    python -m examples.air.run
"""
from __future__ import annotations

from time import perf_counter

import jax
import numpy as np

from examples import data
from examples.story import Story


def look(model, key, params, images):
    """One run of the guide over each image: which objects it finds, and where."""
    keys = jax.random.split(key, len(images))
    return jax.jit(jax.vmap(lambda key, image: model.sample(key, image=image, **params)))(keys, images)


def main(argv=None):
    story = Story("air", __doc__, argv)
    images = data.canvases(600 if story.small else 10_000, seed=0)["images"]
    test = data.canvases(150 if story.small else 1500, seed=1, held_out=True)
    right, seconds = [], []
    for seed in range(1 if story.small else 3):
        began = perf_counter()
        fit = story.fit("air", {"images": images}, small=20, key=story.key(seed))
        seconds.append(perf_counter() - began)
        found = look(story.program["search"], story.key(100), fit.params, test["images"])
        right.append(np.mean(np.sum(found["present"], 1) == test["counts"]))
    story.say("held-out counts right, by seeds", right)
    story.say("seconds to train, by seeds", seconds)

    show = 36
    with story.plot("found", (6, 6)) as axes:
        axes.imshow(np.concatenate([np.concatenate(list(row), 1) for row in
                                    test["images"][:show].reshape(6, 6, 24, 24)]), cmap="gray_r", vmin=0, vmax=1)
        for place in range(show):
            down, across = 24 * (place // 6), 24 * (place % 6)
            axes.plot(across + np.array([0, 24, 24]) - 0.5, down + np.array([24, 24, 0]) - 0.5, c="lightgray", lw=0.5)
            for slot, color in enumerate(("tab:red", "tab:blue")):
                if found["present"][place, slot]:
                    row, column = np.asarray(found["corner"][place, slot]) - 0.5
                    axes.add_patch(box(column + across, row + down, color))
        axes.set_axis_off()
    fit.plot().savefig(story.out / "history.png")
    return story.end()


def box(column, row, color):
    from matplotlib.patches import Rectangle
    return Rectangle((column, row), 8, 8, fill=False, color=color, lw=0.8)


if __name__ == "__main__":
    main()
