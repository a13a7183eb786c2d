"""`jax_lm()`: the local model in JAX, so that log-probabilities have exact derivatives in its weights and in soft prompts.

    lm = pb.engines.jax_lm()
    words, first, last = lm.words(Request.of("Is it good?"), "yes")
    slope = jax.grad(lambda soft: lm.logp(words, first, last, soft=soft))(jnp.zeros((8, lm.width)))

It answers as an engine too.  Words are counted and spelled by the local model's own tokenizer.
Single precision, 513 MB of weights; `make local` installs what it needs.
"""
from __future__ import annotations

import asyncio
import importlib.util
from concurrent.futures import ThreadPoolExecutor
from functools import cache, partial
from typing import Any, Mapping

import jax
import jax.numpy as jnp
import numpy as np

from pullback.backends.text import failure, llama
from pullback.backends.text.engine import Engine
from pullback.backends.text.local import CONTEXT, RECIPE, Local, digest, weights
from pullback.compiler.engine import Capabilities, Reply, Request, Usage

STEP = 64  # lengths are padded to multiples, so that few programs are compiled
END = "<|im_end|>"


class JaxLM(Engine):
    """`weights`: a dict of arrays, `config`: the sizes, `width` of a soft prompt's rows.

    Further options: `cache`, `retry` (see `Engine`); it answers one request at a time."""

    def __init__(self, **options: Any):
        super().__init__(**{**options, "limit": 1})
        if importlib.util.find_spec("gguf") is None:
            raise failure.uninstalled("jax_lm", "gguf", f"{RECIPE} && pip install gguf")
        self.speller, self.file = Local(), weights()
        self.config, self.weights, self.spelling = loaded(self.file)
        self.capabilities = Capabilities(choices=True, logprobs=True, seed=True, tokenize=True, context=CONTEXT)
        self.name, self.model = "jax_lm", "SmolLM2-135M-Instruct"
        self.end = self.split(END, special=True)[0]
        self._thread = ThreadPoolExecutor(1, "pullback-jax-lm")

    @property
    def width(self) -> int:
        return self.config.width

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"kind": "jax_lm", "model": self.model, "sha256": digest(self.file)}

    def count(self, request: Request) -> int:
        return self.speller.count(request)

    def split(self, text: str, special: bool = False) -> tuple[int, ...]:
        """A text as words."""
        return tuple(self.speller.post("/tokenize", {"content": text, "parse_special": special})["tokens"])

    def words(self, request: Request, reply: str) -> tuple[np.ndarray, int, int]:
        """Prompt, reply and its end as words, padded; where the reply begins and ends."""
        prompt, said = self.speller.tokens(request.messages), (*self.split(reply), self.end)
        return padded((*prompt, *said), self.end), len(prompt), len(prompt) + len(said)

    def logp(self, words: Any, first: Any, last: Any, *, soft: Any = None, weights: Any = None) -> Any:
        """log p of words[first..last] after what stands before, a real; differentiable in `soft` [s, width] and `weights`."""
        return score(self.config, self.weights if weights is None else weights, words, first, last,
                     jnp.zeros((0, self.width)) if soft is None else soft)

    async def attempt(self, request: Request) -> Reply:
        work = self.choose if request.choices else self.answer
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, request)

    def choose(self, request: Request) -> Reply:
        """The most probable choice at temperature 0, else a draw by their probabilities."""
        rows = [self.words(request, choice) for choice in request.choices]
        logprobs = tuple(float(self.logp(*row)) for row in rows)
        logits = np.asarray(logprobs) / (request.temperature or 1.0)
        if request.temperature > 0:
            logits = logits + np.asarray(jax.random.gumbel(jax.random.key(request.seed or 0), logits.shape))
        usage = Usage(rows[0][1], sum(last - first for _, first, last in rows))
        return Reply(request.choices[int(np.argmax(logits))], "stop", usage, logprobs if request.logprobs else (), self.model)

    def answer(self, request: Request) -> Reply:
        prompt = self.speller.tokens(request.messages)
        limit = -(-request.max_tokens // STEP) * STEP
        made, scores, count = reply(self.config, self.weights, padded(prompt, self.end), len(prompt), jnp.zeros((0, self.width)),
                                    jax.random.key(request.seed or 0), request.temperature, limit, self.end)
        count = min(int(count), request.max_tokens)
        words = [int(word) for word in np.asarray(made)[:count]]
        whole = words[-1:] == [self.end]
        text = spelled(self.spelling, words[:-1] if whole else words)
        cuts = [at for stop in request.stop if (at := text.find(stop)) >= 0]
        tokens = tuple((self.spelling[word], float(p)) for word, p in zip(words, np.asarray(scores))) if request.logprobs else ()
        return Reply(text[:min(cuts)] if cuts else text, "stop" if whole or cuts else "length", Usage(len(prompt), count), tokens, self.model)


@partial(jax.jit, static_argnums=0)
def score(config: llama.Config, weights: Any, words: Any, first: Any, last: Any, soft: Any) -> Any:
    return llama.logp(config, weights, words, first, last, soft)


@partial(jax.jit, static_argnums=(0, 7))
def reply(config: llama.Config, weights: Any, words: Any, length: Any, soft: Any, key: Any, temperature: Any, limit: int, end: Any) -> Any:
    return llama.generate(config, weights, words, length, soft, key, temperature, limit, end)


@cache
def loaded(file: Any) -> Any:
    """The weights, read once in a process."""
    return llama.load(file)


def padded(words: tuple[int, ...], fill: int) -> np.ndarray:
    """Words up to the next multiple of `STEP`."""
    return np.asarray([*words, *[fill] * (-len(words) % STEP)], np.int32)


@cache
def letters() -> dict[str, int]:
    """The printable letter that stands for each byte in the spelling of byte-level words."""
    plain = [*range(33, 127), *range(161, 173), *range(174, 256)]
    others = [byte for byte in range(256) if byte not in plain]
    return {chr(byte): byte for byte in plain} | {chr(256 + i): byte for i, byte in enumerate(others)}


def spelled(spelling: list[str], words: list[int]) -> str:
    """The text of words."""
    table = letters()
    return bytes(byte for word in words for letter in spelling[word] for byte in (
        [table[letter]] if letter in table else letter.encode())).decode(errors="replace")
