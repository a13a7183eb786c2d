"""An engine that says what it is told to: for tests, and for examples that run anywhere.

    scripted(lambda request: "yes")
    scripted([("capital of France", "Paris"), (re.compile("sum of"), add), (None, [Fault(429), "now"])])

A script is a function of the request, or rules (matcher, reply), of which the first that matches answers.  A matcher is
a text that stands in a message, a regular expression, a role, a predicate or None (all).  A reply is a text, a `Reply`,
a mapping (a value that keeps the request's contract; for choices with log-probabilities, one for each choice), a
`Fault`, a function of the request that gives one of these, or a list of them, one for each time.

Everything is told by the request and the seed, nothing by the order in which requests come (but for lists).
Tokens are words.
"""
from __future__ import annotations

import asyncio
import random
import re
from dataclasses import dataclass, replace
from typing import Any, Callable, Mapping, Sequence

from pullback.backends.text import failure
from pullback.backends.text.engine import Engine
from pullback.backends.text.failure import Failure
from pullback.compiler.contract import fulfil
from pullback.compiler.diagnostic import ArgumentError
from pullback.compiler.engine import ROLES, Capabilities, Reply, Request, Usage

ALL = Capabilities(schema=True, grammar=True, choices=True, logprobs=True, seed=True, tokenize=True)
KINDS = ("429", "500", "hang", "cut", "truncated", "empty")


@dataclass(frozen=True, slots=True)
class Fault:
    """Something that goes wrong once: an HTTP status, or a kind of `KINDS`.  after: seconds asked for by a 429."""

    kind: int | str
    after: float | None = None


class Scripted(Engine):
    """Answers by a script.  `log` holds the requests as they came, `peak` the most that were in flight at once.

    seed: of latencies and faults.   latency: seconds, or (least, most).   faults: kind of `KINDS` -> probability.
    strict: leaving a `with` block while a rule was never used is an error.
    """

    def __init__(self, script: Callable[[Request], Any] | Sequence[tuple[Any, Any]], *, seed: int = 0,
                 latency: float | tuple[float, float] = 0.0, faults: Mapping[str, float] | None = None, strict: bool = True,
                 capabilities: Capabilities = ALL, name: str = "scripted", **options: Any):
        super().__init__(**options)
        self.rules = [(None, script)] if callable(script) else [(matcher, reply) for matcher, reply in script]
        self.seed, self.strict, self.capabilities, self.name, self.model = seed, strict, capabilities, name, name
        self.latency = latency if isinstance(latency, tuple) else (latency, latency)
        self.faults = dict(faults or {})
        if wrong := set(self.faults) - set(KINDS):
            raise ArgumentError(f"there is no fault `{min(wrong)}`: faults are {', '.join(KINDS)}")
        self.log: list[Request] = []
        self.peak = self.flying = 0
        self.used = [0] * len(self.rules)
        self.tried: dict[str, int] = {}

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"kind": "scripted", "name": self.name, "seed": self.seed}

    def count(self, request: Request) -> int:
        return sum(len(text.split()) for _, text in request.messages)

    async def attempt(self, request: Request) -> Reply:
        key = request.key(self.identity)
        self.tried[key] = self.tried.get(key, 0) + 1
        chance = random.Random(f"{self.seed} {key} {self.tried[key]}")
        self.log.append(request)
        self.flying += 1
        self.peak = max(self.peak, self.flying)
        try:
            if seconds := chance.uniform(*self.latency):
                await asyncio.sleep(seconds)
            for kind, probability in self.faults.items():
                if chance.random() < probability:
                    return await self.broken(Fault(kind), request)
            answer = self.answer(request)
            return await self.broken(answer, request) if isinstance(answer, Fault) else self.reply(request, answer)
        finally:
            self.flying -= 1

    def answer(self, request: Request) -> Any:
        """What the script says to it."""
        for place, (matcher, answer) in enumerate(self.rules):
            if matches(matcher, request):
                times, self.used[place] = self.used[place], self.used[place] + 1
                if isinstance(answer, list):
                    if times >= len(answer):
                        raise failure.unscripted(self.name, request, f"its rule {place + 1} has only {len(answer)} replies")
                    answer = answer[times]
                return answer(request) if callable(answer) else answer
        raise failure.unscripted(self.name, request, "no rule matches it")

    def reply(self, request: Request, answer: Any) -> Reply:
        if isinstance(answer, Reply):
            return replace(answer, model=answer.model or self.model)
        logprobs: tuple[float, ...] = ()
        if isinstance(answer, Mapping) and request.choices:
            logprobs = tuple(float(answer[choice]) for choice in request.choices)
            answer = request.choices[logprobs.index(max(logprobs))]
        text = fulfil(request, answer) if isinstance(answer, Mapping) else answer
        if not isinstance(text, str):
            raise ArgumentError(f"a scripted reply is a text, and this is a {type(answer).__name__}")
        words, prompt = re.findall(r"\S+\s*|\s+", text), self.count(request)
        if len(words) > request.max_tokens:
            cut = "".join(words[:request.max_tokens])
            return Reply(cut, "length", Usage(prompt, request.max_tokens), model=self.model)
        return Reply(text, "stop", Usage(prompt, len(words)), logprobs, self.model)

    async def broken(self, fault: Fault, request: Request) -> Reply:
        match str(fault.kind):
            case "hang":
                await asyncio.Event().wait()
            case "cut":
                raise Failure("the reply ended before its end", again=True, unknown=True)
            case "empty":
                return Reply("", "stop", Usage(self.count(request), 0), model=self.model)
            case "truncated":
                whole = self.reply(request, self.answer(request))
                return replace(whole, text=whole.text[:len(whole.text) // 2], finish="length")
            case status:
                code = int(status)
                raise Failure(f"HTTP {code}", again=code == 429 or code >= 500, after=fault.after, status=code,
                              code="engine-unavailable" if code == 429 or code >= 500 else "engine-refused")

    @property
    def unused(self) -> list[Any]:
        """The matchers of the rules that have answered nothing."""
        return [matcher for (matcher, _), times in zip(self.rules, self.used) if not times]

    def __enter__(self) -> Scripted:
        return self

    def __exit__(self, kind: Any, *error: Any) -> None:
        if kind is None and self.strict and self.unused:
            raise ArgumentError(f"rules of `{self.name}` answered nothing: {', '.join(map(repr, self.unused))}")


def matches(matcher: Any, request: Request) -> bool:
    if matcher is None:
        return True
    if isinstance(matcher, str):
        return matcher == request.role if matcher in ROLES else any(matcher in text for _, text in request.messages)
    if isinstance(matcher, re.Pattern):
        return any(matcher.search(text) for _, text in request.messages)
    return bool(matcher(request))
