"""Programs with a token or two changed: they load, or are told what is wrong with them, and nothing else ever happens."""
import random
import re
from pathlib import Path

import pytest

from elaborating import load
from pullback.compiler.diagnostic import ProgramError
from test_meaning import PROGRAMS

EXAMPLES = [path.read_text() for path in sorted((Path(__file__).parents[2] / "examples").rglob("*.pbk"))]
TEXTS = EXAMPLES + [text for text, _ in PROGRAMS.values()]
TOKEN = re.compile(r"[^\W\d]\w*|\d+(?:\.\d+)?|\S|\s+")
WORDS = [word for text in TEXTS for word in TOKEN.findall(text) if word.strip()]


def changed(seed):
    """A program with one or two tokens replaced, removed or added."""
    rng = random.Random(seed)
    tokens = TOKEN.findall(rng.choice(TEXTS))
    for _ in range(rng.choice([1, 1, 2])):
        at = rng.choice([i for i, token in enumerate(tokens) if token.strip()])
        tokens[at] = rng.choice([rng.choice(WORDS), rng.choice(WORDS), "", f"{tokens[at]} {rng.choice(WORDS)}"])
    return "".join(tokens)


@pytest.mark.parametrize("block", range(4))
def test_no_program_breaks_the_elaborator(block):
    for seed in range(25 * block, 25 * block + 25):
        try:
            load(changed(seed))
        except ProgramError as error:
            assert error.diagnostics and all(d.code and d.message and d.span is not None for d in error.diagnostics), seed


@pytest.mark.parametrize("text", EXAMPLES)
def test_every_example_loads(text):
    assert all("says" in reason for reason in load(text).pending.values())  # sentences come with the data
