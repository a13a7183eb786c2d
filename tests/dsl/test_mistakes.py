"""The table of mistakes is its own test."""
import pytest

from pullback.compiler.diagnostic import ProgramError
from pullback.compiler.source import Source
from pullback.dsl import explain
from pullback.dsl.layout import Fault
from pullback.dsl.mistakes import CHARACTERS, PLACES, WORDS
from pullback.dsl.parse import parse

TABLE = [(mistake, program) for table in (CHARACTERS, WORDS,
    PLACES) for mistake in table for program in mistake.programs]


def told(program: str) -> Fault:
    return explain.explain(explain.first(program), program + "\n")


def like(template: str) -> str:
    """What a message says before its first word from the program."""
    return template.split("{")[0]


@pytest.mark.parametrize("mistake, program", TABLE, ids=[program for _, program in TABLE])
def test_own_message(mistake, program):
    fault = told(program)
    assert fault.message.startswith(like(mistake.message)) and fault.code == mistake.code
    assert fault.help.startswith(like(mistake.help).replace("{{", "{"))
    assert "{mark}" not in fault.message + fault.help and fault.help


@pytest.mark.parametrize("mistake, program", TABLE, ids=[program for _, program in TABLE])
def test_whole_program(mistake, program):
    """The same message, when the mistake stands in a file after other declarations."""
    with pytest.raises(ProgramError) as caught:
        parse(Source("mistake.pbk", f"a = 1\n\n{program}\n\nb = 2\n"))
    messages = [found.message for found in caught.value.diagnostics]
    assert any(message.startswith(like(mistake.message)) for message in messages) or any(
        "never closed" in message or "no block" in message for message in messages), messages


def test_size():
    assert len({mistake.message for mistake, _ in TABLE}) >= 40


def test_keys_are_told_apart():
    """Of the mistakes that share a key, only the last may be without a pattern of its own."""
    for shared in explain.places().values():
        assert all(mistake.before or mistake.after for mistake in shared[:-1])


def test_kinds():
    assert all(explain.first(program).kind is None for mistake in CHARACTERS for program in mistake.programs)
    assert all(explain.first(program).kind is not None for mistake in (*WORDS, *PLACES) for program in mistake.programs)


@pytest.mark.parametrize("program, message, rest", [
    ("model m():\n    x = *", "`*` can't stand here", "a value could"),
    ("model m():\n    x = 1 +", "the line ends where a value is due", ""),
    ("model", "the line ends where a name is due", ""),
    ("network f: real = g", "`=` can't stand here", "`->` could"),
    ("model m():\n    x = f(a b", "two values stand side by side", ""),
    ("fit f:\n    with 3", "`3` can't stand here", "a name could"),
])
def test_general(program, message, rest):
    """What no mistake fits: what stands here, and all that could."""
    fault = told(program)
    assert fault.message == message and rest in fault.label


@pytest.mark.parametrize("program, message, help", [
    ("x = True", "`True` is Python's word", "write `true`"),
    ("model m():\n    for i in range(n): x = 1", "a range is written `a..b`", "write `0..n`"),
    ("model m():\n    for i in range(1, n): x = 1", "a range is written `a..b`", "write `1..n`"),
    ("fit f:\n    minimise g(w)", "a fit has no clause `minimise`", "did you mean `minimize`"),
    ("x = f(a = 1, 2)", "an argument without a name stands before those with one", "move it before `a = …`"),
    ("x = f(a = 1, a = 2)", "the argument `a` stands here twice", ""),
    ("model m(a, a): x = 1", "the parameter `a` stands here twice", ""),
    ("x = in", "`in` is a word of the language and can't name anything", "reserved are"),
    ("x = x\u00b2", "`x\u00b2` can't be a name", "a power is written `x^2`"),
    ("x = 1e999", "this number is too large", ""),
    ('x = "{a + b}"', "a hole `{…}` holds a name with fields and indices", "assign the expression"),
    ('x = "a } b"', "a single `}` in a string", "`{{` and `}}` are braces"),
    ('x = "\\q"', "`\\q` stands for nothing in a string", ""),
    ("model m():\n    x = 1\n    else: y = 2", "`else` has no `if` above it in this column", ""),
])
def test_told_after_parsing(program, message, help):
    """What the grammar lets pass and the language doesn't."""
    with pytest.raises(ProgramError) as caught:
        parse(Source("mistake.pbk", program))
    found, = caught.value.diagnostics
    assert found.message == message and help in found.help
