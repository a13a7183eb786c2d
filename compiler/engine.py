"""What is asked of a language model and what comes back, as plain data.

Engines stand in `pullback.backends.text`; whoever makes a request (a rule, an optimizer, the sweep) imports only this.
A request is a value: two requests that could be answered differently have different keys, and the key is the same in
every process.
"""
from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, field
from typing import Any, Iterable, Mapping, NamedTuple, Protocol, runtime_checkable

ROLES = ("forward", "critic", "merge", "judge", "optimize")
FALLBACK = {"merge": "critic", "judge": "critic", "optimize": "critic", "critic": "forward"}


class Message(NamedTuple):
    """One turn of a conversation: who speaks (`system`, `user`, `assistant`) and what."""

    speaker: str
    text: str


@dataclass(frozen=True, slots=True)
class Request:
    """One question to an engine.

    messages: the turns, oldest first (pairs will do).   role: who asks, one of `ROLES`; it picks the engine and the
    account, and is no part of the answer.   max_tokens: of the reply.   temperature: 0 makes the reply a function of the
    request, and then the seed is of no account.   seed: of the draw, above temperature 0.   stop: texts that end it.
    schema (JSON schema), grammar (GBNF), choices (texts): what the reply must be; one of the three at most.
    logprobs: with `choices`, the log-probability of each whole choice; else of the reply's tokens.
    rollout: i asks for the i-th independent sample of the same question.
    """

    messages: tuple[Message, ...]
    role: str = "forward"
    max_tokens: int = 512
    temperature: float = 0.0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    schema: Mapping[str, Any] | None = None
    grammar: str | None = None
    choices: tuple[str, ...] = ()
    logprobs: bool = False
    rollout: int = 0

    def __post_init__(self) -> None:
        object.__setattr__(self, "messages", tuple(Message(*message) for message in self.messages))
        object.__setattr__(self, "stop", tuple(self.stop))
        object.__setattr__(self, "choices", tuple(self.choices))
        if self.role not in ROLES:
            raise ValueError(f"a request's role is one of {', '.join(ROLES)}, and this is `{self.role}`")
        if not self.messages or not all(speaker in ("system", "user", "assistant") for speaker, _ in self.messages):
            raise ValueError("a request has at least one message, each of `system`, `user` or `assistant`")
        if self.max_tokens < 1 or not self.temperature >= 0:
            raise ValueError("`max_tokens` is at least 1 and `temperature` at least 0")
        if (self.schema is not None) + (self.grammar is not None) + bool(self.choices) > 1:
            raise ValueError("a reply follows a schema, a grammar or choices: one of the three")
        if len(set(self.choices)) < len(self.choices):
            raise ValueError("each choice stands once")

    @staticmethod
    def of(user: str, system: str | None = None, **options: Any) -> Request:
        """A question by one user, with or without a system prompt."""
        return Request(((("system", system),) if system is not None else ()) + (("user", user),), **options)

    @property
    def system(self) -> str:
        """The system prompts, joined."""
        return "\n\n".join(text for speaker, text in self.messages if speaker == "system")

    @property
    def user(self) -> str:
        """What the last user said."""
        return next((text for speaker, text in reversed(self.messages) if speaker == "user"), "")

    def answering(self) -> dict[str, Any]:
        """Everything in the request that changes its answer, as JSON data."""
        return {"messages": [list(message) for message in self.messages], "max_tokens": self.max_tokens,
                "temperature": float(self.temperature), "seed": self.seed if self.temperature > 0 else None,
                "stop": list(self.stop), "schema": self.schema, "grammar": self.grammar, "choices": list(self.choices),
                "logprobs": self.logprobs, "rollout": self.rollout}

    def key(self, identity: Mapping[str, Any]) -> str:
        """SHA-256 over the request and the engine that answers it (its `identity`), in canonical JSON."""
        return hashlib.sha256(canonical({"engine": identity, **self.answering()}).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of a reply: of the prompt, of the completion, and how many of the prompt the engine had kept."""

    prompt: int = 0
    completion: int = 0
    cached: int = 0

    @property
    def total(self) -> int:
        return self.prompt + self.completion


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer: its text, why it ended (`stop`, `length`), its tokens, and how it was come by.

    logprobs: those of the request's choices, in their order, natural logarithms of whole choices with their end; or, if
    there are no choices, pairs (token, log-probability).   attempts: how often the engine was asked; 0 from the cache.
    """

    text: str
    finish: str = "stop"
    usage: Usage = Usage()
    logprobs: tuple[Any, ...] = ()
    model: str = ""
    key: str = ""
    from_cache: bool = False
    attempts: int = 1
    seconds: float = field(default=0.0, compare=False)


@dataclass(frozen=True, slots=True)
class Capabilities:
    """What an engine can do beyond answering.

    schema, grammar, choices: keep a reply to it.   logprobs: of tokens and of choices.   seed: draw reproducibly.
    images: read them.   tokenize: count tokens exactly.   context: tokens of prompt and reply together, if known.
    """

    schema: bool = False
    grammar: bool = False
    choices: bool = False
    logprobs: bool = False
    seed: bool = False
    images: bool = False
    tokenize: bool = False
    context: int | None = None


@dataclass(frozen=True, slots=True)
class Budget:
    """What a run may spend at most: calls (every attempt is one), tokens of prompts and replies, cost.

    prices: model -> (price of a million prompt tokens, of a million completion tokens), in the unit of `cost`.
    A call is made only if its worst case, prompt and `max_tokens`, fits what is left.
    """

    calls: int | None = None
    tokens: int | None = None
    cost: float | None = None
    prices: Mapping[str, tuple[float, float]] = field(default_factory=dict)

    def __post_init__(self) -> None:
        for name in ("calls", "tokens", "cost"):
            limit = getattr(self, name)
            if limit is not None and (isinstance(limit, bool) or not limit >= 0):
                raise ValueError(f"a budget's `{name}` is a number from 0 up, and this is {limit!r}")
        if self.cost is not None and not self.prices:
            raise ValueError("a budget of cost needs `prices`: model -> (prompt, completion) per million tokens")


@runtime_checkable
class Engine(Protocol):
    """Anything that answers requests.  `identity` is JSON data: what of the engine changes its answers, never a key."""

    capabilities: Capabilities

    @property
    def identity(self) -> Mapping[str, Any]: ...

    def call(self, request: Request) -> Reply: ...

    async def acall(self, request: Request) -> Reply: ...

    def map(self, requests: Iterable[Request], limit: int | None = None) -> list[Reply]: ...


def canonical(value: Any) -> str:
    """One text for one JSON value: keys sorted, no blanks, no NaN."""
    return json.dumps(value, sort_keys=True, ensure_ascii=False, separators=(",", ":"), allow_nan=False)


def seed(word: int, *indices: int) -> int:
    """The seed of a request, 31 bits: the first word of its choice's site key, folded with plate index, particle, scan
    step and rollout.  It depends on nothing else, so other choices don't change it."""
    digest = hashlib.sha256(canonical([int(word), *map(int, indices)]).encode()).digest()
    return int.from_bytes(digest[:4], "big") >> 1
