"""Optimizers of texts, on objectives whose best texts are known."""
import json
import math
import random
from dataclasses import replace

import pytest

from pullback import library
from pullback.backends.text.roles import Roles
from pullback.backends.text.scripted import Scripted
from pullback.compiler import optimizer
from pullback.compiler.contract import fields
from pullback.compiler.criticism import Criticism
from pullback.compiler.predicate import Contains, Holds, Matches, MaxChars
from pullback.compiler.revision import Edit, Rewritten
from pullback.stdlib.text.editor import rewrite

library.open_library()
WANTED = ("a", "b", "c", "d")


@pytest.fixture(autouse=True)
def edits_are_answered_as_they_are(monkeypatch):
    """The optimizers hand their edits to `Letters` itself; the editor's own words have tests of their own."""
    library.open_library()
    for name in ("tgd", "pareto", "choose"):
        optimizer.find(name)
        monkeypatch.setattr(f"pullback.stdlib.optimizers.{name}.rewrite", lambda ask, edits: ask(edits))


def make(name, **options):
    return optimizer.find(name)(**options)


class Letters:
    """Texts of letters; row i is right if the text holds the letter i.  The editor adds the first letter it is told of."""

    def __init__(self, texts, said=None, editor=None):
        self.texts, self.roles, self.rows, self.asked, self.validated = texts, {}, len(WANTED), [], 0
        self.said, self.editor = said, editor or (lambda edit: edit.value + (edit.criticisms[0].text[-1] if edit.other is None else edit.other))

    def scores(self, texts, rows=None):
        text = "".join(texts.values())
        return [float(WANTED[row] in text) for row in (range(self.rows) if rows is None else rows)]

    def criticize(self, texts, rows):
        text = "".join(texts.values())
        missing = [row for row in rows if WANTED[row] not in text]
        return {name: tuple(Criticism(f"add {WANTED[row]}", ("r", row, name)) for row in missing) for name in texts}

    @property
    def criticisms(self):
        return self.criticize(self.texts, range(self.rows)) if self.said is None else self.said

    @property
    def score(self):
        return sum(self.scores(self.texts)) / self.rows

    def validate(self, texts):
        self.validated += 1
        return sum(self.scores(texts)) / self.rows

    def ask(self, edits):
        self.asked += edits
        return [Rewritten(value) if (value := self.editor(edit)) != edit.value else Rewritten(value, "the editor gave the same text")
                for edit in edits]


def run(made, texts, steps, **options):
    state, seen = made.init(texts), []
    for step in range(steps):
        readings = Letters(texts, **options)
        state, texts, reports = made.step(step, json.loads(json.dumps(state)), texts, readings)
        seen.append((readings, reports))
    return state, texts, seen


def test_descent_reaches_the_best_and_then_makes_no_call():
    _, texts, seen = run(make("tgd"), {"x": "", "y": "k"}, 6)
    assert set(WANTED) <= set(texts["x"])
    assert [bool(readings.asked) for readings, _ in seen] == [True] * 4 + [False] * 2
    assert [report.what for _, reports in seen for report in reports][-4:] == ["satisfied"] * 4


def test_all_texts_step_from_the_same_criticisms():
    _, texts, _ = run(make("tgd"), {"x": "", "y": ""}, 1)
    assert texts == {"x": "a", "y": "a"}


def test_momentum_shows_the_last_values_and_memory_the_last_criticisms():
    _, _, seen = run(make("tgd", momentum=2), {"x": ""}, 4)
    last = seen[3][0].asked[0]
    assert [past.value for past in last.history] == ["a", "ab"] and [past.score for past in last.history] == [0.25, 0.5]
    assert last.history[0].said == ("add b", "add c", "add d") and "again" in last.steps
    _, _, seen = run(make("tgd", memory=2), {"x": ""}, 4)
    last = seen[3][0].asked[0]
    assert [past.value for past in last.history] == ["", ""] and last.history[1].said == ("add c", "add d")
    _, _, seen = run(make("tgd"), {"x": ""}, 3)
    assert seen[2][0].asked[0].history == ()


def test_strict_takes_back_what_is_not_better_and_ties_what_is_worse():
    def useless(edit):
        return edit.value + "z"

    def harmful(edit):
        return edit.value[1:]
    for accept, editor, kept in (("strict", useless, "ab"), ("ties", useless, "abz"), ("ties", harmful, "ab"), ("always", harmful, "b")):
        _, texts, seen = run(make("tgd", accept=accept), {"x": "ab"}, 1, editor=editor)
        assert texts["x"] == kept
        assert seen[0][1][0].what == ("reverted" if kept == "ab" else "changed")
    _, _, seen = run(make("tgd", accept="strict"), {"x": ""}, 3)
    assert [readings.validated for readings, _ in seen] == [2, 1, 1]  # the old value is known after the first step


def test_what_was_taken_back_is_remembered():
    _, _, seen = run(make("tgd", accept="strict", momentum=3), {"x": "ab"}, 2, editor=lambda edit: edit.value + "z" * (1 + len(edit.history)))
    history = seen[1][0].asked[0].history
    assert [past.value for past in history] == ["ab", "abz"] and "taken back" in history[1].said[0]


def test_an_old_text_is_asked_for_again_once_then_stalls():
    _, texts, seen = run(make("tgd"), {"x": "q"}, 1, editor=lambda edit: "q" if edit.rollout == 0 else "qa")
    assert texts["x"] == "qa" and [edit.temperature for edit in seen[0][0].asked] == [0.0, 0.7]
    _, texts, seen = run(make("tgd"), {"x": "q"}, 2, editor=lambda edit: "p" if edit.value == "q" else "q")
    assert texts["x"] == "p" and seen[1][1][0].what == "stalled" and len(seen[1][0].asked) == 2


@pytest.mark.parametrize("options", [dict(momentum=-1), dict(momentum=1, memory=1), dict(accept="sometimes"), dict(memory=True)])
def test_options_are_checked(options):
    with pytest.raises(ValueError):
        make("tgd", **options)


def editor(script):
    engine = Scripted(script)
    roles = Roles(engine)
    return engine, lambda edits: rewrite(roles.ask, edits)


def test_predicates_are_enforced_with_one_repair():
    edit = Edit("x", "a prompt", "old", (Criticism("be short", ("r", 0)),), constraints=("plain words", MaxChars(10), Contains("s")))
    engine, ask = editor(lambda request: {"value": "short" if "was refused" in request.user else "much too long a text"})
    assert ask([edit]) == [Rewritten("short")] and len(engine.log) == 2
    assert "20 characters" in engine.log[1].user and "plain words" in engine.log[0].user and "at most 10" in engine.log[0].user
    engine, ask = editor(lambda request: {"value": "much too long a text"})
    made, = ask([edit])
    assert made.value == "old" and "20 characters" in made.kept and len(engine.log) == 2
    engine, ask = editor(lambda request: {"value": " old\n"})
    assert ask([edit])[0].kept == "the new text was refused twice: it does not contain 's'" and len(engine.log) == 2
    assert ask([replace(edit, constraints=())])[0].kept == "the editor gave the same text"


def test_the_editor_sees_the_whole_text_and_all_that_is_said():
    long = "word " * 5000
    engine, ask = editor(lambda request: {"value": "new"})
    ask([Edit("x", "the prompt", long, tuple(Criticism(f"remark {i}", ("r", i)) for i in range(30)), examples=("an example",))])
    seen = fields(engine.log[0].user)
    assert ("text", long) in seen and ("example", "an example") in seen
    assert [text for name, text in seen if name == "feedback"] == [f"remark {i}" for i in range(30)]
    assert ask([Edit("x", "", "t")])[0].kept == "nothing was said of it" and len(engine.log) == 1


@pytest.mark.parametrize("predicate, good, bad", [
    (MaxChars(3), "abc", "abcd"), (Contains("A:"), "say A: 1", "say a: 1"), (Matches(r"^\d+$"), "12", "12 "),
    (Holds(str.islower), "low", "High")])
def test_predicates(predicate, good, bad):
    assert predicate.failure(good) == "" and predicate.failure(bad) and predicate.words
    for wrong in (lambda: MaxChars(0), lambda: MaxChars(True), lambda: Matches("(")):
        with pytest.raises(ValueError):
            wrong()


def expected(logits, f):
    weights = [math.exp(logit) for logit in logits]
    return sum(w * v for w, v in zip(weights, f)) / sum(weights)


def test_the_slope_of_choose_is_the_derivative_and_its_draws_are_unbiased():
    f = [0.1, 0.9, 0.4]
    logits, step = [0.3, -0.2, 0.5], 1e-6
    made = make("choose", k=3)
    p = [math.exp(logit) / sum(map(math.exp, logits)) for logit in logits]

    class Fixed:
        def scores(self, texts, rows=None):
            return [f[texts["x"]]]
    candidates = [{"x": place} for place in range(3)]
    slope, value = made.slope(p, candidates, Fixed(), random.Random(0))
    assert value == pytest.approx(expected(logits, f))
    for j in range(3):
        up, down = ([logit + sign * step * (i == j) for i, logit in enumerate(logits)] for sign in (1, -1))
        assert slope[j] == pytest.approx((expected(up, f) - expected(down, f)) / (2 * step), abs=1e-8)

    class Two:
        name, k = "reinforce", 2
    drawing, chance, n = make("choose", k=3, by=Two()), random.Random(1), 20_000
    draws = [drawing.slope(p, candidates, Fixed(), chance)[0] for _ in range(n)]
    for j in range(3):
        mean = sum(d[j] for d in draws) / n
        error = math.sqrt(sum((d[j] - mean) ** 2 for d in draws) / n / n)
        assert abs(mean - slope[j]) < 4.5 * error  # false alarm: 7e-6 for each


@pytest.mark.parametrize("by", ["enum", "reinforce"])
def test_choose_finds_the_best_rewrite_and_goes_on_from_it(by):
    def one(edit):  # the rollout says which letter; two of three rewrites are bad
        return edit.value + (edit.criticisms[0].text[-1] if edit.rollout % 3 == 0 else "z")
    _, texts, seen = run(make("choose", k=4, rate=20.0, by=by), {"x": ""}, 12, editor=one)
    assert set(WANTED) & set(texts["x"])
    assert sum(bool(readings.asked) for readings, _ in seen) >= 2


def test_choose_leaves_alone_what_is_good():
    state, texts, seen = run(make("choose"), {"x": "abcd"}, 2)
    assert texts == {"x": "abcd"} and seen[0][1][0].what == "satisfied" and not seen[0][0].asked
    with pytest.raises(ValueError):
        make("choose", k=1)


def test_pareto_keeps_specialists_and_never_loses_the_best():
    def narrow(edit):  # a rewrite forgets all but what it was told, a union forgets nothing
        return "".join(sorted(set(edit.value + edit.other))) if edit.other is not None else edit.criticisms[0].text[-1]
    state, texts, seen = run(make("pareto", pool=3, minibatch=2), {"x": ""}, 40, editor=narrow)
    best = [reports[0].score for _, reports in seen]
    assert best == sorted(best) and best[-1] >= 0.75
    assert len(state["pool"]) <= 3
    _, alone, seen = run(make("pareto", pool=3, minibatch=2, merge=False), {"x": ""}, 40, editor=narrow)
    assert len(alone["x"]) <= 1  # without a union each holds one letter


def test_pareto_is_a_function_of_its_seed():
    assert run(make("pareto"), {"x": "", "y": ""}, 5)[:2] == run(make("pareto"), {"x": "", "y": ""}, 5)[:2]
