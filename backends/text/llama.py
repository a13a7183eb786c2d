"""Llama in JAX: a language model as a differentiable function of its weights and of what stands before the prompt.

    h₀ = rows,   h ← h + attend(norm(h)),   h ← h + feed(norm(h)),   log p(next) = log_softmax(norm(h) · embeddingᵀ)

Layers are one `lax.scan` over stacked weights.  Rows are embeddings [n, width], so that a soft prompt is rows like any
other.  Rotary pairs are interleaved, (2i, 2i + 1), as GGUF files have them.  Weights are an argument of every function:
closed over, they would be constants of the compiled program.
Sources: Touvron et al. (2023), LLaMA, arXiv 2302.13971; Su et al. (2021), RoFormer, arXiv 2104.09864 (rotary positions);
Zhang and Sennrich (2019), arXiv 1910.07467 (the norm); Shazeer (2020), arXiv 2002.05202 (the feed-forward); Ainslie et al. (2023),
arXiv 2305.13245 (shared keys and values); Lester et al. (2021), arXiv 2104.08691 (soft prompts).
"""
from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Mapping

import jax
import jax.numpy as jnp
import numpy as np

Weights = Mapping[str, Any]
Kept = tuple[Any, Any]  # keys and values of all layers, each [layers, capacity, shared, head]


@dataclass(frozen=True, slots=True)
class Config:
    """Sizes.  width = heads · head; each of `shared` keys and values serves heads / shared queries."""

    layers: int
    width: int
    heads: int
    shared: int
    feed: int
    words: int
    base: float = 1e5
    epsilon: float = 1e-5

    @property
    def head(self) -> int:
        return self.width // self.heads


def shapes(c: Config) -> dict[str, tuple[int, ...]]:
    """The weights by name: a matrix maps from its last axis to the one before."""
    layer = {"norm_in": (c.width,), "query": (c.width, c.width), "key": (c.shared * c.head, c.width), "value": (c.shared * c.head, c.width),
             "out": (c.width, c.width), "norm_feed": (c.width,), "gate": (c.feed, c.width), "up": (c.feed, c.width), "down": (c.width, c.feed)}
    return {"embedding": (c.words, c.width), "norm_out": (c.width,), **{name: (c.layers, *shape) for name, shape in layer.items()}}


def norm(x: Any, scale: Any, epsilon: float) -> Any:
    return x * jax.lax.rsqrt(jnp.mean(jnp.square(x), -1, keepdims=True) + epsilon) * scale


def rotated(x: Any, places: Any, base: float) -> Any:
    """x [n, heads, head], each pair (2i, 2i + 1) turned by place · base^(−2i / head)."""
    half = x.shape[-1] // 2
    angle = places[:, None, None] * base ** (-jnp.arange(half) / half)
    a, b, cos, sin = x[..., 0::2], x[..., 1::2], jnp.cos(angle), jnp.sin(angle)
    return jnp.stack([a * cos - b * sin, a * sin + b * cos], -1).reshape(x.shape)


def empty(c: Config, capacity: int) -> Kept:
    """Keys and values of no rows yet."""
    return (jnp.zeros((c.layers, capacity, c.shared, c.head)),) * 2


def run(c: Config, weights: Weights, rows: Any, kept: Kept, start: Any = 0) -> tuple[Any, Kept]:
    """The last hidden rows [n, width] of rows [n, width] at places start, start + 1, …, and the keys and values with theirs.

    A row sees itself and what stands before it; what is kept at later places is not seen and is overwritten in time."""
    n, capacity = rows.shape[0], kept[0].shape[1]
    places = start + jnp.arange(n)
    seen = jnp.arange(capacity)[None, :] <= places[:, None]

    def layer(h: Any, one: Any) -> tuple[Any, Kept]:
        w, keys, values = one
        x = norm(h, w["norm_in"], c.epsilon)
        query = rotated((x @ w["query"].T).reshape(n, c.heads, c.head), places, c.base)
        key = rotated((x @ w["key"].T).reshape(n, c.shared, c.head), places, c.base)
        keys = jax.lax.dynamic_update_slice(keys, key, (start, 0, 0))
        values = jax.lax.dynamic_update_slice(values, (x @ w["value"].T).reshape(n, c.shared, c.head), (start, 0, 0))
        query = query.reshape(n, c.shared, c.heads // c.shared, c.head)
        score = jnp.einsum("nsgd,msd->sgnm", query, keys) / c.head ** 0.5
        attention = jax.nn.softmax(jnp.where(seen, score, -jnp.inf), -1)
        h = h + jnp.einsum("sgnm,msd->nsgd", attention, values).reshape(n, c.width) @ w["out"].T
        x = norm(h, w["norm_feed"], c.epsilon)
        return h + (jax.nn.silu(x @ w["gate"].T) * (x @ w["up"].T)) @ w["down"].T, (keys, values)
    stacked = {name: weights[name] for name in shapes(c) if name not in ("embedding", "norm_out")}
    rows, kept = jax.lax.scan(layer, rows, (stacked, *kept))
    return norm(rows, weights["norm_out"], c.epsilon), kept


def next_logp(weights: Weights, hidden: Any) -> Any:
    """log p of each word after each row: [..., words]."""
    return jax.nn.log_softmax(hidden @ weights["embedding"].T)


def logp(c: Config, weights: Weights, words: Any, first: Any, last: Any, soft: Any) -> Any:
    """log p of words[first..last] after words[..first], with the rows `soft` [s, width] before all.

    words: ints [n], padded behind `last` with anything; 0 < first + s.   Differentiable in weights and soft."""
    count, n = soft.shape[0], words.shape[0]
    rows = jnp.concatenate([soft, weights["embedding"][words]])
    hidden, _ = run(c, weights, rows, empty(c, count + n))
    targets = jnp.arange(n)
    ahead = hidden[jnp.maximum(targets + count - 1, 0)]
    each = jnp.take_along_axis(next_logp(weights, ahead), words[:, None], -1)[:, 0]
    return jnp.sum(jnp.where((targets >= first) & (targets < last), each, 0.0))


def generate(c: Config, weights: Weights, words: Any, length: Any, soft: Any, key: Any, temperature: Any, limit: int, end: Any) -> tuple[Any, Any, Any]:
    """A reply of at most `limit` words to words[..length]: (words [limit], their log p at temperature 1, how many there are).

    At temperature 0 the most probable word each time, above it a draw.  `end` ends it, and is counted."""
    count, n = soft.shape[0], words.shape[0]
    rows = jnp.concatenate([soft, weights["embedding"][words]])
    hidden, kept = run(c, weights, rows, empty(c, count + n + limit))
    ahead = next_logp(weights, hidden[count + length - 1])

    def pick(ahead: Any, at: Any) -> Any:
        drawn = jax.random.categorical(jax.random.fold_in(key, at), ahead / jnp.where(temperature > 0, temperature, 1.0))
        return jnp.where(temperature > 0, drawn, jnp.argmax(ahead)).astype(jnp.int32)

    def more(state: Any) -> Any:
        at, made, _, _, _ = state
        return (at < limit) & ((at == 0) | (made[at - 1] != end))

    def step(state: Any) -> Any:
        at, made, scores, ahead, kept = state
        word = pick(ahead, at)
        made, scores = made.at[at].set(word), scores.at[at].set(ahead[word])
        hidden, kept = run(c, weights, weights["embedding"][word][None], kept, count + length + at)
        return at + 1, made, scores, next_logp(weights, hidden[0]), kept
    at, made, scores, _, _ = jax.lax.while_loop(more, step, (0, jnp.full(limit, end, jnp.int32), jnp.zeros(limit), ahead, kept))
    return made, scores, at


NAMES = {"attn_norm": "norm_in", "attn_q": "query", "attn_k": "key", "attn_v": "value", "attn_output": "out", "ffn_norm": "norm_feed",
         "ffn_gate": "gate", "ffn_up": "up", "ffn_down": "down"}


def load(file: Path) -> tuple[Config, dict[str, Any], list[str]]:
    """Sizes, weights in single precision and the words' own spelling, of a GGUF file of the Llama family."""
    import gguf
    from gguf.quants import dequantize
    reader = gguf.GGUFReader(str(file))

    def field(name: str) -> Any:
        return reader.fields[name].contents()
    c = Config(field("llama.block_count"), field("llama.embedding_length"), field("llama.attention.head_count"),
               field("llama.attention.head_count_kv"), field("llama.feed_forward_length"), field("llama.vocab_size"),
               field("llama.rope.freq_base"), field("llama.attention.layer_norm_rms_epsilon"))
    whole = shapes(c)
    weights = {name: np.zeros(shape, np.float32) for name, shape in whole.items()}
    for tensor in reader.tensors:
        data = dequantize(tensor.data, tensor.tensor_type)
        match tensor.name.split("."):
            case ["blk", layer, name, "weight"]:
                weights[NAMES[name]][int(layer)] = data
            case ["token_embd", "weight"]:
                weights["embedding"] = data
            case ["output_norm", "weight"]:
                weights["norm_out"] = data
            case _:
                raise ValueError(f"{file.name} holds {tensor.name}, which this network has not")
    return c, {name: jnp.asarray(data) for name, data in weights.items()}, field("tokenizer.ggml.tokens")
