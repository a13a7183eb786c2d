"""Every example by its own command, small; and its README, which shows the program as it is."""
from __future__ import annotations

import sys
from importlib import import_module
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
sys.path.insert(0, str(ROOT))

STORIES = sorted(path.parent.name for path in (ROOT / "examples").glob("*/*.pbk"))
PICTURES = {"air": {"found"}, "cone": {"cone"}, "gridworld": set(), "hmm": {"times"}, "iwae": {"samples"},
            "logistic": {"weights"}, "mixture": {"kinds"}, "prompt": set(), "qnlp": {"sentence"}, "sentiment": set(), "state_space": {"level"},
            "vae": {"reconstructions", "samples"}, "vae_categorical": {"kinds"}}


@pytest.mark.parametrize("story", STORIES)
def test_small(story, tmp_path):
    figures = import_module(f"examples.{story}.run").main(["--small", "--out", str(tmp_path)])
    assert PICTURES[story] <= {path.stem for path in tmp_path.glob("*.png")}
    assert (tmp_path / "figures.json").exists()
    assert CHECKS.get(story, bool)(figures)


CHECKS = {
    "sentiment": lambda found: found["furthest gradient from a central difference"] < 1e-3
    and found["gain in log score on held-out reviews, with its standard error"][0] > 0
    and found["validation, step by step"] == sorted(found["validation, step by step"]),
    "prompt": lambda found: found["accuracy after"] >= 0.95 > 0.8 > found["accuracy before"]
    and found["validation, step by step"] == sorted(found["validation, step by step"])
    and found["its error, relative to the gradient by hand"] < 1e-6 and found["probabilities of the styles"][1] > 0.8,
    "cone": lambda found: abs(found["log p(z = 5) by quadrature"] + 5.3232) < 1e-3,
    "mixture": lambda found: abs(found["its error, relative to the closed form"]) < 1e-5
    and abs(found["flops of twice the flowers, relative"] - 2) < 0.05,
    "hmm": lambda found: abs(found["its error, relative to a float64 forward algorithm, 202 quarters"]) < 1e-5
    and abs(found["its error, relative to a float64 forward algorithm, 10000 quarters"]) < 1e-5,
    "qnlp": lambda found: found["mc: share of right answers, test"] >= 0.75,
    "vae_categorical": lambda found: found["variance of the gradient, enum"] < 1e-6
    and abs(found["mean of reinforce along the gradient, relative"] - 1) < 6 * found["its standard error"] + 1e-4,
    "iwae": lambda found: found["rise from 1 to 5 draws, in standard errors"] > 3
    and found["rise from 5 to 50 draws, in standard errors"] > 3,
}


@pytest.mark.parametrize("story", STORIES)
def test_readme_shows_the_program(story):
    folder = ROOT / "examples" / story
    readme = (folder / "README.md").read_text()
    assert f"```pbk\n{(folder / f'{story}.pbk').read_text()}```" in readme
    assert f"python -m examples.{story}.run" in readme
