"""Optax's optimizers under their own names: `using adam(0.01)`, `using sgd(cosine(0.1), momentum = 0.9)`.

Every number may be a schedule over the steps of the fit.  `clip` bounds the norm of the whole gradient first.
Fields and defaults are optax's, read off its signatures; those that are no numbers (masks, dtypes) are left out.

>>> from pullback.compiler.optimizer import OPTIMIZERS
>>> print(OPTIMIZERS["rmsprop"].usage())
`rmsprop(learning_rate, decay = 0.9, eps = 1e-08, initial_scale = 0.0, eps_in_sqrt = true, centered = false, ...)`
"""
from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import partial
from typing import Any, Callable

import optax

from pullback.compiler.optimizer import REQUIRED, Option, Recipe, Slope, define
from pullback.compiler.schedule import Schedule

TABLE: dict[str, Callable[..., optax.GradientTransformation]] = {
    "adabelief": optax.adabelief, "adadelta": optax.adadelta, "adafactor": optax.adafactor, "adagrad": optax.adagrad,
    "adam": optax.adam, "adamax": optax.adamax, "adamw": optax.adamw, "adan": optax.adan, "amsgrad": optax.amsgrad,
    "lamb": optax.lamb, "lars": optax.lars, "lbfgs": optax.lbfgs, "lion": optax.lion, "nadam": optax.nadam,
    "nadamw": optax.nadamw, "novograd": optax.novograd, "radam": optax.radam, "rmsprop": optax.rmsprop,
    "rprop": optax.rprop, "sgd": optax.sgd, "sign_sgd": optax.sign_sgd, "sm3": optax.sm3, "yogi": optax.yogi}
NUMBERS_THAT_MAY_BE_NONE = {"learning_rate", "momentum", "weight_decay_rate"}


@dataclass(frozen=True)
class Optax:
    """One of optax's transformations as an optimizer."""

    name: str
    arguments: tuple[tuple[str, Any], ...]

    def transformation(self, total: int) -> optax.GradientTransformationExtraArgs:
        """The transformation, with schedules spread over `total` steps."""
        arguments = {name: value.over(total) if isinstance(value, Schedule) else value
                     for name, value in self.arguments}
        clip = arguments.pop("clip", None)
        make = TABLE[self.name]
        if any(callable(value) and name not in follows_schedules(make) for name, value in arguments.items()):
            fixed = {name for name, value in arguments.items() if isinstance(value, bool | int)}
            make = optax.inject_hyperparams(make, static_args=fixed)
        made = make(**arguments)
        first = [] if clip is None else [
            optax.inject_hyperparams(optax.clip_by_global_norm)(clip) if callable(clip) else
            optax.clip_by_global_norm(clip)]
        return optax.with_extra_args_support(optax.chain(*first, made) if first else made)

    def init(self, params: Any, total: int) -> Any:
        return self.transformation(total).init(params)

    def update(self, key: Any, state: Any, params: Any, slope: Slope, step: Any, total: int) -> tuple[Any, Any]:
        updates, state = self.transformation(total).update(
            slope.gradient, state, params, value=slope.value, grad=slope.gradient, value_fn=slope)
        return state, optax.apply_updates(params, updates)


def follows_schedules(make: Callable[..., Any]) -> set[str]:
    """The arguments in which optax itself takes a schedule; all others are injected at each step."""
    return {name for name, parameter in inspect.signature(make).parameters.items()
            if "Callable" in str(parameter.annotation)}


def options(make: Callable[..., Any]) -> tuple[Option, ...]:
    """What may be given: every argument of optax's function that is a number or a switch, then `clip`."""
    found = []
    for name, parameter in inspect.signature(make).parameters.items():
        default = parameter.default
        if default is inspect.Parameter.empty:
            found.append(Option(name, REQUIRED))
        elif name.endswith("_mask"):
            continue
        elif isinstance(default, bool | int | float) or (default is None and name in NUMBERS_THAT_MAY_BE_NONE):
            found.append(Option(name, default))
    return (*found, Option("clip", None))


def made(name: str, **arguments: Any) -> Optax:
    return Optax(name, tuple(arguments.items()))


for _name, _make in TABLE.items():
    _line = (inspect.getdoc(_make) or "").strip().split("\n")[0]
    define(Recipe(_name, options(_make), partial(made, _name), f"{_line}  (optax.{_name})"))
