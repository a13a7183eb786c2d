"""The one layout: it changes no program, keeps comments, and is a fixed point."""
import random
import re
from pathlib import Path

import pytest

from pullback.compiler.diagnostic import ProgramError
from pullback.compiler.source import Source
from pullback.dsl.format import format
from pullback.dsl.parse import parse

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.pbk"))
WORD = re.compile(r'"""(?:.|\n)*?"""|"(?:[^"\\\n]|\\.)*"|#[^\n]*|\n *| +|\w+|[^\w\s]+')


def formatted(text: str) -> str:
    return format(Source("test.pbk", text))


def comments(text: str) -> list[str]:
    return [word.strip() for word in WORD.findall(text) if word.startswith("#")]


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_stay(path):
    text = path.read_text()
    assert formatted(text) == text


def mess(text: str, random_: random.Random) -> str:
    """The same program, written carelessly: blanks, blank lines, steps of indentation."""
    step, made = random_.choice((2, 3, 8)), []
    for word in WORD.findall(text):
        if word.startswith("\n"):
            word = random_.choice(("\n", "\n", " \n", "\n\n\n")) + " " * ((len(word) - 1) * step // 4)
        elif word.startswith("#"):
            word += random_.choice(("", "  "))
        elif word.strip() == "":
            word = " " * random_.choice((1, 1, 2, 5))
        made.append(word)
    return "".join(made)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_careless(path):
    text, random_ = path.read_text(), random.Random(7)
    for _ in range(4):
        careless = mess(text, random_)
        neat = formatted(careless)
        assert parse(Source("neat", neat)) == parse(Source("careless", careless))
        assert comments(neat) == comments(careless)
        assert formatted(neat) == neat
        assert not re.search(r" \n|\n\n\n|\r|\t", neat)
    assert formatted(text.replace("\n", "\r\n")) == text


def test_layout():
    assert formatted("""\


EOS=31
scale:positive=-0.1   # why
model m( x:real ,n : int=2 )->real[ n ] :   # head

   "Doc."
   y [ i ]~normal ( - x,2 ^ - n )by reinforce( k=4 )
   for i in 0 .. n - 1:

      z=x [ .. , j ]

      # last of the loop


   # of the model
   return {a=1,t}
# of the file
fit f :
     steps   3
     over q:model=guide( )
""") == """\
EOS = 31
scale: positive = -0.1  # why

model m(x: real, n: int = 2) -> real[n]:  # head
    "Doc."
    y[i] ~ normal(-x, 2^-n) by reinforce(k = 4)
    for i in 0..n-1:
        z = x[.., j]

        # last of the loop

    # of the model
    return {a = 1, t}

# of the file
fit f:
    steps 3
    over q: model = guide()
"""


def test_spaces():
    assert formatted("x=a+ - b*c^ - 2>>d@e//f") == "x = a + -b * c^-2 >> d @ e // f\n"
    assert formatted("x=f (a)[ 0 ] . b( c ,k=- 1 )") == "x = f(a)[0].b(c, k = -1)\n"
    assert formatted("x=sum( y )+sum (i,j)in z:- i") == "x = sum(y) + sum (i, j) in z: -i\n"
    assert formatted("x=y[1 .. n - 1,..,a - 1 ..,.. - 2]") == "x = y[1..n-1, .., a-1.., ..-2]\n"
    assert formatted("x=[- a for i in - 1 .. 2*n]if not(a)else{ b=1,c }") == "x = [-a for i in -1..2*n] if not (a) else {b = 1, c}\n"
    assert formatted("box f( t:real ):-> n . r*n^2") == "box f(t: real): -> n.r * n^2\n"
    assert formatted("x=a==b<=c  #why") == "x = a == b <= c  #why\n"


def test_breaks_in_brackets_stay():
    assert formatted("x = f(a, [\n  1, # one\n 2], {\n   # none\n\n },\n  c\n )\n") == (
        "x = f(a, [\n    1,  # one\n    2], {\n        # none\n    },\n    c\n)\n")


def test_blank_lines():
    assert formatted("\n\nx = 1\n\n\n\ny = 2\nmodel m():\n\n    z = 1\n\n\n    w = 2\n\n# about n\nmodel n():\n  z = 1\nx = 1\n\n\n") == (
        "x = 1\n\ny = 2\n\nmodel m():\n    z = 1\n\n    w = 2\n\n# about n\nmodel n():\n    z = 1\n\nx = 1\n")
    assert formatted("") == formatted("\n \n") == ""
    assert formatted("\n# only\n\n") == "# only\n"


def test_comments_stay_in_their_block():
    text = ("model m():\n    if a:\n        x = 1\n        # of the branch\n    # of the model\n# of the file\n\n"
            "model n():\n    # first\n    x = 1\n")
    expected = text.replace("# of the file", "\n# of the file")
    assert formatted(text) == expected and formatted(expected) == expected


def test_errors():
    with pytest.raises(ProgramError):
        formatted("x = (")
