"""Any server that speaks the chat format: `openai("gpt-…")`, `openai("qwen", "http://localhost:8000/v1")`.

The key is read from the environment when a request is sent, and goes into its header and nowhere else: no log, cache,
record, drawing or error holds it.  The key of the default address goes to that address only; another address gets one if
its variable is named (`key = "MY_KEY"`).
"""
from __future__ import annotations

import os
from typing import Any, Mapping
from urllib.parse import urlsplit

from pullback.backends.text import chat, failure
from pullback.backends.text.engine import Engine
from pullback.backends.text.failure import Failure
from pullback.compiler.diagnostic import ArgumentError
from pullback.compiler.engine import Capabilities, Reply, Request

HOME = "https://api.openai.com/v1"
USUAL = Capabilities(schema=True, choices=True, logprobs=False, seed=True)
CONNECT = 10.0          # seconds
LARGEST = 32 * 2 ** 20  # bytes of a reply


class OpenAI(Engine):
    """model, base_url: as the server's own documentation has them, the address up to `/v1`.

    key: the name of the environment's variable that holds the key (default: `OPENAI_API_KEY` for the default address, none for
    others).   capabilities: what the server can do; by default it keeps to schemas and takes seeds.   limit_field: how it calls
    `max_tokens`.   Further options: `limit`, `cache`, `retry` (see `Engine`).
    """

    def __init__(self, model: str, base_url: str = HOME, *, key: str | None = None, capabilities: Capabilities = USUAL,
                 limit_field: str = "max_tokens", **options: Any):
        super().__init__(**options)
        try:
            import httpx
        except ImportError:
            raise failure.uninstalled("openai", "httpx", "pip install 'pullback[lm]'") from None
        address = urlsplit(base_url)
        if address.scheme not in ("http", "https") or not address.hostname:
            raise ArgumentError(f"`base_url` is an address such as {HOME}, and this is {base_url!r}")
        if address.username or address.password or address.query:
            raise ArgumentError("`base_url` holds no key: name the environment's variable, `key = \"…\"`")
        self.model, self.base_url, self.capabilities, self.limit_field = model, base_url.rstrip("/"), capabilities, limit_field
        self.variable = key or ("OPENAI_API_KEY" if self.base_url == HOME else None)
        self.name = f"openai({model})"
        self.local = address.hostname in ("localhost", "127.0.0.1", "::1")
        self._httpx, self._client = httpx, None

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"kind": "chat", "model": self.model, "base_url": self.base_url}

    def secret(self) -> str | None:
        """The key, from the environment."""
        if self.variable is None:
            return None
        if not (value := os.environ.get(self.variable, "").strip()):
            raise Failure(f"no key: the variable {self.variable} is not set", again=False, status=401, code="engine-refused")
        return value

    def client(self) -> Any:
        """The connections, kept between requests; those to this machine go through no proxy."""
        if self._client is None or self._client[0] != os.getpid():
            http = self._httpx
            self._client = os.getpid(), http.AsyncClient(
                timeout=http.Timeout(None, connect=CONNECT), trust_env=not self.local,
                limits=http.Limits(max_connections=self.limit, max_keepalive_connections=self.limit))
        return self._client[1]

    async def attempt(self, request: Request) -> Reply:
        http, secret = self._httpx, self.secret()
        headers = {"Authorization": f"Bearer {secret}"} if secret else {}
        body = chat.payload(request, self.capabilities, self.model, self.limit_field)
        try:
            async with self.client().stream("POST", f"{self.base_url}/chat/completions", json=body, headers=headers) as response:
                status, after = response.status_code, chat.retry_after(response.headers.get("Retry-After"))
                said = bytearray()
                async for part in response.aiter_bytes():
                    said += part
                    if len(said) > LARGEST:
                        raise Failure(f"the server's reply is larger than {LARGEST >> 20} MB", again=False, unknown=True)
        except (http.ConnectError, http.ConnectTimeout, http.PoolTimeout):
            raise Failure(f"no connection to {self.base_url}", again=True) from None
        except http.HTTPError:
            raise Failure(f"the connection to {self.base_url} broke", again=True, unknown=True) from None
        if status != 200:
            raise chat.refused(status, bytes(said), after, secret)
        return chat.reply(chat.parsed(bytes(said)), request, self.capabilities, self.model)
