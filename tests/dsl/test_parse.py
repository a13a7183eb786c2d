"""The grammar: what parses and to what, that it has no conflict, and that nothing but `ProgramError` comes out."""
import dataclasses
import random
import re
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from pullback.compiler.diagnostic import ProgramError
from pullback.compiler.source import Source
from pullback.dsl import reader, recover, syntax as s
from pullback.dsl.parse import parse, parse_expression, parse_rule

PROGRAMS = sorted((Path(__file__).parent / "programs").glob("*.pbk"))


def program(text: str) -> s.Program:
    return parse(Source("test.pbk", text))


def expression(text: str):
    return parse_expression(text)


def errors(text: str) -> list:
    with pytest.raises(ProgramError) as caught:
        program(text)
    return caught.value.diagnostics


def statement(text: str):
    return program(f"model m():\n    {text}\n").declarations[0].body[0]


def clause(text: str):
    return program(f"fit f:\n    {text}\n").declarations[0].clauses[0]


def test_no_conflict():
    """Lark settles a conflict silently by shifting; only its strict mode tells."""
    reader.load(strict=True)


@pytest.mark.parametrize("path", PROGRAMS, ids=lambda path: path.stem)
def test_programs_parse(path):
    source = Source(path.name, path.read_text())
    tree = parse(source)
    assert tree.declarations
    assert not recover.faults(source), "read piece by piece, nothing is wrong either"
    inside(tree, source)


def inside(node, source: Source, outer=None) -> None:
    """Every span lies in the text, in that of its parent, and begins and ends with a visible character."""
    if isinstance(node, tuple):
        for piece in node:
            inside(piece, source, outer)
    elif isinstance(node, s.Node):
        assert node.span.source is source and 0 <= node.span.start <= node.span.end <= len(source.text)
        if not isinstance(node, s.Program):
            assert node.span.text == node.span.text.strip()
            assert outer.span.start <= node.span.start and node.span.end <= outer.span.end, (node, outer)
        for field in dataclasses.fields(node):
            if not isinstance(value := getattr(node, field.name), str):
                inside(value, source, node)
            else:
                assert type(value) is str


# ---- shapes


def test_precedence():
    assert expression("-x^2") == s.Negative(expression("x^2"), span=None)
    assert expression("2^-n^2").operands == (expression("2"), expression("-n^2"))
    assert expression("a^b^c").operands == tuple(map(expression, "abc"))
    assert expression("a + b - c").operators == ("+", "-")
    assert expression("a + b >> c * d").operands[1] == expression("b >> c * d")
    assert expression("not a < b <= c and d or e").operators == ("or",)
    assert expression("a < b <= c").operators == ("<", "<=")
    assert isinstance(expression("(a < b) < c").operands[0], s.Compare)
    assert expression("a if b else c if d else e").otherwise == expression("c if d else e")
    assert expression("a - (b - c)").operators == ("-",)
    assert expression("a * sum i in 0..n: b + c").operands[1].body == expression("b + c")
    assert expression("a // b % c @ d").operators == ("//", "%", "@")


def test_numbers_and_names():
    assert expression("2") == s.Number(2, span=None) and isinstance(expression("2").value, int)
    assert isinstance(expression("2.0").value, float) and expression("1e-3").value == 1e-3
    assert expression("x\u00b5") == expression("x\u03bc"), "names are compared as in Python, by NFKC"
    assert expression("true") == s.Boolean(True, span=None)


@pytest.mark.parametrize("word",
    "data box type over with text steps group mean sum train combine start every draw given "
                         "model using marginalize iid onto factor until at argmin normalize inner allow".split())
def test_soft_words(word):
    """What is a keyword somewhere may name anything elsewhere."""
    program(f"{word} = 3\n{word}: real = 3\nmodel m({word}: real = {word}):\n    {word} = 1 + {word}\n    {word} ~ {word}({word})\n"
            f"    x = [{word} for {word} in {word}]\n    x = f({{{word} = {word}, a}}, {word} = {word})\n    x = {word}.{word}[{word}]\n"
            f"    {word}: real = 2\n    {word}[0] = 2\n    return {word}\nfit f:\n    over {word}: real\n    given {word}\n"
            f"    maximize f({word}) with {{{word}: {word}}} by {word}\n    using {word}({word}) for {word}\n")


@pytest.mark.parametrize("word", "and by elif else false for if in not or return true".split())
def test_reserved_words(word):
    for text in (f"model {word}(): x = 1", f"model m({word}: real): x = 1", f"fit {word}: steps 3", f"x = {word}",
        f"{word} = 3",
                 f"x = [y for {word} in xs]", f"from a import {word}", f"model m():\n    {word} ~ q"):
        if text != "x = true" and text != "x = false":
            assert errors(text)
    program(f"x = f({word} = 3)") if word not in ("not", "true", "false") else None
    program(f"x = a.{word}")


def test_statements():
    assert statement("x: real[d] ~ normal(0, 1) by enum") == s.Draw(
        s.Name("x", span=None), s.NamedType("real", (), (s.Name("d", span=None),), span=None),
            expression("normal(0, 1)"),
        (parse_rule("enum"),), span=None)
    assert [name.name for name in statement("{a, b} ~ d").target] == ["a", "b"]
    assert [name.name for name in statement("(a, b) = d").target] == ["a", "b"]
    assert statement("w[i] = e").target == expression("w[i]")
    assert statement("y[..K] = e").target.indices == (s.Range(None, s.Name("K", span=None), span=None),)
    loop = statement("for i in 0..n, (j, k) in f(x) by r until c: x = 1")
    assert [binder.names for binder in loop.binders] == [("i",), ("j", "k")]
    assert loop.rules == (parse_rule("r"),) and loop.until == expression("c") and not loop.group
    assert statement("group g in 0..G: x = 1").group
    branch = statement("if a: x = 1\n    elif b: x = 2\n    else: x = 3")
    assert len(branch.arms) == 2 and len(branch.otherwise) == 1
    assert statement("t ~ normalize m() given {z = 1} using sir(q) by r").rules == (parse_rule("r"),)
    assert statement("return f(x) by r(1), s").rules == parse_rule("[r(1), s]")
    assert isinstance(statement("x ~ d onto {a: real}").value, s.Onto)
    assert isinstance(statement("z = iid normal(0, 1)[n]").value, s.Independent)


def test_types():
    def kind(text):
        return program(f"model m(x: {text}): y = 1").declarations[0].parameters[0].type

    assert kind("interval(-1, 1)[n]") == s.NamedType("interval", (expression("-1"), expression("1")),
        (expression("n"),), span=None)
    assert isinstance(kind("(real, {x: int})").items[1], s.RecordType)
    assert isinstance(kind("n.r * s"), s.DiagramType) and isinstance(kind("n^2"), s.DiagramType)
    box = program("box f: -> n").declarations[0]
    assert box.domain.value is None and box.codomain.value == expression("n")


def test_clauses():
    uses = clause("using adam(0.1) for w, v, tgd for p, sgd(1)").optimizers
    assert [[name.name for name in use.names] for use in uses] == [["w", "v"], ["p"], []]
    snapshots = clause("with old = w every rollout, ref = w at start, t = w every 10, e = ema(w)").snapshots
    assert [snapshot.when for snapshot in snapshots] == ["every rollout", "at start", "every 10", ""]
    assert [count.word for count in clause("rollout 16, inner steps 4").counts] == ["rollout", "inner steps"]
    goal = clause("maximize mean i in 0..n: f(i) with {q.k: enum, i: [a, b]} by r")
    assert [setting.address for setting in goal.value.settings] == ["q.k", "i"] and goal.rules == (parse_rule("r"),)
    assert isinstance(goal.value.value, s.Reduction)


def test_strings():
    assert expression(r'"a\n\"{x.y[0]}\" {{b}}"').pieces == ('a\n"', expression("x.y[0]"), '" {b}')
    assert expression('""').pieces == () and expression('"{x}{y}"').pieces == (expression("x"), expression("y"))
    assert expression('"""two\nlines"""').pieces == ("two\nlines",)
    source = Source("s", 'y = 1\nx = "é {name[k]}"\n')
    hole = parse(source).declarations[1].value.pieces[1]
    assert hole.span.text == "name[k]" and hole.indices[0].span.text == "k"
    documented = program('"""Top.\n\n  More."""\nmodel m():\n    "Inner {not a hole}."\n    x = 1\n')
    assert documented.doc == "Top.\n\nMore." and documented.declarations[0].doc == "Inner {not a hole}."


def test_rules():
    assert parse_rule(" reinforce(k = 4) ").arguments[0].name == "k" and parse_rule("enum").arguments == ()
    assert [rule.name for rule in parse_rule("[clip(0.2), mask(top = 0.2, by = entropy)]")] == ["clip", "mask"]
    for wrong in ("", "a, b", "[a", "3", "a b", "f(x))", "by enum", "f(\n"):
        with pytest.raises(ProgramError):
            parse_rule(wrong)


# ---- layout


def test_line_ends_and_comments():
    same = program("model m():\n    x = 1\n    y = 2\n")
    for text in ("model m():\r\n    x = 1\r\n\r\n    y = 2\r\n",
        "# c\n\nmodel m():  # c\n  # c\n  x = 1 # c\n # c\n\n  y = 2",
                 "model m():\n        x = 1\n        y = 2\n  # c\n      "):
        assert program(text) == same
    for empty in ("", "\n\n", "  ", "# c", "\n  # c\n  "):
        assert program(empty).declarations == ()


@pytest.mark.parametrize("text, line", [
    ("\tx = 1", 1), ("model m():\n\tx = 1\n\ty = 2", 2), ("  x = 1", 1), ("# c\n  x = 1", 2),
        ("model m():\n    x = 1\n  y = 2", 3),
    ("model m():\n    x = 1\n      y = 2", 3), ("model m():\nx = 1", 1), ("model m():\n  if a:\n  x = 1", 2),
        ("model m():", 1),
])
def test_layout_errors(text, line):
    only, = errors(text)
    assert only.code == "layout" and only.line == line


def test_brackets():
    only, = errors("model m():\n    x = f(1,\n    y = 2\n")
    assert only.message == "`(` is never closed" and (only.line, only.column) == (2, 10)
    only, = errors("x = f(a, {b, c)\n")
    assert only.message == "`{` is never closed"
    assert errors("x = f(a])")[0].message == "`]` does not close `(`"
    program("model m():\n    x = f(1,\n     2,\n    )\n")


def test_byte_order_mark():
    assert "byte-order" in errors("\ufeffx = 1")[0].message
    assert "byte-order" in errors("x = \ufeff1")[0].message


# ---- more than one error


def test_independent_errors():
    text = """\
from pullback.objectives import *
model cone():
    x ~ normal(0, 10
    r = x**2 + y^2
    if x = 1:
        y += 3
    else if y > 2:
        z = 1
    while x > 0:
        x = 2

objective f(x):
return x

objective g(p: model):
    for i in range(10):
        w[i] = logp(p, {t, data)
     q = 2
    a = 2y
    x ~ llm("unclosed
    b = in
    return mean i in 0..n: f(i) by r

fit noisy
    steps 3

fit other:
    minimise f(w)
    using adam(lr: 1)
    over w: params
"""
    found = errors(text)
    assert [error.line for error in found] == [1, 3, 4, 5, 6, 7, 9, 12, 16, 17, 18, 19, 20, 21, 22, 24, 28, 29]
    assert "unexpected" not in "".join(error.message for error in found)
    assert all(str(error) for error in found)


def test_one_mistake_one_message():
    for text in ("objective f(x):\nreturn x\ny = 3\n", "model m():\nx ~ d\ny ~ d\nmodel k():\n    x = 1\n",
                 "model m(\n    x = 1\n    y = 2\n", "fit f:\n  for i in 0..n:\n    x = 1\n    y = 2\n",
                 "model m():\n    x = [1, 2\n    if a:\n        x = 1\n", 'x = """never\nclosed\n\ny = (\n'):
        assert len(errors(text)) == 1, text


# ---- limits


@pytest.mark.parametrize("text", [
    "x = " + "(" * 100_000, "x = " + "(" * 100_000 + "1" + ")" * 100_000, "x = " + "-" * 100_000 + "1",
        "x = " + "not " * 100_000 + "1",
    "x = " + "a if b else " * 50_000 + "1", "x = " + "sum i in a: " * 50_000 + "1", "x = a" + ".b" * 100_000,
    "x = a" + "[0]" * 100_000, "x = f" + "(1)" * 100_000, "x: " + "(" * 100_000, 'x = "{' + "a[" * 10_000 + '"',
    "model m():\n" + "".join(" " * depth + "if x:\n" for depth in range(1, 400))], ids=range(12))
def test_deep(text):
    began = time.process_time()
    only, = errors(text)
    assert time.process_time() - began < 1
    assert "nested more than 200 deep" in only.message or "hole" in only.message or "`{`" in only.message


def test_long_is_not_deep():
    assert len(program("x = 1" + " + 1" * 5_000).declarations[0].value.operands) == 5_001
    assert len(expression("1" + "^1" * 2_000).operands) == 2_001
    assert len(statement("if a: x = 1" + "\n    elif a: x = 1" * 1_000).arms) == 1_001
    assert len(expression("[" + "a.b[0] if c else d, " * 1_000 + "]").items) == 1_000


def test_just_deep_enough():
    program("x = " + "f(" * 150 + "1" + ")" * 150)
    repr(program("x = " + "(1 + " * 190 + "1" + ")" * 190))


def test_large():
    source = Source("large.pbk", "x = 1  # forty characters on every line\n" * 1_250_000)
    began = time.process_time()
    with pytest.raises(ProgramError, match="at most 1,000,000"):
        parse(source)
    assert time.process_time() - began < 1


@pytest.mark.parametrize("text", ['x = "' + "a" * 900_000, 'x = """' + "a{" * 400_000, "@" * 900_000,
    "\n" * 300_000 + "(",
                                  "x = 3 3\n" * 100_000], ids=range(5))
def test_large_and_wrong(text):
    began = time.process_time()
    assert len(errors(text)) <= 100
    assert time.process_time() - began < 4


def test_threads():
    sources = [Source(path.name, path.read_text()) for path in PROGRAMS] * 3
    alone = [parse(source) for source in sources]
    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(parse, sources)) == alone


def test_cache(tmp_path):
    folder = tmp_path / "cache"
    assert reader.cache_in(None) is False
    path = Path(reader.cache_in(folder))
    assert path.parent == folder and folder.stat().st_mode & 0o777 == 0o700
    reader.load(cache=str(path))
    assert path.exists()
    began = time.process_time()
    grammar = reader.load(cache=str(path))
    assert time.process_time() - began < 0.3
    assert grammar.parse("x = 1\n", start="program")
    blocked = tmp_path / "file"
    blocked.write_text("")
    assert reader.cache_in(blocked / "below") is False


# ---- random mutations


WORD = re.compile(r'"""(?:.|\n)*?"""|"[^"\n]*"|\w+|\.\.|->|=>|>>|[^\w\s]|\n *')


def mutant(random_: random.Random, texts: list[str]) -> str:
    """A program with one token gone, doubled, swapped with the next, or put for another."""
    text = random_.choice(texts)
    words = list(WORD.finditer(text))
    at = random_.randrange(len(words) - 1)
    here, after = words[at], words[at + 1]
    other = random_.choice(list(WORD.finditer(random_.choice(texts)))).group()
    new = {"gone": "", "double": f"{here.group()} {here.group()}", "other": other, "insert": f"{here.group()} {other}",
           "character": here.group() + random_.choice("!$&*'\\\t;|?\u201c\u2212\u00e9\0\r{}[]()\".,:=~#"),
           "swap": text[here.end():after.start()].join((after.group(), here.group()))}
    kind = random_.choice(sorted(new))
    return text[:here.start()] + new[kind] + text[after.end() if kind == "swap" else here.end():]


def test_mutations():
    random_ = random.Random(20240917)
    texts = [path.read_text() for path in PROGRAMS]
    outcomes = {"right": 0, "wrong": 0}
    for _ in range(300):
        source = Source("mutant.pbk", mutant(random_, texts))
        try:
            inside(parse(source), source)
            outcomes["right"] += 1
        except ProgramError as error:
            outcomes["wrong"] += 1
            assert error.diagnostics
            for found in error.diagnostics:
                assert found.code in ("syntax", "layout") and found.message
                assert 0 <= found.span.start <= found.span.end <= len(source.text)
                assert str(found)
    assert min(outcomes.values()) > 10
