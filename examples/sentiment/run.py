"""A hint in words, the logits of four styles of prompt and a threshold, tuned in one fit on a small language model.

    python -m examples.sentiment.run

SmolLM2-135M-Instruct answers in this process, without a key or a network; it is too small to criticize or to edit,
so a rule says which clause is missing and another puts it in.  Replies are kept in `runs/sentiment/replies.db`.  With `--small`, or where
the model is not installed, a rule stands in the place of the model too.
"""
from __future__ import annotations

import itertools

import jax
import jax.numpy as jnp
import numpy as np

import pullback as pb
from examples.story import Story
from pullback.compiler.contract import fields

CLAUSES = ("Say positive if the writer is pleased.", "Say negative if the writer complains.", "Mind words like not and never.")
GOOD = ("a delight from start to end", "warm, funny and well acted", "the best meal I have had this year", "worth every cent",
        "clean, quiet and friendly", "so good that I went twice")
BAD = ("a waste of an evening", "dull, loud and badly acted", "the worst meal I have had this year", "not worth a cent",
       "dirty, noisy and rude", "so bad that I left early")
THINGS = ("The film was", "The dinner was", "The hotel was", "The play was", "The trip was", "Their service was", "The book was")


def reviews() -> list[tuple[str, float]]:
    """84 sentences, half of them good, in a fixed disorder."""
    every = [(f"{thing} {text}.", sign) for thing in THINGS for texts, sign in ((GOOD, 1.0), (BAD, -1.0)) for text in texts]
    return [every[place] for place in np.random.default_rng(0).permutation(len(every))]


def stand_in(request):
    """A reader that knows a few words, and leans to the good unless the prompt says what to do."""
    system, text = request.system.lower(), request.user.lower()
    lean = sum(word in text for word in ("delight", "warm", "best", "worth every", "clean", "so good")) - sum(
        word in text for word in ("waste", "dull", "worst", "not worth", "dirty", "so bad"))
    sharp = 0.3 + 0.4 * sum(clause.lower() in system for clause in CLAUSES) + 0.4 * ("classify" in system)
    odds = sharp * lean + 0.8
    return {"positive": -float(np.log1p(np.exp(-odds))), "negative": -float(np.log1p(np.exp(odds)))}


def missing(request):
    """The critic: names the first clause that the text shown lacks."""
    text = dict(fields(request.user))["text"]
    return {"value": next((f"It does not say: {clause}" for clause in CLAUSES if clause not in text), "")}


def editor(request):
    """The editor: puts in the first clause that was named."""
    shown = fields(request.user)
    text = dict(shown)["text"]
    named = next((clause for clause in CLAUSES for name, remark in shown if name == "feedback" and clause in remark and clause not in text), "")
    return {"value": f"{text} {named}".strip()}


def engines(story):
    """The language model, or what stands in its place; and whether it is the real one."""
    try:
        if story.small:
            raise ImportError
        model = pb.engines.local(cache=str(story.out / "replies.db"))
    except (ImportError, pb.ArgumentError, pb.EngineError) as reason:
        if not story.small:
            print(f"no language model here ({reason}): a rule stands in its place")
        model = pb.engines.scripted(stand_in)
    return {"forward": model, "critic": pb.engines.scripted(missing), "optimize": pb.engines.scripted(editor)}


def main(argv=None):
    story = Story("sentiment", __doc__, argv)
    data = reviews()
    train, held, test = data[:8], data[8:16], data[16:76] if not story.small else data[16:28]
    engine = engines(story)
    given = {"review": [r for r, _ in train], "sign": [s for _, s in train], "held": [r for r, _ in held], "truth": [s for _, s in held]}
    fit = story.fit("sentiment", given, small=4, engine=engine, notify=lambda warning: None)
    before, after = fit.versions[0], fit.texts
    graded = story.program["graded"].compile(engine=engine)

    def scores(params):
        return np.array([float(graded(0, params, review=review, sign=sign)) for review, sign in test])
    start = {"logits": jnp.zeros(4), "cut": jnp.zeros(()), "hint": before["hint"]}
    end = {"logits": fit.params["logits"], "cut": fit.params["cut"], "hint": after["hint"]}
    better = scores(end) - scores(start)
    story.say("objective, step by step", fit.history["objective"])
    story.say("validation, step by step", fit.history["validate"])
    story.say("probabilities of the styles", jax.nn.softmax(fit.params["logits"]))
    story.say("gain in log score on held-out reviews, with its standard error", [better.mean(), better.std(ddof=1) / len(better) ** 0.5])
    story.say("furthest gradient from a central difference", furthest(graded, end, train[:2]))
    story.say("calls of the model", fit.account.of("forward").calls)
    print(after["hint"])
    fit.save(story.out / "versions.html")
    return story.end()


def furthest(graded, params, rows) -> float:
    """The largest difference between a derivative in a number and a central difference."""
    worst, numbers = 0.0, {"logits": params["logits"], "cut": params["cut"]}
    for (review, sign), name in itertools.product(rows, numbers):
        _, slopes = graded.value_and_grad(0, params, review=review, sign=sign)
        for place in np.ndindex(numbers[name].shape):
            step = jnp.zeros(numbers[name].shape).at[place].set(0.02)
            up, down = (float(graded(0, {**params, name: numbers[name] + way * step}, review=review, sign=sign)) for way in (1, -1))
            worst = max(worst, abs((up - down) / 0.04 - float(slopes[name][place])))
    return worst


if __name__ == "__main__":
    main()
