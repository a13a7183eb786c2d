"""`pb.engines`: who answers for the texts of a program.  Each is imported when it is first made.

    engine = pb.engines.scripted(lambda request: "yes")
    engine.call(pb.engines.Request.of("Is it so?")).text
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pullback.backends.text.jax_lm import JaxLM as jax_lm
    from pullback.backends.text.local import Local as local
    from pullback.backends.text.openai import OpenAI as openai
    from pullback.backends.text.record import Record as record
    from pullback.backends.text.record import Replay as replay
    from pullback.backends.text.retry import Retry
    from pullback.backends.text.roles import Roles
    from pullback.backends.text.rules import rules
    from pullback.backends.text.scripted import Fault
    from pullback.backends.text.scripted import Scripted as scripted
    from pullback.backends.text.tasks import counting, sorting
    from pullback.compiler.engine import Capabilities, Reply, Request, Usage

PUBLIC = {
    "Capabilities": ("pullback.compiler.engine", "Capabilities"),
    "Fault": ("pullback.backends.text.scripted", "Fault"),
    "Reply": ("pullback.compiler.engine", "Reply"),
    "Request": ("pullback.compiler.engine", "Request"),
    "Retry": ("pullback.backends.text.retry", "Retry"),
    "Roles": ("pullback.backends.text.roles", "Roles"),
    "Usage": ("pullback.compiler.engine", "Usage"),
    "counting": ("pullback.backends.text.tasks", "counting"),
    "jax_lm": ("pullback.backends.text.jax_lm", "JaxLM"),
    "local": ("pullback.backends.text.local", "Local"),
    "openai": ("pullback.backends.text.openai", "OpenAI"),
    "record": ("pullback.backends.text.record", "Record"),
    "replay": ("pullback.backends.text.record", "Replay"),
    "rules": ("pullback.backends.text.rules", "rules"),
    "scripted": ("pullback.backends.text.scripted", "Scripted"),
    "sorting": ("pullback.backends.text.tasks", "sorting"),
}

__all__ = sorted(PUBLIC)


def __getattr__(name: str) -> object:
    if name not in PUBLIC:
        raise AttributeError(f"there is no engine `{name}`: pb.engines has {', '.join(__all__)}")
    module, attribute = PUBLIC[name]
    globals()[name] = found = getattr(import_module(module), attribute)
    return found


def __dir__() -> list[str]:
    return __all__
