"""Pullback: objective programs, compiled to JAX.

    program = pullback.load("cone.pbk")
    f = program["cone_elbo"].compile(particles=64)
    value, grads = f.value_and_grad(key, params)

Every public name stands here once, and a second time for type checkers.  A name is imported when it is first asked
for, so that `import pullback` and `pullback --help` cost next to nothing.
"""
from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

from pullback.backends.xla.faults import avoid

__version__ = "0.1.0"

if TYPE_CHECKING:
    from pullback.compiler.diagnostic import ArgumentError, Diagnostic, EngineError, FitError, ProgramError
    from pullback.compiler.engine import Budget
    from pullback.compiler.optimizer import optimizer
    from pullback.compiler.rule import Bias, Points, PointsRule, PullbackRule, rule
    from pullback.notebook import load_ipython_extension
    from pullback.program import Fit, Model, Objective, Program, load, loads
    from pullback.tune import variance

avoid()
PUBLIC = {
    "ArgumentError": "pullback.compiler.diagnostic",
    "Bias": "pullback.compiler.rule",
    "Budget": "pullback.compiler.engine",
    "Diagnostic": "pullback.compiler.diagnostic",
    "EngineError": "pullback.compiler.diagnostic",
    "Fit": "pullback.program",
    "FitError": "pullback.compiler.diagnostic",
    "Model": "pullback.program",
    "Objective": "pullback.program",
    "Points": "pullback.compiler.rule",
    "PointsRule": "pullback.compiler.rule",
    "Program": "pullback.program",
    "ProgramError": "pullback.compiler.diagnostic",
    "PullbackRule": "pullback.compiler.rule",
    "load": "pullback.program",
    "load_ipython_extension": "pullback.notebook",
    "loads": "pullback.program",
    "optimizer": "pullback.compiler.optimizer",
    "rule": "pullback.compiler.rule",
    "variance": "pullback.tune",
}
MODULES = frozenset({"diagrams", "engines", "testing"})

__all__ = sorted([*PUBLIC, *MODULES])


def __getattr__(name: str) -> object:
    if name in PUBLIC:
        found = getattr(import_module(PUBLIC[name]), name)
    elif name in MODULES:
        found = import_module(f"pullback.{name}")
    else:
        raise AttributeError(f"module 'pullback' has no attribute {name!r}")
    globals()[name] = found
    return found


def __dir__() -> list[str]:
    return sorted([*globals(), *__all__])
