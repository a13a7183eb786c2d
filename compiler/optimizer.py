"""What an optimizer is: a map from (state, parameters, objective) to the next state and parameters.

An optimizer is a frozen dataclass whose fields are its options, registered by `@optimizer` under its name; `using
adam(0.01)` makes one.  It works in the unconstrained space and always goes *down*: a fit that maximizes hands it the
objective's negative.  `find("adam")` looks into the library when first asked for (the face hands over its package).
"""
from __future__ import annotations

import importlib
import importlib.util
import pkgutil
from dataclasses import MISSING, dataclass, fields
from typing import Any, Callable, Protocol, runtime_checkable

from pullback.compiler.rule import snake

REQUIRED = MISSING
TABLE = "table"  # the module of a library that registers many optimizers at once


class Slope(Protocol):
    """What an optimizer sees of the objective at a step, as a function of the parameters that are its own.

    `value` and `gradient` are those at the present parameters, computed once for all optimizers of the step.
    """

    value: Any
    gradient: Any

    def __call__(self, params: Any) -> Any:
        """The objective elsewhere, with the same noise."""

    def value_and_grad(self, params: Any) -> tuple[Any, Any]: ...


@runtime_checkable
class Optimizer(Protocol):
    """`params` is a dict of pytrees of arrays.  `total` is the number of steps of the fit, for schedules."""

    def init(self, params: Any, total: int) -> Any:
        """The state before the first step: a pytree of arrays."""

    def update(self, key: Any, state: Any, params: Any, slope: Slope, step: Any, total: int) -> tuple[Any, Any]:
        """The state and the parameters after a step."""


@dataclass(frozen=True, slots=True)
class Option:
    """A field of an optimizer: its name and its default (`REQUIRED`: it must be given)."""

    name: str
    default: Any = REQUIRED


@dataclass(frozen=True, slots=True)
class Recipe:
    """An optimizer by name: what it may be given, and how it is made.  `texts`: it steps texts, not arrays."""

    name: str
    options: tuple[Option, ...]
    make: Callable[..., Optimizer]
    doc: str = ""
    texts: bool = False

    def __call__(self, *arguments: Any, **named: Any) -> Optimizer:
        """The optimizer with these options; a `TypeError` says in the user's terms which one does not fit."""
        known = [option.name for option in self.options]
        if len(arguments) > len(known):
            raise TypeError(f"`{self.name}` takes {len(known)} options at most: {self.usage()}")
        given = dict(zip(known, arguments))
        for name, value in named.items():
            if name not in known:
                raise TypeError(f"`{self.name}` has no option `{name}`: {self.usage()}")
            if name in given:
                raise TypeError(f"`{name}` of `{self.name}` is given twice")
            given[name] = value
        for option in self.options:
            if option.default is REQUIRED and option.name not in given:
                raise TypeError(f"`{self.name}` needs `{option.name}`: {self.usage()}")
        return self.make(**given)

    def usage(self) -> str:
        """`adam(learning_rate, b1 = 0.9, …)`."""
        return f"`{self.name}(" + ", ".join(
            option.name if option.default is REQUIRED else f"{option.name} = {'[]' if option.default == () else str(option.default).lower()}"
            for option in self.options if option.default is not None) + ")`"


OPTIMIZERS: dict[str, Recipe] = {}
_packages: list[str] = []


def library(package: str) -> None:
    """Look for optimizers in the modules of this package too."""
    if package not in _packages:
        _packages.append(package)


def define(recipe: Recipe) -> Recipe:
    """Register a recipe under its name."""
    OPTIMIZERS[recipe.name] = recipe
    return recipe


def optimizer(name: Any = None) -> Any:
    """Register an optimizer class under its name in snake case (`@optimizer`), or the one given."""
    def register(cls: type, name: str | None = None) -> type:
        cls.name = name or snake(cls.__name__)
        options = tuple(Option(f.name, f.default) for f in fields(cls))
        define(Recipe(cls.name, options, cls, (cls.__doc__ or "").strip(), getattr(cls, "texts", False)))
        return cls
    return register(name) if isinstance(name, type) else lambda cls: register(cls, name)


def find(name: str) -> Recipe | None:
    """The optimizer called `name`, or None."""
    for package in _packages:
        for module in (name, TABLE):
            if name not in OPTIMIZERS and name.isidentifier() and importlib.util.find_spec(f"{package}.{module}"):
                importlib.import_module(f"{package}.{module}")
    return OPTIMIZERS.get(name)


def names() -> list[str]:
    """Every optimizer that can be named."""
    for package in _packages:
        for module in pkgutil.iter_modules(importlib.import_module(package).__path__):
            importlib.import_module(f"{package}.{module.name}")
    return sorted(OPTIMIZERS)
