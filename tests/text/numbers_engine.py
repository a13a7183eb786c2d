"""An engine whose texts are numbers and whose feedback is their exact derivative, so that words obey the chain rule.

The system prompt of a reply names a function; the critic answers with its partial derivative times the weighted mean of the feedback.
`slope(feedback)` is what a tuple of criticisms says of a text: Σ weight · number.
"""
from __future__ import annotations

import re

from textwrap import dedent

import jax.numpy as jnp
import numpy as np

import pullback as pb
from pullback.compiler.contract import fields, fulfil
from pullback.compiler.engine import Request

FUNCTIONS = {
    "sin": (jnp.sin, (np.cos,)), "cos": (jnp.cos, (lambda x: -np.sin(x),)), "half": (lambda x: 0.5 * x, (lambda x: 0.5,)),
    "flip": (lambda x: -x, (lambda x: -1.0,)), "mul": (lambda x, y: x * y, (lambda x, y: y, lambda x, y: x)),
    "add": (lambda x, y: x + y, (lambda x, y: 1.0, lambda x, y: 1.0)), "sub": (lambda x, y: x - y, (lambda x, y: 1.0, lambda x, y: -1.0))}

DECLARED = """
extern value(x: text) -> real
extern way(x: text, value: real, way: int) -> text
"""
EXTERNS = {"value": float, "way": lambda x, value, way: str(way)}


def answer(request: Request) -> str:
    if request.role == "forward":
        function, *given = (text for _, text in request.messages)
        return repr(float(FUNCTIONS[function][0](*map(float, given))))
    shown = fields(request.user)
    named = dict(shown)
    wanted = "user" if "input user" not in named else "assistant"
    given = {name.removeprefix("input "): text for name, text in shown if name.startswith("input ")} | {wanted: named["text"]}
    numbers = [float(given[name]) for name in ("user", "assistant") if name in given]
    said = [float(text) for name, text in shown if name == "feedback"]
    weights = [float(found) for found in re.findall(r"^Of weight (\S+):$", request.user, re.M)] or [1.0] * len(said)
    mean = sum(w * d for w, d in zip(weights, said)) / sum(weights)
    partial = FUNCTIONS[given["system"]][1][0 if wanted == "user" else 1](*numbers)
    return fulfil(request, {"value": repr(float(partial * mean))})


def engine(**options):
    return pb.engines.scripted(answer, **options)


def program(text: str) -> pb.Program:
    return pb.loads(DECLARED + dedent(text), **EXTERNS)


def compiled(text: str, name: str = "o", **options):
    return program(text)[name].compile(engine=engine(), **options)


def slope(said) -> float:
    return sum(item.weight * float(item.text) for item in said)


def weight(said) -> float:
    return sum(item.weight for item in said)
