"""The examples in docstrings run, under the modules' real names."""
import doctest
import importlib
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[1]
FOLDERS = ["compiler", "dsl", "backends", "stdlib", "pullback"]


def modules():
    for folder in FOLDERS:
        files = (ROOT / folder).glob("*.py") if folder == "pullback" else (ROOT / folder).rglob("*.py")
        for path in sorted(files):
            if ">>> " in path.read_text():
                parts = path.relative_to(ROOT).with_suffix("").parts
                yield ".".join(parts if folder == "pullback" else ("pullback", *parts)).removesuffix(".__init__")


@pytest.mark.parametrize("name", list(modules()))
def test_examples(name):
    failed, _ = doctest.testmod(importlib.import_module(name), optionflags=doctest.ELLIPSIS)
    assert failed == 0
