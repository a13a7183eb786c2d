"""Fits over texts, and over texts and numbers: budgets, resumed runs, lost data, what is kept in the folder."""
from __future__ import annotations

import hashlib
import json
import os
import re
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

import pullback as pb
from pullback.backends.text.tasks import counting

PROGRAM = """
extern right(reply: text, answer: text) -> unit
extern explain(reply: text, answer: text, value: real, way: int) -> text
styles = ["Answer.", "List each item with its number before adding up."]

objective solve(system: text, question: text, answer: text):
    reply ~ llm(system, question)
    return right(reply, answer) by words(explain)

objective styled(l: real[2], hint: text, question: text, answer: text):
    style ~ choice(styles, logits = l) by enum
    return solve("{style} {hint}", question, answer)

fit tune:
    given question: text[n], answer: text[n], held: text[m], truth: text[m]
    GOAL mean i in 0..n by subsample(4), top(2): solve(system, question[i], answer[i])
    validate mean i in 0..m: solve(system, held[i], truth[i])
    over system: text = "Answer."
    using OPTIMIZER
    steps 4

fit mixed:
    given question: text[n], answer: text[n]
    maximize mean i in 0..n: styled(l, hint, question[i], answer[i])
    over l: real[2], hint: text = "Be brief."
    using adam(0.5) for l, tgd() for hint
    steps 3
"""


def right(reply, answer):
    return float((re.findall(r"\d+", reply) or [""])[-1] == answer)


def explain(reply, answer, value, way):
    return f"The answer is {answer}, not: {reply}" if way > 0 else ""


def columns(count, seed):
    return tuple(map(list, zip(*counting.questions(count, seed))))


(QUESTION, ANSWER), (HELD, TRUTH) = columns(12, 1), columns(8, 2)
DATA = {"question": QUESTION, "answer": ANSWER, "held": HELD, "truth": TRUTH}


def program(goal="maximize", optimizer="tgd(momentum = 2, accept = strict, constraints = [max_chars(300)])"):
    return pb.loads(PROGRAM.replace("GOAL", goal).replace("OPTIMIZER", optimizer), right=right, explain=explain)


def run(name="tune", data=DATA, key=0, **options):
    options = {"engine": pb.engines.rules(), "progress": False, **options}
    return program()[name].run(key, data=data, **options)


def test_a_prompt_gets_better_and_validation_never_worse():
    fit = run()
    held = fit.history["validate"]
    assert held[-1] > held[0] and (np.diff(held) >= 0).all() and "Count only the asked kind." in fit.texts["system"]
    assert "changed" in {report.what for step in fit.reports for report in step} and len(fit.versions) == 5 and len(fit.texts["system"]) <= 300
    plan = program()["tune"].calls(n=12, m=8)
    for row in plan.rows:
        assert row.least <= fit.account.of(row.role).calls <= row.most, row


def test_words_and_numbers_in_one_fit():
    fit = run("mixed", {"question": QUESTION, "answer": ANSWER})
    assert fit.params["l"][1] > fit.params["l"][0] and fit.texts["hint"] != "Be brief."
    assert fit.history["objective"][-1] > fit.history["objective"][0] and (fit.history["gradient_norm"] > 0).any()


def test_minimize_turns_both_around():
    """To lower the accuracy, `explain` is asked for the other way (and has nothing to say), and no text changes."""
    fit = program(goal="minimize", optimizer="tgd()")["tune"].run(0, data=DATA, engine=pb.engines.rules(), progress=False, steps=1)
    assert fit.texts["system"] == "Answer." and fit.history["criticisms"][0] == 0


@pytest.mark.parametrize("optimizer", ["choose(2)", "pareto(pool = 3, minibatch = 3)"])
def test_other_optimizers(optimizer):
    found = program(optimizer=optimizer)["tune"]
    fit = found.run(0, data=DATA, engine=pb.engines.rules(), progress=False, steps=2)
    assert fit.history["validate"][-1] >= fit.history["validate"][0]
    plan = found.calls(steps=2, n=12, m=8)
    assert all(fit.account.of(row.role).calls <= row.most for row in plan.rows), (fit.account.roles, str(plan))


def same(a, b):
    assert a.texts == b.texts and a.versions == b.versions and a.criticisms == b.criticisms and a.reports == b.reports
    for name in ("objective", "validate", "criticisms", "characters"):
        np.testing.assert_array_equal(a.history[name], b.history[name])


def test_a_budget_is_never_passed_and_a_resumed_run_is_the_same(tmp_path):
    whole = run()
    with pytest.raises(pb.EngineError) as error:
        run(checkpoint=tmp_path, budget=pb.Budget(calls=40))
    assert error.value.code == "budget" and error.value.fit.account.total.calls <= 40 and error.value.step < 4
    done = error.value.step
    assert len(list(tmp_path.glob("*.json"))) == min(done, 2)
    fit = run(checkpoint=tmp_path, resume=True)
    same(fit, whole)
    said = [json.loads(line) for line in (tmp_path / "criticisms.jsonl").read_text().splitlines()]
    assert len(said) == fit.history["criticisms"].sum() and {"step", "text", "source", "weight"} <= set(said[0])
    with pytest.raises(pb.FitError, match="another key"):
        run(key=1, checkpoint=tmp_path, resume=True)


def test_a_datum_whose_answer_is_lost_is_left_out():
    """With `skip` the mean is over the others, and nothing is said of what was lost; with `stop` the fit ends there."""
    def answer(request):
        return pb.engines.Fault(400) if request.user == QUESTION[2] else {"value": "be exact"} if request.role in ("critic", "optimize") else "Answer: 99"
    data = {**DATA, "answer": ["99" if at % 2 else "7" for at in range(len(QUESTION))]}
    text = PROGRAM.replace("GOAL", "maximize").replace("OPTIMIZER", "tgd()").replace(" by subsample(4), top(2)", "")
    tune = pb.loads(text, right=right, explain=explain)["tune"]
    with pytest.raises(pb.EngineError) as error:
        tune.run(0, data=data, engine=pb.engines.scripted(answer), progress=False, steps=1)
    assert error.value.code == "engine-refused" and error.value.diagnostics[0].span.line == 7
    fit = tune.run(0, data=data, engine=pb.engines.scripted(answer), on_error="skip", progress=False, steps=1)
    assert fit.history["objective"][0] == pytest.approx(6 / 11) and fit.account.skipped == 1
    assert [item.source[1] for item in fit.criticisms[0]["system"]] == [0, 4, 6, 8, 10]


def told(fit):
    """All that a run said and did, as a digest."""
    said = [{name: [item.json() for item in items] for name, items in step.items()} for step in fit.criticisms]
    return hashlib.sha256(json.dumps([fit.versions, said, list(fit.history["validate"])]).encode()).hexdigest()


def test_a_run_is_the_same_in_another_process_without_a_call(tmp_path):
    cache, here = str(tmp_path / "replies.db"), str(Path(__file__).parent)
    fit = run(engine=pb.engines.rules(cache=cache), steps=2)
    code = (f"import sys; sys.path.insert(0, {here!r})\nfrom test_fits import pb, run, told\n"
            f"fit = run(engine=pb.engines.rules(cache={cache!r}), steps=2)\nprint(told(fit), fit.account.total.calls)")
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, env={**os.environ, "PYTHONHASHSEED": "7"})
    assert found.stdout.split() == [told(fit), "0"] and fit.account.total.calls > 0


def test_the_page_escapes_and_shows_each_version(tmp_path):
    fit = run(steps=2)
    text = fit.save(tmp_path / "page.html").read_text()
    assert "<ins>" in text and ": changed</div>" in text and "The answer is" not in text.split("<style>")[0]
    assert "<script" not in text


def test_the_command_line(tmp_path):
    from pullback.cli import main
    (tmp_path / "p.pbk").write_text(PROGRAM.replace("GOAL", "maximize").replace("OPTIMIZER", "tgd()"))
    for name, values in DATA.items():
        (tmp_path / f"{name}.txt").write_text("".join(f"{value}\n" for value in values))
    sys.path.insert(0, str(Path(__file__).parent))
    given = [item for name in DATA for item in ("--data", f"{name}={tmp_path / name}.txt")]
    code = main(["fit", f"{tmp_path / 'p.pbk'}:tune", "--engine", "rules", "--extern", "right=test_fits:right", "--extern",
                 "explain=test_fits:explain", "--out", str(tmp_path / "out"), "--set", "steps=2", *given])
    assert code == 0
    names = {path.name for path in (tmp_path / "out").iterdir()}
    assert {"texts.json", "versions.html", "history.csv", "ledger.txt", "checkpoints"} <= names
    assert (tmp_path / "out" / "checkpoints" / "criticisms.jsonl").exists()
    assert "List" in json.loads((tmp_path / "out" / "texts.json").read_text())["system"]


IMPROVE = """
objective talk(system: text, question: text):
    reply ~ llm(system, question)
    return judge(reply, "what is missing?")

fit better:
    given question: text[n]
    improve mean i in 0..n by summarize: talk(system, question[i])
    over system: text = "Answer."
    using OPTIMIZER
    steps 2
"""


def test_improve_needs_no_number():
    def answer(request):
        if request.role == "judge":
            return {"value": "" if "please" in request.user else "be polite"}
        if request.role == "optimize":
            return {"value": "Say please."}
        return {"value": "ask for politeness"} if request.role in ("critic", "merge") else f"{request.system} so"
    program = pb.loads(IMPROVE.replace("OPTIMIZER", "tgd()"))
    fit = program["better"].run(0, data={"question": ["a", "b", "c"]}, engine=pb.engines.scripted(answer), progress=False)
    assert fit.texts["system"] == "Say please." and list(fit.history["criticisms"]) == [1, 0] and np.isnan(fit.objective)
    assert fit.criticisms[0]["system"][0].weight == pytest.approx(1.0), "three of weight 1/3"
    value = program["better"].compile(engine=pb.engines.scripted(answer))(0, {"system": "Say please."}, question=["a", "b"])
    assert value == ("", "")
    with pytest.raises(pb.ProgramError, match="compares scores"):
        pb.loads(IMPROVE.replace("OPTIMIZER", "choose(3)"))


def test_words_and_numbers_resume_together(tmp_path):
    data = {"question": QUESTION[:6], "answer": ANSWER[:6]}
    whole = run("mixed", data)
    with pytest.raises(pb.EngineError) as error:
        run("mixed", data, checkpoint=tmp_path, budget=pb.Budget(calls=whole.history["calls"][1]))
    assert error.value.step == 2
    fit = run("mixed", data, checkpoint=tmp_path, resume=True)
    same(fit, whole)
    np.testing.assert_array_equal(fit.params["l"], whole.params["l"])
