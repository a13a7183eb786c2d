"""Runs on record: every reply beside its request, in a text file; and runs from a record, without any engine.

A line is `{"key", "engine", "request", "reply"}`, so the order of lines says nothing, and a file can be read, compared
and cut by hand.  A replay has the identity of the engine that was recorded: the keys are the same, and so is every byte
of what is made of them.  Truncated replies are recorded too; failed attempts are not.
"""
from __future__ import annotations

import difflib
import json
import os
from dataclasses import asdict
from pathlib import Path
from typing import Any, Mapping

from pullback.backends.text import failure
from pullback.backends.text.cache import read, written
from pullback.backends.text.engine import Engine
from pullback.compiler.diagnostic import Diagnostic, EngineError
from pullback.compiler.engine import Capabilities, Reply, Request, canonical

NEAR = 50  # recorded requests of nearest length that are compared word by word


class Record(Engine):
    """`record(path, engine)`: the engine, and each of its replies appended to the file.

    Replies that the engine had kept are recorded too, so that the record is whole."""

    def __init__(self, path: str | os.PathLike, engine: Engine):
        super().__init__(limit=engine.limit, retry=engine.retry)
        self.path, self.inner = Path(path), engine
        self.name, self.model, self.capabilities = engine.name, engine.model, engine.capabilities
        self.reports_usage, self.cache = engine.reports_usage, engine.cache
        self._kept = set(lines(self.path)) if self.path.exists() else set()
        if self._kept:
            whole(self.path)

    @property
    def identity(self) -> Mapping[str, Any]:
        return self.inner.identity

    def count(self, request: Request) -> int:
        return self.inner.count(request)

    def admits(self, request: Request) -> None:
        self.inner.admits(request)

    async def attempt(self, request: Request) -> Reply:
        return await self.inner.attempt(request)

    def came(self, request: Request, key: str, reply: Reply) -> None:
        if key in self._kept:
            return
        line = canonical({"key": key, "engine": {**described(self), "identity": dict(self.identity)},
                          "request": {"role": request.role, **request.answering()}, "reply": written(reply)})
        try:
            self.path.parent.mkdir(parents=True, exist_ok=True)
            with open(self.path, "a", encoding="utf-8") as file:
                file.write(line + "\n")
        except OSError as error:
            raise EngineError(Diagnostic("file", f"can't write the record `{self.path}`: {error.strerror}")) from error
        self._kept.add(key)


class Replay(Engine):
    """`replay(path)`: the replies of a record.  A request that is not there is `replay-miss`, with the nearest one."""

    def __init__(self, path: str | os.PathLike, *, limit: int = 16):
        super().__init__(limit=limit)
        self.path = Path(path)
        try:
            self.lines = lines(self.path)
        except OSError as error:
            raise EngineError(Diagnostic("file", f"can't read the record `{path}`: {error.strerror}")) from error
        if not self.lines:
            raise EngineError(Diagnostic("file", f"the record `{path}` holds no reply"))
        kinds = {canonical(line["engine"]) for line in self.lines.values()}
        if len(kinds) > 1:
            raise EngineError(Diagnostic("file", f"the record `{path}` holds replies of {len(kinds)} engines",
                                         help="one file for each engine: `engine={\"forward\": replay(…), …}`"))
        engine = json.loads(kinds.pop())
        self.name, self.model, self._identity = engine["name"], engine["model"], engine["identity"]
        self.capabilities, self.reports_usage = Capabilities(**engine["capabilities"]), True

    @property
    def identity(self) -> Mapping[str, Any]:
        return self._identity

    def count(self, request: Request) -> int:
        line = self.lines.get(request.key(self.identity))
        return line["reply"]["usage"]["prompt"] if line else super().count(request)

    async def attempt(self, request: Request) -> Reply:
        line = self.lines.get(request.key(self.identity))
        if line is None:
            raise self.miss(request)
        return read(line["reply"])

    def miss(self, request: Request) -> EngineError:
        """What was asked for and is not there, beside the nearest that is."""
        asked = request.answering()
        words = spoken(asked).split()
        size = sum(map(len, words))
        near = sorted(self.lines.values(), key=lambda line: abs(len(spoken(line["request"])) - size))[:NEAR]
        nearest = max(near, key=lambda line: difflib.SequenceMatcher(None, words, spoken(line["request"]).split()).ratio())
        return failure.missing(str(self.path), request, difference(nearest["request"], asked))


def lines(path: Path) -> dict[str, dict[str, Any]]:
    """The lines of a record by key.  A last line that was cut by a kill is left out; another that can't be read is an error."""
    found = {}
    text = path.read_text(encoding="utf-8")
    for number, line in enumerate(text.split("\n"), 1):
        if not line.strip():
            continue
        try:
            data = json.loads(line)
            found[data["key"]] = data
            read(data["reply"])
        except (ValueError, KeyError, TypeError):
            if number == text.count("\n") + 1:
                break
            raise EngineError(Diagnostic("file", f"line {number} of the record `{path}` can't be read")) from None
    return found


def whole(path: Path) -> None:
    """Take away a last line that was cut, so that the next one stands on a line of its own."""
    with open(path, "rb+") as file:
        data = file.read()
        file.truncate(data.rfind(b"\n") + 1)


def described(engine: Engine) -> dict[str, Any]:
    return {"name": engine.name, "model": engine.model, "capabilities": asdict(engine.capabilities)}


def spoken(request: Mapping[str, Any]) -> str:
    return "\n".join(f"{speaker}: {text}" for speaker, text in request["messages"])


def difference(recorded: Mapping[str, Any], asked: Mapping[str, Any]) -> str:
    """How two requests differ: words taken out as `[-…-]`, words put in as `{+…+}`, then the options."""
    before, after = spoken(recorded).split(), spoken(asked).split()
    parts = []
    for kind, a, b, c, d in difflib.SequenceMatcher(None, before, after, autojunk=False).get_opcodes():
        if kind == "equal":
            same = before[a:b]
            parts += same if len(same) <= 8 else [*same[:4], "…", *same[-4:]]
            continue
        parts += [f"[-{' '.join(before[a:b])}-]"] * (b > a) + [f"{{+{' '.join(after[c:d])}+}}"] * (d > c)
    options = [f"{name} {recorded.get(name)!r} there, {asked[name]!r} here" for name in asked
               if name != "messages" and recorded.get(name) != asked[name]]
    changed = " ".join(parts) if before != after else ""
    return "; ".join(filter(None, [changed, *options]))
