"""What goes wrong with an engine: one attempt (`Failure`, inside), and what the user is told when it was the last one.

All wording stands here.  No message holds a key: what a server said is redacted by the engine that heard it.
"""
from __future__ import annotations

from pullback.compiler.diagnostic import Diagnostic, EngineError
from pullback.compiler.engine import Request, Usage

SHOWN = 200


class Failure(Exception):
    """One attempt that gave no reply.

    what: in words.   again: may another attempt help?   after: seconds that the server asks to wait.   status: HTTP's.
    unknown: was the question perhaps worked on, so that its tokens count?   code: of the error if it was the last.
    """

    def __init__(self, what: str, *, again: bool, after: float | None = None, status: int | None = None,
                 unknown: bool = False, code: str = "engine-unavailable"):
        super().__init__(what)
        self.what, self.again, self.after, self.status, self.unknown, self.code = what, again, after, status, unknown, code


def final(name: str, request: Request, failure: Failure, attempts: int, waited: float) -> EngineError:
    """The error after the last attempt."""
    if failure.code == "engine-unavailable":
        tried = "1 attempt" if attempts == 1 else f"{attempts} attempts, {waited:.1f} s of waiting between them"
        return EngineError(Diagnostic(
            "engine-unavailable", f"`{name}` gave no answer ({request.role}): {failure.what} ({tried})",
            help="more patience: `Retry(timeout = …, deadline = …)`" if failure.unknown and failure.status is None else
            "is the server there and its address right?" if failure.status is None else
            "fewer requests at once (`limit`) or more patience (`Retry(tries, deadline)`) may do"))
    if failure.code == "text-budget":
        return too_long(name, request, failure.what)
    return EngineError(Diagnostic(
        failure.code, f"`{name}` refused the request ({request.role}): {failure.what}",
        help={401: "the key is read from the environment only: is it set, and right?",
              403: "the key is read from the environment only: may it use this model?",
              404: "is the model's name right, and `base_url` the address up to `/v1`?"}.get(failure.status or 0, "")))


def too_long(name: str, request: Request, what: str) -> EngineError:
    """A prompt that the model can't hold."""
    sizes = sorted(((len(text), speaker) for speaker, text in request.messages), reverse=True)[:3]
    largest = ", ".join(f"{speaker} {size:,} characters" for size, speaker in sizes)
    return EngineError(Diagnostic(
        "text-budget", f"the prompt is too long for `{name}` ({request.role}): {what}; its largest parts: {largest}",
        help="`by summarize` or `by top(k)` where criticisms are joined, or shorter inputs"))


def truncated(name: str, request: Request, usage: Usage, unclosed: bool = False) -> EngineError:
    """A reply that was cut at its limit, twice."""
    how = (f"its answer was begun and does not end within {request.max_tokens} tokens" if unclosed else
           f"it was cut at `max_tokens` = {request.max_tokens}")
    return EngineError(Diagnostic(
        "text-truncated", f"the reply of `{name}` ({request.role}) is not whole, with twice the limit too: {how} "
        f"(tokens: {usage.prompt} of prompt, {usage.completion} of reply)",
        help="a larger `max_tokens`, or ask for less; what was cut is never used"))


def contract(name: str, request: Request, wrong: str, text: str) -> EngineError:
    """A reply that does not keep to what was asked for, twice."""
    shown = text[:SHOWN] + ("…" if len(text) > SHOWN else "")
    return EngineError(Diagnostic(
        "text-contract", f"the reply of `{name}` ({request.role}) is not what was asked for: {wrong}; it began: {shown!r}",
        help="a stronger model for this role, or one that keeps to a schema"))


def capability(name: str, request: Request, wanted: str, help: str = "") -> EngineError:
    """Something asked of an engine that can't do it."""
    return EngineError(Diagnostic("engine-capability", f"`{name}` can't {wanted} ({request.role})", help=help or
                                  "give this role another engine: `engine={\"forward\": …, \"critic\": …}`"))


def budget(what: str, spent: float, asked: float, limit: float, role: str) -> EngineError:
    """A call that would pass the budget."""
    return EngineError(Diagnostic(
        "budget", f"the next call ({role}) might pass the budget: {spent:,.6g} of {limit:,.6g} {what} are spent, "
        f"and it may take {asked:,.6g} more", help=f"a larger `pb.Budget({what} = …)`; a run that is resumed goes on from here"))


def unpriced(model: str) -> EngineError:
    """A model without a price, in a run whose cost is bounded."""
    return EngineError(Diagnostic("budget", f"the budget has no price for `{model}`", help=
                                  f"`pb.Budget(…, prices = {{{model!r}: (prompt, completion)}})`, per million tokens"))


def unscripted(name: str, request: Request, why: str) -> EngineError:
    """A request that a script has no reply to."""
    text = request.user if len(request.user) <= SHOWN else request.user[:SHOWN] + "…"
    return EngineError(Diagnostic("replay-miss", f"`{name}` has no reply to this request ({request.role}): {why}",
                                  notes=((None, f"the request: {text!r}"),)))


def missing(path: str, request: Request, difference: str) -> EngineError:
    """A request that a record has no reply to."""
    shown = difference if len(difference) <= 5 * SHOWN else difference[:5 * SHOWN] + "…"
    return EngineError(Diagnostic(
        "replay-miss", f"the record `{path}` has no reply to this request ({request.role})",
        notes=((None, f"against the nearest request there ([-there-], {{+here+}}): {shown}"),),
        help="record the run again: `record(path, engine)`"))


def uninstalled(engine: str, packages: str, command: str) -> EngineError:
    """An engine whose packages are not there."""
    return EngineError(Diagnostic("engine-unavailable", f"`{engine}` needs {packages}, not installed here", help=command))
