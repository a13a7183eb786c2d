"""A prompt that counts objects better after every criticism, and a mixed fit: a hint in words beside the logits of three styles.

    python -m examples.prompt.run

The task is object counting (Suzgun et al., 2022) in miniature, as in the first experiment of TextGrad (Yuksekgonul et al., 2024).
Student, critic and editor are `pb.engines.rules()`: a few rules in the place of a language model, so that the figures are the same
everywhere.  With `--engine local` a small language model answers, and with `pb.engines.openai(…)` any server.
"""
from __future__ import annotations

import re

import jax
import jax.numpy as jnp
import numpy as np

import pullback as pb
from examples.story import Story
from pullback.backends.text.tasks import counting


def right(reply: str, answer: str) -> float:
    """1 if the last number of the reply is the answer."""
    numbers = re.findall(r"-?\d+", reply)
    return float(bool(numbers) and numbers[-1] == answer)


def explain(reply: str, answer: str, value: float, way: int) -> str:
    """What is wrong with a reply: nothing, if it is to go the way it has gone."""
    return f"The answer is {answer}, and the reply is: {reply}" if way > 0 else ""


def columns(count: int, seed: int) -> tuple[list[str], list[str]]:
    return tuple(map(list, zip(*counting.questions(count, seed))))


def main(argv=None):
    story = Story("prompt", __doc__, argv, right=right, explain=explain)
    sizes = (16, 16, 16) if story.small else (50, 100, 100)
    (question, answer), (held, truth), (test, key) = (columns(size, 10 * story.seed + at) for at, size in enumerate(sizes))
    engine = pb.engines.rules()
    data = {"question": question, "answer": answer, "held": held, "truth": truth}
    print(story.program["prompt"].calls(n=len(question), m=len(held)))
    fit = story.fit("prompt", data, small=6, engine=engine)
    for name, text in (("before", fit.versions[0]["system"]), ("after", fit.texts["system"])):
        solve = story.program["solve"].compile(engine=engine)
        scores = [float(solve(0, {"system": text}, question=q, answer=a)) for q, a in zip(test, key)]
        story.say(f"accuracy {name}", np.mean(scores))
    story.say("validation, step by step", fit.history["validate"])
    story.say("calls", fit.account.total.calls)
    print(fit.texts["system"])
    fit.save(story.out / "versions.html")

    mixed = story.fit("mixed", {"question": question, "answer": answer}, small=6, engine=engine)
    story.say("objective of the mixed fit, step by step", mixed.history["objective"])
    story.say("probabilities of the styles", jax.nn.softmax(mixed.params["logits"]))
    story.say("its error, relative to the gradient by hand", by_hand(story, engine, mixed.versions[0], question[:8], answer[:8]))
    print(mixed.texts["hint"])
    mixed.save(story.out / "mixed.html")
    return story.end()


def by_hand(story, engine, texts, question, answer) -> float:
    """∂/∂logits of Σ p f is p (f − Σ p f), with the accuracy f of each style alone."""
    styled = story.program["styled"].compile(engine=engine)
    solve = story.program["solve"].compile(engine=engine)
    styles = ["Answer the question.", "You are a teacher. List each item with its number before adding up.", "Reply in verse."]
    logits, worst = jnp.array([0.3, -0.2, 0.1]), 0.0
    for q, a in zip(question, answer):
        _, slopes = styled.value_and_grad(0, {"logits": logits, "hint": texts["hint"]}, question=q, answer=a)
        f = np.array([float(solve(0, {"system": f"{style} {texts['hint']}"}, question=q, answer=a)) for style in styles])
        p = np.asarray(jax.nn.softmax(logits))
        worst = max(worst, float(np.abs(np.asarray(slopes["logits"]) - p * (f - p @ f)).max()))
    return worst


if __name__ == "__main__":
    main()
