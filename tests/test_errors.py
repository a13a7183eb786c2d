"""The pages of `pullback/errors`: each is the manual of an error code, and a golden test of what is said.

An example is a program, or Python, or a program and the Python that uses it as `program`, and then the text that a user
is shown.  `pytest --accept` writes the text anew.
"""
import re
from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from pullback.library import ERRORS

EXAMPLE = re.compile(
    r"(?:```pbk\n(?P<program>(?:(?!```).)*?)```\n)?(?:(?P<between>\n)?```python\n(?P<python>(?:(?!```).)*?)```\n)?"
    r"```text\n(?P<expected>.*?)```", re.S)
PAGES = sorted(ERRORS.glob("*.md"))
ROOT = Path(__file__).parent.parent
WRONG = (pb.ProgramError, pb.ArgumentError, pb.EngineError, pb.FitError)


def said(code: str, program: str | None, python: str | None) -> str:
    """What a user is shown for an example."""
    scope = {"pb": pb, "np": np}
    try:
        if program is not None:
            scope["program"] = pb.loads(program, f"{code}.pbk")
        if python is not None:
            exec(compile(python, f"{code}.md", "exec"), scope)
    except WRONG as error:
        return str(error)
    return "nothing is wrong"


def examples(page: Path) -> list[re.Match]:
    return [match for match in EXAMPLE.finditer(page.read_text("utf-8")) if match["program"] or match["python"]]


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_page(page, accept, tmp_path, monkeypatch):
    def again(match: re.Match) -> str:
        (folder := tmp_path / str(match.start())).mkdir()
        monkeypatch.chdir(folder)
        text = said(page.stem, match["program"], match["python"])
        return match[0][:match.start("expected") - match.start()] + text + "\n```"
    before = page.read_text("utf-8")
    now, count = EXAMPLE.subn(again, before)
    assert count >= 2, f"{page.name} shows {count} mistakes"
    if accept:
        page.write_text(now, "utf-8")
    assert page.read_text("utf-8") == now
    for match in EXAMPLE.finditer(now):
        assert f"[{page.stem}]:" in match["expected"], f"an example of {page.name} is told something else"


def codes() -> set[str]:
    """Every code that a source of ours gives to a finding."""
    found = set()
    for folder in ("compiler", "dsl", "backends", "stdlib", "pullback"):
        for path in (ROOT / folder).rglob("*.py"):
            text = path.read_text("utf-8")
            found |= set(re.findall(r'(?:\bDiagnostic|\berror|\bwrong|\brefuse\(box,|\braise wrong)\(?\s*"([a-z-]+)"', text))
            found |= set(re.findall(r'\bcode(?:: str)? ?= ?"([a-z-]+)"', text))
    return found


def test_every_code_has_a_page():
    found = codes()
    assert {"syntax", "name", "smoothness", "data", "rule"} <= found
    assert found == {page.stem for page in PAGES}


def test_at_least_sixty():
    assert sum(len(examples(page)) for page in PAGES) >= 60


def test_words():
    """The reader wants a gradient, and never meets the compiler's own words."""
    for page in PAGES:
        for match in examples(page):
            text = re.sub(r"^ *\d* \|.*$", "", match["expected"], flags=re.M)
            assert not re.search(r"\b(box(es)?|axis \d|Traceback|\w+(Error|Exception)|None|Wire|jaxpr|Array\()", text), text


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.stem)
def test_layout(page):
    """A heading, what it means in a line, and how it is mended."""
    lines = page.read_text("utf-8").splitlines()
    assert lines[0] == f"# {page.stem}" and lines[2] and not lines[2].startswith("#")
    assert "## How to mend it" in lines
