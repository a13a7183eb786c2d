"""The chat format that most servers speak (`/v1/chat/completions`): a request as its JSON, its JSON as a reply or a failure."""
from __future__ import annotations

import json
import math
import re
from email.utils import parsedate_to_datetime
from datetime import datetime, timezone
from typing import Any, Mapping

from pullback.backends.text.failure import SHOWN, Failure
from pullback.compiler.contract import Typed
from pullback.compiler.engine import Capabilities, Reply, Request, Usage

TOO_LONG = re.compile(r"context.?(length|size|window)|exceed_context_size|maximum context|prompt is too long", re.I)
SECRET = re.compile(r"\b(?:sk|pk|key|gsk|hf|xai)[-_][\w*.-]{6,}|Bearer\s+\S+")


def payload(request: Request, can: Capabilities, model: str, limit: str = "max_tokens") -> dict[str, Any]:
    """The body of a request.  Choices are a grammar where the server takes one, else a schema."""
    body: dict[str, Any] = {"model": model, "messages": [{"role": speaker, "content": text} for speaker, text in request.messages],
                            limit: request.max_tokens, "temperature": request.temperature}
    if request.temperature > 0 and request.seed is not None and can.seed:
        body["seed"] = request.seed
    if request.stop:
        body["stop"] = list(request.stop)
    if request.logprobs and not request.choices:
        body["logprobs"] = True
    if request.choices and can.grammar:
        body["grammar"] = "root ::= " + " | ".join(literal(choice) for choice in request.choices)
    elif request.grammar is not None:
        body["grammar"] = request.grammar
    elif (schema := request.schema if request.schema is not None else of_choices(request)) is not None:
        body["response_format"] = {"type": "json_schema", "json_schema": {"name": "reply", "strict": True, "schema": schema}}
    return body


def of_choices(request: Request) -> Mapping[str, Any] | None:
    return Typed({"type": "string", "enum": list(request.choices)}).schema if request.choices else None


def literal(text: str) -> str:
    """A text as a terminal of a GBNF grammar."""
    return '"' + "".join({"\\": "\\\\", '"': '\\"', "\n": "\\n", "\r": "\\r", "\t": "\\t"}.get(c, c) for c in text) + '"'


def parsed(text: str | bytes) -> Any:
    """The JSON of a body; what is none came from a server that failed on the way."""
    try:
        return json.loads(text)
    except ValueError:
        raise Failure("the server's reply is no JSON" if text else "the server's reply is empty", again=True, unknown=True) from None


def reply(data: Any, request: Request, can: Capabilities, model: str) -> Reply:
    """The reply that a body holds."""
    try:
        choice = data["choices"][0]
        message, finish = choice["message"], choice.get("finish_reason")
        text, refusal = message.get("content"), message.get("refusal")
        if finish == "content_filter" or refusal:
            raise Failure(f"the model declined ({(refusal or 'content filter')[:SHOWN]})", again=False, unknown=True, code="engine-refused")
        if text is None and finish != "length":
            raise Failure("the server's reply holds no text", again=True, unknown=True)
        usage = data.get("usage") or {}
        cached = (usage.get("prompt_tokens_details") or {}).get("cached_tokens") or 0
        tokens = (choice.get("logprobs") or {}).get("content") or () if request.logprobs else ()
        logprobs = tuple((str(token["token"]), float(token["logprob"])) for token in tokens)
        if request.choices and not can.grammar and finish != "length":
            text = unwrapped(text)
        return Reply(text or "", "length" if finish == "length" else "stop", Usage(
            int(usage.get("prompt_tokens") or 0), int(usage.get("completion_tokens") or 0), int(cached)), logprobs, model)
    except (KeyError, IndexError, TypeError, ValueError, AttributeError):
        raise Failure("the server's reply is not in the form of a chat completion", again=True, unknown=True) from None


def unwrapped(text: str) -> str:
    """The choice in its schema; anything else as it is, to be refused by the engine."""
    try:
        return str(json.loads(text)["value"])
    except (ValueError, KeyError, TypeError):
        return text


def refused(status: int, body: str | bytes, after: float | None = None, secret: str | None = None) -> Failure:
    """The failure that an error status means."""
    try:
        error = json.loads(body)
        error = error.get("error", error)
        said = error if isinstance(error, str) else str(error.get("message") or error.get("detail") or "")
        code = "" if isinstance(error, str) else f"{error.get('code')} {error.get('type')}"
    except (ValueError, AttributeError):
        said, code = "", ""
    words = redacted(" ".join(said.split())[:SHOWN], secret)
    what = f"HTTP {status}" + (f": {words}" if words else "")
    if status in (400, 413, 422) and (TOO_LONG.search(said) or TOO_LONG.search(code)):
        return Failure(what, again=False, status=status, code="text-budget")
    if status == 429 and "insufficient_quota" in code:
        return Failure(what, again=False, status=status, code="engine-refused")
    if status in (408, 409, 425, 429) or status >= 500:
        return Failure(what, again=True, after=after, status=status)
    return Failure(what, again=False, status=status, code="engine-refused")


def redacted(text: str, secret: str | None) -> str:
    """What a server said, without a key or what looks like one."""
    if secret:
        text = text.replace(secret, "…")
    return SECRET.sub("…", text)


def retry_after(value: str | None, now: datetime | None = None) -> float | None:
    """The seconds of a `Retry-After` header: a number, or a date."""
    if not value:
        return None
    try:
        seconds = float(value)
    except ValueError:
        try:
            seconds = (parsedate_to_datetime(value) - (now or datetime.now(timezone.utc))).total_seconds()
        except (ValueError, TypeError):
            return None
    return max(0.0, seconds) if math.isfinite(seconds) else None
