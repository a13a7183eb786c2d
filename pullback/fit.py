"""A fit of a program: its objective, and how it is run."""
from __future__ import annotations

import hashlib
from functools import cached_property
from pathlib import Path
from typing import Any, Callable, Mapping

import jax

from pullback.backends.xla import fit as runner
from pullback.backends.xla.compiled import Argument
from pullback.backends.xla.fitted import Fitted
from pullback.backends.xla.lower import evaluate
from pullback.backends.xla.simulate import opened
from pullback.backends.xla.state import State, Variable, constrain, start
from pullback.compiler.diagnostic import ArgumentError, Diagnostic, near
from pullback.compiler.ir import Graph
from pullback.dsl import elaborate
from pullback.dsl import syntax as s
from pullback.dsl.fits import FitPlan, Parameter
from pullback.dsl.values import Declared, Undetermined
from pullback.function import Estimate, Function, estimate
from pullback.objective import refuse_mesh
from pullback.texts import given_of, static_ints

SETTINGS = ("particles", "steps", "rules", "allow_biased", "mesh")


class Fit:
    """`program["vae"].run(key, data={…})`; `.objective` is the function that it maximizes or minimizes."""

    def __init__(self, loaded: elaborate.Loaded, declared: Declared):
        self.loaded, self.declared = loaded, declared

    name = property(lambda self: self.declared.name)
    doc = property(lambda self: self.declared.doc)

    def __repr__(self) -> str:
        return f"<fit {self.name}, given {', '.join(f'{n}: {t}' for n, t in self.given.items()) or 'nothing'}>"

    @property
    def given(self) -> dict[str, str]:
        """The data, name → type as it is written."""
        return given_of(self.declared.node)

    @property
    def objective(self) -> Function:
        """The compiled objective: parameters are the names under `over`, data those under `given`."""
        return self._objective

    @cached_property
    def _objective(self) -> Function:
        return self.compile()

    def compile(self, *, particles: int | None = None, rules: Mapping[str, Any] | None = None, allow_biased: bool = False,
                mesh: Any = None, **known: int) -> Function:
        """The objective with other particles or rules than the program's."""
        refuse_mesh(mesh)
        statics = static_ints(self.declared)
        for name in known:
            if name not in statics:
                raise ArgumentError(Diagnostic("argument", f"`{self.name}` has no setting `{name}`", self.declared.node.span,
                                               help=near(name, [*SETTINGS, *statics]) or f"settings are {', '.join(SETTINGS)}"))

        def make(sizes: Mapping[str, int], shapes: Mapping[str, Any]) -> Graph:
            goal = elaborate.fit_plan(self.loaded, self.name, sizes, shapes).goal
            return elaborate.with_rules(goal, rules) if rules else goal
        plan = self.plan(known)
        return Function(self.name, make, tuple(Argument(wire.name, wire.type) for wire in plan.goal.inputs), statics=statics,
                        fixed=known, source=self.declared.module.source, particles=particles or plan.particles,
                        allow_biased=allow_biased or plan.allow_biased, parameters=tuple(plan.over))

    def plan(self, sizes: Mapping[str, int] | None = None, shapes: Mapping[str, Any] | None = None) -> FitPlan:
        """All that the fit says, for these sizes."""
        try:
            return elaborate.fit_plan(self.loaded, self.name, sizes or {}, shapes or {})
        except Undetermined as reason:
            raise ArgumentError(Diagnostic("argument", f"`{self.name}` can't be run: {reason} is not known",
                                           self.declared.node.span)) from None

    def run(self, key: Any, data: Mapping[str, Any] | None = None, init: Mapping[str, Any] | State | Fitted | None = None,
            progress: bool = True, checkpoint: str | Path | None = None, resume: bool = False, *, steps: int | None = None,
            save_every: int | None = None, every: int = 1, notify: Callable[[Diagnostic], None] | None = None,
            **settings: Any) -> Fitted:
        """Run the fit.

        key: a JAX key, or an int seed.  data: arrays by the names under `given`.  init: starts by name, or a fit to go on
        from.  progress: a live line, on a terminal.  checkpoint: a folder; `resume` goes on from what is there.
        steps, particles, rules: instead of the program's.  save_every: steps between checkpoints (else half a minute).
        every: record each so many steps in the history.  notify: hears warnings (by default they are Python's).
        """
        plan = self.prepare(data or {}, steps=steps, **settings)
        return runner.run(plan, key, plan.data, init.state if isinstance(init, Fitted) else init, progress=progress,
                          checkpoint=checkpoint, resume=resume, save_every=save_every, every=every, notify=notify or warn)

    def prepare(self, data: Mapping[str, Any], *, steps: int | None = None, **settings: Any) -> runner.Plan:
        """The fit as it is run: of these data's sizes, with what is not as the program says."""
        function, given = self.compile(**settings).known(self._given(data))
        _, arrays = split(function, given)
        sizes = function._sizes({**self._placeholders(function), **arrays}) if function.arguments else dict(function.fixed)
        plan = self.plan({**sizes, **function.fixed})
        steps = steps or plan.steps
        if steps is None:
            raise ArgumentError(Diagnostic("argument", f"`{self.name}` does not say how many steps it takes",
                                           self.declared.node.span, help="`steps 1000` in the program, or `steps=1000` here"))
        variables = tuple(Variable(name, p.type, starts(p), p.span) for name, p in plan.over.items())
        data = {name: nested(arrays, name) for name in self.given if name not in function.statics}
        return runner.Plan(
            self.name, lambda key, params, data: function.value_and_grad(key, params, **data),
            lambda key, params, data: function(key, params, **data), plan.maximize, variables, optimizers(plan), steps,
            digest=self.digest(settings, function.fixed), locate=function.locate, posterior=self._posterior(function),
            span=self.declared.node.span, function=function, data=data)
