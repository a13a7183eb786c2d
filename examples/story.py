"""One run of an example: its options, its program, its fits, and a folder for the figures and pictures.

Every story is a command, `python -m examples.cone.run`, with the same options: `--small` runs a few steps of
everything in seconds, as the tests do; `--seed`; `--out` (by default `runs/<story>`).
"""
from __future__ import annotations

import argparse
import json
from pathlib import Path

import jax
import numpy as np

import pullback as pb


class Story:
    def __init__(self, name: str, about: str, argv=None, **externs):
        options = argparse.ArgumentParser(prog=f"python -m examples.{name}.run", description=about,
                                          formatter_class=argparse.RawDescriptionHelpFormatter)
        options.add_argument("--small", action="store_true", help="a few steps of everything, in seconds")
        options.add_argument("--seed", type=int, default=0)
        options.add_argument("--out", type=Path, default=Path("runs") / name, help="the folder to write to")
        given = options.parse_args(argv)
        self.small, self.seed, self.out = given.small, given.seed, given.out
        self.out.mkdir(parents=True, exist_ok=True)
        self.program = pb.load(Path(__file__).parent / name / f"{name}.pbk", **externs)
        self.figures: dict[str, object] = {}
        self.shown: set[str] = set()

    def key(self, number: int = 0) -> jax.Array:
        """A key of this run's own for each number."""
        return jax.random.fold_in(jax.random.key(self.seed), number)

    def fit(self, name: str, data: dict, small: int, key: jax.Array | None = None, **settings):
        """Show the ledger of a fit, once, and run it; `small` is its number of steps under `--small`."""
        fit = self.program[name]
        if name not in self.shown:
            print(fit.objective.ledger)
            self.shown.add(name)
        return fit.run(self.key() if key is None else key, data=data, progress=True,
                       **({"steps": small} if self.small else {}), **settings)

    def say(self, what: str, value) -> None:
        """Print a figure and keep it."""
        self.figures[what] = np.asarray(value).tolist()
        print(what + ":", np.array2string(np.asarray(value), separator=", ", formatter={"float": "{:.6g}".format}))

    def picture(self, name: str, images: np.ndarray, columns: int) -> None:
        """Images [n, height, width], 0 (white) to 1 (black), as one PNG, row by row."""
        from matplotlib.image import imsave
        rows = [np.concatenate(list(images[i:i + columns]), 1) for i in range(0, len(images), columns)]
        imsave(self.out / f"{name}.png", np.concatenate(rows), cmap="gray_r", vmin=0, vmax=1)

    def plot(self, name: str, size=(7, 3)):
        """Axes to draw into; `with story.plot("level") as axes: …` saves them as a PNG."""
        from contextlib import contextmanager

        from matplotlib.figure import Figure

        @contextmanager
        def open_axes():
            figure = Figure(size, layout="constrained")
            yield figure.add_subplot()
            figure.savefig(self.out / f"{name}.png", dpi=150)

        return open_axes()

    def end(self) -> dict:
        """Write the figures to `figures.json`."""
        (self.out / "figures.json").write_text(json.dumps(self.figures, indent=2) + "\n")
        print(f"written to {self.out}")
        return self.figures


def estimates(objective, key, params, draws: int, **data) -> tuple[float, float]:
    """The mean of several estimates, and its standard error."""
    values = np.array([objective(k, params, **data) for k in jax.random.split(key, draws)])
    return float(values.mean()), float(values.std(ddof=1) / draws ** 0.5)


def network(layers: dict, x: np.ndarray) -> np.ndarray:
    """A network of dense layers with relu between, evaluated outside the program, to make pictures."""
    places = sorted(layers, key=int)
    for place in places:
        x = x @ np.asarray(layers[place]["weight"]).T + np.asarray(layers[place]["bias"])
        x = x if place == places[-1] else np.maximum(x, 0)
    return x


def sigmoid(x: np.ndarray) -> np.ndarray:
    return 1 / (1 + np.exp(-x))
