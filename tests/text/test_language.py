"""What a program of texts may say, and what it is told where it is wrong."""
from __future__ import annotations

import jax
import pytest

import pullback as pb
from pullback.compiler.contract import fulfil
from pullback.compiler.notation import read as parse, show
from pullback.dsl.format import format
from pullback.compiler.source import Source

DECLARED = """extern right(reply: text, answer: text) -> unit

objective solve(system: text, question: text, answer: text):
    reply ~ llm(system, "Question: {question}")
    return right(reply, answer)

objective judged(system: text, question: text):
    reply ~ llm(system, question)
    return judge(reply, "is it right?")
"""
CLAUSES = """fit f:
    given question: text, answer: text
    {goal}
    over system: text = "Answer."
    using {using}
    steps 2
"""


def wrong(text: str, code: str) -> pb.Diagnostic:
    with pytest.raises(pb.ProgramError) as error:
        pb.loads(text)
    assert [d.code for d in error.value.diagnostics] == [code], error.value
    return error.value.diagnostics[0]


@pytest.mark.parametrize("goal, using, code, message, help", [
    ("maximize judged(system, question)", "tgd()", "type", "no order", "`improve judged(system, question)`"),
    ("improve solve(system, question, answer)", "tgd()", "type", "this is a number", "`maximize solve"),
    ("maximize solve(system, question, answer)", "tgd(accept = strict)", "argument", "does not say on what", "validate"),
    ("maximize solve(system, question, answer)", "adam(0.1)", "type", "`system` is a text, and `adam` is an optimizer of arrays", "tgd"),
    ("maximize solve(\"Answer.\", question, answer)", "tgd()", "unused", "does not read it", ""),
])
def test_fits(goal, using, code, message, help):
    found = wrong(DECLARED + CLAUSES.format(goal=goal, using=using), code)
    assert message in found.message and help in found.help


@pytest.mark.parametrize("body, code, message", [
    ("    return \"a\" + x", "type", "`+` takes numbers"),
    ("    y = llm(x)\n    return judge(y)", "kind", "a choice is drawn"),
    ("    y ~ judge(x)\n    return y", "kind", "a judgment is no choice"),
    ("    y ~ llm(x, warmth = 1.0)\n    return judge(y)", "argument", "no option `warmth`"),
    ("    y ~ llm(x, temperature = -1.0)\n    return judge(y)", "argument", "`temperature` is a number from 0 up"),
    ("    y ~ llm(2.0)\n    return judge(y)", "type", "is a text, and this is"),
    ("    y: one_of(\"a\", \"b\") ~ llm(x)\n    return 1.0 if y == \"c\" else 0.0", "type", "never `c`"),
    ("    y: real[3] ~ llm(x)\n    return sum(y)", "type", "a reply is one value"),
    ("    y ~ choice([\"a\", \"b\"], logits = zeros(3))\n    return judge(y)", "size", "picks from 2 values"),
    ("    y: one_of(\"a\", \"b\") ~ llm(x) by reinforce\n    return 1.0 if y == \"a\" else 0.0", "temperature", "nothing is drawn"),
    ("    y ~ llm(x) by mean\n    return judge(y)", "name", "no rule `mean`"),
    ("    return \"{x} {z}\"", "name", "`z`"),
    ("    return contains(x)", "argument", "`part`"),
])
def test_expressions(body, code, message):
    assert message in wrong(f"objective o(x: text):\n{body}\n", code).message


def test_a_text_that_only_a_comparison_reads_is_told_so():
    text = "objective o(x: text):\n    y ~ llm(x)\n    return 1.0 if y == \"a\" else 0.0\n"
    with pytest.raises(pb.ProgramError) as error:
        pb.loads(text)["o"].compile(engine=pb.engines.scripted(lambda r: "a")).value_and_grad(0, {"x": "p"})
    assert error.value.diagnostics[0].code == "unused" and "a comparison has no derivative" in error.value.diagnostics[0].help


def test_a_typed_reply_needs_an_engine_that_keeps_to_types():
    text = "objective o(x: text):\n    n: int ~ llm(x)\n    return 1.0 * n\n"
    can = pb.engines.Capabilities()
    with pytest.raises(pb.EngineError) as error:
        pb.loads(text)["o"].compile(engine=pb.engines.scripted(lambda r: "3", capabilities=can))
    assert error.value.code == "engine-capability" and "number(reply)" in error.value.diagnostics[0].help
    assert error.value.diagnostics[0].span.line == 2


def test_replies_have_types():
    text = """
objective o(x: text, kind: one_of("a", "b")):
    n: int ~ llm(x)
    v: {score: real, why: text} ~ llm("{n} {kind}")
    label: one_of("yes", "no") ~ llm(v.why)
    s: interval(0, 10) = judge(v.why, "how good")
    return n + v.score + (10.0 if label == "no" else 0.0) + 100.0 * s + number("{v.why}: 1,000.5") + (
        1.0 if strip(lower(" A ")) == kind else 0.0)
"""
    asked = []

    def answer(request):
        asked.append(request.user)
        if request.choices:
            return "no"
        kind = request.schema["properties"]["value"]
        if kind["type"] == "integer":
            return fulfil(request, {"value": 7})
        return fulfil(request, {"value": {"score": 2.5, "why": "because"} if request.role == "forward" else {"score": 4, "why": "x"}})
    g = pb.loads(text)["o"].compile(engine=pb.engines.scripted(answer))
    assert float(g(0, {"x": "go"}, kind="a")) == pytest.approx(7 + 2.5 + 10 + 400 + 1000.5 + 1)
    assert any(user.startswith("7 a") for user in asked)
    with pytest.raises(pb.ArgumentError, match="was given 'c'"):
        g(0, {"x": "go"}, kind="c")


def test_a_constant_template_is_one_text():
    from pullback.dsl import elaborate
    program = pb.loads('WHO = "you"\nobjective o(x: text):\n    k = 2 + 3\n    y ~ llm("Dear {WHO}, {k} {{here}}", x)\n    return judge(y)\n')
    assert '"Dear you, 5 {here}"' in show(elaborate.objective_graph(program.loaded, "o"))


def test_the_graph_prints_and_parses_and_draws():
    program = pb.loads(DECLARED, right=lambda a, b: 1.0)
    g = program["solve"].compile(engine=pb.engines.scripted(lambda r: "x" if r.role == "forward" else fulfil(r, {"value": "y"})))
    g.value_and_grad(0, {"system": "s"}, question="q", answer="a")
    for stage in ("ir", "checked", "estimator", "segments", "criticize"):
        assert "llm" in str(g.graph(stage))
    text = show(g.stages()["ir"])
    assert show(parse(text, externs={"<lambda>": g.stages()["ir"].boxes[2]["function"]})) == text
    assert program.objectives["judged"].compile().graph("segments") is not None


def test_formatting_keeps_texts():
    assert format(Source("x.pbk", DECLARED)) == DECLARED


def test_no_transformation_of_jax():
    g = pb.loads(DECLARED, right=lambda a, b: 1.0)["solve"].compile(engine=pb.engines.scripted(lambda r: "x"))
    with pytest.raises(pb.ArgumentError, match="runs on the host"):
        jax.jit(lambda key: g(key, {"system": "s"}, question="q", answer="a"))(jax.random.key(0))
    with pytest.raises(pb.ArgumentError, match="no engine was given"):
        pb.loads(DECLARED, right=lambda a, b: 1.0)["solve"].compile()(0, {"system": "s"}, question="q", answer="a")


def test_the_ledger_says_heuristic_and_keeps_the_numbers():
    program = pb.loads(DECLARED + """
objective mixed(l: real[2], q: text, answer: text):
    s ~ choice(["a", "b"], logits = l) by enum
    return solve(s, q, answer)
""", right=lambda a, b: 1.0)
    found = program["mixed"].compile().ledger
    assert found.unbiased and "heuristic" in {row.verdict for row in found.rows} and "numbers: exact" in str(found)


def test_a_verifier_that_gives_something_else_is_told_where():
    g = pb.loads(DECLARED, right=lambda a, b: 2.0)["solve"].compile(engine=pb.engines.scripted(lambda r: "x"))
    with pytest.raises(pb.ArgumentError) as error:
        g(0, {"system": "s"}, question="q", answer="a")
    assert error.value.diagnostics[0].code == "data" and error.value.diagnostics[0].span.line == 5


def test_until_ends_a_loop_and_asks_no_more():
    text = """
extern right(reply: text) -> unit
objective o(task: text, first: text):
    draft = first
    for t in 0..5 until contains(draft, "done"):
        next ~ llm(task, "Last try: {draft}")
        draft = next
    return right(draft)
"""
    engine = pb.engines.scripted(lambda request: fulfil(request, {"value": "finish sooner"}) if request.role == "critic" else
                                 "x" * (1 + request.user.count("x")) + (" done" if request.user.count("x") == 2 else ""))
    g = pb.loads(text, right=lambda reply: 0.5 if reply == "xxx done" else 0.0)["o"].compile(engine=engine)
    value, said = g.value_and_grad(0, {"task": "write"}, first="-")
    assert float(value) == 0.5 and g.account.roles["forward"].calls == 3
    assert len(said["task"]) == 3 and g.account.roles["critic"].calls == 5, "two inputs of each reply, but for the first draft, which is data"
    assert g.plan()["forward"].most == 5 and g.plan()["forward"].least == 0 and g.account.total.calls <= g.plan().most


def test_the_way_back_is_drawn_before_a_call_and_after_it_in_words():
    g = pb.loads(DECLARED, right=lambda a, b: 0.0)["solve"].compile(
        engine=pb.engines.scripted(lambda r: "x" if r.role == "forward" else fulfil(r, {"value": "name the year"})))
    g.specialize({"system": "s"}, question="q", answer="a")
    before = g.graph("criticize")
    assert sorted(node.name for node in before.scene.nodes if node.shape == "note") == ["by critique", "by words"]
    assert g.account.total.calls == 0 and "criticize[" in str(before)
    g.value_and_grad(0, {"system": "s"}, question="q", answer="a")
    after = g.graph("criticize")
    assert "name the year" in [node.name for node in after.scene.nodes]
    assert sum(line.style == "criticism" for line in after.scene.lines) == 4
