"""Sentences as circuits: MC (food or software) and RP (relative clauses), trained by their exact probabilities.

    python -m examples.qnlp.run
    python -m examples.qnlp.run --shots 8192        MC from frequencies instead, as a device gives them
"""
from __future__ import annotations

import argparse
from pathlib import Path

import jax
import jax.numpy as jnp
import numpy as np
import optax

from examples.story import Story

FOLDER = Path(__file__).parent


def sentences(task: str, part: str) -> dict[str, object]:
    """The sentences of a file, and their labels as int32 [n]."""
    rows = [line.split() for line in (FOLDER / f"{task}_{part}_data.txt").read_text().splitlines() if line.strip()]
    return {"words": tuple(" ".join(word for word in row[1:] if word != ".") for row in rows),
            "label": np.array([int(row[0]) for row in rows], np.int32)}


def right(objective, params, data) -> np.ndarray:
    """Whether each sentence is told right: the log probability of its label is over that of one half."""
    return np.array([float(objective(jax.random.key(0), params, words=words, label=int(label))) > np.log(0.5)
                     for words, label in zip(data["words"], data["label"])])


def starts(story: Story, name: str, lexicon: str, train: dict, test: dict, count: int, steps: int) -> np.ndarray:
    """The share of right answers on the test sentences from several starts, all trained in one `vmap`."""
    program = story.program
    fit = program[name].compile(words=train["words"])
    score = {"meaning": "score", "relative": "kind"}[name]
    told = [program[score].compile(words=words) for words in test["words"]]
    optimizer = optax.adam(0.02)

    def loss(w):
        return -fit(jax.random.key(0), {"w": w}, label=train["label"])

    def run(key):
        w = program[lexicon].init(key)

        def step(carry, _):
            w, state = carry
            change, state = optimizer.update(jax.grad(loss)(w), state)
            return (optax.apply_updates(w, change), state), None
        (w, _), _ = jax.lax.scan(step, (w, optimizer.init(w)), length=steps)
        return w
    every = jax.jit(jax.vmap(run))(jax.random.split(story.key(2), count))
    chances = jnp.stack([jax.vmap(lambda w, f=f, y=int(y): f(jax.random.key(0), {"w": w}, label=y))(every)
                         for f, y in zip(told, test["label"])])
    return np.asarray(chances > np.log(0.5)).mean(0)


def from_shots(story: Story, shots: int) -> None:
    """MC trained from frequencies, by the shift rule; told by the exact probabilities."""
    train, test = sentences("mc", "train"), sentences("mc", "test")
    if story.small:
        train, test = ({key: value[:4] for key, value in part.items()} for part in (train, test))
    fit = story.program["sampled"]
    rows = fit.compile(words=train["words"]).ledger.rows
    rules = {f"counted.{row.address}": f"shift(shots = {shots})" for row in rows}
    print(fit.compile(words=train["words"], rules=rules).ledger)
    found = fit.run(story.key(), data=train, rules=rules, **({"steps": 3} if story.small else {}))
    story.say("mc by shots: log probability of the labels, first and last", found.history["objective"][[0, -1]])
    score = story.program["score"].compile()
    for name, part in (("train", train), ("test", test)):
        story.say(f"mc by shots: share of right answers, {name}", right(score, found.params, part).mean())


def main(argv=None):
    options = argparse.ArgumentParser(add_help=False)
    options.add_argument("--shots", type=int)
    given, rest = options.parse_known_args(argv)
    story = Story("qnlp", __doc__, rest)
    program = story.program
    if given.shots:
        from_shots(story, given.shots)
        return story.end()
    program["mc"].parse("skillful woman bakes dinner").draw().save(story.out / "sentence.png")
    for task, name, lexicon, score in (("mc", "meaning", "mc", "score"), ("rp", "relative", "rp", "kind")):
        train, test = sentences(task, "train"), sentences(task, "test")
        if story.small:
            train = {key: value[:70 if task == "mc" else 12] for key, value in train.items()}
            test = {key: value[:8] for key, value in test.items()}
        print(program[name].compile(words=train["words"]).ledger)
        fit = program[name].run(story.key(), data=train, **({"steps": 100} if story.small else {}))
        story.say(f"{task}: log probability of the labels, first and last", fit.history["objective"][[0, -1]])
        story.say(f"{task}: share of right answers, test", right(program[score].compile(), fit.params, test).mean())
        if not story.small:
            shares = starts(story, name, lexicon, train, test, 20, 200)
            story.say(f"{task}: the same from 20 starts: mean, sd, least", np.array([shares.mean(), shares.std(ddof=1), shares.min()]))
    return story.end()


if __name__ == "__main__":
    main()
