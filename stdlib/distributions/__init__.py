"""The distributions of the library, by name.

A module of this package holds a family and lists its records in `RECORDS`; there is no other register.  The first
of a name is the one that positional arguments mean: `bernoulli(0.3)` has probs, `bernoulli(logits = 0.3)` logits.
The formulas are JAX's; NumPyro is imported only when a record's `numpyro` is called, or by the few that wrap it.
"""
from __future__ import annotations

import functools
import importlib
import pkgutil

from pullback.compiler.distribution import Distribution


def find(name: str) -> tuple[Distribution, ...]:
    """Every parametrization of the distribution called `name`, the positional one first; none if there is no such."""
    return _records().get(name, ())


def names() -> tuple[str, ...]:
    """Every distribution that can be named."""
    return tuple(sorted(_records()))


@functools.cache
def _records() -> dict[str, tuple[Distribution, ...]]:
    found: dict[str, tuple[Distribution, ...]] = {}
    for module in pkgutil.iter_modules(__path__):
        for record in getattr(importlib.import_module(f"{__name__}.{module.name}"), "RECORDS", ()):
            found[record.name] = found.get(record.name, ()) + (record,)
    return found
