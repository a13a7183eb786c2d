"""The engine that all others are: one attempt is theirs, everything around it is here.

    reply = kept reply, or that of the same request in flight, or
            attempt, again while it may help, one of `limit` at a time, each attempt admitted by the account
"""
from __future__ import annotations

import asyncio
import random
import time
from abc import ABC, abstractmethod
from dataclasses import replace
from typing import Any, Iterable, Mapping

from pullback.backends.text import failure
from pullback.backends.text.account import Account
from pullback.backends.text.failure import Failure
from pullback.backends.text.loop import here, in_order, run
from pullback.backends.text.retry import Retry
from pullback.compiler.diagnostic import EngineError
from pullback.compiler.engine import Capabilities, Reply, Request

OVERHEAD = 16  # tokens around a message, at most


class Engine(ABC):
    """What answers.  A kind of engine gives `name`, `model`, `identity`, `capabilities` and `attempt`; the rest is here.

    limit: requests in flight at most.   cache: a `Cache`, or the path of its file, or None.   retry: a `Retry`.
    """

    name: str
    model: str
    capabilities: Capabilities
    reports_usage = True

    def __init__(self, *, limit: int = 16, cache: Any = None, retry: Retry = Retry()):
        if limit < 1:
            raise ValueError("an engine answers at least one request at a time")
        self.limit, self.retry = limit, retry
        self.cache = opened(cache)
        self._loop: asyncio.AbstractEventLoop | None = None
        self._chance = random.Random()

    @property
    @abstractmethod
    def identity(self) -> Mapping[str, Any]:
        """What of this engine changes its answers, as JSON data: never a key, never a cache or a limit."""

    @abstractmethod
    async def attempt(self, request: Request) -> Reply:
        """Ask once.  Raises `Failure`; what takes too long is cancelled."""

    def came(self, request: Request, key: str, reply: Reply) -> None:
        """A reply that came, or had been kept, for the first caller of it."""

    def count(self, request: Request) -> int:
        """Tokens of the prompt: at most one a byte, where the engine has no tokenizer to ask."""
        return sum(len(text.encode()) + OVERHEAD for _, text in request.messages)

    def call(self, request: Request, account: Account | None = None) -> Reply:
        """The reply.  Raises `EngineError`."""
        return run(self._reply(request, account or Account()))

    async def acall(self, request: Request, account: Account | None = None) -> Reply:
        """The same, awaited from any loop."""
        return await here(self._reply(request, account or Account()))

    def map(self, requests: Iterable[Request], limit: int | None = None, account: Account | None = None,
            on_error: str = "stop") -> list[Reply | EngineError]:
        """The replies in the order of the requests, `limit` at a time.

        on_error: "stop", the first failure cancels the rest and is raised; "skip", it stands in the reply's place."""
        account, skip = account or Account(), (EngineError,) if on_error == "skip" else ()
        return run(in_order(lambda r: self._reply(r, account), requests, min(limit or self.limit, self.limit), skip,
                            key=lambda r: r.key(self.identity), again=lambda r, reply: kept(reply, r, account)))

    async def _reply(self, request: Request, account: Account) -> Reply:
        self.admits(request)
        if self._loop is not (loop := asyncio.get_running_loop()):  # the first request, or the first in a forked process
            self._loop, self._gate = loop, asyncio.Semaphore(self.limit)
            self._flying: dict[str, tuple[asyncio.Task, list[int]]] = {}
        key = request.key(self.identity)
        if self.cache is not None and (reply := self.cache.get(key)) is not None:
            self.came(request, key, reply)
            return kept(replace(reply, key=key), request, account)
        shared = key in self._flying
        if not shared:
            self._flying[key] = asyncio.ensure_future(self._ask(request, key, account)), [0]
            self._flying[key][0].add_done_callback(lambda task: task.cancelled() or task.exception())  # heard by all, or by none
        task, waiters = self._flying[key]
        waiters[0] += 1
        try:
            reply = await asyncio.shield(task)
        finally:
            waiters[0] -= 1
            if waiters[0] == 0:
                if self._flying.get(key, (None,))[0] is task:
                    del self._flying[key]
                task.cancel()
        return kept(reply, request, account) if shared else reply

    async def _ask(self, request: Request, key: str, account: Account) -> Reply:
        """Attempts until one gives a reply; it is kept if it is whole."""
        started, waited, tried = None, 0.0, 0
        prompt = self.count(request)
        while True:
            async with self._gate:
                permit = await account.admit(request.role, self.model, prompt, request.max_tokens)
                began = time.monotonic()
                started, tried = started or began, tried + 1
                left = started + self.retry.deadline - began
                try:
                    reply = await asyncio.wait_for(self.attempt(request), max(0.0, min(self.retry.timeout, left)))
                except Failure as error:
                    last = error
                    permit.lost(error.unknown, time.monotonic() - began)
                except TimeoutError:
                    last = Failure(f"no reply within {min(self.retry.timeout, left):.3g} s", again=True, unknown=True)
                    permit.lost(True, time.monotonic() - began)
                except BaseException:
                    permit.lost(True, time.monotonic() - began)
                    raise
                else:
                    seconds = time.monotonic() - began
                    if request.choices and reply.finish == "stop" and reply.text not in request.choices:
                        permit.answered(reply, self.reports_usage, seconds)
                        raise failure.contract(self.name, request, "it is none of the choices", reply.text)
                    known = self.reports_usage and (reply.usage.total > 0 or prompt == 0)
                    permit.answered(reply, known, seconds)
                    reply = replace(reply, key=key, attempts=tried, seconds=seconds, from_cache=False)
                    if self.cache is not None and reply.finish == "stop" and reply.text.strip():
                        self.cache.put(key, reply)
                    self.came(request, key, reply)
                    return reply
            pause = self.retry.pause(tried, last.after, self._chance)
            if not last.again or tried >= self.retry.tries or time.monotonic() + pause > started + self.retry.deadline:
                raise failure.final(self.name, request, last, tried, waited)
            waited += pause
            await asyncio.sleep(pause)

    def admits(self, request: Request) -> None:
        """Raise `engine-capability` if the engine can't do what is asked, `text-budget` if it can't hold the prompt."""
        can = self.capabilities
        for asked, able, what in ((request.schema is not None, can.schema, "keep its reply to a schema"),
                                  (request.grammar is not None, can.grammar, "keep its reply to a grammar"),
                                  (bool(request.choices), can.choices, "keep its reply to given choices"),
                                  (request.logprobs, can.logprobs, "give log-probabilities")):
            if asked and not able:
                raise failure.capability(self.name, request, what)
        if can.context is not None and can.tokenize and (size := self.count(request)) + request.max_tokens > can.context:
            raise failure.too_long(self.name, request, f"{size:,} tokens and `max_tokens` = {request.max_tokens:,} do not "
                                   f"fit its {can.context:,}")

    def __repr__(self) -> str:
        return f"<engine {self.name}>"


def kept(reply: Any, request: Request, account: Account) -> Any:
    """A reply that cost no call; an error in its place is that of each."""
    if not isinstance(reply, Reply):
        return reply
    account.keep(request.role)
    return replace(reply, from_cache=True, attempts=0, seconds=0.0)


def opened(cache: Any) -> Any:
    """A cache by its path; anything else as it is."""
    if cache is None or hasattr(cache, "get"):
        return cache
    from pullback.backends.text.cache import Cache
    return Cache(cache)
