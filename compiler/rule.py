"""What a rule is: how the derivative of a box is obtained (`by …`).

Two kinds are enough.  A *points rule* replaces a choice by weighted points: Σₖ weightₖ·f(valueₖ) estimates E f(x)
without bias, and so does its JAX derivative the derivative.  A *pullback rule* maps the cotangent of a box's or
junction's output to cotangents of its inputs.

A rule is a frozen dataclass, registered under its name by `@rule`; its fields are its options.  `find("mvd")` imports
`pullback.stdlib.rules.mvd` when first asked for (the face hands over the name of the library's package).
"""
from __future__ import annotations

import importlib
import importlib.util
import pkgutil
import re
from dataclasses import dataclass
from enum import Enum
from typing import Any, ClassVar, Protocol, runtime_checkable


class Bias(Enum):
    """What a rule does to the estimate: nothing, an exact value, an error that shrinks with nodes, a bias."""

    none = "unbiased"
    exact = "exact"
    numerical = "numerical"
    biased = "biased"
    heuristic = "heuristic"


@dataclass(frozen=True, slots=True)
class Points:
    """Weighted points of a choice.

    values: [K, *batch, *event]; where the points are the same for every element of the batch (a finite support),
    [K, *event] with `common=True`.
    weights: [K, *batch], or None for weight 1; log_weights: [K, *batch] likewise (give one of the two, or neither);
    a log weight whose value is 0 everywhere (a score) may be summed over many choices before it is exponentiated.
    center: subtract from each weight the mean of the others minus 1, over K or over particles (leave-one-out).
    """

    values: Any
    weights: Any = None
    log_weights: Any = None
    common: bool = False


class Computed(str):
    """An option that the run computes, by its name in the program; `value` is its wire while the program is elaborated.

    A rule says in `computed` which of its options may be one."""

    value: Any = None


class Choice(Protocol):
    """What a points rule sees of a random choice.  All arrays are batched: [*batch, *event]."""

    distribution: Any
    parameters: tuple[Any, ...]

    def sample(self, key: Any, shape: tuple[int, ...] = ()) -> Any:
        """Draws [*shape, *batch, *event] with their pathwise derivative, fresh along the batch."""

    def log_prob(self, values: Any) -> Any:
        """Log density [*shape, *batch] of values [*shape, *batch, *event]."""

    def support(self) -> Any:
        """The values [K, *event] of a finite support."""

    def probabilities(self) -> Any:
        """Their probabilities [K, *batch]."""


@runtime_checkable
class PointsRule(Protocol):
    """Random boxes.  Only `points` must be written; the rest has these meanings when left out:
    bias: `Bias.none`; axis: "points" (fresh noise downstream; "finite": noise downstream is shared; "perturbation"); center: None
    (or "k", "particles": leave-one-out over that axis); admits: always; init: no state; through: "weight"; carried: True (may
    later steps of a loop depend on the choice?); verdict: `bias` itself, with no further reason; plain: False (is its one point
    what `choice.sample` gave?).
    log_weights(choice, values): the log weights [K, *batch] of values that `points` gave, where they owe nothing else to
    the key; with it, a loop weighs all its steps at once when it has ended.

    On the axis "perturbation", which all choices share, point 0 is what was drawn, the further points are varied for this
    choice alone, and the weights are pieces of value 0 that are added to 1."""

    bias: ClassVar[Bias]

    def admits(self, box: Any, facts: Any) -> Any:
        """None, or the Diagnostic that says why the rule is unsound for this choice."""

    def points(self, key: Any, choice: Choice, state: Any) -> Points: ...


@runtime_checkable
class PullbackRule(Protocol):
    """Deterministic boxes, junctions, text.  Only `bias` and `pull` must be written.

    At a junction of numbers (`mean`, `sum`, `combine`) `inputs` are the parameters, by name, and `cotangent` is for each of
    their arrays the derivatives of the n elements or terms, [n, …]; those of a mean's elements are as large as if each stood alone.
    `pull` gives what is to be added in their place, [m, …], and the state.  Rules at one junction follow each other from left to right;
    `output` is `inputs` again: copies are what meets.
    among(terms): the rule for a `combine` of terms with these names; `ValueError` with a sentence where it does not fit."""

    bias: ClassVar[Bias]

    def admits(self, box: Any, facts: Any) -> Any: ...

    def init(self, box: Any, inputs: Any) -> Any: ...

    def pull(self, key: Any, inputs: Any, output: Any, cotangent: Any, state: Any) -> tuple[Any, Any]: ...


def joins(rule: Any) -> bool:
    """Is this a rule for derivatives, in numbers, that meet at a junction?"""
    return hasattr(rule, "pull") and getattr(rule, "through", "") != "words"


def joining(box: Any) -> tuple[Any, ...]:
    """The rules of a `reduce` or a `combine`, those of its terms too."""
    if box.op.name not in ("reduce", "combine"):
        return ()
    return (*(box.rule or ()), *(rule for own in box.get("rules", ()) for rule in own))


RULES: dict[str, type] = {}
_packages: list[str] = []


def library(package: str) -> None:
    """Look for rules in the modules of this package too."""
    if package not in _packages:
        _packages.append(package)


def snake(name: str) -> str:
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z])", "_", name).lower()


def rule(name: Any = None) -> Any:
    """Register a rule class under its name in snake case (`@rule`) or under the one given (`@rule("mine")`)."""
    def register(cls: type, name: str | None = None) -> type:
        cls.name = name or snake(cls.__name__)
        RULES[cls.name] = cls
        return cls
    return register(name) if isinstance(name, type) else lambda cls: register(cls, name)


def find(name: str) -> type | None:
    """The rule called `name`, or None."""
    if name not in RULES and name.isidentifier():
        for package in _packages:
            if importlib.util.find_spec(f"{package}.{name}") is not None:
                importlib.import_module(f"{package}.{name}")
    return RULES.get(name)


def names() -> list[str]:
    """Every rule that can be named."""
    found = set(RULES)
    for package in _packages:
        found |= {module.name for module in pkgutil.iter_modules(importlib.import_module(package).__path__)}
    return sorted(found)
