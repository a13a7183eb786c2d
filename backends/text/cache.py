"""Replies kept on disk: one SQLite file, one row a reply, shared by any number of processes.

A row is found by the key of its request (`Request.key`), which holds everything that changes the answer, so a row is
never stale.  Only whole replies are put there.  A file that can't be written loses a reply's copy, never the reply.
"""
from __future__ import annotations

import json
import os
import sqlite3
import warnings
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any

from pullback.compiler.diagnostic import Diagnostic, EngineError
from pullback.compiler.engine import Reply, Usage, canonical

WAIT = 30.0  # seconds for another process that writes


class Cache:
    """Replies by key.  `path`: the file, made when the first reply is asked for."""

    def __init__(self, path: str | os.PathLike):
        self.path = Path(path)
        self._opened: tuple[int, sqlite3.Connection] | None = None
        self._warned = False

    def _file(self) -> sqlite3.Connection:
        if self._opened is None or self._opened[0] != os.getpid():  # SQLite forbids a connection to cross a fork
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                file = sqlite3.connect(self.path, timeout=WAIT, isolation_level=None, check_same_thread=False)
                file.execute("PRAGMA journal_mode = WAL")
                file.execute("PRAGMA synchronous = NORMAL")
                file.execute("CREATE TABLE IF NOT EXISTS replies (key TEXT PRIMARY KEY, reply TEXT NOT NULL) WITHOUT ROWID")
            except (sqlite3.Error, OSError) as error:
                raise unusable(self.path, error) from error
            self._opened = os.getpid(), file
        return self._opened[1]

    def get(self, key: str) -> Reply | None:
        """The reply kept under this key; a damaged row is none."""
        try:
            row = self._file().execute("SELECT reply FROM replies WHERE key = ?", (key,)).fetchone()
        except sqlite3.Error as error:
            raise unusable(self.path, error) from error
        try:
            return None if row is None else read(json.loads(row[0]))
        except (ValueError, KeyError, TypeError):
            return None

    def put(self, key: str, reply: Reply) -> None:
        """Keep a reply."""
        try:
            self._file().execute("INSERT OR REPLACE INTO replies VALUES (?, ?)", (key, canonical(written(reply))))
        except sqlite3.Error as error:
            if not self._warned:
                warnings.warn(f"replies are no longer kept: `{self.path}` can't be written ({error})", stacklevel=2)
            self._warned = True

    def __len__(self) -> int:
        return self._file().execute("SELECT COUNT(*) FROM replies").fetchone()[0]

    def close(self) -> None:
        if self._opened is not None and self._opened[0] == os.getpid():
            self._opened[1].close()
        self._opened = None


def written(reply: Reply) -> dict[str, Any]:
    """A reply as JSON data, without what belongs to one call of it (its seconds, its attempts)."""
    data = asdict(replace(reply, key="", from_cache=False))
    return {name: value for name, value in data.items() if name not in ("key", "from_cache", "attempts", "seconds")}


def read(data: dict[str, Any]) -> Reply:
    """A reply from its JSON data."""
    logprobs = tuple(tuple(item) if isinstance(item, list) else item for item in data["logprobs"])
    return Reply(data["text"], data["finish"], Usage(**data["usage"]), logprobs, data["model"])


def unusable(path: Path, error: Exception) -> EngineError:
    return EngineError(Diagnostic("file", f"the replies in `{path}` can't be read: {error}",
                                  help="another file, or remove this one: it holds copies of replies only"))
