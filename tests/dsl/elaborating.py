"""What the tests of the elaborator share: a program in, its graph as text out."""
from pathlib import Path
from textwrap import dedent

import pytest

from pullback import library
from pullback.compiler.diagnostic import ProgramError
from pullback.compiler.notation import show
from pullback.compiler.source import Source
from pullback.dsl import elaborate

library.open_library()
LIBRARY = Path(__file__).parents[2] / "stdlib"


def load(text, folder=None, **externs):
    return elaborate.load(Source("program.pbk", dedent(text)), library=LIBRARY, folder=folder, externs=externs)


def objective(text, name="o", arguments=None, sizes=None, shapes=None, **externs):
    """The graph of an objective, as text."""
    return show(elaborate.objective_graph(load(text, **externs), name, arguments, sizes, shapes))


def model(text, name="m", mode="sample", **more):
    """The graph of a model, as text."""
    return show(elaborate.model_graph(load(text), name, mode, **more)[0])


def lines(text):
    """The lines of a graph's text, without indentation."""
    return [line.strip() for line in text.splitlines()]


def wrong(text, **externs):
    """What is wrong with a program: the diagnostics."""
    with pytest.raises(ProgramError) as error:
        load(text, **externs)
    return error.value.diagnostics


def the_one(text, code, **externs):
    """The only thing that is wrong with a program; it has this code."""
    found = wrong(text, **externs)
    assert [d.code for d in found] == [code], found
    return found[0]
