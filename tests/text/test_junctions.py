"""Where criticisms meet: by plate, by reader, left to right; the order and the idempotence of the merge; mutants that fail."""
from __future__ import annotations

import pytest

import pullback as pb
from pullback.compiler.contract import fields, fulfil
from pullback.compiler.criticism import merge

PROGRAM = """
extern score(reply: text, worth: real) -> real
extern say(reply: text, worth: real, value: real, way: int) -> text

objective one(system: text, q: text, worth: real):
    reply ~ llm(system, q)
    return score(reply, worth) by words(say)

objective all(system: text, q: text[n], worth: real[n]):
    return sum i in 0..n JUNCTION: one(system, q[i], worth[i])

objective read(system: text, q: text[n], worth: real[n]):
    return (sum i in 0..n: one(system, q[i], worth[i])) READERS

objective twice(system: text, a: text, b: text):
    first ~ llm(system, a)
    second ~ llm(system, "{b} {first}")
    return 2.0 * score(first, 1.0) + score(second, 1.0)
"""


def compiled(name, junction="", readers="", **options):
    def answer(request):
        if request.role == "merge":
            return fulfil(request, {"value": " + ".join(text for field, text in fields(request.user) if field == "remark")})
        if request.role == "critic":
            said = [text for field, text in fields(request.user) if field == "feedback"]
            return fulfil(request, {"value": f"so: {', '.join(said)}"})
        return f"reply to {request.user}"
    text = PROGRAM.replace("JUNCTION", junction).replace("READERS", readers)
    program = pb.loads(text, score=lambda reply, worth: worth, say=lambda reply, worth, value, way: f"fault of {reply}")
    return program[name].compile(engine=pb.engines.scripted(answer, **options))


DATA = {"q": ["a", "b", "c", "d"], "worth": [1.0, 4.0, 2.0, 3.0]}


def texts(found):
    return [item.text for item in found["system"]]


def feedback(name, data=DATA, **options):
    return compiled(name, **options).value_and_grad(0, {"system": "S"}, **data)[1]


def test_concatenate_is_the_default_and_keeps_the_order_of_the_data():
    expected = [f"so: fault of reply to {q}" for q in "abcd"]
    assert texts(feedback("all")) == texts(feedback("all", junction="by concatenate")) == expected


def test_top_keeps_the_heaviest_in_their_order():
    data = {"q": DATA["q"], "worth": [1.0, 4.0, 2.0, 3.0]}
    found = feedback("read", data, readers="with {system: top(2)}")
    assert len(found["system"]) == 2 and [item.score for item in found["system"]] == [1.0, 2.0]  # equal weights: the worst scores


def test_summarize_makes_one_of_all():
    for found in (feedback("all", junction="by summarize"), feedback("read", readers="with {system: summarize}")):
        (one,) = found["system"]
        assert one.text == " + ".join(f"so: fault of reply to {q}" for q in "abcd") and one.weight == pytest.approx(4)


def test_rules_compose_left_to_right():
    found = feedback("all", junction="by group(2), summarize")
    assert texts(found) == ["so: fault of reply to a + so: fault of reply to b", "so: fault of reply to c + so: fault of reply to d"]
    assert len(texts(feedback("all", junction="by summarize, top(1)"))) == 1
    (one,) = feedback("read", readers="with {system: [top(2), summarize]}")["system"]
    assert one.text.count("+") == 1
    assert len(texts(feedback("all", junction="by group(i), summarize"))) == 4


def test_sample_is_the_runs_and_right_on_average():
    g = compiled("all", junction="by sample(2)")
    found = [g.value_and_grad(key, {"system": "S"}, **DATA)[1]["system"] for key in range(12)]
    assert all(len(said) == 2 and [item.weight for item in said] == [2.0, 2.0] for said in found)
    assert len({tuple(item.source for item in said) for said in found}) > 3
    assert found[0] == g.value_and_grad(0, {"system": "S"}, **DATA)[1]["system"]


def test_two_readers_of_one_text_say_one_thing_each():
    found = feedback("twice", {"a": "A", "b": "B"})
    assert len(found["system"]) == 2 and len({item.source for item in found["system"]}) == 2
    first = next(item for item in found["system"] if item.source[0].startswith("first"))
    assert first.weight == 3.0, "what the second reply's critic said of the first one's text counts beside its verifier"


def test_the_same_under_every_pattern_of_latency():
    g, plain = compiled("all"), feedback("all")["system"]
    for seed in range(30):
        slow = compiled("all", latency=(0.0, 0.01), seed=seed)
        again = g.with_roles(slow.roles)
        assert again.value_and_grad(0, {"system": "S"}, **DATA)[1]["system"] == plain


def test_seeds_are_of_the_site_and_the_datum():
    """Above temperature 0 a request's seed does not change when the program draws more, and differs from datum to datum."""
    def seeds(text):
        engine = pb.engines.scripted(lambda request: "x")
        pb.loads(text)["o"].compile(engine=engine)(7, {"a": "A"}, q=["p", "q", "r"])
        return [request.seed for request in engine.log if request.messages[0].text == "A"]
    text = """
extern score(x: text) -> real
objective one(a: text, q: text):
    MORE
    reply ~ llm(a, q, temperature = 1.0)
    return number(reply)
objective o(a: text, q: text[n]):
    return mean i in 0..n: one(a, q[i])
"""
    plain = seeds(text.replace("    MORE\n", ""))
    assert len(set(plain)) == 3
    assert seeds(text.replace("MORE", 'other ~ llm("B", q, temperature = 1.0)').replace("number(reply)", "number(reply) + number(other)")) == plain


def reversed_merge(*cotangents):
    return merge(*cotangents)[::-1]


def one_of_many(*cotangents):
    return merge(*cotangents)[:1]


@pytest.mark.parametrize("mutant", [reversed_merge, one_of_many])
def test_mutants_of_the_merge_are_noticed(mutant, monkeypatch):
    from pullback.backends.text import back
    monkeypatch.setattr(back, "merge", mutant)
    with pytest.raises(AssertionError):
        test_concatenate_is_the_default_and_keeps_the_order_of_the_data()


def test_a_dropped_weight_is_noticed(monkeypatch):
    from pullback.compiler.case import Case
    plain = Case.moves
    monkeypatch.setattr(Case, "moves", lambda case: [(name, value, 1.0 if slope > 0 else -1.0) for name, value, slope in plain(case)])
    with pytest.raises(AssertionError):
        test_two_readers_of_one_text_say_one_thing_each()


def test_calls_lie_within_the_plan():
    for name, options in (("all", {"junction": "by summarize"}), ("read", {"readers": "with {system: [top(2), summarize]}"}), ("twice", {})):
        g = compiled(name, **options)
        sizes = {} if name == "twice" else {"n": 4}
        plan = g.plan(**sizes)
        g.value_and_grad(0, {"system": "S"}, **({"a": "A", "b": "B"} if name == "twice" else DATA))
        for row in plan.rows:
            assert row.least <= g.account.roles[row.role].calls <= row.most, (name, row)
        value = g.plan(over=(), **sizes)
        assert value.least == value.most, "the value alone depends on no reply"
